"""Every callback of every page, with a run of every kind: what a run cannot do is said, and never an error."""

import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dashboard.components.page import panels
from dashboard.services.networks import Networks
from dashboard.services.similar import Similar
from dashboard.shell import PAGES, TABLES, create_app
from ml import pipeline
from ml.artifacts import kinds
from ml.artifacts.reader import Library
from ml.data import load
from ml.data.base import Dataset
from ml.evaluation import robustness
from ml.importing import publish as importing
from ml.importing import trial
from ml.importing.understanding import Wishes
from ml.inference import onnx_export
from ml.inference.classifier import Classifier
from ml.recording import publish, reading
from ml.telling import pictures
from ml.telling.run import Run
from tests.callbacks import ADDRESS, VIEW, answers, defaults_of, faces, fired_in_process
from tests.conftest import TOY, TOY_RUN
from tests.telling import here

IMPORTED, ANSWERS = "imported", "answers"  # the second of a network of which only its answers are known
KINDS = ("labels", "top", "sure", "described", "epochs", "part", "told", "notebook")
SCRIPT_NETWORK = "script-network"


def files(library: Library) -> dict[str, pd.DataFrame]:
    """Kind → a table of predictions of the toy data set."""
    frame = library.open(TOY_RUN).table("predictions").drop(columns=["label", "confidence"])
    frame["split"] = frame["split"].replace("reference", "train")
    numbers = [name for name in frame if name.startswith("p_")]
    judged = frame[frame["split"] != "train"]
    features = frame.assign(**{f"feature_{i}": frame[name] + 0.01 * frame["p_0"] for i, name in enumerate(numbers)})
    return {
        "labels": frame.drop(columns=numbers),
        "top": judged.assign(confidence=judged[numbers].max(axis=1)).drop(columns=numbers),
        "sure": frame.drop(columns="predicted"),
        "described": features.drop(columns="predicted"),
        "epochs": pd.concat([judged.assign(epoch=1), judged.assign(epoch=2)]).drop(columns="predicted"),
        "part": judged[judged["split"] == "validation"].iloc[:90].drop(columns="predicted"),
    }


@pytest.fixture(scope="module")
def every_kind(toy_home, tmp_path_factory):
    """A home with the toy run, and predictions of it as a run of each kind."""
    home = tmp_path_factory.mktemp("kinds") / "home"
    shutil.copytree(toy_home, home)
    shipped = home.parent / "artifacts"
    (shipped / "runs").mkdir(parents=True)
    library, dataset = Library(shipped, home), load(TOY, home=home)
    for run_id, frame in files(library).items():
        frame.to_parquet(home.parent / f"{run_id}.parquet")
        got = reading.read([home.parent / f"{run_id}.parquet"], dataset, home)
        publish.publish(got, dataset, run_id, home, sources={})
    network, scratch = home.parent / "toy.onnx", home.parent / "scratch"
    network.write_bytes(onnx_export.graph(Classifier.open(library.open(TOY_RUN))))
    scratch.mkdir()
    tried = trial.tried(network, dataset.classes, importing.samples(dataset), Wishes(), scratch)
    importing.publish(tried, dataset, IMPORTED, home, sources={network.name: "0" * 64})
    bare = replace(tried, interface=tried.interface.model_copy(update={"features": ""}), gradients=False)
    importing.publish(bare, dataset, ANSWERS, home, sources={network.name: "0" * 64})
    with pytest.MonkeyPatch.context() as patch:
        scripts(here(patch, home), dataset, home, network)
    return shipped, home


