"""The Insights page callback by callback: on the toy run, on 13 classes in colour, without convolutions."""

import json
import re
import shutil
import sys
import types
from types import SimpleNamespace

import numpy as np
import pytest
from torch import nn

from dashboard.components import lasso
from dashboard.pages.insights import (
    activations,
    architecture,
    examples,
    how_it_works,
    picture,
    projection,
    walked_picture,
)
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.values import Lasso
from dashboard.state.vocabulary import MAX_VERTICES
from ml import models
from ml.artifacts.reader import Missing
from ml.models import MODELS
from tests.callbacks import Client
from tests.conftest import COLOUR_RUN, TOY_RUN

PLAIN_RUN = "plain"
SPACE = "insights-projection-graph.figure"


class Plain(nn.Module):
    """No convolution anywhere."""

    def __init__(self, *, channels: int, height: int, width: int, classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, 16), nn.ReLU(), nn.Dropout(0.5))
        self.head = nn.Linear(16, classes)

    def forward(self, images):
        return self.head(self.body(images))


@pytest.fixture(scope="module")
def three_runs(colour_home, tmp_path_factory):
    """A home with the toy run, one of 13 classes at 40 × 32 in colour, and one without convolutions."""
    from ml.pipeline import train
    from ml.training.config import TrainConfig

    home = tmp_path_factory.mktemp("insights") / "home"
    shutil.copytree(colour_home, home)
    quick = {"epochs": 1, "batch_size": 64, "augment": (), "threads": 1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODELS, "plain", "Plain")
        patch.setitem(sys.modules, "ml.models.plain", types.SimpleNamespace(Plain=Plain))
        train(
            TrainConfig(model="plain", dataset="synthetic-4-28x28x1", **quick), run_id=PLAIN_RUN, home=home, slow=False
        )
        yield home


@pytest.fixture(scope="module")
def app(three_runs, tmp_path_factory):
    from dashboard.shell import create_app

    nothing = tmp_path_factory.mktemp("nothing")
    (nothing / "runs").mkdir()
    (nothing / "index.json").write_text('{"default": null, "runs": []}')
    return create_app(nothing, home=three_runs)


@pytest.fixture(scope="module")
def web(app):
    return app.server.test_client()


@pytest.fixture(scope="module")
def client(web):
    def send(path, body):
        answer = web.post(path, data=body, content_type="application/json")
        return answer.status_code, answer.get_data(as_text=True)

    return Client(send, lambda path: web.get(path).get_data(as_text=True))


@pytest.fixture(scope="module")
def services(three_runs, tmp_path_factory):
    from dashboard.data.store import Store
    from dashboard.services.jobs import Jobs

    nothing = tmp_path_factory.mktemp("none")
    (nothing / "runs").mkdir()
    return Services(Store(nothing, three_runs), Jobs(three_runs))


def fired(client, output, changed="url.search", **values):
    """What a callback changes; values: id__property."""
    status, response = client.fire(output, changed, **values)
    assert status == 200
    return response


def space(client, search, colour="true", mode="light", drawn=None):
    return fired(
        client, SPACE, insights_start_state__data=1, url__search=search, insights_projection_colour__value=colour,
        app_theme_state__data=mode, insights_projection_state__data=drawn,
    )  # fmt: skip


RUNS = [TOY_RUN, COLOUR_RUN, PLAIN_RUN]
STAGED = {
    "insights-history-loss-graph.figure": "insights-later-state",
    "insights-calibration-graph.figure": "insights-later-state",
    "insights-picture-shown.children": "insights-later-state",
    "insights-examples-rows.children": "insights-later-state",
    "insights-filters-graph.figure": "insights-later-state",
    "insights-plane-graph.figure": "insights-later-state",
    "insights-activations-maps.children": "insights-inside-state",
    "insights-lesson-data.children": "insights-inside-state",
}


