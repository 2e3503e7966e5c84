"""What comes through a page: tars of several files, and what carries code."""

import io
import json
import pickle
import subprocess
import sys
import tarfile
import warnings
from pathlib import Path

import pytest
import torch

from ml.__main__ import main
from ml.commands import look
from ml.data import load
from ml.importing import brought
from ml.importing.graph import Unusable
from ml.system.paths import ROOT
from tests import own_networks
from tests.conftest import TOY

DATASET = load(TOY)


def tar(place, files, **more):
    with tarfile.open(place, "w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for key, value in more.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(content))
    return place


def looked(tmp_path, source, capsys, **choices):
    main(["runs", "look", str(source), "--data", TOY, "--choices", json.dumps(choices), "--left-out",
          str(tmp_path / "left.csv")])  # fmt: skip
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_a_network_and_its_data_come_as_a_tar(tmp_path, capsys):
    (tmp_path / "made").mkdir()
    own_networks.network(DATASET, tmp_path / "made" / "net.onnx", data="net.onnx.data")
    files = {f"made/{one.name}": one.read_bytes() for one in (tmp_path / "made").iterdir()}
    said = looked(tmp_path, tar(tmp_path / "made.tar", {**files, "made/.DS_Store": b"x", "__MACOSX/a": b"x"}), capsys)
    assert (said["kind"], said["found"]["kind"]) == ("network", "imported")
    assert "its weights lay beside it, in net.onnx.data: they are kept within the file" in said["found"]["understood"]
    alone = looked(tmp_path, tmp_path / "made" / "net.onnx.data", capsys)
    assert "data of a network" in alone["refused"]


UNDER_WAY = """
import time
from ml.commands.look import aside
with aside() as folder:
    (folder / "large").write_bytes(bytes(9))
    print(folder, flush=True)
    time.sleep(600)
"""


def test_what_a_killed_look_had_unpacked_is_removed_by_the_next(tmp_path, monkeypatch):
    """As when a person says something otherwise while a large network is looked at."""
    monkeypatch.setenv("FASHION_HOME", str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", UNDER_WAY], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        assert left.is_relative_to(tmp_path)
        with look.aside() as own:
            assert list(own.iterdir()) == []
            assert (left / "large").exists(), "it is under way"
        process.kill()
    assert (left / "large").exists()
    with look.aside():
        assert not left.parent.exists()
    assert list(tmp_path.iterdir()) == []


def test_where_the_home_cannot_be_written_to_it_is_looked_at_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("FASHION_HOME", str(tmp_path / "none"))
    with look.aside() as own:
        assert list(own.iterdir()) == []
    assert not own.exists()
    assert list(tmp_path.iterdir()) == []


def test_what_is_left_out_is_written_whole(tmp_path, capsys):
    said = looked(tmp_path, own_networks.predictions(DATASET, tmp_path / "said.csv", more=300), capsys)
    (reason, names), *_ = said["found"]["listed"].items()
    assert (said["found"]["unmatched"], len(names)) == (300, 200)
    lines = (tmp_path / "left.csv").read_text(encoding="utf-8-sig").splitlines()
    assert (len(lines), lines[0], lines[300]) == (301, "row,why", f"900299,{reason}")


def test_parts_of_predictions_come_together_and_columns_are_told(tmp_path, capsys):
    whole = own_networks.predictions(DATASET, tmp_path / "said.csv").read_text().splitlines()
    halves = {"a.csv": "\n".join(whole[:300]), "b.csv": "\n".join([whole[0], *whole[300:]])}
    source = tar(tmp_path / "said.tar", {name: text.encode() for name, text in halves.items()})
    assert looked(tmp_path, source, capsys)["found"]["matched"] == 600
    csv = tmp_path / "odd.csv"
    csv.write_text("what,guess\n1,Bar 0\n2,Bar 1\n")
    said = looked(tmp_path, csv, capsys)
    assert (said["columns"], "which columns are the predictions" in said["refused"]) == (["what", "guess"], True)
    chosen = {"columns": {"id": "what", "predicted": "guess"}, "split": "test"}
    assert looked(tmp_path, csv, capsys, predictions=chosen)["found"]["matched"] == 2


class Canary:
    """A pickle that would make a file."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return open, (self.place, "w")


NAMES = ("net.pt", "net.pt2", "net.keras", "net.pkl", "net.py", "net.csv", "net.npy", "net.onnx")


@pytest.mark.parametrize("name", NAMES)
def test_no_pickle_is_opened_whatever_it_is_called(tmp_path, capsys, name):
    canary = tmp_path / "canary"
    (tmp_path / name).write_bytes(pickle.dumps(Canary(str(canary))))
    said = looked(tmp_path, tmp_path / name, capsys)
    assert not canary.exists()
    assert "pickle" in said["refused"]


def test_what_carries_code_is_refused_with_the_command(tmp_path, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # as people's files are still made
        torch.jit.save(torch.jit.trace(torch.nn.Flatten(), torch.zeros(1, 1, 28, 28)), str(tmp_path / "net.pt"))
    said = looked(tmp_path, tmp_path / "net.pt", capsys)
    assert "a TorchScript file, which may carry code" in said["refused"]
    assert f"python -m ml runs add NAME --data {TOY} --network net.pt" in said["refused"]
    job = ["runs", "add", "x", "--data", TOY, "--brought", str(tmp_path / "net.pt"), "--choices", "{}"]
    assert main(job) == 1
    assert "may carry code" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("files", "more"),
    [
        ({"../x.csv": b"a"}, {}), ({"/x.csv": b"a"}, {}), ({"a": b"1", "a/b": b"2"}, {}),
        ({"x.csv": b""}, {"type": tarfile.SYMTYPE, "linkname": "/etc"}),
    ],
)  # fmt: skip
def test_a_tar_writes_nothing_elsewhere(tmp_path, files, more):
    scratch = tmp_path / "scratch"
    with pytest.raises(Unusable):
        brought.opened(tar(tmp_path / "x.tar", files, **more), scratch)
    assert {one.name for one in tmp_path.iterdir()} <= {"x.tar", "scratch"}


def test_two_networks_at_once_and_strangers_are_refused(tmp_path):
    for names, words in (
        (("a.onnx", "b.onnx"), "one at a time"),
        (("a.jpg", "b.jpg", "c.csv"), "bring one"),
    ):
        with pytest.raises(Unusable, match=words):
            brought.told([tmp_path / name for name in names])
