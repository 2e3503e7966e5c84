"""Explanations in place: the grid of maps, the walk with its arithmetic, evidence."""

import csv
import dataclasses
import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from captum.attr import IntegratedGradients, LayerAttribution, LayerGradCam

from dashboard.components import evidence, explanations, layer_sums, layer_walk
from dashboard.components.sample_drawer import proof, sample, tags
from dashboard.data.run import RunData
from dashboard.data.store import Store
from dashboard.services.container import Services
from dashboard.services.explainer import Explainer
from dashboard.services.jobs import Jobs
from dashboard.shell import create_app
from dashboard.state.selection import Selection
from ml.stats.failure_modes import TAGS
from tests.callbacks import fired_in_process
from tests.dashboard.pages.test_prediction import words


@pytest.fixture(scope="module")
def services(toy_home, tmp_path_factory):
    artifacts = tmp_path_factory.mktemp("artifacts")
    (artifacts / "runs").mkdir()
    (artifacts / "index.json").write_text('{"default": null, "runs": []}')
    return Services(Store(artifacts, toy_home), Jobs(toy_home, artifacts=artifacts))


@pytest.fixture(scope="module")
def run(services):
    return services.store.open("toy")


def test_the_second_class_is_the_label_or_the_runner_up():
    classes, shares = ["a", "b", "c"], np.array([0.2, 0.7, 0.1])
    right = explanations.targets(shares, classes, 1)
    assert [(t.name, t.role) for t in right] == [("b", "prediction and label"), ("a", "the runner-up")]
    wrong = explanations.targets(shares, classes, 2)
    assert [(t.name, t.role, t.share) for t in wrong] == [("b", "the prediction", 0.7), ("c", "the label", 0.1)]
    upload = explanations.targets(shares, classes, None)
    assert [(t.name, t.role) for t in upload] == [("b", "the prediction"), ("a", "the runner-up")]


def test_layers_to_choose_from_make_maps():
    layers = [
        {"name": "body.0", "kind": "Conv2d", "shape": [8, 6, 5]},
        {"name": "body.1", "kind": "Dropout", "shape": [8, 6, 5]},
        {"name": "body.2", "kind": "EncoderBlock", "shape": [31, 8]},
        {"name": "body.3", "kind": "EncoderBlock", "shape": [30, 8]},
        {"name": "body.4", "kind": "Conv2d", "shape": [8, 1, 1]},
        {"name": "head", "kind": "Linear", "shape": [3]},
    ]
    assert explanations.places(layers) == [
        {"value": "auto", "label": "Deepest that answers"},
        {"value": "body.2", "label": "3 EncoderBlock, 6 × 5"},
        {"value": "body.0", "label": "1 Conv2d, 6 × 5"},
    ]


def test_every_layer_offered_answers(services, run):
    image = run.pictures("test").images[0]
    for option in explanations.places(run.manifest["layers"]):
        layer = "" if option["value"] == explanations.AUTO else option["value"]
        assert services.explainer.explain("toy", image, 0, layer=layer).shape == (28, 28)


def test_the_table_is_what_captum_says(services, run, toy_home):
    """Values as a person downloads them against captum, asked directly."""
    import torch

    from ml.inference.classifier import Classifier

    web = create_app(services.store.library.artifacts, home=toy_home).server.test_client()
    predictions, pictures = run.predictions("test"), run.pictures("test")
    row = int(np.flatnonzero(~predictions.right)[0]) if (~predictions.right).any() else 0
    answer = web.get(f"/export/explanation.csv?run=toy&sample={predictions.ids[row]}")
    table = list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))
    classifier = Classifier.open(run.run)
    inputs, module = classifier.inputs(pictures.images[row : row + 1]), classifier.module
    targets = explanations.targets(predictions.probabilities[row], run.classes, int(predictions.labels[row]))
    assert {line["class"] for line in table} == {target.name for target in targets}
    for target in targets:
        for layer in (module.body[6], module.body[3], module.body[0]):  # its convolutions; the deepest that answers
            coarse = LayerGradCam(module, layer).attribute(inputs, target=target.id, relu_attributions=True)
            if coarse.max() > 0:
                break
        cam = LayerAttribution.interpolate(coarse, (28, 28), interpolate_mode="bilinear")[0, 0]
        paths = IntegratedGradients(module).attribute(
            inputs, baselines=torch.full_like(inputs, float(inputs.min())), target=target.id, n_steps=64
        )[0, 0]
        for way, wanted in (("grad-cam", cam), ("integrated", paths)):
            lines = [line for line in table if (line["method"], line["class"]) == (way, target.name)]
            heatmap = np.zeros((28, 28))
            for line in lines:
                heatmap[int(line["row"]) - 1, int(line["column"]) - 1] = float(line["value"])
            np.testing.assert_allclose(heatmap, wanted.detach().numpy(), atol=1e-6)
    assert web.get("/export/explanation.csv?run=toy").status_code == 404