def draw(client, output, run, **values):
    stage = STAGED[output]
    return fired(client, output, **{f"{stage.replace('-', '_')}__data": 1, "url__search": f"?run={run}", **values})


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("output", STAGED)
def test_every_panel_draws_or_says_why_not(client, run, output):
    response = draw(client, output, run)
    face = next(children for name, parts in response.items() if name.endswith("-face") for children in parts.values())
    if face is None:
        return
    assert run == PLAIN_RUN, face
    assert re.search("no convolutions|has no projection yet", json.dumps(face))


@pytest.mark.parametrize("output", STAGED)
def test_panels_wait_for_their_turn(client, output):
    status, _ = client.fire_with(output, "url.search", {"url.search": f"?run={TOY_RUN}"})
    assert status == 204


def test_the_network_without_convolutions_says_so(client):
    words = json.dumps(draw(client, "insights-lesson-data.children", PLAIN_RUN), ensure_ascii=False)
    assert "no convolutions" in words
    assert "no pooling" in words
    assert "about 8 of 16 numbers are set to zero" in words
    assert "forms no picture" in words or "form no picture" in words


@pytest.mark.parametrize("run", RUNS)
def test_architecture_names_every_layer(client, run):
    response = fired(client, "insights-architecture-body.children", url__search=f"?run={run}")
    words = json.dumps(response, ensure_ascii=False)
    assert "Answer" in words
    assert "Dense" in words
    assert ("Convolution" in words) == (run != PLAIN_RUN)
    assert ("dropout" in words) == (run != TOY_RUN)


def test_blocks_fold_what_changes_no_shape():
    layers = [
        {"name": "0", "kind": "Conv2d", "settings": "1, 2, kernel_size=(5, 5)", "shape": [2, 8, 8], "parameters": 50},
        {"name": "n", "kind": "BatchNorm2d", "settings": "2, eps=1e-05", "shape": [2, 8, 8], "parameters": 4},
        {"name": "1", "kind": "ReLU", "settings": "", "shape": [2, 8, 8], "parameters": 0},
        {"name": "2", "kind": "Dropout", "settings": "p=0.25, inplace=False", "shape": [2, 8, 8], "parameters": 0},
        {"name": "3", "kind": "Flatten", "settings": "", "shape": [128], "parameters": 0},
        {"name": "4", "kind": "Linear", "settings": "", "shape": [3], "parameters": 387},
    ]
    steps = architecture.blocks(layers, [1, 12, 12])
    assert [(b.title.replace("\xa0", " "), architecture.words(b.shape), b.parameters) for b in steps] == [
        ("Picture", "12 × 12 × 1", 0),
        ("Convolution 5 × 5", "8 × 8 × 2", 54),
        ("Flatten", "128", 0),
        ("Answer", "3", 387),
    ]
    assert steps[1].quiet == ["batch norm", "ReLU", "dropout 25 %"]
    assert [architecture.share(n, 439) for n in (52, 387, 0)] == ["12 %", "88 %", ""]
    assert architecture.share(1, 5_000) == "<0.1 %"


def test_recolouring_sends_colours_and_no_points(client):
    whole = space(client, f"?run={TOY_RUN}")
    figure, drawn = whole["insights-projection-graph"]["figure"], whole["insights-projection-state"]["data"]
    assert len(json.dumps(figure)) > 8_000
    assert figure["data"][0]["type"] == "scatter3d"
    change = space(client, f"?run={TOY_RUN}", colour="outcome", drawn=drawn)["insights-projection-graph"]["figure"]
    assert change["__dash_patch_update"]
    touched = [operation["location"] for operation in change["operations"]]
    assert ["data", 0, "marker"] in touched
    assert not any(place[:2] == ["data", 0] and place[2:3] in (["x"], ["y"], ["z"]) for place in touched)
    assert not any("camera" in place for place in touched)
    assert ["layout", "scene"] not in touched
    status, _ = client.fire_with(
        SPACE, "url.search",
        {"insights-start-state.data": 1, "url.search": f"?run={TOY_RUN}", "insights-projection-colour.value": "true",
         "app-theme-state.data": "light", "insights-projection-state.data": drawn},
    )  # fmt: skip
    assert status == 204, "nothing changed, nothing is drawn"


