"""What skl2onnx 1.20.0 makes of some of scikit-learn's classifiers, held against scikit-learn 1.9.1 itself."""

import warnings
from typing import Any

import numpy as np
import pytest

from ml.importing import by_skl2onnx
from ml.importing.graph import Unusable
from tests.ml.importing.test_foreign_onnx import asked, converted, pictures

CASES = ("isotonic", "around a pipeline", "sigmoid", "within a pipeline", "a forest in a pipeline")


def made(case: str) -> Any:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.decomposition import PCA
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    linear = LogisticRegression(max_iter=300)
    return {
        "isotonic": CalibratedClassifierCV(linear, method="isotonic", cv=3),
        "around a pipeline": CalibratedClassifierCV(make_pipeline(PCA(6, random_state=0), linear), cv=3),
        "sigmoid": CalibratedClassifierCV(linear, cv=3),
        "within a pipeline": make_pipeline(PCA(6, random_state=0), CalibratedClassifierCV(linear, cv=3)),
        "a forest in a pipeline": CalibratedClassifierCV(
            make_pipeline(PCA(6, random_state=0), RandomForestClassifier(5, random_state=0)), cv=3
        ),
    }[case]


@pytest.mark.parametrize("case", CASES)
def test_a_calibrated_classifier_whose_onnx_is_another_one_is_told(case, tmp_path):
    images, labels = pictures(1)
    rows = (images.reshape(len(images), -1) / 255).astype(np.float32)
    model = made(case).fit(rows[:48], labels[:48])
    file = converted(model, rows, tmp_path / "net.onnx", options={"zipmap": False})
    said, lines = asked(file, images, range="0-1")
    apart = np.abs(said - model.predict_proba(rows)).max()
    wrong = {"isotonic": by_skl2onnx.NEAREST, "around a pipeline": by_skl2onnx.OF_CHANCES}.get(case)
    if wrong is None:
        assert apart < 1e-4
        assert "were calibrated" not in lines
    else:
        assert apart > 0.05, "once this is right the sentence is to go"
        assert wrong in lines


@pytest.mark.parametrize("case", ["SVC", "NuSVC", "SVC of probabilities", "LinearSVC"])
def test_one_against_the_rest_of_margins_is_refused_where_it_names_other_classes(case, tmp_path):
    """findings/one-against-the-rest-of-svc.sh"""
    import onnxruntime
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.svm import SVC, LinearSVC, NuSVC

    images, labels = pictures(1)
    rows = (images.reshape(len(images), -1) / 255).astype(np.float32)
    one = {
        "SVC": SVC(), "NuSVC": NuSVC(nu=0.2), "SVC of probabilities": SVC(probability=True, random_state=0),
        "LinearSVC": LinearSVC(random_state=0),
    }[case]  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = OneVsRestClassifier(one).fit(rows, labels)
    file = converted(model, rows, tmp_path / "net.onnx", options={"zipmap": False})
    named = onnxruntime.InferenceSession(file.read_bytes()).run(None, {"X": rows})[0]
    if case in ("SVC", "NuSVC"):
        assert (named == model.predict(rows)).mean() < 0.1, "once this is right it is to be taken"
        with pytest.raises(Unusable, match="names a class that the model would not"):
            asked(file, images, range="0-1")
    elif case == "LinearSVC":
        assert (named == model.predict(rows)).all()
        with pytest.raises(Unusable, match="the network itself names another class than the largest number"):
            asked(file, images, range="0-1")  # margins that were divided by their sum, which is below 0
    else:
        assert (asked(file, images, range="0-1")[0].argmax(1) == model.predict(rows)).all()


@pytest.mark.parametrize("case", ["sigmoid", "stacking"])
def test_names_are_those_that_the_answer_is_looked_up_in(case, tmp_path):
    """Parts of an ensemble have classes of their own, by number, so that its names were not found."""
    from sklearn.ensemble import StackingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import GaussianNB

    images, labels = pictures(1)
    rows = (images.reshape(len(images), -1) / 255).astype(np.float32)
    classes = ("shirt", "bag", "dress", "coat")
    model = made(case) if case == "sigmoid" else StackingClassifier([("a", LogisticRegression()), ("b", GaussianNB())])
    model.fit(rows, np.array(classes)[labels])
    file = converted(model, rows, tmp_path / "net.onnx", options={"zipmap": False})
    said, lines = asked(file, images, classes, range="0-1")
    assert "by their names in the file" in lines or "in another order than" in lines, lines
    columns = [[*model.classes_].index(name) for name in classes]
    assert np.abs(said - model.predict_proba(rows)[:, columns]).max() < 1e-4
