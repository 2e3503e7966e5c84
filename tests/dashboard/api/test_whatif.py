"""What if: the route, whatever is sent to it, and the card's sliders."""

import base64
import csv
import io

import numpy as np
import pytest
from PIL import Image

from dashboard.data.store import Store
from dashboard.pages.prediction import whatif
from dashboard.services.container import Services
from dashboard.services.jobs import Jobs
from dashboard.shell import create_app
from dashboard.state.selection import Selection
from ml.images import edits
from ml.images.edits import KINDS
from tests.conftest import nothing_shipped
from tests.feedback import data_url, picture

ROUTE = "/api/v1/whatif"
HERE = "http://127.0.0.1"


@pytest.fixture(scope="module")
def web(toy_home, tmp_path_factory):
    app = create_app(nothing_shipped(tmp_path_factory.mktemp("whatif")), home=toy_home, read_only=True)
    app.server.test_client().get("/", base_url=HERE)
    return app.server.test_client()


@pytest.fixture(scope="module")
def network(toy_home, tmp_path_factory):
    return Services(Store(nothing_shipped(tmp_path_factory.mktemp("alone")), toy_home), Jobs(toy_home))


def post(web, **body):
    answer = web.post(ROUTE, json=body, base_url=HERE)
    return answer.status_code, answer.get_json()


def pixels(url):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))


def test_both_answers_are_the_networks_own(web, network):
    before = picture(3)
    status, answer = post(web, image=data_url(before), edits="shift:2:-1,invert", run="toy", look=True)
    assert status == 200
    # what comes in is the background that the network's training pictures have
    assert 0 < answer["ground"] < 20
    after = np.pad(before, ((0, 1), (2, 0)), constant_values=answer["ground"])[1:, :28]
    after = 255 - after
    assert np.array_equal(pixels(answer["image"]), after)
    assert answer["edits"] == "shift:2:-1,invert"
    assert answer["before"] == pytest.approx(
        network.predictor.predict("toy", before[:, :, None]).probabilities, abs=2e-6
    )
    assert answer["after"] == pytest.approx(network.predictor.predict("toy", after[:, :, None]).probabilities, abs=2e-6)
    assert pixels(answer["look"]).shape == (28, 28, 4)
    rows = list(csv.DictReader(io.StringIO(base64.b64decode(answer["table"].partition(",")[2]).decode())))
    assert [row["class"] for row in rows] == answer["classes"]
    assert [float(row["after"]) for row in rows] == pytest.approx(answer["after"], abs=1e-6)
    status, plain = post(web, image=data_url(before))
    assert status == 200
    assert plain["before"] == plain["after"]
    assert np.array_equal(pixels(plain["image"]), before)
    assert "look" not in plain


def test_a_picture_of_another_form_is_prepared_first(web, network):
    large = picture(4, 90)
    status, answer = post(web, image=data_url(large), edits="invert")
    assert status == 200
    seen = network.predictor.predict("toy", large[:, :, None]).prepared.image
    assert np.array_equal(pixels(answer["image"]), 255 - seen[..., 0])


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ([], 400, "Send an object"),
        ({}, 400, "Send an object"),
        ({"image": 3}, 400, "image must be text"),
        ({"image": "x"}, 400, "did not arrive"),
        ({"image": "data:image/png;base64,AAAA"}, 415, ""),
        ({"image": "data:image/png;base64," + "A" * 1_400_000}, 413, "too much"),
        ({"edits": 7}, 400, "edits must be text"),
        ({"edits": "rot:9999"}, 400, "rot takes from -180 to 180"),
        ({"edits": "brush:!!!!!!!!"}, 400, "strokes"),
        ({"edits": "invert," * 700}, 400, "too many"),
        ({"edits": "\u0000"}, 400, "no change"),
        ({"run": "../../etc"}, 404, "no run"),
        ({"run": ["toy"]}, 400, "run must be text"),
        ({"engine": "cuda"}, 400, "engine must be one of"),
        ({"engine": "onnx"}, 404, ""),
        ({"look": 1}, 400, "look must be true or false"),
        ({"more": 1}, 400, "Send an object"),
    ],
)
def test_whatever_is_sent_is_answered_in_words(web, body, status, words):
    if isinstance(body, dict) and body:
        body = {"image": data_url(picture(1)), **body}
    answer = web.post(ROUTE, json=body, base_url=HERE)
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert words in answer.get_json()["error"]


def test_what_is_no_json_is_refused_and_a_get_says_how(web):
    assert web.post(ROUTE, data="a=1", base_url=HERE).status_code == 415
    for broken in (b"{", b"[" * 100_000, b'{"image": NaN}', b'"\\ud800"', b""):
        answer = web.post(ROUTE, data=broken, content_type="application/json", base_url=HERE)
        assert answer.status_code == 400, broken[:20]
    assert web.get(ROUTE, base_url=HERE).status_code == 405
    cross = {"Origin": "http://elsewhere.example"}
    assert web.post(ROUTE, json={"image": ""}, headers=cross, base_url=HERE).status_code == 403


def test_sliders_stay_within_what_can_be_made_and_rest_where_nothing_is_done():
    blank = np.full((28, 28, 1), 70, np.uint8)
    blank[5:9, 3:20] = 200
    for kind, place, _, low, high, step, none, unit in whatif.SLIDERS:
        least, most = edits.KINDS[kind][place]
        assert least <= low <= none <= high <= most, kind
        assert f"{step:g}" == f"{round(step, 3):g}"
        values = [0.0 if kind != "shift" else none] * len(edits.KINDS[kind])
        values[place] = none
        assert np.array_equal(edits.apply(blank, [edits.Change(kind, tuple(values))]), blank), kind
        assert unit in ("°", "×", "px", "%")
    assert set(KINDS) == {kind for kind, *_ in whatif.SLIDERS} | {"invert"}


def test_another_picture_is_not_changed_and_the_link_keeps_what_is_told():
    here = Selection.parse("?level=99&sample=3&edits=rot:15,brush:Av8BBAQ")
    assert here.edits == "rot:15,brush:Av8BBAQ"
    assert here.query() == "?level=99&edits=rot:15,brush:Av8BBAQ&sample=3"
    assert here.with_(sample=4).edits is None
    assert here.here().edits is None
    assert here.with_(level=90).edits == here.edits
