"""A run answers as it learned: its own test files, as they came, get the answers that were recorded of them."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ml.__main__ import main
from ml.artifacts.reader import Library
from ml.data import folder
from ml.images.form import Form
from ml.images.preparation import PHOTOGRAPH_STEPS
from ml.system.paths import ARTIFACTS
from tests.conftest import nothing_shipped

KINDS = ("wide", "deep", "clear", "turned", "photographs", "large")
EACH = 24


def ring(full: bool, size: tuple[int, int], ground: int, thing: int, rng: np.random.Generator) -> np.ndarray:
    """uint8 [h, w]: a block in the middle, with a hole unless it is full, and noise."""
    height, width = size
    picture = np.full(size, ground, int)
    s = min(size) // 4
    top, left = height // 2 - s, width // 2 - s
    picture[top : top + 2 * s, left : left + 2 * s] = thing
    if not full:
        picture[top + s // 2 : top + s + s // 2, left + s // 2 : left + s + s // 2] = ground
    return np.clip(picture + rng.integers(-12, 13, size), 0, 255).astype(np.uint8)


def file_of(kind: str, full: bool, rng: np.random.Generator) -> tuple[str, bytes]:
    """Its suffix and its bytes."""
    file = io.BytesIO()
    some = int(rng.integers(3))  # of several forms for pictures of a kind
    if kind == "deep":  # 16 bits a pixel, as scanners and microscopes write
        deep = ring(full, (40, 40), 20, 200, rng).astype(np.uint16) * 257
        if some == 2:
            return "PGM", b"P5 40 40 65535\n" + deep.astype(">u2").tobytes()
        Image.fromarray(deep).save(file, ("PNG", "TIFF")[some])
        return ("png", "tif")[some], file.getvalue()
    if kind == "clear":
        grey = ring(full, (50, 50), 0, 255, rng)
        Image.merge("LA", [Image.new("L", (50, 50), 30), Image.fromarray(grey)]).save(file, "PNG")
        return "png", file.getvalue()
    if kind == "turned":  # by its EXIF
        exif = Image.Exif()
        exif[0x0112] = int(rng.integers(1, 9))
        picture = Image.fromarray(ring(full, (60, 90), 240, 40, rng))
        picture.save(file, "JPEG", exif=exif, quality=95)
        return "jpe", file.getvalue()
    if kind == "photographs":
        grey = ring(full, (100, 70 + int(rng.integers(60))), 235, 60, rng)
        Image.fromarray(np.dstack([grey, grey // 2, grey // 3])).save(file, ("JPEG", "AVIF", "WEBP")[some], quality=92)
        return ("jfif", "avif", "webp")[some], file.getvalue()
    if kind == "large":  # larger than what is kept of any picture
        Image.fromarray(ring(full, (120, 800), 235, 60, rng)).save(file, "PNG")
        return "png", file.getvalue()
    Image.fromarray(ring(full, (60, 180), 250, 40, rng)).save(file, ("PNG", "BMP", "GIF")[some])
    return ("PNG", "bmp", "gif")[some], file.getvalue()


@pytest.fixture(scope="module", params=KINDS)
def learned(request, tmp_path_factory):
    """A home with one run on an imported folder, and example id → file of its test split."""
    kind, base = request.param, tmp_path_factory.mktemp(request.param)
    rng = np.random.default_rng(3)
    order: list[Path] = []
    for full, name in ((True, "block"), (False, "ring")):
        (base / "files" / name).mkdir(parents=True)
        for i in range(EACH):
            suffix, content = file_of(kind, full, rng)
            order.append(base / "files" / name / f"{i:02}.{suffix}")
            order[-1].write_bytes(content)
    home = base / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASHION_HOME", str(home))
        how = ["--fit", "crop"] if kind == "turned" else []
        colour = ["--colour"] if kind == "photographs" else []
        assert main(["data", "import", str(base / "files"), "--name", "own", "--size", "24x28", *how, *colour]) == 0
        assert (
            main(["train", "--dataset", "own", "--model", "mlp", "--epochs", "3", "--batch-size", "16", "--name", "r"])
            == 0
        )
        ids = Library(ARTIFACTS, home).pictures("own", "test").ids
        yield home, {int(i): order[i] for i in ids}


def test_two_classes_need_no_option(learned, capsys):
    home, files = learned
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASHION_HOME", str(home))
        capsys.readouterr()
        assert main(["predict", str(next(iter(files.values()))), "--run", "r", "--json"]) == 0
        assert len(json.loads(capsys.readouterr().out)["top"]) == 2


def recorded(home: Path) -> dict[int, tuple[str, float]]:
    """Example id → label and confidence of test."""
    run = Library(ARTIFACTS, home).open("r")
    rows = run.table("predictions").query("split == 'test'")
    classes = run.manifest["dataset"]["classes"]
    return {
        int(row.example_id): (classes[row.predicted], float(row.confidence)) for row in rows.itertuples(index=False)
    }


def test_by_command_line_api_and_batch(learned, capsys, tmp_path):
    from dashboard.shell import create_app

    home, files = learned
    expected = recorded(home)
    assert set(files) == set(expected)
    capsys.readouterr()
    assert main(["predict", *map(str, files.values()), "--run", "r", "--json"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for (example_id, file), line in zip(files.items(), told, strict=True):
        label, confidence = expected[example_id]
        assert (line["file"], line["label"]) == (str(file), label)
        assert line["confidence"] == pytest.approx(confidence, abs=1e-4)
    app = create_app(nothing_shipped(tmp_path), home=home)
    client = app.server.test_client()
    parts = [(io.BytesIO(file.read_bytes()), file.name) for file in files.values()]
    answered = client.post("/api/v1/batch", data={"files": parts, "run": "r"}).get_data(as_text=True).splitlines()
    for (example_id, file), line in zip(
        files.items(), map(json.loads, answered), strict=False
    ):  # the last line counts them
        label, confidence = expected[example_id]
        assert line["label"] == label
        assert line["confidence"] == pytest.approx(confidence, abs=1e-4)
        sent = {"image": (io.BytesIO(file.read_bytes()), file.name), "run": "r"}
        one = client.post("/api/v1/predict", data=sent).get_json()
        assert one["label"] == label
        assert one["confidence"] == pytest.approx(confidence, abs=1e-4)


def test_by_page(learned, tmp_path):
    from dashboard.data.store import Store
    from dashboard.pages.prediction import answer, picture
    from dashboard.services.container import Services
    from dashboard.services.jobs import Jobs
    from dashboard.state.selection import Selection

    home, files = learned
    services = Services(Store(nothing_shipped(tmp_path), home), Jobs(home))
    for example_id, (label, _) in recorded(home).items():
        sent = f"data:image/any;base64,{base64.b64encode(files[example_id].read_bytes()).decode()}"
        kept = picture.keep(sent, files[example_id].name)
        shown = answer.ask(services, Selection.parse("?run=r"), kept, "auto")
        assert shown.text.label == label, "a large one travels as JPEG within the page, and says the same"


def test_what_an_import_keeps_of_its_files_is_what_they_were(learned):
    home, _ = learned
    made = folder.load(home / "datasets" / "own")
    kept = made.files()
    assert sorted(kept) == sorted(made["validation"].ids.tolist())
    form = Form(*made.shape, fitting=made.fitting)
    for row, example_id in enumerate(made["validation"].ids):
        np.testing.assert_array_equal(folder.as_learned(kept[int(example_id)], form), made["validation"].images[row])


def test_steps_that_harm_its_own_files_are_not_taken(learned):
    home, _ = learned
    run = Library(ARTIFACTS, home).open("r")
    rows = run.table("preparation").set_index(["given", "steps"])
    assert rows.loc[("files", ""), "agreeing"] == rows.loc[("files", ""), "n"] > 0
    assert not run.manifest["preparation"] or (rows.loc["files"]["agreeing"] == rows.loc["files"]["n"]).all()


@pytest.mark.parametrize("run_id", ["small_resnet", "batchnorm_cnn", "fashion_cnn", "compact_cnn", "mlp"])
def test_a_run_that_ships_answers_its_own_files_and_says_what_its_steps_are_worth(run_id, tmp_path, monkeypatch):
    from dashboard.analysis import preparation_worth
    from dashboard.data.store import Store
    from ml.images.upload_archives import Item
    from ml.inference import batch
    from ml.inference.classifier import Classifier

    monkeypatch.setenv("FASHION_HOME", str(tmp_path))
    library = Library(ARTIFACTS, tmp_path)
    run = library.open(run_id)
    test = library.pictures("fashion-mnist", "test")
    said = run.table("predictions").query("split == 'test'")["predicted"].to_numpy()
    form, network = batch.form_of(library, run), Classifier.open(run)
    rows = range(0, len(test.ids), 50)

    def files():
        for row in rows:
            file = io.BytesIO()
            Image.fromarray(test.images[row].squeeze()).save(file, "PNG")
            yield Item(f"{row}.png", file.getvalue())

    answers = list(batch.answers(files(), form, network.classes, network.probabilities))
    assert [int(one.probabilities.argmax()) for one in answers] == said[list(rows)].tolist()
    table = run.table("preparation").query("given == 'photographs'").set_index("steps")["correct"]
    steps = [name for name in PHOTOGRAPH_STEPS if name in form.steps]
    assert table[" ".join(steps)] > 2 * table[""], "a phone's photographs of clothes are answered as they were"
    for name in steps:
        assert table[" ".join(one for one in steps if one != name)] < table[" ".join(steps)], "each is worth something"
    told = preparation_worth.measured(Store(ARTIFACTS, tmp_path).open(run_id))
    assert set(told.steps) == set(steps)
    assert f"{table[' '.join(steps)]} of 120" in told.words
