"""Models of scikit-learn: opened with its own types alone, and written as ONNX that says the same of every pixel."""

import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from sklearn.cluster import KMeans
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Perceptron, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler
from sklearn.svm import SVC, LinearSVC

from ml.__main__ import main
from ml.artifacts.reader import Library
from ml.importing import conversion, from_skops, sources, trial
from ml.importing.conversion import Opened, Task, Unconvertible
from ml.importing.graph import BEGINS, Unusable
from ml.importing.understanding import Wishes
from tests.conftest import TOY
from tests.ml.importing.conftest import same_runs, told

SIDE, CLASSES = 6, ("bag", "coat", "dress", "shirt")


def pictures(n: int = 240, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """uint8 [n, 6, 6, 1] of all levels, of which one pixel is white by class, and int [n]."""
    rng = np.random.default_rng(seed)
    labels, images = np.arange(n) % 4, rng.integers(0, 256, (n, SIDE, SIDE, 1)).astype(np.uint8)
    images.reshape(n, -1)[np.arange(n), labels] = 255
    return images, labels


def pixels(images: np.ndarray, scale: float = 255) -> np.ndarray:
    return images.reshape(len(images), -1) / scale


def fitted(model: Any, names: Any = CLASSES, scale: float = 255, kind: Any = np.float64) -> Any:
    images, labels = pictures()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(pixels(images, scale).astype(kind), np.array(names)[labels])


def saved(model: Any, path: Path) -> Path:
    from skops import io  # here: reading all tests takes a third longer with it

    io.dump(model, path)
    return path


def opened(path: Path, classes: tuple[str, ...] = CLASSES) -> Opened:
    return from_skops.opened(Task(path, classes, pictures()[0][:32], Wishes()))


def held(one: Opened, tmp_path: Path, classes: tuple[str, ...] = CLASSES) -> tuple[np.ndarray, str]:
    """What the source says of new pictures, once its ONNX says the same of them; and sentences."""
    images = pictures(2_000, seed=1)[0]
    how, lines = trial.understood(one, one.names, one.said, classes, images[:32], Wishes())
    one.write(tmp_path / "net.onnx")
    assert conversion.held(one, how, (tmp_path / "net.onnx").read_bytes(), images) < 1e-4
    return conversion.probabilities(one, how, images), "\n".join([*one.lines, *lines])


def forest() -> RandomForestClassifier:
    return RandomForestClassifier(20, random_state=0)


def regression() -> LogisticRegression:
    return LogisticRegression(max_iter=50)


MODELS: dict[str, tuple[Any, float, str, str]] = {
    # pixels divided by, what is said of the range, words
    "forest": (forest, 255, "0-1", "it is RandomForestClassifier, given pixels in float64"),
    "forest of whole pixels": (forest, 1, "0-255", "pixels: 0-255 (by what it does with them first)"),
    "scaler and forest": (lambda: make_pipeline(StandardScaler(), forest()), 255, "0-1", "StandardScaler → Random"),
    "scaler of whole pixels": (lambda: make_pipeline(MinMaxScaler(), forest()), 1, "0-255", "flat (by its shape)"),
    "regression": (regression, 255, "", "pixels: 0-1 (assumed"),
    "searched": (lambda: GridSearchCV(regression(), {"C": [1, 0.1]}), 255, "", "it is LogisticRegression"),
    "perceptron": (lambda: MLPClassifier((8,), max_iter=20, random_state=0), 255, "", "MLPClassifier"),
    "neighbours": (lambda: KNeighborsClassifier(5), 255, "0-1", "KNeighborsClassifier"),
    "bayes": (GaussianNB, 255, "0-1", "GaussianNB"),
    "margins": (LinearSVC, 255, "", "says no probabilities: softmax of its margins"),
    "ridge": (RidgeClassifier, 255, "", "says no probabilities"),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_its_onnx_says_what_it_says_of_pictures_of_every_level(name, tmp_path):
    make, scale, begins, words = MODELS[name]
    model = fitted(make(), scale=scale)
    one = opened(saved(model, tmp_path / "model.skops"))
    assert one.said.get(BEGINS, "") == begins
    assert one.names == CLASSES
    said, lines = held(one, tmp_path)
    assert words in lines, lines
    given = pixels(pictures(2_000, seed=1)[0], scale)
    assert (said.argmax(1) == np.searchsorted(CLASSES, model.predict(given))).mean() > 0.999
    if hasattr(model, "predict_proba"):
        assert np.abs(said - model.predict_proba(given)).max() < 1e-5


def test_a_pixel_on_a_threshold_falls_on_the_side_on_which_scikit_learn_puts_it(tmp_path):
    """As skl2onnx writes a scaler before a forest, in float32 or float64, a tenth of the pictures get other numbers."""
    model = fitted(make_pipeline(StandardScaler(), forest()))
    given = pixels(pictures(2_000, seed=1)[0])
    expected = model.predict_proba(given)
    for way, dtype in (("float", np.float32), ("double", np.float64)):
        content = from_skops.converted(model, SIDE * SIDE, dtype, way, given[:16])
        said = onnxruntime.InferenceSession(content).run(None, {from_skops.INPUT: given.astype(dtype)})[0]
        assert (np.abs(said - expected).max(1) > 1e-4).mean() > 0.02, way
    said, _ = held(opened(saved(model, tmp_path / "model.skops")), tmp_path)
    assert np.abs(said - expected).max() < 1e-6


def test_whole_pixels_are_given_as_whole_numbers():
    """Divided by 255 and by its inverse in float32, 120 of 256 levels are whole no more, and thresholds are."""
    levels = np.arange(256).astype(np.uint8).reshape(1, 16, 16, 1)
    fields = {
        "input": "x", "layout": "flat", "height": 16, "width": 16, "channels": 1, "batch": 0, "mean": (0.0,),
        "deviation": (1 / 255,), "output": "y", "numbers": "probabilities", "order": (0, 1),
    }  # fmt: skip
    for kind in ("tensor(float)", "tensor(double)", "tensor(float16)"):
        assert (trial.Interface(type=kind, **fields).prepared(levels)[0] == np.arange(256)).all(), kind


@pytest.mark.parametrize(
    "make", [LinearSVC, RidgeClassifier, SVC, lambda: SVC(kernel="linear"), Perceptron, regression]
)
def test_two_classes_have_two_numbers_the_right_way_round(make, tmp_path):
    model = fitted(make(), names=("even", "odd", "even", "odd"))
    said, _ = held(opened(saved(model, tmp_path / "model.skops"), ("even", "odd")), tmp_path, ("even", "odd"))
    given = pixels(pictures(2_000, seed=1)[0])
    assert (np.array(["even", "odd"])[said.argmax(1)] == model.predict(given)).all()


def test_numbers_that_it_learned_from_are_those_it_is_given(tmp_path):
    """Where something that it kept tells: a scaler that learned from float32 puts pixels elsewhere than in float64."""
    for kind in (np.float32, np.float64):
        model = fitted(make_pipeline(MinMaxScaler(), forest()), kind=kind)
        one = opened(saved(model, tmp_path / "model.skops"))
        assert one.input.type == ("tensor(float)" if kind is np.float32 else "tensor(double)")
        held(one, tmp_path)


def test_class_names_in_another_order_and_numbers_that_begin_elsewhere(tmp_path):
    classes = ("shirt", "coat", "bag", "dress")  # scikit-learn sorts them
    one = opened(saved(fitted(regression(), names=classes), tmp_path / "a.skops"), classes)
    assert one.names == tuple(sorted(classes))
    assert "in another order than of the data set" in held(one, tmp_path, classes)[1]
    one = opened(saved(fitted(regression(), names=(1, 2, 3, 4)), tmp_path / "b.skops"))
    assert (one.names, one.lines[1]) == ((), "its classes are 1, 2, 3, 4, in that order")


def test_what_skl2onnx_does_not_write_says_why(tmp_path):
    for model in (
        HistGradientBoostingClassifier(max_iter=3),
        DummyClassifier(),
        make_pipeline(FunctionTransformer(np.sqrt), regression()),
    ):
        one = opened(saved(fitted(model), tmp_path / "model.skops"))
        with pytest.raises(Unconvertible) as why:
            one.write(tmp_path / "net.onnx")
        assert 10 < len(str(why.value)) < 300
        assert one.answer(pixels(pictures()[0])[:3])[0].shape == (3, 4)


def test_an_onnx_that_is_wrong_of_made_up_pixels_alone_is_not_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(from_skops, "ways", lambda kind: ("double", "float"))
    one = opened(saved(fitted(make_pipeline(StandardScaler(), forest())), tmp_path / "model.skops"))
    with pytest.raises(Unconvertible, match=r"of 2,000 made-up pictures its ONNX says something else of \d+"):
        one.write(tmp_path / "net.onnx")


REFUSED: dict[str, tuple[Any, str]] = {
    "other types": (lambda: make_pipeline(FunctionTransformer(Path), regression()), r"scikit-learn's own \(pathlib"),
    "not fitted": (regression, "is a LogisticRegression, no classifier that has learned"),
    "no classifier": (lambda: fitted(KMeans(4, n_init=1)), "is a KMeans, no classifier"),
    "one against each other": (lambda: fitted(SVC(decision_function_shape="ovo")), "6 margins, one of each two"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_taken_is_refused_in_a_sentence(case, tmp_path):
    make, words = REFUSED[case]
    with pytest.raises(Unusable, match=words):
        opened(saved(make(), tmp_path / "model.skops"))


def test_nothing_of_a_file_is_run_that_is_not_scikit_learns(tmp_path, monkeypatch):
    """skops lists types before it makes any; what is listed is not made."""
    path = saved(make_pipeline(FunctionTransformer(Path), fitted(regression())), tmp_path / "model.skops")
    monkeypatch.setattr("skops.io.load", lambda *_, **__: pytest.fail("it was opened"))
    with pytest.raises(Unusable, match="which is not run"):
        opened(path)
    whole = saved(fitted(regression()), tmp_path / "whole.skops").read_bytes()
    monkeypatch.undo()
    (tmp_path / "cut.skops").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Unusable, match="cannot be opened by skops"):
        opened(tmp_path / "cut.skops")


def test_a_pickle_of_scikit_learn_is_refused_with_the_lines_that_help(tmp_path):
    for name in ("model.pkl", "model.joblib"):
        (tmp_path / name).write_bytes(pickle.dumps(fitted(regression())))
        with pytest.raises(Unusable) as refused:
            sources.source_of(tmp_path / name)
        assert "a pickle of scikit-learn, which runs what it says" in str(refused.value)
        for line in ("skops.io.dump(model, 'model.skops')", "to_onnx(model, pixels[:1]).SerializeToString()"):
            assert line in str(refused.value)


@pytest.mark.parametrize("scaled", [False, True])
def test_a_forest_through_skops_onnx_and_csv_is_the_same_run(scaled, toy_data, own_home, tmp_path, capsys):
    """Its ONNX is that of skl2onnx where nothing is scaled before; else the one that is made here of its skops."""
    from skl2onnx import to_onnx

    def flat(split: str) -> np.ndarray:
        return pixels(toy_data[split].images[:])

    names = np.array(toy_data.classes)
    model = make_pipeline(StandardScaler(), forest()) if scaled else forest()
    model.fit(flat("train")[:600], names[toy_data["train"].labels[:600]])
    assert list(model.classes_) == sorted(names)
    columns = [list(model.classes_).index(name) for name in names]
    said = {split: model.predict_proba(flat(split))[:, columns] for split in toy_data.splits}
    saved(model, tmp_path / "model.skops")
    told(said, toy_data, tmp_path / "said.csv")
    assert main(["runs", "add", "itself", "--data", TOY, "--network", str(tmp_path / "model.skops"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["kind"] == "imported"
    library = Library(own_home / "none", own_home)
    if scaled:
        (tmp_path / "model.onnx").write_bytes((own_home / "runs" / "itself" / "network.onnx").read_bytes())
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = to_onnx(model, flat("train")[:1].astype(np.float32)).SerializeToString()
        (tmp_path / "model.onnx").write_bytes(content)
    assert main(["runs", "add", "onnx", "--data", TOY, "--network", str(tmp_path / "model.onnx")]) == 0
    assert main(["runs", "add", "said", "--data", TOY, "--predictions", str(tmp_path / "said.csv")]) == 0
    assert "may have said other probabilities" not in capsys.readouterr().err  # it was held against them
    same_runs([library.open(name) for name in ("itself", "onnx", "said")], said)


def test_what_is_not_written_as_onnx_becomes_a_run_of_what_it_said(toy_data, own_home, tmp_path, capsys):
    flat = {split: pixels(part.images[:]) for split, part in toy_data.splits.items()}
    model = HistGradientBoostingClassifier(max_iter=3).fit(flat["train"][:300], toy_data["train"].labels[:300])
    saved(model, tmp_path / "model.skops")
    assert main(["runs", "add", "said", "--data", TOY, "--network", str(tmp_path / "model.skops")]) == 0
    assert "what it says of all pictures is kept" in capsys.readouterr().err
    run = Library(own_home / "none", own_home).open("said")
    assert run.manifest["kind"] == "recorded"
    same_runs([run], {split: model.predict_proba(values) for split, values in flat.items()})