def scripts(begun: Callable[..., Run], dataset: Dataset, home: Path, network: Path) -> None:
    """Runs that scripts publish: one of validation alone whose history has gaps, one with a network, and pictures of a
    notebook, of which none is to learn from."""
    rng = np.random.default_rng(0)
    said = {split: rng.dirichlet([1] * len(dataset.classes), len(dataset[split])) for split in ("validation", "test")}
    with begun("told", TOY) as run:
        for epoch in (1, 2):
            run.epoch(epoch, loss=1 / epoch, **({"val_acc": 50.0} if epoch == 2 else {"f1": 0.5}))
            run.predictions("validation", None, said["validation"], epoch=epoch)
    with begun(SCRIPT_NETWORK, TOY) as run:
        for epoch in (1, 2):
            run.epoch(epoch, val_loss=1 / epoch)
            run.predictions("test", None, said["test"], epoch=epoch)
            run.predictions("validation", dataset["validation"].ids[:50], said["validation"][:50], epoch=epoch)
        run.network(network)
    shown = pictures.dataset(dataset["test"].images[:60], dataset["test"].labels[:60], dataset.classes)
    pictures.keep(shown, home)
    with begun("notebook", shown.name) as run:
        run.predictions("test", None, said["test"][:60], features=rng.normal(size=(60, 5)))


@pytest.fixture(scope="module")
def app(every_kind):
    shipped, home = every_kind
    return create_app(shipped, home=home)


@pytest.fixture(scope="module")
def client(app):
    return fired_in_process(app)


@pytest.fixture(scope="module")
def defaults(app) -> dict[str, Any]:
    return defaults_of(app)


@pytest.mark.parametrize("run", [TOY_RUN, IMPORTED, ANSWERS, SCRIPT_NETWORK, *KINDS])
def test_no_callback_fails(client, defaults, run, caplog):
    for split in ("test", "validation"):
        texts, failed = answers(client, defaults, f"?run={run}&split={split}", caplog)
        assert not failed, "\n".join(failed)
        assert len(texts) > 60


SAID = {  # kind → panel → what its empty face says
    "labels": {
        "dashboard-confidence-face": "This needs to know how sure each answer is",
        "dashboard-calibration-face": "This needs the probabilities of all classes",
        "insights-calibration-face": "This needs the probabilities of all classes",
        "insights-projection-face": "This needs feature vectors",
        "insights-architecture-face": "This needs to look into the layers of a network",
        "insights-history-face": "This needs to know how the network learned",
        "insights-epoch-face": "came for one epoch alone",
        "review-sample-face": "This needs the probabilities of all classes",
    },
    "sure": {
        "insights-projection-face": "This needs feature vectors",
        "insights-filters-face": "This needs to look into the layers of a network",
        "insights-activations-face": "This needs a network that can be asked",
    },
    "described": {"insights-history-face": "This needs to know how the network learned"},
    "top": {"dashboard-calibration-face": "This needs the probabilities of all classes"},
    "epochs": {"insights-filters-face": "This needs to look into the layers of a network"},
    IMPORTED: {
        "insights-architecture-face": "This needs to look into the layers of a network",
        "insights-history-face": "This needs to know how the network learned",
    },
    ANSWERS: {
        "insights-epoch-face": "What this network said after each epoch of its training is not known",
        "insights-projection-face": "This needs feature vectors of the images, and this network gives none",
        "insights-architecture-face": "This needs to look into the layers of a network",
        "insights-activations-face": "This needs to look into the layers of a network",
        "insights-history-face": "This needs to know how the network learned",
    },
    "told": {"dashboard-distribution-face": "This run has no predictions for test."},
    "notebook": {"insights-filters-face": "This needs to look into the layers of a network"},
    "part": {"dashboard-distribution-face": "This run has no predictions for test."},
}
DRAWN = {  # kind → panels that it has all for, and draws
    "labels": ("dashboard-confusion", "dashboard-accuracy", "dashboard-distribution"),
    "top": ("dashboard-confidence", "dashboard-confusion"),
    "sure": ("dashboard-confidence", "dashboard-calibration", "insights-calibration", "dashboard-scores"),
    "described": ("insights-projection", "insights-plane", "slices-modes", "slices-found"),
    "epochs": ("insights-epoch", "insights-datamap", "insights-history"),
    IMPORTED: ("insights-projection", "insights-plane", "slices-modes", "slices-found"),
    SCRIPT_NETWORK: ("insights-epoch", "insights-datamap", "insights-history", "dashboard-confusion"),
    "notebook": ("dashboard-confusion", "dashboard-accuracy", "dashboard-scores", "insights-projection"),
    ANSWERS: (
        "dashboard-confidence",
        "dashboard-calibration",
        "dashboard-confusion",
        "slices-modes",
        "slices-found",
    ),
}


