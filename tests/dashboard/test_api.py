"""The HTTP interface on the whole app."""

import io

import numpy as np
import pytest
import requests
from PIL import Image

from dashboard.store import Store


@pytest.fixture
def client(app):
    return app.server.test_client()


@pytest.fixture
def run(home, no_artifacts):
    return Store(no_artifacts, home).open("toy")


def png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image[:, :, 0] if image.ndim == 3 and image.shape[2] == 1 else image).save(buffer, "PNG")
    return buffer.getvalue()


def post(client, content: bytes | None, **fields):
    data = dict(fields)
    if content is not None:
        data["image"] = (io.BytesIO(content), "../../etc/<b>passwd</b>.png")
    return client.post("/api/v1/predict", data=data, content_type="multipart/form-data", base_url="http://127.0.0.1")


def test_test_pictures_get_the_recorded_answer(client, run):
    recorded, pictures = run.predictions("test"), run.pictures("test")
    for row in range(0, len(recorded.ids), 2):
        answer = post(client, png(pictures.images[row]), top="4")
        assert answer.status_code == 200
        body = answer.get_json()
        assert set(body) == {"run", "label", "confidence", "top", "ms"}
        assert body["run"] == "toy"
        assert body["label"] == run.classes[recorded.predicted[row]]
        assert body["confidence"] == pytest.approx(float(recorded.confidence[row]), abs=1e-4)
        told = {entry["label"]: entry["probability"] for entry in body["top"]}
        for name, share in zip(run.classes, recorded.probabilities[row], strict=True):
            assert told[name] == pytest.approx(float(share), abs=1e-4)
        assert body["ms"] >= 0


def test_top_and_run_and_prepare_are_taken(client, run):
    picture = png(run.pictures("test").images[0])
    assert len(post(client, picture).get_json()["top"]) == 3
    assert len(post(client, picture, top="1", run="toy", prepare="none").get_json()["top"]) == 1
    full = post(client, png(255 - run.pictures("test").images[0]), prepare="full").get_json()
    plain = post(client, png(255 - run.pictures("test").images[0]), prepare="none").get_json()
    assert full["top"] != plain["top"]


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"run": "nowhere"}, 404, "no run 'nowhere'"),
        ({"run": "../../etc/passwd"}, 404, "no run"),
        ({"top": "0"}, 400, "top must be a whole number from 1 to 4"),
        ({"top": "5"}, 400, "top must be"),
        ({"top": "two"}, 400, "top must be"),
        ({"top": "²"}, 400, "top must be"),
        ({"prepare": "wash"}, 400, "prepare must be one of auto, none, full"),
        ({"colour": "red"}, 400, "no field 'colour'"),
    ],
)
def test_wrong_fields_are_named(client, run, fields, status, words):
    answer = post(client, png(run.pictures("test").images[0]), **fields)
    assert answer.status_code == status
    assert set(answer.get_json()) == {"error"}
    assert words in answer.get_json()["error"]


def test_wrong_requests_are_told_what_to_send(client):
    assert "field image" in post(client, None).get_json()["error"]
    assert "field image" in post(client, None, image="a string").get_json()["error"]
    plain = client.post("/api/v1/predict", data=b"\x89PNG", content_type="image/png", base_url="http://127.0.0.1")
    assert plain.status_code == 415
    assert "multipart/form-data" in plain.get_json()["error"]
    assert client.get("/api/v1/predict", base_url="http://127.0.0.1").status_code == 405


@pytest.mark.parametrize(("content", "status"), [(b"", 400), (b"hello", 415), (b"GIF89a" + bytes(20), 415)])
def test_bad_pictures_are_refused_in_words(client, content, status):
    answer = post(client, content)
    assert answer.status_code == status
    assert "Allowed are PNG, JPEG, WebP and GIF pictures of up to 30 MB" in answer.get_json()["error"]
    assert "passwd" not in answer.get_data(as_text=True)


def test_uploads_never_touch_the_disk(live_server, monkeypatch):
    import tempfile

    noise = np.random.default_rng(0).integers(0, 256, (900, 900, 3)).astype(np.uint8)
    content = png(noise)
    assert len(content) > 2_000_000
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")  # any temporary file now fails
    answer = requests.post(f"{live_server}/api/v1/predict", files={"image": ("a.png", content)}, timeout=30)
    assert answer.status_code == 200, answer.text


def test_runs_are_listed_with_what_a_program_needs(client, home):
    (home / "runs" / "torn").mkdir()
    (home / "runs" / "torn" / "manifest.json").write_text("{")
    body = client.get("/api/v1/runs", base_url="http://127.0.0.1").get_json()
    assert body["default"] == "toy"
    runs = {entry["run"]: entry for entry in body["runs"]}
    assert runs["toy"]["ok"] is True
    assert (runs["toy"]["height"], runs["toy"]["width"], runs["toy"]["channels"]) == (28, 28, 1)
    assert runs["toy"]["results"]["test"]["n"] == 400
    assert len(runs["toy"]["classes"]) == 4
    assert runs["torn"]["ok"] is False
    assert runs["torn"]["reason"]
    assert str(home) not in str(body)


def test_explanations_are_see_through_pictures_of_the_models_size(client, run):
    example = int(run.pictures("test").ids[3])
    answer = client.get(f"/explanations/toy/test/{example}.png?target=1", base_url="http://127.0.0.1")
    assert answer.status_code == 200
    assert answer.mimetype == "image/png"
    assert "immutable" in answer.headers["Cache-Control"]
    image = Image.open(io.BytesIO(answer.data))
    assert image.mode == "RGBA"
    assert image.size == (28, 28)
    other = client.get(f"/explanations/toy/test/{example}.png?target=2", base_url="http://127.0.0.1")
    assert other.data != answer.data
    slopes = client.get(f"/explanations/toy/test/{example}.png?target=1&method=gradients", base_url="http://127.0.0.1")
    assert slopes.data != answer.data


@pytest.mark.parametrize(
    "address",
    [
        "toy/test/0.png",
        "toy/test/0.png?target=",
        "toy/test/0.png?target=4",
        "toy/test/0.png?target=-1",
        "toy/test/0.png?target=00000099999999999",
        "toy/test/0.png?target=1&method=magic",
        "toy/test/99999.png?target=1",
        "toy/train/0.png?target=1",
        "nowhere/test/0.png?target=1",
        "..%2f..%2fetc/test/0.png?target=1",
    ],
)
def test_unknown_explanations_are_not_found(client, address):
    answer = client.get(f"/explanations/{address}", base_url="http://127.0.0.1")
    assert answer.status_code == 404
    assert "Traceback" not in answer.get_data(as_text=True)