def test_another_split_sends_new_points(client):
    drawn = space(client, f"?run={TOY_RUN}")["insights-projection-state"]["data"]
    figure = space(client, f"?run={TOY_RUN}&split=validation", drawn=drawn)["insights-projection-graph"]["figure"]
    assert "data" in figure


@pytest.mark.parametrize("drawn", ["x", 7, [], {"points": 1, "view": {}}])
def test_a_made_up_state_draws_everything(client, drawn):
    assert "data" in space(client, f"?run={TOY_RUN}", drawn=drawn)["insights-projection-graph"]["figure"]


def test_the_legend_selects(client):
    words = json.dumps(space(client, f"?run={TOY_RUN}&true=Bar%201")["insights-projection-legend"])
    assert f"?run={TOY_RUN}&true=Bar%202" in words
    assert '"aria-pressed": "true"' in words


def test_points_are_looked_up_on_the_server(services):
    search = f"?run={TOY_RUN}&true=Bar%201"
    run = services.store.open(TOY_RUN)
    predictions = run.predictions("test")

    def at(curve, number, where=search):
        example = projection.example_at(services, where, {"points": [{"curveNumber": curve, "pointNumber": number}]})
        return example[2] if example else None

    assert at(0, 5) == predictions.ids[5]
    assert at(1, 2) == predictions.ids[run.mask(Selection.parse(search))][2]
    assert at(2, 0) is None
    assert at(2, 0, search + "&sample=9") == 9
    assert at(0, len(predictions.ids)) is None
    assert at(3, 0) is None
    assert at(0, -1) is None
    for event in (None, {}, {"points": []}, {"points": [{}]}, {"points": [{"curveNumber": "0", "pointNumber": 1}]}):
        assert projection.example_at(services, search, event) is None


def test_clicking_a_point_opens_it(client):
    event = {"points": [{"curveNumber": 0, "pointNumber": 3}]}
    output = next(
        d["output"] for d in client.dependencies
        if d["output"].startswith("url.search@") and d["inputs"][0]["id"] == "insights-plane-graph"
    )  # fmt: skip
    values = {"insights-plane-graph.clickData": event, "url.search": f"?run={TOY_RUN}&true=Bar%201"}
    status, response = client.fire_with(output, "insights-plane-graph.clickData", values)
    assert status == 200
    assert response["url"]["search"] == f"?run={TOY_RUN}&true=Bar%201&sample=3"


@pytest.mark.parametrize("vertices", [4, 60, 2_000])
def test_lassos_become_short_outlines(vertices):
    turn = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
    wobble = 40 + 3 * np.sin(9 * turn)
    outline = lasso.simplified(np.stack([wobble * np.cos(turn), wobble * np.sin(turn)], axis=1).tolist())
    assert 3 <= len(outline) <= MAX_VERTICES
    written = Selection().with_(lasso=Lasso("map", outline)).query()
    assert Selection.parse(written).lasso.vertices == outline
    assert not Selection.parse(written).dropped


@pytest.mark.parametrize(
    "outline", [None, "x", [], [[0, 0], [1, 1]], [[0, 0]] * 9, [[0, "1"]] * 9, [[0, 1e9]] * 9, [{}] * 5]
)
def test_what_is_no_outline_selects_nothing(outline):
    assert lasso.simplified(outline) == ()


def test_the_lasso_counts_what_is_inside(services):
    run = services.store.open(TOY_RUN)
    points = run.projection("test")[["map_x", "map_y"]].to_numpy(float)
    west, south = points.min(0) - 1
    east, north = float(np.median(points[:, 0])), points[:, 1].max() + 1
    outline = lasso.simplified(
        [[float(x), float(y)] for x, y in ((west, south), (east, south), (east, north), (west, north))]
    )
    assert len(outline) == 4
    selection = Selection(run=TOY_RUN).with_(lasso=Lasso("map", outline))
    assert abs(int(run.mask(selection).sum()) - len(points) / 2) <= 2