@pytest.mark.parametrize("run", SAID)
def test_what_a_run_cannot_do_is_said_and_what_would_bring_it(client, defaults, run, caplog):
    texts, _ = answers(client, defaults, f"?run={run}", caplog)
    shown = faces(texts)
    for face, words in SAID[run].items():
        assert words in shown[face], (face, shown[face])
        if "This needs" in words:
            gives = (*kinds.GIVES.values(), *kinds.IMPORTED_GIVES.values())
            assert any(json.dumps(one)[1:-1] in shown[face] for one in gives), (face, shown[face])
    for panel in DRAWN.get(run, ()):
        assert shown[f"{panel}-face"] == "", (panel, shown[f"{panel}-face"])


def test_a_trained_run_never_lacks_anything_for_its_kind(client, defaults, caplog):
    texts, _ = answers(client, defaults, f"?run={TOY_RUN}", caplog)
    assert not [face for face, words in faces(texts).items() if "This needs" in words]


def test_the_studio_says_that_predictions_alone_answer_nobody_and_offers_others(client, defaults):
    status, response = client.fire_with("prediction-network.children", ADDRESS, {ADDRESS: "?run=labels"})
    words = json.dumps(response)
    assert status == 200
    assert "there is no network here that could be asked" in words
    assert f"?run={TOY_RUN}" in words
    assert not [run for run in KINDS if f"?run={run}" in words]
    _, response = client.fire_with("prediction-network.children", ADDRESS, {ADDRESS: f"?run={TOY_RUN}"})
    assert response["prediction-network"]["children"] is None


@pytest.mark.parametrize("run", KINDS)
def test_files_and_the_api_refuse_in_words_and_never_break(app, run):
    browser = app.server.test_client()
    picture = np.zeros((28, 28), np.uint8)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")

    def upload() -> dict[str, Any]:
        return {"image": (io.BytesIO(file.getvalue()), "a.png"), "run": run}

    answer = browser.post("/api/v1/predict", data=upload(), content_type="multipart/form-data")
    assert 400 <= answer.status_code < 500
    assert "This needs a network that can be asked" in answer.get_json()["error"]
    listed = {one["run"]: one for one in browser.get("/api/v1/runs").get_json()["runs"]}
    assert (listed[run]["kind"], listed[run]["answers"], listed[run]["parameters"]) == ("recorded", False, None)
    assert (listed[TOY_RUN]["kind"], listed[TOY_RUN]["answers"]) == ("trained", True)
    for noun in sorted(TABLES):
        for split in ("test", "validation"):
            got = browser.get(f"/export/{noun}.csv?run={run}&split={split}")
            assert got.status_code < 500, (noun, got.get_data(as_text=True)[:300])
    for name in ("report", "comparison-report", "slices-report", "review-report", "robustness-report"):
        got = browser.get(f"/export/{name}.html?run={run}")
        assert got.status_code < 500, (name, got.get_data(as_text=True)[:300])
    for address in (
        f"/export/runs/{run}.zip",
        f"/export/runs/{run}/onnx.onnx",
        f"/explanations/{run}/test/0.png?target=0&method=occlusion",
    ):
        assert browser.get(address).status_code < 500, address


def test_what_panels_say_they_need_is_a_need_and_holds(client, defaults, caplog):
    """A panel that names a need draws nothing for a run that does not meet it."""
    needing = {module: module.NEEDS for page in PAGES for module, _ in panels(page.rows) if hasattr(module, "NEEDS")}
    assert len(needing) >= 25
    assert {need for needs in needing.values() for need in needs} == {*kinds.NEEDS}
    texts, _ = answers(client, defaults, "?run=labels", caplog)
    shown, drawn = faces(texts), []
    for module in needing:
        own = {name for name in shown if name in slots_of(module)}
        drawn += [name for name in own if not shown[name] and name not in INSTEAD]
    assert not drawn, "these draw what a run of labels alone cannot have"


INSTEAD = {"insights-epoch-bar-face"}