def test_the_drawer_asks_for_six_maps(services, run):
    predictions = run.predictions("test")
    parts = sample(services, Selection(run="toy", sample=int(predictions.ids[0])))
    shown, layer, options = parts[-1], parts[-2], parts[-3]
    assert layer == "auto"
    assert len(shown["maps"]) == 6
    assert {m["way"] for m in shown["maps"]} == set(explanations.METHODS)
    assert len({re.search(r"target=(\d+)", m["src"])[1] for m in shown["maps"]}) == 2
    kept = sample(services, Selection(run="toy", sample=int(predictions.ids[0])), layer=options[-1]["value"])
    assert kept[-2] == options[-1]["value"]
    assert sample(services, Selection(run="toy", sample=int(predictions.ids[0])), layer=["forged"])[-2] == "auto"


def test_the_drawer_follows_the_epoch_and_says_whose_maps_these_are(services, run):
    then, last = run.during(1).predictions("test"), run.predictions("test")
    row = int(np.flatnonzero(then.predicted != last.predicted)[0])
    here = Selection(run="toy", epoch=1, outcome=("right", "wrong"), sort="id", sample=int(last.ids[row]))
    shown = words(sample(services, here)[:14])
    assert "Predicted after epoch 1" in shown
    assert f"{run.classes[then.predicted[row]]} {100 * then.confidence[row]:.1f} %" in shown
    assert f"that of epoch {run.manifest['best_epoch']}, not the one after epoch 1" in shown
    now = words(sample(services, dataclasses.replace(here, epoch=None))[:14])
    assert "after epoch" not in now


def test_the_drawer_lists_the_failure_modes_of_a_sample(run, monkeypatch):
    then = run.during(1)
    made = {"unsure": np.array([3, 5], np.int32), "flips": np.array([5, 399], np.int32)}
    monkeypatch.setattr(RunData, "groups", lambda self, noun, split: made)
    monkeypatch.delitem(run.manifest["nouns"], "epochs")
    monkeypatch.delitem(run.manifest["nouns"], "label_issues", raising=False)
    monkeypatch.setattr(run.store, "about", lambda *_: pd.DataFrame({"split": [], "example_id": []}))
    lines = tags(run, Selection(run="toy", true=("Bar 1",), sample=5, epoch=1)).children
    chips = [line.children[0] for line in lines]
    assert [chip.children for chip in chips] == [TAGS["unsure"].title, TAGS["flips"].title]
    assert [chip.title for chip in chips] == [TAGS["unsure"].means, TAGS["flips"].means]
    assert [line.children[1].children for line in lines] == [TAGS["unsure"].do, TAGS["flips"].do]
    there = [Selection.parse(getattr(chip, "data-search")) for chip in chips]
    assert there == [Selection(run="toy", tag=(key,), epoch=1) for key in ("unsure", "flips")]
    assert len(tags(run, Selection(run="toy", sample=399)).children) == 1
    assert words(tags(run, Selection(run="toy", sample=4))) == "No failure mode is known of it."
    assert words(tags(then, Selection(run="toy", sample=4))).startswith("No failure mode of the kept network")


def test_evidence_names_the_runner_up_and_how_usual_a_picture_is(services, run):
    predictions = run.predictions("test")
    second = explanations.targets(predictions.probabilities[2], run.classes, int(predictions.labels[2]))[1]
    text = words(proof(services, Selection(run="toy", sample=int(predictions.ids[2]))))
    assert f"Nearest of {second.role}, {second.name}: " in text
    pictures = run.pictures("test")
    familiarity = services.ood.familiarity("toy", pictures.images[2], rival=second.id)
    assert f"{familiarity.rival.distance:.2f} away" in text
    assert f"{familiarity.percentile:.0f} % of {familiarity.n:,} validation images" in text


def test_a_near_duplicate_is_warned_of_and_a_leak_named():
    assert evidence.warning([]) == []
    text = words(evidence.warning([("validation", 7, 0.0512), ("train", 9, 0.1)]))
    assert "Nearly the same picture as validation image 7 (distance 0.051), training image 9 (distance 0.100)." in text
    assert "learned from" in text
    assert "learned from" not in words(evidence.warning([("test", 7, 0.05)]))


@pytest.fixture
def client(services, toy_home):
    return fired_in_process(create_app(services.store.library.artifacts, home=toy_home))


AT = "sample-drawer-layers"


def walked(client, sample_id, **values):
    named = {
        f"{AT}-asked.data": f"?run=toy&sample={sample_id}",
        **{name.replace("__", "."): value for name, value in values.items()},
    }
    return client.fire_with(f"{AT}-stop.options", f"{AT}-asked.data", named)


