"""The Insights page on networks of other kinds: blocks, attention, a lens; each panel draws or says why not."""

import json
import re

import pytest

from ml.data import synthetic
from tests.callbacks import Client

MODELS = {
    "resnet18": {},
    "mobilenet_v3_small": {},
    "small_vgg": {},
    "small_vit": {},
    "efficientnet_lite0": {"pretrained": True, "frozen_epochs": 1},
}
STAGES = {
    "insights-architecture-body.children": None,
    "insights-filters-graph.figure": "insights_later_state__data",
    "insights-examples-rows.children": "insights_later_state__data",
    "insights-activations-maps.children": "insights_inside_state__data",
    "insights-lesson-data.children": "insights_inside_state__data",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """One run of each, trained for an epoch on a handful of pictures."""
    from ml import pipeline
    from ml.inference import contract
    from ml.training import published
    from ml.training.config import TrainConfig

    home = tmp_path_factory.mktemp("models") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(published, "cache_dir", lambda: home / "cache")
        patch.setattr(contract, "LATENCY_TIMES", 3)
        patch.setattr(
            pipeline, "load", lambda *_, **__: synthetic.load("synthetic-4-16x16x1", train=32, validation=12, test=12)
        )
        for name, options in MODELS.items():
            quick = {"epochs": 1, "batch_size": 32, "augment": (), "threads": 1, **options}
            pipeline.train(TrainConfig(model=name, **quick), run_id=name, home=home, slow=False)
    return home


@pytest.fixture(scope="module")
def client(home, tmp_path_factory):
    from dashboard.shell import create_app

    nothing = tmp_path_factory.mktemp("nothing")
    (nothing / "runs").mkdir()
    (nothing / "index.json").write_text('{"default": null, "runs": []}')
    web = create_app(nothing, home=home).server.test_client()

    def send(path, body):
        answer = web.post(path, data=body, content_type="application/json")
        return answer.status_code, answer.get_data(as_text=True)

    return Client(send, lambda path: web.get(path).get_data(as_text=True))


def drawn(client, output, run, **values):
    stage = {STAGES[output]: 1} if STAGES[output] else {}
    status, response = client.fire(output, "url.search", url__search=f"?run={run}", **stage, **values)
    assert status == 200
    face = next(children for name, parts in response.items() if name.endswith("-face") for children in parts.values())
    assert face is None, json.dumps(face)[:400]
    return json.dumps(response, ensure_ascii=False)


@pytest.mark.parametrize("run", MODELS)
@pytest.mark.parametrize("output", STAGES)
def test_every_panel_draws(client, output, run):
    assert drawn(client, output, run)


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ("resnet18", ["Residual block", "8 × 8 × 128", "2 × 2 × 512", "Mean over the picture"]),
        ("mobilenet_v3_small", ["Convolution 3\u00a0×\u00a03", "Inverted residual block", "batch norm · Hardswish"]),
        ("small_vgg", ["Max pooling", "batch norm · ReLU"]),
        ("small_vit", ["Convolution 4\u00a0×\u00a04", "17 × 128", "Attention block"]),
        ("efficientnet_lite0", ["Input adapter", "112 × 112 × 3", "4 × 4 × 1,280"]),
    ],
)
def test_architecture_names_what_they_are_made_of(client, run, words):
    text = drawn(client, "insights-architecture-body.children", run)
    for word in words:
        assert word in text, word
    widths = [int(width) for width in re.findall(r'"width": "(\d+)px"', text)]
    assert max(widths) == 62, "the largest picture, enlarged ones included, fills the drawing"


def test_only_kernels_a_person_can_look_at_are_kept(client, home):
    import numpy as np

    for run in MODELS:
        with np.load(home / "runs" / run / "filters.npz") as kernels:
            for name in kernels.files:
                assert kernels[name].shape[-1] > 1
                assert kernels[name].size <= 2**18
    text = drawn(client, "insights-filters-graph.figure", "efficientnet_lite0")
    assert "Convolution 17, 1152 filters" in text


def test_lesson_speaks_of_steps_instead_of_pooling(client):
    for run, words in [
        ("resnet18", "16 × 16 to 8 × 8 to 4 × 4 to 2 × 2"),
        ("efficientnet_lite0", "112 × 112 to 56 × 56 to 28 × 28"),
        ("small_vit", "it never makes a picture smaller"),
        ("mobilenet_v3_small", "it bends its numbers another way"),
    ]:
        assert words in drawn(client, "insights-lesson-data.children", run)