def slots_of(module) -> set[str]:
    """Ids of faces that a panel's module names."""
    named = [getattr(module, "FACE", None), *(getattr(module, "Ids", ()) or ())]
    return {str(one) for one in named if one is not None and str(one).endswith("-face")}


def test_an_imported_network_answers_as_the_one_it_came_from(app, client):
    """Alone, in a batch, in words of what it cannot do, and as a file that other pages offer."""
    browser = app.server.test_client()
    rng = np.random.default_rng(0)

    def png() -> io.BytesIO:
        file = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (28, 28), np.uint8)).save(file, "PNG")
        return file

    picture = png().getvalue()
    said = {}
    for run in (TOY_RUN, IMPORTED):
        sent = {"image": (io.BytesIO(picture), "a.png"), "run": run}
        answer = browser.post("/api/v1/predict", data=sent, content_type="multipart/form-data")
        assert answer.status_code == 200, answer.get_data(as_text=True)
        said[run] = answer.get_json()
    assert said[IMPORTED]["label"] == said[TOY_RUN]["label"]
    assert said[IMPORTED]["confidence"] == pytest.approx(said[TOY_RUN]["confidence"], abs=1e-4)
    sent = {"files": [(io.BytesIO(picture), "a.png"), (png(), "b.png")], "run": IMPORTED}
    answer = browser.post("/api/v1/batch", data=sent, content_type="multipart/form-data")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    lines = [json.loads(line) for line in answer.get_data(as_text=True).splitlines()]
    assert next(line["label"] for line in lines if "label" in line) == said[TOY_RUN]["label"]
    listed = {one["run"]: one for one in browser.get("/api/v1/runs").get_json()["runs"]}
    assert (listed[IMPORTED]["kind"], listed[IMPORTED]["answers"]) == ("imported", True)
    for noun in sorted(TABLES):
        got = browser.get(f"/export/{noun}.csv?run={IMPORTED}&split=test")
        assert got.status_code < 500, (noun, got.get_data(as_text=True)[:300])
    for name in ("report", "comparison-report", "slices-report", "review-report", "robustness-report"):
        got = browser.get(f"/export/{name}.html?run={IMPORTED}")
        assert got.status_code < 500, (name, got.get_data(as_text=True)[:300])
    assert browser.get(f"/export/runs/{IMPORTED}.zip").status_code == 200
    got = browser.get(f"/explanations/{ANSWERS}/test/0.png?target=0&method=grad-cam")
    assert (got.status_code, "needs the gradients" in got.get_data(as_text=True)) == (404, True)


def image_of(client, run: str) -> tuple[int, dict]:
    """The drawer's answer about a picture of a run."""
    search = f"?run={run}&sample=0"
    return client.fire_with(
        "sample-drawer-why-note.children", "sample-drawer-asked.data", {"sample-drawer-asked.data": search}
    )


def test_occlusion_explains_whatever_can_be_asked_and_gradients_are_said_to_be_missing(app, client):
    """By address, by the API, in the drawer and as CSV: as the network says that it came from."""
    browser = app.server.test_client()
    values, picture = {}, (np.indices((28, 28)).sum(0) * 4).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    for run in (TOY_RUN, ANSWERS):
        sent = {"image": (io.BytesIO(file.getvalue()), "a.png"), "run": run, "method": "occlusion", "as": "json"}
        answer = browser.post("/api/v1/explain", data=sent, content_type="multipart/form-data")
        assert answer.status_code == 200, answer.get_data(as_text=True)
        values[run] = np.array(answer.get_json()["values"])
        got = browser.get(f"/explanations/{run}/test/0.png?target=0&method=occlusion")
        assert (got.status_code, got.mimetype) == (200, "image/png")
    np.testing.assert_allclose(values[ANSWERS], values[TOY_RUN], atol=1e-4)
    for method in ("grad-cam", "integrated", "gradients"):
        sent = {"image": (io.BytesIO(file.getvalue()), "a.png"), "run": ANSWERS, "method": method}
        answer = browser.post("/api/v1/explain", data=sent, content_type="multipart/form-data")
        assert answer.status_code == 404
        assert "needs the gradients of a network" in answer.get_json()["error"]
    status, drawn = image_of(client, ANSWERS)
    assert status == 200
    assert {one["way"] for one in drawn["sample-drawer-shown"]["data"]["maps"]} == {"occlusion"}
    assert "--alone" in drawn["sample-drawer-why-grid"]["style"]
    words = json.dumps(drawn["sample-drawer-why-note"])
    assert "No Grad-CAM, no integrated gradients: this needs the gradients" in words
    assert "Occlusion and corruptions need answers alone" in words
    _, drawn = image_of(client, "sure")
    assert drawn["sample-drawer-why-grid"]["style"] == {"display": "none"}
    rows = browser.get(f"/export/explanation.csv?run={ANSWERS}&sample=0").get_data(as_text=True).splitlines()
    assert {row.partition(",")[0] for row in rows if not row.startswith("#")} <= {"method", "occlusion"}
    assert len(rows) > 28 * 28


