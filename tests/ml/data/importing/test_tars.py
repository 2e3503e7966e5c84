"""Tars of labelled pictures, packed as any tool packs them: what is read, what is refused, what a broken one says."""

import gzip
import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from ml.data import folder
from ml.data.importing import Choices

CHANCE = np.random.default_rng(0)
PACKINGS = {"": "tar", "gz": "tar.gz", "bz2": "tar.bz2", "xz": "tar.xz"}


def picture():
    file = io.BytesIO()
    Image.fromarray(CHANCE.integers(0, 256, (28, 28), np.uint8)).save(file, "PNG")
    return file.getvalue()


def put(archive, name, content=b"", **more):
    one = tarfile.TarInfo(name)
    one.size = len(content)
    for what, value in more.items():
        setattr(one, what, value)
    archive.addfile(one, io.BytesIO(content))


def packed(where, names=("ring", "block"), packing="", more=(), form=tarfile.PAX_FORMAT):
    with tarfile.open(where, f"w:{packing}", format=form) as archive:
        put(archive, "./data", type=tarfile.DIRTYPE)
        for i in range(12):
            for name in names:
                put(archive, f"./data/{name}/{i:02}.png", picture())
        for name, content, extra in more:
            put(archive, name, content, **extra)
    return where


def read(place):
    return folder.read(place, "pets", Choices(size=(28, 28), colour=False))


def told(made):
    return "\n".join([*made.notes, *made.left_out.lines()])


def count(made):
    return sum(len(split) for split in made.dataset.splits.values())


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_tar_is_imported_like_the_folder_it_was_made_from(tmp_path, monkeypatch, packing):
    monkeypatch.setenv("FASHION_HOME", str(tmp_path / "home"))
    more = [("./data/._ring", b"x", {}), ("./data/ring/.DS_Store", b"x", {}), ("data/notes.txt", b"x", {})]
    archive = packed(tmp_path / f"pets.{PACKINGS[packing]}", packing=packing, more=more)
    made = read(archive)
    assert made.dataset.classes == ("block", "ring")
    assert {name: len(split) for name, split in made.dataset.splits.items()} == {
        "train": 20,
        "validation": 2,
        "test": 2,
    }
    assert "passed over 2 files" in told(made)
    assert sum(made.left_out.counts().values()) == 1
    with tarfile.open(archive) as opened:
        safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # Python 3.11.4 and later
        opened.extractall(tmp_path / "unpacked", **safe)
    assert made.dataset.digest == read(tmp_path / "unpacked").dataset.digest, "the same pictures in the same order"
    assert all(Image.open(io.BytesIO(content)).size == (28, 28) for content in made.dataset.files().values())
    assert not list((tmp_path / "home").iterdir()) if (tmp_path / "home").exists() else not packing


def test_links_devices_and_names_that_lead_out_are_left_out_and_said(tmp_path):
    (tmp_path / "secret.png").write_bytes(picture())
    more = [
        ("data/ring/link.png", b"", {"type": tarfile.SYMTYPE, "linkname": str(tmp_path / "secret.png")}),
        ("data/ring/hard.png", b"", {"type": tarfile.LNKTYPE, "linkname": "data/block/00.png"}),
        ("data/ring/pipe", b"", {"type": tarfile.FIFOTYPE}),
        ("data/ring/../../x.png", picture(), {}),
        (str(tmp_path / "secret.png"), picture(), {}),
    ]
    made = read(packed(tmp_path / "a.tar", more=more))
    assert (made.dataset.classes, count(made)) == (("block", "ring"), 24)
    assert sum(made.left_out.counts().values()) == 5
    assert "its name leads out of the archive" in told(made)
    assert "This is a link or a device" in told(made)


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_in_any_script_are_read(tmp_path, form):
    names = ("Čapka " + "x" * 50, "кепка")
    assert read(packed(tmp_path / "a.tgz", names, "gz", form=form)).dataset.classes == names


@pytest.mark.parametrize(("packing", "kept"), [("", 0.85), ("gz", 0.93), ("xz", 0.93)])
def test_of_one_that_breaks_off_the_rest_is_read_and_that_is_said(tmp_path, packing, kept):
    whole = packed(tmp_path / "a", packing=packing).read_bytes()
    (tmp_path / "a.tar").write_bytes(whole[: int(len(whole) * kept)])
    made = read(tmp_path / "a.tar")
    assert 20 <= count(made) <= 23
    assert "damaged" in told(made)


def test_of_one_that_is_damaged_in_its_middle_what_comes_before_is_read_and_that_is_said(tmp_path):
    content = bytearray(packed(tmp_path / "a.tar").read_bytes())
    at = content.index(b"./data/ring/11.png")
    content[at : at + 512] = b"\x07" * 512
    (tmp_path / "a.tar").write_bytes(bytes(content))
    made = read(tmp_path / "a.tar")
    assert count(made) == 22
    assert "it is damaged, and what comes after its first" in told(made)


def test_what_is_packed_and_no_tar_is_told_so(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"hello"))
    with pytest.raises(ValueError, match="neither a folder nor a zip or tar"):
        read(tmp_path / "a.gz")