def test_the_document_stands_alone(web):
    answer = web.get(f"/export/projection.html?run={TOY_RUN}&colour=predicted&theme=dark")
    assert answer.status_code == 200
    assert "attachment" in answer.headers["Content-Disposition"]
    page = answer.get_data(as_text=True)
    assert len(page) > 3_000_000
    assert "scatter3d" in page
    assert "coloured by predicted" in page
    assert not re.search(r'<(script|link)[^>]+(src|href)="?https?:', page)
    assert web.get("/export/projection.html?run=nobody").status_code == 404


@pytest.mark.parametrize(
    ("noun", "rows"), [("layers", 17), ("filters", 0), ("calibration", 30), ("projection", 400), ("history", 2)]
)
def test_tables(web, noun, rows):
    answer = web.get(f"/export/{noun}.csv?run={TOY_RUN}")
    assert answer.status_code == 200
    assert answer.mimetype == "text/csv"
    lines = answer.get_data(as_text=True).strip().splitlines()
    expected = rows or 32 * 9 + 32 * 32 * 9 * 2
    assert len(lines) - 1 == expected


def test_filters_of_a_deeper_layer_come_by_output_channel(client):
    response = draw(
        client,
        "insights-filters-graph.figure",
        TOY_RUN,
        insights_filters_layer__value="body.3",
        insights_filters_part__value="5",
    )
    assert len(response["insights-filters-part"]["options"]) == 32
    assert response["insights-filters-part"]["value"] == "5"
    assert "filter 6, input 1" in json.dumps(response["insights-filters-graph"])
    again = draw(
        client,
        "insights-filters-graph.figure",
        TOY_RUN,
        insights_filters_layer__value="nowhere",
        insights_filters_part__value="99",
    )
    assert again["insights-filters-layer"]["value"] == "body.0"
    assert again["insights-filters-part"]["value"] == "0"


def test_feature_maps_are_those_of_the_chosen_picture(services):
    run, selection = services.store.open(COLOUR_RUN), Selection(run=COLOUR_RUN)
    one = activations.feature_maps(services, run, selection, 0)
    other = activations.feature_maps(services, run, selection, 7)
    assert list(one) == [
        layer["name"] for layer in run.manifest["layers"] if len(layer["shape"]) == 3 and layer["kind"] != "Dropout"
    ]
    assert one["body.0"].shape == (32, 40, 32)
    assert not np.array_equal(one["body.0"], other["body.0"])
    assert activations.feature_maps(services, run, selection, 0) is one, "kept"
    with pytest.raises(Missing, match="no convolutions"):
        activations.feature_maps(services, services.store.open(PLAIN_RUN), Selection(), 0)


def test_the_lesson_applies_the_real_kernel(services):
    """The framed place's answer is the kernel times the framed pixels, plus the bias."""
    run = services.store.open(COLOUR_RUN)
    image = run.pictures("test").images[3]
    walk = walked_picture.Walk(run, image, services.explainer.feature_maps(COLOUR_RUN, image))
    out = walk.maps["body.0"][walk.channel]
    row, column = np.unravel_index(out.argmax(), out.shape)
    left, top, width, height = walked_picture.reach(
        image.shape[:2], (3, 3), walk.first("Conv2d"), int(row), int(column)
    )
    x, y = round(left * image.shape[1]), round(top * image.shape[0])
    w, h = round(width * image.shape[1]), round(height * image.shape[0])
    mean, std = np.array(run.dataset["mean"]), np.array(run.dataset["std"])
    pixels = (image[y : y + h, x : x + w] / 255 - mean) / std
    weights = run.run.weights()
    kernel = weights["body.0.weight"][walk.channel]
    kernel = kernel[:, (3 - h if row == 0 else 0) :, (3 - w if column == 0 else 0) :][:, :h, :w]
    answer = (pixels.transpose(2, 0, 1) * kernel).sum() + weights["body.0.bias"][walk.channel]
    assert answer == pytest.approx(out.max(), abs=1e-4)