def test_the_studio_offers_what_a_network_can_be_explained_by(client, app):
    asked = {ADDRESS: f"?run={ANSWERS}", "prediction-saliency-method.value": "grad-cam"}
    _, drawn = client.fire_with("prediction-saliency-method.options", VIEW, {**asked, VIEW: f"?run={ANSWERS}"})
    method = drawn["prediction-saliency-method"]
    assert {one["value"] for one in method["options"] if one["disabled"]} == {"grad-cam", "integrated"}
    assert method["value"] == "occlusion"
    _, drawn = client.fire_with("prediction-saliency-method.options", VIEW, {**asked, VIEW: f"?run={TOY_RUN}"})
    assert not [one for one in drawn["prediction-saliency-method"]["options"] if one["disabled"]]
    assert "value" not in drawn["prediction-saliency-method"]


def test_corruptions_are_measured_of_whatever_can_be_asked(app, client, every_kind, monkeypatch):
    """Only the attacks need gradients, and only the panels of attacks say so."""
    shipped, home = every_kind
    _, drawn = client.fire_with("robustness-measure-title.children", VIEW, {VIEW: f"?run={ANSWERS}"})
    assert drawn["robustness-measure-title"]["children"] == "Not measured yet"
    words = json.dumps(drawn["robustness-measure-words"])
    assert "tested under corruptions. Here" in words
    assert not drawn["robustness-measure-start"]["disabled"]
    _, drawn = client.fire_with("robustness-measure-title.children", VIEW, {VIEW: "?run=sure"})
    assert drawn["robustness-measure-title"]["children"] == "Nothing to measure"
    assert drawn["robustness-measure-start"]["disabled"]
    monkeypatch.setattr(robustness, "SUBSET_SIZES", ((40, 10),))
    steps = []
    assert pipeline.evaluate(Library(shipped, home), ANSWERS, ["robustness"], steps.append) == ["robustness"]
    assert steps[-1].endswith("pixelate 5, 41/41")
    _, drawn = client.fire_with("robustness-measure-title.children", VIEW, {VIEW: f"?run={ANSWERS}"})
    assert (drawn["robustness-measure-card"]["hidden"], drawn["robustness-measured"]["hidden"]) == (True, False)
    state = {"robustness-cells-state.data": {"search": f"?run={ANSWERS}&under=noise:5", "measured": ""}}
    _, drawn = client.fire_with("robustness-grid-table.tree", "robustness-cells-state.data", state)
    assert not drawn["robustness-grid-face"]["children"]
    _, drawn = client.fire_with("robustness-flipped-grid.tree", "robustness-cells-state.data", state)
    assert not drawn["robustness-flipped-face"]["children"]
    _, drawn = client.fire_with("robustness-curves-table.tree", "robustness-cells-state.data", state)
    assert "needs the gradients of a network, and this one gives its answers alone" in json.dumps(
        drawn["robustness-curves-face"]
    )
    browser = app.server.test_client()
    report = browser.get(f"/export/robustness-report.html?run={ANSWERS}").get_data(as_text=True)
    assert "Under corruptions" in report
    assert "Not attacked: This needs the gradients" in report
    assert browser.get(f"/export/robustness.csv?run={ANSWERS}").status_code == 200
    assert browser.get(f"/export/attacks.csv?run={ANSWERS}").status_code == 404
    assert browser.get(f"/export/flipped.csv?run={ANSWERS}&under=pgd:4").status_code == 404


