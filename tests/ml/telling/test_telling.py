"""What scripts tell of a run, as they tell it: kept, understood, refused in a sentence, and published whole or not."""

import io
import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.metrics import log_loss

from ml.artifacts.reader import Library
from ml.data import import_dataset, load
from ml.jobs.queue import JobTable
from ml.publishing import run_archive
from ml.system.paths import ROOT
from ml.telling import border
from ml.telling.border import Wrong
from ml.telling.kept import Kept
from ml.telling.run import Run
from tests.telling import here

CLASSES = ("cat", "dog", "rat")
FOUR = "synthetic-4-28x28x1"


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    """A home with two data sets of files: pets of three classes, pair of two."""
    home, source = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("source")
    rng = np.random.default_rng(0)
    for names, name in ((CLASSES, "pets"), (CLASSES[:2], "pair")):
        for split, n in (("train", 12), ("validation", 5), ("test", 5)):
            for one in names:
                folder = source / name / split / one
                folder.mkdir(parents=True)
                for i in range(n):
                    Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(folder / f"{one}_{i}.png")
        import_dataset(source / name, name, home=home)
    return home


@pytest.fixture
def begin(pets, monkeypatch):
    return here(monkeypatch, pets)


def said_of(n: int, classes: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet([0.7] * classes, n)


def opened(home, run_id):
    return Library(home / "none", home).open(run_id)


def told(begin, name, *calls, data="pets", **more):
    """A run of these calls of predictions, published."""
    with begin(name, data, **more) as run:
        for args, options in calls:
            run.predictions(*args, **options)
    return run


# ---- what is told


def test_epochs_and_answers_become_a_run_with_history_and_time_machine(begin, pets):
    data = load("pets", home=pets)
    labels = data["validation"].labels
    with begin("whole", "pets", epochs=3) as run:
        for epoch in (1, 2, 3):
            run.epoch(epoch, loss=torch.tensor(1 / epoch), val_acc=30.0 * epoch, lr=np.float32(0.1), f1=None, auc=0.5)
            said = said_of(15, seed=epoch)
            for rows in (slice(0, 7), slice(7, 15)):  # batch after batch
                run.predictions("val", data["validation"].ids[rows], said[rows], epoch=epoch, labels=labels[rows])
    run = opened(pets, "whole")
    history = run.table("history")
    assert [*history] == ["epoch", "train_loss", "validation_loss", "validation_accuracy", "learning_rate", "auc"]
    assert history["train_loss"].tolist() == pytest.approx([1, 1 / 2, 1 / 3])
    assert history["validation_accuracy"].tolist() == pytest.approx([0.3, 0.6, 0.9])  # per cent, since one is above 1
    expected = [log_loss(labels, said_of(15, seed=epoch), labels=range(3)) for epoch in (1, 2, 3)]
    assert history["validation_loss"].tolist() == pytest.approx(expected, rel=1e-6)
    recorded = run.arrays("epochs")
    assert recorded["right_epoch"].tolist() == [1, 2, 3]
    assert "test_id" not in recorded
    manifest = run.manifest
    assert (manifest["kind"], manifest["best_epoch"]) == ("recorded", 3)
    assert manifest["results"]["validation"]["correct"] == int((said_of(15, seed=3).argmax(1) == labels).sum())
    assert manifest["source"]["labels"] == [45, 45]
    assert not (pets / "publishing" / "whole.partial").exists()


def test_keep_says_whose_answers_are_the_runs(begin, pets):
    labels = load("pets", home=pets)["validation"].labels
    right = np.eye(3)[labels]
    for keep, best in (("best", 2), (1, 1), ("last", 3)):
        with begin(f"keep-{keep}", "pets", keep=keep) as run:
            for epoch, share in ((1, 0.2), (2, 0.9), (3, 0.1)):
                said = right * share + (1 - share) * np.roll(right, 1, axis=1)
                run.predictions("validation", None, said, epoch=epoch)
        manifest = opened(pets, f"keep-{keep}").manifest
        assert manifest["best_epoch"] == best
        assert manifest["results"]["validation"]["correct"] == (15 if best == 2 else 0)


def test_the_finished_network_speaks_for_the_splits_it_speaks_of(begin, pets):
    """Validation after each epoch, test at the end: the run has both, and the epochs have validation."""
    with begin("halves", "pets") as run:
        for epoch in (1, 2):
            run.predictions("validation", None, said_of(15, seed=epoch), epoch=epoch)
        run.predictions("test", None, said_of(15, seed=9))
    made = opened(pets, "halves")
    assert made.manifest["results"].keys() == {"test", "validation"}
    frame = made.table("predictions").sort_values("example_id")
    for split, seed in (("test", 9), ("validation", 2)):
        np.testing.assert_array_equal(frame.loc[frame["split"] == split, "p_0"], said_of(15, seed=seed)[:, 0])
    recorded = made.arrays("epochs")
    assert recorded["validation_probabilities"].shape == (2, 15, 3)
    assert "test_id" not in recorded


def test_it_travels_as_a_file_with_its_history(begin, pets, tmp_path):
    with begin("traveller", "pets") as run:
        run.epoch(1, loss=0.5, spread=3.0)
        run.predictions("test", None, said_of(15))
    library = Library(tmp_path / "none", tmp_path / "there")
    run_archive.unpack(io.BytesIO(run_archive.pack(opened(pets, "traveller"), "a card")), library)
    assert library.open("traveller").table("history")["spread"].tolist() == [3.0]


@pytest.mark.parametrize("ids", ["numbers", "texts", "paths", "split and number", "none", "no split"])
def test_pictures_are_told_as_people_tell_them(begin, pets, ids):
    data = load("pets", home=pets)["test"]
    originals = pd.read_parquet(pets / "datasets" / "pets" / "originals.parquet")["path"].to_numpy()
    turn = np.random.default_rng(3).permutation(15) if ids != "none" else np.arange(15)
    given = {
        "numbers": torch.from_numpy(data.ids),
        "texts": np.array([str(one) for one in data.ids]),
        "paths": np.array([f"/somewhere/{originals[one]}" for one in data.ids], object),
        "split and number": np.array([f"test/{one}" for one in data.ids]),
        "none": None,
        "no split": data.ids,
    }[ids]
    said = said_of(15)
    picked = None if given is None else given[turn]
    name = f"ids-{ids.replace(' ', '-')}"
    told(begin, name, ((None if ids == "no split" else "test", picked, said[turn]), {}))
    frame = opened(pets, name).table("predictions").sort_values("example_id")
    np.testing.assert_array_equal(frame[["p_0", "p_1", "p_2"]].to_numpy(), said)


def bfloats(values: np.ndarray) -> np.ndarray:
    """Of a type that NumPy knows by an extension alone."""
    return pytest.importorskip("ml_dtypes").bfloat16(values.astype(np.float32))


class Flowing:
    """A tensor that gives an array when it is asked, as TensorFlow's do."""

    def __init__(self, values):
        self.values, self.shape = values, values.shape

    def numpy(self):
        return self.values


@pytest.mark.parametrize(
    "form", ["float64", "float16", "torch", "torch bfloat16", "extension", "numpy()", "lists", "rows", "frame"]
)
def test_arrays_of_other_libraries_are_cast_at_the_border(begin, pets, form):
    said = said_of(15)
    forms = {
        "float64": lambda: said,
        "float16": lambda: said.astype(np.float16),
        "torch": lambda: torch.tensor(said, requires_grad=True),
        "torch bfloat16": lambda: torch.tensor(said).bfloat16(),
        "extension": lambda: bfloats(said),
        "numpy()": lambda: Flowing(said),
        "lists": lambda: said.tolist(),
        "rows": lambda: [torch.tensor(row) for row in said],
        "frame": lambda: pd.DataFrame(said, columns=CLASSES)[["rat", "cat", "dog"]],
    }
    name = f"form-{form.replace(' ', '-').replace('()', '')}"
    told(begin, name, (("test", None, forms[form]()), {}))
    frame = opened(pets, name).table("predictions").sort_values("example_id")
    got = frame[["p_0", "p_1", "p_2"]].to_numpy()
    np.testing.assert_allclose(got, said, atol=4e-3 if "16" in form or form == "extension" else 1e-12)
    np.testing.assert_allclose(got.sum(1), 1, atol=1e-3)


def test_numbers_that_are_logits_or_logarithms_are_recognised_and_said(begin, pets):
    said = said_of(15)
    for name, values in (("logits", 3 * np.log(said) + 4), ("logarithms", np.log(said)), ("percent", 100 * said)):
        run = told(begin, f"are-{name}", (("test", None, values), {}))
        assert any(word in run.notes[0] for word in ("logits", "logarithms", "per cent")), run.notes
        got = opened(pets, f"are-{name}").table("predictions").sort_values("example_id")["p_0"].to_numpy()
        wanted = (said**3 / (said**3).sum(1, keepdims=True)) if name == "logits" else said
        np.testing.assert_allclose(got, wanted[:, 0], atol=1e-9)


def test_one_number_a_picture_is_the_positive_class_of_two(begin, pets):
    sure = said_of(10, 2)[:, 1]
    for name, more, column in (("assumed", {}, "p_1"), ("said", {"positive": "cat"}, "p_0")):
        run = told(begin, f"one-{name}", (("test", None, sure[:, None]), {}), data="pair", **more)
        assert f"({name}" in run.notes[0].replace("as was said", "said")
        frame = opened(pets, f"one-{name}").table("predictions").sort_values("example_id")
        np.testing.assert_allclose(frame[column].to_numpy(), sure)
        np.testing.assert_allclose(frame["p_0"] + frame["p_1"], 1)
    told(begin, "one-logit", (("test", None, np.log(sure / (1 - sure))), {}), data="pair")
    frame = opened(pets, "one-logit").table("predictions").sort_values("example_id")
    np.testing.assert_allclose(frame["p_1"].to_numpy(), sure)


def test_columns_in_another_order_and_labels_alone(begin, pets):
    said = said_of(15)
    told(
        begin,
        "order",
        (("test", None, said[:, [2, 0]] / said[:, [2, 0]].sum(1, keepdims=True)), {}),
        classes=["rat", "cat"],
    )
    frame = opened(pets, "order").table("predictions").sort_values("example_id")
    assert (frame["p_1"] == 0).all()
    np.testing.assert_allclose(frame["p_2"], said[:, 2] / (said[:, 2] + said[:, 0]))
    run = told(begin, "labels", (("test", None, np.array(CLASSES)[said.argmax(1)]), {}))
    assert run.result["capabilities"] == []
    frame = opened(pets, "labels").table("predictions").sort_values("example_id")
    assert frame["predicted"].tolist() == said.argmax(1).tolist()


def test_feature_vectors_give_maps(begin, pets):
    rng = np.random.default_rng(0)
    calls = [
        ((split, None, said_of(n)), {"features": rng.normal(size=(n, 2, 3))})
        for split, n in (("test", 15), ("train", 36))
    ]
    run = told(begin, "features", *calls)
    assert run.result["capabilities"] == ["probabilities", "features"]
    assert {"projection", "neighbours"} <= {*opened(pets, "features").nouns}


def test_what_does_not_match_is_counted_and_listed(begin, pets, capsys):
    data = load("pets", home=pets)["test"]
    lines: list[str] = []
    said = said_of(15)
    said[4, 1] = np.nan
    run = told(begin, "some", (("test", [*data.ids[:13], 990, 991], said), {}), tell=lines.append)
    assert (run.result["matched"], run.result["unmatched"]) == (12, 3)
    assert lines[0].startswith("left out so far")
    left = opened(pets, "some").manifest["source"]["left_out"]
    assert left["the split has no picture of this number"] == [2, "990", "991"]
    assert left["a number is missing or is none"][1] == str(data.ids[4])


# ---- refusals

REFUSED = {
    "unknown data set": ({"data": "cats"}, (), "unknown data set 'cats'; known: fashion-mnist, pair, pets"),
    "a name of signs": ({"name": "!!"}, (), "cannot be a run's name"),
    "a name that is a number": ({"name": 7}, (), "7 cannot be a run's name"),
    "ids that match nothing": (
        {},
        ("test", [900, 901], said_of(2)),
        "none of the 2 ids is of a picture of pets in test: 900",
    ),
    "paths that match nothing": ({}, ("test", ["a.png"], said_of(1)), "or paths such as test/cat/cat_"),
    "too many columns": ({}, ("test", None, said_of(15, 4)), "4 columns, and pets has 3 classes ('cat', 'dog', 'rat')"),
    "one number of three classes": (
        {},
        ("test", None, said_of(15)[:, 0]),
        "probabilities are of the type float64 and the shape (15,)",
    ),
    "fewer ids": ({}, ("test", [1, 2], said_of(15)), "there are 2 ids for 15 rows"),
    "too many rows": ({}, ("test", None, said_of(16)), "has 15 pictures, and 16 rows came without ids"),
    "too few rows": ({}, ("test", None, said_of(14)), "has 15 pictures, and 14 rows came without ids"),
    "a split of one's own": ({}, ("vault", None, said_of(15)), "'vault' is no split"),
    "a class by another name": (
        {},
        ("test", None, ["cat"] * 14 + ["Dog"]),
        "'Dog' is no class of pets ('cat', 'dog', 'rat'): is 'dog' meant?",
    ),
    "each class by itself": ({}, ("test", None, np.full((15, 3), 0.7)), "publish(…, values='scores') to divide"),
    "values of no kind": ({"values": "odds"}, (), "values='odds' is none of probabilities"),
    "columns of no class": ({"classes": ["cat", "cow", "rat"]}, (), "'cow' is no class of pets"),
    "texts for numbers": ({}, ("test", None, [["a", "b", "c"]] * 15), "needed are numbers, (pictures, 3)"),
    "nothing at all": ({}, None, "nothing was said of any picture of pets, and no network was given"),
    "labels of other pictures": (
        {"labels": True},
        ("test", None, said_of(15)),
        "only 0 of 15 labels are those of the pictures",
    ),
    "features of fewer": (
        {"features": np.zeros((3, 2))},
        ("test", None, said_of(15)),
        "features have the shape (3, 2)",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_used_is_refused_in_a_sentence(begin, pets, case):
    wishes, call, words = REFUSED[case]
    options = {"features": wishes.pop("features")} if "features" in wishes else {}
    wishes = dict(wishes)
    if wishes.pop("labels", False):
        options["labels"] = (load("pets", home=pets)["test"].labels + 1) % 3

    def script() -> None:
        with begin(wishes.pop("name", "no"), wishes.pop("data", "pets"), anew=True, **wishes) as run:
            if call:
                run.predictions(*call, **options)

    with pytest.raises(ValueError, match=r"\w") as refusal:
        script()
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert not (pets / "runs" / "no").exists()


def test_epochs_that_are_none_are_refused(begin):
    with begin("epochs", "pets", anew=True) as run:
        for number in (0, -1, 1.5, True, 30_001):
            with pytest.raises(Wrong, match="epochs count from 1"):
                run.epoch(number)
        with pytest.raises(Wrong, match="loss must be one number"):
            run.epoch(1, loss=[1, 2])
        with pytest.raises(Wrong, match="there is no file"):
            run.network("nowhere.onnx")
        run.predictions("test", None, said_of(15))
    with pytest.raises(Wrong, match="is closed"):
        run.epoch(2)


def test_measures_are_known_by_the_names_of_frameworks():
    given = {
        "val_acc": 1,
        "eval_loss": 2,
        "lr": 3,
        "acc": 4,
        "val_sparse_categorical_accuracy": 5,
        "a/b": 6,
        "nan": np.nan,
    }
    assert border.measures(given) == {
        "validation_accuracy": 5.0, "validation_loss": 2.0, "learning_rate": 3.0, "train_accuracy": 4.0, "a_b": 6.0
    }  # fmt: skip


# ---- ends


def test_an_error_leaves_what_was_told_and_the_same_name_goes_on(begin, pets):
    def script() -> None:
        with begin("torn", "pets", epochs=3) as run:
            run.epoch(1, loss=1.0)
            run.predictions("test", None, said_of(15, seed=1), epoch=1)
            raise RuntimeError("out of paper")

    with pytest.raises(RuntimeError, match="out of paper"):
        script()
    assert not (pets / "runs" / "torn").exists()
    assert (pets / "publishing" / "torn.partial" / "epochs.jsonl").is_file()
    row = JobTable(pets).current("script")
    assert (row.run_id, row.state, row.epoch) == ("torn", "failed", 1)
    assert "RuntimeError: out of paper" in row.cause
    with pytest.raises(Wrong, match="begun and not finished, 1 epochs of it are told: say resume=True"):
        begin("torn", "pets")
    with begin("torn", "pets", epochs=3, resume=True) as run:
        assert run.last_epoch == 1
        run.epoch(2, loss=0.5)
        run.predictions("test", None, said_of(15, seed=2), epoch=2)
    again = JobTable(pets).get(row.id)
    assert (again.state, again.attempt, again.epoch) == ("done", 2, 2)
    made = opened(pets, "torn")
    assert made.table("history")["train_loss"].tolist() == [1.0, 0.5]
    assert made.arrays("epochs")["right_epoch"].tolist() == [1, 2]
    assert made.manifest["published"]["attempts"] == 2
    with pytest.raises(Wrong, match="there is a run 'torn' already"):
        begin("torn", "pets", resume=True)


def test_beginning_anew_forgets(begin, pets):
    begin("fresh", "pets").leave()
    with begin("fresh", "pets", resume=True) as run:
        run.epoch(4, loss=1.0)
        run.leave()
    with begin("fresh", "pets", anew=True) as run:
        assert run.last_epoch == 0
        run.epoch(1, loss=0.25)
        run.predictions("test", None, said_of(15))
    assert opened(pets, "fresh").table("history")["train_loss"].tolist() == [0.25]


def test_two_cannot_tell_of_one_run_at_a_time(begin):
    with begin("both", "pets") as run:
        with pytest.raises(Wrong, match="is being published already"):
            begin("both", "pets", resume=True)
        run.discard()


def test_a_run_that_cannot_be_made_keeps_what_was_told(begin, pets):
    with begin("late", "pets") as run:
        run.predictions("test", None, said_of(15))
        (pets / "runs" / "late").mkdir(parents=True)  # somebody was quicker
        (pets / "runs" / "late" / "manifest.json").write_text("{}")
        with pytest.raises(Wrong, match=r"run late exists already\. What it told is kept"):
            run.close()
    assert (pets / "publishing" / "late.partial" / "settings.json").is_file()


SCRIPT = """
import sys, time
import numpy as np
import fashion_forward
run = fashion_forward.publish("killed", data="pets", epochs=9)
for epoch in range(1, 9):
    run.epoch(epoch, loss=1 / epoch)
    run.predictions("validation", None, np.full((15, 3), [0.2, 0.5, 0.3]), epoch=epoch)
    print(epoch, flush=True)
    if epoch == 3:
        assert not {"torch", "dash"} & {*sys.modules}, "publishing loads what a script may not want"
        time.sleep(60)
"""


def test_a_kill_leaves_a_partial_that_says_so_and_goes_on(pets, begin, tmp_path):
    (tmp_path / "learn.py").write_text(SCRIPT)
    environment = {**os.environ, "FASHION_HOME": str(pets), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, tmp_path / "learn.py"], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert [process.stdout.readline().strip() for _ in range(3)] == ["1", "2", "3"]
        limit = time.monotonic() + 20
        table = JobTable(pets)
        while (row := table.current("script")).epoch < 3 and time.monotonic() < limit:
            time.sleep(0.1)
        assert (row.run_id, row.state, row.epoch, row.spec["script"]) == ("killed", "running", 3, "learn.py")
        assert row.pid == process.pid
        process.send_signal(signal.SIGKILL)
    assert not (pets / "runs" / "killed").exists()
    kept = Kept(pets, "killed")
    assert [*kept.epochs()] == [1, 2, 3]
    with (kept.place / "epochs.jsonl").open("a") as file:
        file.write('{"epoch": 4, "train_l')  # as a crash in the middle of a line leaves it
    stream = kept.place / "validation-3.arrows"
    stream.write_bytes(stream.read_bytes()[:-40])  # and in the middle of a batch
    with begin("killed", "pets", resume=True) as run:
        assert run.last_epoch == 3
        run.epoch(4, loss=0.25)
        run.predictions("validation", None, said_of(15), epoch=4)
    made = opened(pets, "killed")
    assert made.table("history")["epoch"].tolist() == [1, 2, 3, 4]
    assert {1, 2, 4} <= {*made.arrays("epochs")["right_epoch"].tolist()}


def test_a_database_that_is_away_harms_no_training(pets, monkeypatch):
    begin = here(monkeypatch, pets)
    monkeypatch.setenv("FASHION_DB", "postgresql://nobody@127.0.0.1:9/none")
    lines: list[str] = []
    with begin("alone", "pets", tell=lines.append) as run:
        run.epoch(1, loss=1.0)
        run.predictions("test", None, said_of(15))
    assert "the run is not shown while it learns, and published all the same" in lines[0]
    assert opened(pets, "alone").table("history")["train_loss"].tolist() == [1.0]


# ---- the real end, in a process of its own


def test_the_command_line_finishes_what_a_script_could_not(pets, monkeypatch):
    monkeypatch.setenv("FASHION_HOME", str(pets))
    monkeypatch.delenv("FASHION_DB", raising=False)
    run = Run("by-hand", "pets", tell=lambda words: None)
    run.predictions("test", None, said_of(15))
    run.leave()
    command = [sys.executable, "-m", "ml", "runs", "finish", "By Hand", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, env={**os.environ})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["run"] == "by-hand"
    done = subprocess.run([*command[:-2], "nobody"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "nothing was told of a run 'nobody'" in done.stderr


def test_a_script_publishes_predictions_that_are_there(pets, tmp_path):
    script = """
        import sys
        import numpy as np
        import fashion_forward
        said = np.full((15, 3), [0.2, 0.5, 0.3])
        both = {"test": (None, said), "validation": (None, said)}
        print(fashion_forward.add_predictions("from-arrays", "pets", both))
        try:
            fashion_forward.add_predictions("never", "pets", {"test": ([901], said[:1])})
        except ValueError as error:
            print("refused:", error)
        assert not {"torch", "dash"} & {*sys.modules}
    """
    (tmp_path / "add.py").write_text(textwrap.dedent(script))
    environment = {**os.environ, "FASHION_HOME": str(pets), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, tmp_path / "add.py"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "from-arrays"
    assert "refused: none of the 1 ids" in done.stdout
    assert opened(pets, "from-arrays").manifest["results"].keys() == {"test", "validation"}
    assert not (pets / "publishing" / "never.partial").exists()


def test_measures_are_finite_numbers_or_refused_and_one_too_large_is_left_out():
    told = border.measures({"loss": 10**400, "val_loss": float("nan"), "lr": np.float32(0.5), "<b>": 1})
    assert told == {"learning_rate": 0.5, "_b_": 1.0}
    with pytest.raises(Wrong, match="loss must be one number"):
        border.measures({"loss": [1.0, 2.0]})