def test_a_step_that_cannot_be_told_says_why(services):
    """What a run lacks is not what its network lacks, and the other steps are told."""
    run = services.store.open(COLOUR_RUN)
    image = run.pictures("test").images[3]
    maps = services.explainer.feature_maps(COLOUR_RUN, image)

    def none():
        raise Missing("This run has no filters yet.", "python -m ml evaluate colour --only filters")

    silent = walked_picture.Walk(SimpleNamespace(manifest={**run.manifest, "layers": []}, need=run.need), image, maps)
    for step in (how_it_works.relu, how_it_works.dropout):
        (told,) = how_it_works.alone(step, silent)
        assert told.children == ["This run's manifest does not describe its layers."]
    bare = walked_picture.Walk(SimpleNamespace(manifest=run.manifest, filters=none, need=run.need), image, maps)
    (told,) = how_it_works.alone(how_it_works.convolution, bare, "light")
    assert told.children[-1].children == "python -m ml evaluate colour --only filters"
    assert len(how_it_works.alone(how_it_works.relu, bare)) == 2


def test_dropout_uses_the_layers_own_rate(services):
    run = services.store.open(COLOUR_RUN)
    image = run.pictures("test").images[3]
    walk = walked_picture.Walk(run, image, services.explainer.feature_maps(COLOUR_RUN, image))
    words = str(how_it_works.dropout(walk)[1].children)
    assert "4 dropout layers (25 %, 40 %, 30 %)" in words
    dropped, whole = (int(n.replace(",", "")) for n in re.search(r"here ([\d,]+) of ([\d,]+)", words).groups())
    assert whole == 32 * 20 * 16
    assert abs(dropped / whole - 0.25) < 0.02
    assert walk.before(walk.first("Dropout")) is walk.maps["body.2"]


def test_examples_are_sorted_by_confidence(services):
    run = services.store.open(COLOUR_RUN)
    predictions = run.predictions("test")
    for class_id in range(13):
        right, wrong = examples.surest(predictions, class_id)
        assert len(right) <= 6
        assert len(wrong) <= 6
        assert (predictions.labels[[*right, *wrong]] == class_id).all()
        assert predictions.right[right].all()
        assert not predictions.right[wrong].any()
        for rows in (right, wrong):
            assert (np.diff(predictions.confidence[rows]) <= 0).all()


def test_the_strip_goes_round_the_classes():
    labels = np.arange(40) % 4
    rows = picture.some(labels, 6, 0)
    assert labels[rows].tolist() == [0, 1, 2, 3, 0, 1]
    assert len(set(rows)) == 6
    assert not np.array_equal(rows, picture.some(labels, 6, 1))


@pytest.mark.parametrize("chosen", [None, "x", -4, 10**6, 3.5, {}])
def test_a_picture_that_is_not_there_is_the_first(services, chosen):
    assert picture.row_of(services.store.open(TOY_RUN).pictures("test"), chosen) == 0


def test_an_open_sample_is_followed(client):
    output = "insights-picture-state.data"
    response = fired(client, output, url__search=f"?run={TOY_RUN}&sample=12")
    assert response["insights-picture-state"]["data"] == 12


def test_a_run_that_is_not_here_gives_the_default_run_s_panels(client, services):
    gone = draw(client, "insights-history-loss-graph.figure", "nobody")
    there = draw(client, "insights-history-loss-graph.figure", services.store.default_run())
    assert gone["insights-history-loss-graph"] == there["insights-history-loss-graph"]


def test_the_plain_model_is_what_it_says():
    assert models.parameter_count(Plain(channels=1, height=28, width=28, classes=4)) == 784 * 16 + 16 + 16 * 4 + 4
