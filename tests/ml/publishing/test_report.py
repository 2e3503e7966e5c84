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


def test_class_names_stand_in_a_report_as_written(home, tmp_path, monkeypatch):
    """matplotlib took $…$ for a formula, which need not parse, and left what begins with _ out of the legend."""
    from matplotlib.figure import Figure

    from ml.artifacts.reader import Library, Run
    from ml.publishing import report

    folder = home / "runs" / "toy"
    manifest = json.loads((folder / "manifest.json").read_text())
    names = manifest["dataset"]["classes"] = ["$\\frac$", "_b", "=1+1", "<i>x"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    table, drawn, seen = Run.table, [], Figure.savefig

    def renamed(run, noun):
        frame = table(run, noun)
        return frame.assign(**{"class": frame["class"].map(lambda _: "=1+1")}) if noun == "scores" else frame

    def save(figure, *arguments, **options):
        drawn.append([text.get_text() for text in figure.findobj(lambda part: hasattr(part, "get_text"))])
        return seen(figure, *arguments, **options)

    monkeypatch.setattr(Run, "table", renamed)
    monkeypatch.setattr(Figure, "savefig", save)
    report.write(Library(tmp_path / "none", home), "toy", tmp_path / "report")
    assert sum(set(names) <= set(texts) for texts in drawn) == 3  # confusion, accuracy, map
    assert "\ntest,'=1+1,accuracy," in (tmp_path / "report" / "scores.csv").read_text()