def test_a_walk_adds_up_on_screen(client, services, run):
    predictions, pictures = run.predictions("test"), run.pictures("test")
    status, made = walked(client, predictions.ids[0])
    assert status == 200
    options, state = made[f"{AT}-stop"]["options"], made[f"{AT}-drawn"]["data"]
    stops = services.explainer.walk("toy", pictures.images[0])
    assert [o["label"] for o in options] == [layer_walk.title(stop) for stop in stops]
    status, summed = client.fire_with(
        f"{AT}-sum.tree",
        f"{AT}-at.data",
        {
            f"{AT}-drawn.data": state,
            f"{AT}-at.data": {"of": state["of"], "row": 4, "column": 7},
            f"{AT}-asked.data": f"?run=toy&sample={predictions.ids[0]}",
        },
    )
    assert status == 200
    arithmetic = services.explainer.arithmetic("toy", pictures.images[0], 0, state["channel"], 4, 7)
    text = json.dumps(summed[f"{AT}-sum"]["tree"], ensure_ascii=False)
    for number in (arithmetic.value, arithmetic.bias, float(arithmetic.parts[0])):
        assert layer_sums.decimal(number, 3) in text
    assert "row 5, column 8" in json.dumps(summed[f"{AT}-pair"]["tree"])


def test_forged_walks_are_read_as_the_first_number(client, run):
    sample_id = run.predictions("test").ids[0]
    for forged in ("../../etc", -1, 10**9, [1], {"a": 1}, None, True, "9" * 40):
        status, _ = walked(client, sample_id, **{f"{AT}-stop__value": forged, f"{AT}-channel__value": forged})
        assert status == 200
        status, summed = client.fire_with(
            f"{AT}-sum.tree",
            f"{AT}-at.data",
            {
                f"{AT}-drawn.data": {"of": forged, "stop": forged, "channel": forged, "row": forged, "column": forged},
                f"{AT}-at.data": forged,
                f"{AT}-asked.data": f"?run=toy&sample={sample_id}",
            },
        )
        assert status == 200
        assert f"{AT}-sum" in summed, summed


def test_layers_are_asked_for_by_name(client, services, run, toy_home):
    web = create_app(services.store.library.artifacts, home=toy_home).server.test_client()
    where = f"/explanations/toy/test/{run.predictions('test').ids[0]}.png?target=0"
    own, early = web.get(where), web.get(f"{where}&layer=body.0")
    assert (own.status_code, early.status_code) == (200, 200)
    assert own.data != early.data
    for wrong in ("body.99", "head", "..%2f"):
        assert web.get(f"{where}&layer={wrong}").status_code == 404


def test_the_drawer_asks_for_quick_maps_first_and_for_two_classes_at_once(run):
    targets = explanations.targets(np.array([0.1, 0.6, 0.3]), ("a", "b", "c"), 0)
    made = explanations.addresses(run, "why", "/explanations/toy/test/3.png?v=1", targets)
    assert [(one["id"], one["src"].partition("v=1&")[2]) for one in made] == [
        ("why-map-0-grad-cam", "target=1&method=grad-cam"),
        ("why-map-1-grad-cam", "target=0&method=grad-cam"),
        ("why-map-0-integrated", "target=1&method=integrated&beside=0"),
        ("why-map-0-occlusion", "target=1&method=occlusion&beside=0"),
        ("why-map-1-integrated", "target=0&method=integrated&beside=1"),
        ("why-map-1-occlusion", "target=0&method=occlusion&beside=1"),
    ]
    assert [one["quick"] for one in made] == [True, True, False, False, False, False]


@pytest.mark.parametrize("way", ["integrated", "occlusion"])
def test_maps_asked_for_two_classes_at_once_have_the_pixels_of_one(services, toy_home, run, monkeypatch, way):
    asked = []
    several = Explainer._several
    monkeypatch.setattr(Explainer, "_several", lambda *them: asked.append(them[3]) or several(*them))
    own, both = (create_app(services.store.library.artifacts, home=toy_home).server.test_client() for _ in range(2))
    where = f"/explanations/toy/test/{run.predictions('test').ids[0]}.png?method={way}"
    for target, other in ((2, 1), (1, 2)):
        alone, beside = own.get(f"{where}&target={target}"), both.get(f"{where}&target={target}&beside={other}")
        assert (alone.status_code, beside.status_code) == (200, 200)
        assert alone.data == beside.data
    assert asked == [[1, 2]], "the second finds what the first asked for"
    for wrong in ("", "99", "-1", "x"):
        assert both.get(f"{where}&target=1&beside={wrong}").status_code == 404


def test_an_announced_question_finds_the_network_ready(services, toy_home, monkeypatch):
    warmed = []
    monkeypatch.setattr(Services, "warm", lambda self, run_id=None: warmed.append(run_id))
    web = create_app(services.store.library.artifacts, home=toy_home).server.test_client()
    for query in ("?run=toy", "?run=nowhere", "?run=%00"):
        assert web.get(f"/explanations/warm{query}").status_code == 204
    assert warmed == ["toy", "toy", "toy"]
