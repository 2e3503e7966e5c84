"""`python -m ml predict`: files, folders and zips in, CSV or JSON lines out."""

import csv
import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from ml.__main__ import main
from ml.artifacts.reader import Library
from ml.system.paths import ARTIFACTS


@pytest.fixture
def pictures(tmp_path, toy_home, monkeypatch):
    """A folder of six test pictures of the toy run by class, and a zip of two more; what was recorded of all."""
    monkeypatch.setenv("FASHION_HOME", str(toy_home))
    library = Library(ARTIFACTS, toy_home)
    run = library.open("toy")
    test = library.pictures(run.manifest["dataset"]["name"], "test")
    said = run.table("predictions").query("split == 'test'")
    classes = run.manifest["dataset"]["classes"]
    expected, parcel = {}, io.BytesIO()
    with zipfile.ZipFile(parcel, "w") as archive:
        for row in range(8):
            name = f"{classes[test.labels[row]]}/{row}.png"
            buffer = io.BytesIO()
            Image.fromarray(test.images[row].squeeze()).save(buffer, "PNG")
            if row < 6:
                (tmp_path / "mine" / name).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / "mine" / name).write_bytes(buffer.getvalue())
            else:
                archive.writestr(name, buffer.getvalue())
            expected[name] = (classes[said["predicted"].iloc[row]], float(said["confidence"].iloc[row]))
    (tmp_path / "more.zip").write_bytes(parcel.getvalue())
    (tmp_path / "mine" / "=notes.txt").write_text("hello")
    return tmp_path, expected


def test_json_lines_are_the_recorded_answers(pictures, capsys):
    folder, expected = pictures
    assert main(["predict", str(folder / "mine"), str(folder / "more.zip"), "--run", "toy", "--json"]) == 0
    told = capsys.readouterr()
    lines = {"/".join(line["file"].split("/")[-2:]): line for line in map(json.loads, told.out.splitlines())}
    for name, (label, confidence) in expected.items():
        assert lines[name]["label"] == label
        assert lines[name]["confidence"] == pytest.approx(confidence, abs=1e-4)
        assert lines[name]["true"] == name.split("/")[0]
        assert lines[name]["set"]["level"] == 90
        assert 0 < lines[name]["calibrated"] <= 1
    assert "not a picture" in lines["mine/=notes.txt"]["error"]
    assert "8 answered by toy" in told.err


def test_csv_has_a_row_a_file_and_no_formula(pictures, capsys, monkeypatch):
    folder, expected = pictures
    monkeypatch.chdir(folder / "mine")
    assert main(["predict", "=notes.txt", str(folder / "more.zip"), "nowhere.png", "--run", "toy"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["file"] for row in rows] == ["nowhere.png", "'=notes.txt", *list(expected)[6:]]
    assert rows[0]["error"] == "There is no such file."
    assert rows[2]["label"] == next(iter([*expected.values()][6:]))[0]
    assert rows[1]["confidence"] == ""


def test_what_is_unlike_the_training_data_is_called_so(pictures, capsys, toy_home):
    folder, _ = pictures
    noise = np.random.default_rng(0).integers(0, 256, (28, 28)).astype(np.uint8)
    Image.fromarray(noise).save(folder / "noise.png")
    assert main(["predict", str(folder / "noise.png"), str(folder / "more.zip"), "--run", "toy"]) == 0
    told = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(told.out)))
    assert next(row["unlike"] for row in rows) == "yes"
    assert "no" in {row["unlike"] for row in rows}
    assert "unlike anything it was trained on" in told.err
    assert main(["predict", str(folder / "noise.png"), "--run", "toy", "--json"]) == 0
    line = json.loads(capsys.readouterr().out)
    assert line["familiarity"]["unlike"] is True
    assert line["familiarity"]["percentile"] > 96


def test_without_an_answer_it_ends_with_one(pictures, capsys):
    folder, _ = pictures
    assert main(["predict", str(folder / "nowhere.png"), "--run", "toy"]) == 1
    assert main(["predict", str(folder), "--run", "nowhere"]) == 1
    assert "no run 'nowhere'" in capsys.readouterr().err
    assert main(["predict", str(folder), "--run", "toy", "--top", "9"]) == 1


def test_folders_are_told_whatever_python_takes_this_machines_names_to_be(tmp_path):
    import os
    import subprocess
    import sys

    from ml.images.file_names import spelled

    (tmp_path / "Čapka ≥").mkdir()
    program = (
        "import sys; from pathlib import Path;"
        "from ml.commands.predict import _files; from ml.images.file_names import truth;"
        "files, problems = _files([Path(sys.argv[1])]);"
        "print([truth(name, [ascii('x'), '\\u010capka \\u2265']) for name, _ in files], problems)"
    )
    Image.new("L", (8, 8)).save(tmp_path / "Čapka ≥" / "1.png")
    plain = {**os.environ, "LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    told = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], env=plain, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "[1] []"
    assert spelled("Čapka ≥") == "Čapka ≥"
