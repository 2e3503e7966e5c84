"""Pictures of an import, made fit by processes of their own: the same as by threads, whatever becomes of a process."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from ml.data import decoders, importing, reading
from ml.data.decoders import Decoders
from ml.data.reading import Hand, read_all
from ml.images import fitted as fitted_module
from ml.images.decoding import FILE_BYTES, Refusal
from ml.images.fitted import Fitted, Unwritten, written
from ml.images.form import Form
from ml.system.paths import ROOT

FORM = Form(20, 16, 3)
CHANCE = np.random.default_rng(0)
N = 50


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two classes of N files, one of each that is no picture, of sizes that differ."""
    top = tmp_path_factory.mktemp("decoders") / "set"
    for i in range(2 * N):
        place = top / ("cat" if i % 2 else "dog") / f"{i:03}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(CHANCE.integers(0, 256, (20 + i % 3, 16, 3), np.uint8)).save(place)
    (top / "cat" / "001.png").write_bytes(b"no picture")
    (top / "dog" / "098.png").write_bytes((top / "dog" / "000.png").read_bytes()[:200])  # the last of all
    return top


@pytest.fixture
def zipped(folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for file in sorted(folder.rglob("*.png")):
            archive.write(file, file.relative_to(folder.parent))
    return tmp_path / "set.zip"


def made(place, home, monkeypatch, least, during=lambda: None):
    monkeypatch.setattr(reading, "LEAST", least)
    monkeypatch.setattr(reading, "cores", lambda: 2)
    home.mkdir(exist_ok=True)
    with importing.opened(place, home=home) as found:
        hand = Hand(home, progress=lambda done, total, what: during())
        one = read_all(found.records, FORM, hand, watch=False)
        names = [found.records[row].name for row, _ in one.left]
        return [
            one.rows, one.lengths, one.digests, one.pixels, [each.tolist() for each in one.sums], one.sizes, one.dim,
            one.left, names, np.asarray(one.images).tolist(),
        ]  # fmt: skip


def test_processes_and_threads_make_the_same(folder, zipped, tmp_path, monkeypatch):
    alone = made(folder, tmp_path / "home", monkeypatch, 1_000)
    assert sorted(alone[8]) == ["cat/001.png", "dog/098.png"]
    assert len(alone[0]) == 2 * N - 2
    assert made(folder, tmp_path / "home", monkeypatch, 1) == alone
    assert made(zipped, tmp_path / "home", monkeypatch, 1) == made(zipped, tmp_path / "home", monkeypatch, 1_000)
    assert not list((tmp_path / "home").iterdir())


def test_a_folder_named_from_where_one_is(folder, tmp_path, monkeypatch):
    alone = made(folder, tmp_path / "home", monkeypatch, 1_000)
    monkeypatch.chdir(folder.parent)
    there = made(Path(folder.name), tmp_path / "home", monkeypatch, 1)
    assert there == alone


def test_a_process_that_is_killed_costs_nothing(folder, tmp_path, monkeypatch):
    alone = made(folder, tmp_path / "home", monkeypatch, 1_000)
    killed = []

    def kill():
        for one in psutil.Process().children():
            with contextlib.suppress(psutil.ZombieProcess):  # another test's, of which nobody has taken notice yet
                if one.pid not in killed and "ml.images.fitted" in one.cmdline():
                    os.kill(one.pid, signal.SIGKILL)
                    killed.append(one.pid)

    monkeypatch.setattr(reading, "TOGETHER", 3)
    assert made(folder, tmp_path / "home", monkeypatch, 1, kill) == alone
    assert killed


def test_where_none_can_be_started_threads_do_it(folder, tmp_path, monkeypatch):
    alone = made(folder, tmp_path / "home", monkeypatch, 1_000)
    monkeypatch.setattr(decoders.sys, "executable", str(tmp_path / "nothing"))
    assert made(folder, tmp_path / "home", monkeypatch, 1) == alone


def test_a_file_that_goes_meanwhile_is_left_out(folder, tmp_path):
    (tmp_path / "pixels").touch()
    with (tmp_path / "pixels").open("r+b") as pixels, Decoders(FORM, pixels.fileno(), True) as several:
        there, gone = several.fit([folder / "cat" / "003.png", folder / "cat" / "none.png"], 5)
        assert len(several.processes) == 1
    assert isinstance(there, Fitted)
    assert isinstance(gone, OSError)
    assert gone.errno == errno.ENOENT
    size = 20 * 16 * 3
    assert (tmp_path / "pixels").stat().st_size == 6 * size


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a disk that is full, as Linux has one")
@pytest.mark.parametrize("wanted", [True, False])
def test_a_full_disk_is_no_fault_of_a_picture(folder, wanted):
    with open("/dev/full", "r+b", buffering=0) as full, Decoders(FORM, full.fileno(), wanted) as several:
        with pytest.raises(Unwritten) as told:
            several.fit([folder / "cat" / "003.png"], 0)
        assert len(several.processes) == wanted
    assert told.value.error.errno == errno.ENOSPC


def test_processes_end_with_whoever_started_them(tmp_path):
    program = (
        "import sys, time; from ml.data.decoders import Decoders; from ml.images.form import Form\n"
        "file = open(sys.argv[1], 'w+b')\n"
        "with Decoders(Form(8, 8, 3), file.fileno(), True) as several:\n"
        "    several.fit([b'no picture'], 0)\n"
        "    print(several.processes[0].pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "pixels")], cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8"
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until = time.monotonic() + 20
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_what_has_the_form_already_is_kept_as_it_came(mode, tmp_path, monkeypatch):
    shape = (20, 16, 3) if mode == "RGB" else (20, 16)
    levels = np.random.default_rng(4).integers(0, 256, shape, np.uint8)
    Image.fromarray(levels).save(tmp_path / "a.png")
    form = Form(20, 16, len(mode))
    with (tmp_path / "pixels").open("w+b") as file:
        asked = []
        prepare = fitted_module.prepare
        monkeypatch.setattr(fitted_module, "prepare", lambda *args, **how: asked.append(1) or prepare(*args, **how))
        about = written(tmp_path / "a.png", form, file.fileno(), 0)
        assert isinstance(about, Fitted)
        assert not asked
        assert file.read() == levels.tobytes()
        turned = Image.Exif()
        turned[0x0112] = 3
        Image.fromarray(levels).save(tmp_path / "b.png", exif=turned)
        written(tmp_path / "b.png", form, file.fileno(), 1)
        assert file.read() == levels[::-1, ::-1].tobytes()
        assert asked


def test_a_file_of_any_length_is_read_whole_or_refused(tmp_path, monkeypatch):
    Image.fromarray(CHANCE.integers(0, 256, (20, 16, 3), np.uint8)).save(tmp_path / "a.png")
    length = (tmp_path / "a.png").stat().st_size
    with (tmp_path / "pixels").open("w+b") as file:
        about = written(tmp_path / "a.png", FORM, file.fileno(), 0)
        assert isinstance(about, Fitted)
        assert about.length == length
        with (tmp_path / "a.png").open("ab") as longer:
            longer.truncate(FILE_BYTES + 5)
        refused = written(tmp_path / "a.png", FORM, file.fileno(), 0)
        assert isinstance(refused, Refusal)
        assert "too much" in str(refused)
        os.mkfifo(tmp_path / "pipe")
        writer = subprocess.Popen([sys.executable, "-c", f"open({str(tmp_path / 'pipe')!r}, 'wb').write(b'x' * 99)"])
        assert isinstance(written(tmp_path / "pipe", FORM, file.fileno(), 0), Refusal)  # what has no size of its own
        writer.wait(30)