def test_features_of_an_imported_network_find_what_is_like_a_picture(app, client):
    """As those of the run it came from: the nearest in the drawer, more like this, and how unusual a picture is."""
    said = {}
    for run in (TOY_RUN, IMPORTED):
        _, drawn = image_of(client, run)
        asked = {"sample-drawer-asked.data": f"?run={run}&sample=0"}
        status, evidence = client.fire_with("sample-drawer-evidence.tree", "sample-drawer-asked.data", asked)
        assert status == 200
        assert not evidence["sample-drawer-evidence-face"]["children"]
        said[run] = drawn["sample-drawer-nearest"]["children"], evidence["sample-drawer-evidence"]["tree"]
        ids, _ = Similar(Networks(app.store)).nearest(run, app.store.open(run).picture("test", 0), "validation")
        said[run] += (ids.tolist(),)
        assert len(ids) == 48
    assert said[IMPORTED][0] == said[TOY_RUN][0]
    assert said[IMPORTED][2][:5] == said[TOY_RUN][2][:5]


def test_an_imported_network_with_gradients_is_explained_and_attacked(app, client):
    """As the run it came from: the map of integrated gradients, and what an attack makes of a picture."""
    browser = app.server.test_client()
    assert app.store.open(IMPORTED).manifest["capabilities"] == ["probabilities", "features", "gradients"]
    for method in ("grad-cam", "integrated", "gradients", "occlusion"):
        assert browser.get(f"/explanations/{IMPORTED}/test/0.png?target=0&method={method}").status_code == 200
    _, drawn = image_of(client, IMPORTED)
    assert all(one["src"] for one in drawn["sample-drawer-shown"]["data"]["maps"])
    assert {one["way"] for one in drawn["sample-drawer-shown"]["data"]["maps"]} == {
        "grad-cam",
        "integrated",
        "occlusion",
    }
    style = drawn["sample-drawer-why-grid"]["style"]
    assert "--flat" in style, "its layers are not walked through"
    assert "--alone" not in style
    made = {}
    for run in (TOY_RUN, IMPORTED):
        got = browser.get(f"/export/attack.csv?run={run}&sample=3&epsilon=8&attack=fgsm")
        assert got.status_code == 200
        lines = [line for line in got.get_data(as_text=True).splitlines() if line[:1].isdigit()]
        made[run] = np.array([float(line.split(",")[5]) for line in lines])
    assert (np.abs(made[IMPORTED] - made[TOY_RUN]) < 0.1).mean() > 0.97


def test_what_computes_an_imported_network_is_called_by_its_name(app, client):
    asked = {VIEW: f"?run={IMPORTED}", "prediction-engine-select.value": "onnx"}
    _, drawn = client.fire_with("prediction-engine-select.options", VIEW, asked)
    assert drawn["prediction-engine-select"] == {
        "options": [{"value": "torch", "label": "onnxruntime"}, {"value": "int8", "label": "int8"}],
        "value": "torch",
    }
    assert [one["props"]["children"] for one in drawn["prediction-batch-engine"]["children"]] == ["onnxruntime", "int8"]
    _, drawn = client.fire_with("prediction-engine-select.options", VIEW, {**asked, VIEW: f"?run={TOY_RUN}"})
    assert [one["label"] for one in drawn["prediction-engine-select"]["options"]] == ["torch", "ONNX", "int8"]
    assert "value" not in drawn["prediction-engine-select"]
    browser, file = app.server.test_client(), io.BytesIO()
    Image.fromarray(np.zeros((28, 28), np.uint8)).save(file, "PNG")
    for engine, status in (("torch", 200), ("onnx", 200), ("int8", 404)):
        sent = {"image": (io.BytesIO(file.getvalue()), "a.png"), "run": IMPORTED, "engine": engine}
        answer = browser.post("/api/v1/predict", data=sent, content_type="multipart/form-data")
        assert answer.status_code == status
    assert f"python -m ml evaluate {IMPORTED} --only int8" in answer.get_data(as_text=True)
