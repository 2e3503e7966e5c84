import json

from ml import __main__ as cli


def test_a_report_is_whole(home, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FASHION_HOME", str(home))
    folder = tmp_path / "report"
    assert cli.main(["report", "toy", "--to", str(folder)]) == 0
    names = {path.name for path in folder.iterdir()}
    pictures = {"history.png", "confusion.png", "accuracy.png", "projection.png", "filters.png"}
    assert names == pictures | {"history.csv", "scores.csv", "confusion.csv", "numbers.json", "report.md"}
    numbers = json.loads((folder / "numbers.json").read_text())
    low, high = numbers["interval"]
    assert low < numbers["accuracy"] < high
    assert numbers["n"] == 400
    assert all(f"({name})" in (folder / "report.md").read_text() for name in pictures)
    assert all((folder / name).read_bytes().startswith(b"\x89PNG") for name in pictures)
