"""The HTTP interface on the whole app."""

import base64
import io
import json
import re
import zipfile

import numpy as np
import pytest
import requests
from PIL import Image

from dashboard.analysis import prediction_sets
from dashboard.data.run import RunData
from dashboard.data.store import Store
from ml.artifacts.reader import Missing
from ml.stats.calibration import scale_by_temperature


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
        assert set(body) == {"run", "label", "confidence", "calibrated", "set", "top", "familiarity", "ms"}
        assert body["familiarity"]["unlike"] == (body["familiarity"]["percentile"] > 96)
        assert body["run"] == "toy"
        assert body["label"] == run.classes[recorded.predicted[row]]
        assert body["confidence"] == pytest.approx(float(recorded.confidence[row]), abs=1e-4)
        probabilities = {entry["label"]: entry["probability"] for entry in body["top"]}
        for name, share in zip(run.classes, recorded.probabilities[row], strict=True):
            assert probabilities[name] == pytest.approx(float(share), abs=1e-4)
        assert body["ms"] >= 0


def test_the_set_of_classes_is_what_the_table_says_and_what_the_studio_shows(client, run):
    recorded, pictures, table = run.predictions("test"), run.pictures("test"), run.conformal()
    named = dict.fromkeys((90, 99), 0)
    for row in range(0, len(recorded.ids), 5):
        for level in named:
            body = post(client, png(pictures.images[row]), level=str(level)).get_json()
            assert body["set"]["level"] == level
            mine = prediction_sets.members(run, recorded.probabilities[row], level)
            assert body["set"]["labels"] == [run.classes[i] for i in mine]
            named[level] += len(mine)
            scaled = scale_by_temperature(recorded.probabilities[row : row + 1], run.temperature())[0]
            assert body["calibrated"] == pytest.approx(float(scaled.max()), abs=1e-4)
            most = float(table.loc[np.isclose(table["level"], level / 100), "most"].iloc[0])
            assert body["set"]["labels"] == [run.classes[i] for i in np.argsort(-scaled) if 1 - scaled[i] <= most]
    assert named[90] < named[99], "a surer set has more classes"
    wrong = post(client, png(pictures.images[0]), level="91")
    assert (wrong.status_code, wrong.get_json()["error"]) == (400, "level must be one of 90, 95, 99.")


def test_a_run_without_sets_answers_without(client, run, monkeypatch):
    def gone(_):
        raise Missing("There are none.")

    monkeypatch.setattr(RunData, "conformal", gone)
    body = post(client, png(run.pictures("test").images[0])).get_json()
    assert "label" in body
    assert not {"set", "calibrated"} & set(body)


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
    assert (
        "Allowed are PNG, JPEG, JPEG 2000, WebP, GIF, BMP, TIFF, AVIF, HEIC and PNM pictures of up to 30 MB"
        in answer.get_json()["error"]
    )
    assert "passwd" not in answer.get_data(as_text=True)


def test_uploads_never_touch_the_disk(live_server, monkeypatch):
    import tempfile

    noise = np.random.default_rng(0).integers(0, 256, (900, 900, 3)).astype(np.uint8)
    content = png(noise)
    assert len(content) > 2_000_000
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")  # any temporary file now fails
    answer = requests.post(f"{live_server}/api/v1/predict", files={"image": ("a.png", content)}, timeout=30)
    assert answer.status_code == 200, answer.text


def framed(client, content: bytes, **fields):
    data = {"image": (io.BytesIO(content), "frame.jpg"), **fields}
    return client.post("/api/v1/frame", data=data, base_url="http://127.0.0.1")


def test_a_frame_is_answered_and_leaves_nothing(every_step, app, client, home):
    """A bright square in the upper right of a dark wall: where it was looked for is where it is."""
    wall = np.full((240, 320, 3), 40, np.uint8)
    wall[24:84, 220:280] = 220
    buffer = io.BytesIO()
    Image.fromarray(wall).save(buffer, "JPEG", quality=90)
    client.get("/api/v1/runs", base_url="http://127.0.0.1")  # whoever asks first opens the database
    files = sorted(home.rglob("*"))
    body = framed(client, buffer.getvalue(), overlay="1").get_json()
    assert body["run"] == "toy"
    assert body["top"][0] == {"label": body["label"], "probability": body["confidence"]}
    assert len(body["top"]) == 3
    corners = np.array(body["place"]) @ [[0, body["width"]], [0, body["height"]], [1, 1]]
    assert corners == pytest.approx(np.array([[220 / 320, 280 / 320], [24 / 240, 84 / 240]]), abs=0.02)
    overlay = Image.open(io.BytesIO(base64.b64decode(body["overlay"].partition(",")[2])))
    assert (overlay.mode, overlay.size) == ("RGBA", (body["width"], body["height"]))
    assert "overlay" not in framed(client, buffer.getvalue()).get_json()
    known = body["familiarity"]
    assert 0 <= known["percentile"] <= 100
    assert known["unlike"] is (known["percentile"] > 96), "the camera's headline needs what an upload's has"
    assert sorted(home.rglob("*")) == files
    counted = client.get("/metrics", base_url="http://127.0.0.1").get_data(as_text=True)
    assert 'fashion_predictions_total{run="toy"}' not in counted, "a live picture would drown what people ask"
    post(client, buffer.getvalue())
    counted = client.get("/metrics", base_url="http://127.0.0.1").get_data(as_text=True)
    assert 'fashion_predictions_total{run="toy"}' in counted


def test_frames_of_a_turned_camera_have_their_place_upright(every_step, client):
    wall = np.full((320, 240, 3), 40, np.uint8)
    wall[40:100, 24:84] = 220
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6  # to be turned clockwise: 320 wide then, the square 40 from the top's right end
    Image.fromarray(wall).save(buffer, "JPEG", quality=90, exif=exif)
    body = framed(client, buffer.getvalue()).get_json()
    corners = np.array(body["place"]) @ [[0, body["width"]], [0, body["height"]], [1, 1]]
    assert corners == pytest.approx(np.array([[220 / 320, 280 / 320], [24 / 240, 84 / 240]]), abs=0.02)


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"overlay": "2"}, 400, "overlay must be 0 or 1"),
        ({"prepare": "none"}, 400, "no field 'prepare'; known are image, run, overlay"),
        ({"run": "nowhere"}, 404, "no run 'nowhere'"),
    ],
)
def test_wrong_frames_are_told_so(client, run, fields, status, words, monkeypatch):
    answer = framed(client, png(run.pictures("test").images[0]), **fields)
    assert answer.status_code == status
    assert words in answer.get_json()["error"]
    monkeypatch.setattr("dashboard.api.predict.FRAME_BYTES", 100_000)
    assert framed(client, bytes(100_000)).status_code == 413


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
    address = f"/explanations/toy/test/{example}.png?target=1&v={run.picture_set[1]}"
    answer = client.get(address, base_url="http://127.0.0.1")
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


def send(client, files: list[tuple[str, bytes]], path: str = "/api/v1/batch", field: str = "files", **fields):
    data = {**fields, field: [(io.BytesIO(content), name) for name, content in files]}
    return client.post(path, data=data, content_type="multipart/form-data", base_url="http://127.0.0.1")


def lines(answer) -> list[dict]:
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.mimetype == "application/x-ndjson"
    return [json.loads(line) for line in answer.get_data(as_text=True).splitlines()]


def test_a_batch_of_files_and_a_zip_gets_the_recorded_answers(client, run):
    recorded, pictures = run.predictions("test"), run.pictures("test")
    names = [run.classes[label] for label in recorded.labels[:40]]
    files = [(f"{names[row]}/{row}.png", png(pictures.images[row])) for row in range(40)]
    parcel = io.BytesIO()
    with zipfile.ZipFile(parcel, "w") as archive:
        for name, content in files[20:]:
            archive.writestr(name, content)
        archive.writestr("notes.txt", "hello")
    answers = lines(send(client, [*files[:20], ("more.zip", parcel.getvalue())], top="4", seen="1"))
    assert [line.get("file") for line in answers] == [*(name for name, _ in files), "notes.txt", None]
    for row, line in enumerate(answers[:40]):
        assert line["label"] == run.classes[recorded.predicted[row]]
        assert line["confidence"] == pytest.approx(float(recorded.confidence[row]), abs=1e-4)
        assert line["true"] == names[row]
        assert len(line["top"]) == 4
        assert line["seen"].startswith("data:image/png;base64,")
        members = prediction_sets.members(run, recorded.probabilities[row], 90)
        assert line["set"] == {"level": 90, "labels": [run.classes[i] for i in members]}
    assert "not a picture" in answers[40]["error"]
    counted = answers[41]["done"]
    assert {name: counted[name] for name in ("run", "files", "answered", "refused")} == {
        "run": "toy",
        "files": 41,
        "answered": 40,
        "refused": 1,
    }


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"run": "nowhere"}, 404, "no run 'nowhere'"),
        ({"seen": "yes"}, 400, "seen must be 0 or 1"),
        ({"engine": "abacus"}, 400, "engine must be one of torch, onnx, int8"),
        ({"prepare": "wash"}, 400, "prepare must be"),
        ({"colour": "red"}, 400, "no field 'colour'"),
    ],
)
def test_a_batch_with_wrong_fields_is_refused_as_a_whole(client, run, fields, status, words):
    answer = send(client, [("a.png", png(run.pictures("test").images[0]))], **fields)
    assert answer.status_code == status
    assert words in answer.get_json()["error"]


def test_a_batch_without_files_is_told_what_to_send(client):
    assert "a field named files" in send(client, [("a.png", b"x")], field="image").get_json()["error"]
    assert client.get("/api/v1/batch", base_url="http://127.0.0.1").status_code == 405
    answer = client.post("/api/v1/batch", data={"top": "1"}, base_url="http://127.0.0.1")
    assert answer.status_code == 415
    many = send(client, [("a.png", b"x") for _ in range(2_010)])  # werkzeug writes empty files a line break short
    assert many.status_code == 413
    assert "2,000 files" in many.get_json()["error"]


def test_two_batches_at_a_time_and_places_come_back(client, run, monkeypatch):
    from dashboard.api import batch

    monkeypatch.setattr(batch, "PATIENCE", 0.01)
    picture = png(run.pictures("test").images[0])
    for _ in range(3):  # answered, refused: the place is free again
        assert len(lines(send(client, [("a.png", picture)]))) == 2
        assert send(client, [("a.png", picture)], run="nowhere").status_code == 404
    assert batch.BATCHES.acquire(timeout=1)
    assert batch.BATCHES.acquire(timeout=1)
    try:
        busy = send(client, [("a.png", picture)])
        assert busy.status_code == 503
        assert busy.headers["Retry-After"]
    finally:
        batch.BATCHES.release()
        batch.BATCHES.release()


def test_a_batch_that_breaks_says_so_in_its_last_line(client, run, monkeypatch, caplog):
    def broken(*_, **__):
        raise RuntimeError("the secret")

    monkeypatch.setattr("ml.inference.batch.prepare", broken)
    answers = lines(send(client, [("a.png", png(run.pictures("test").images[0]))]))
    assert len(answers) == 1
    assert "log" in answers[0]["error"]
    assert "secret" not in str(answers)
    assert re.search(r"[0-9a-f]{12}", answers[0]["error"])[0] in caplog.text


def explain(client, content: bytes, **fields):
    return send(client, [("a.png", content)], "/api/v1/explain", "image", **fields)


def test_an_explanation_is_an_overlay_or_numbers(client, run):
    picture = run.pictures("test").images[3]
    overlay = explain(client, png(picture))
    assert overlay.status_code == 200, overlay.get_data(as_text=True)
    assert overlay.mimetype == "image/png"
    with Image.open(io.BytesIO(overlay.data)) as image:
        assert (image.mode, image.size) == ("RGBA", (28, 28))
    example = int(run.pictures("test").ids[3])
    label = run.predictions("test").predicted[3]
    page = client.get(f"/explanations/toy/test/{example}.png?target={label}", base_url="http://127.0.0.1")
    assert overlay.data == page.data, "the same as the page shows"
    heatmap = explain(client, png(picture), method="occlusion", target=run.classes[1], **{"as": "json"}).get_json()
    assert (heatmap["run"], heatmap["method"], heatmap["target"]) == ("toy", "occlusion", run.classes[1])
    assert np.array(heatmap["values"]).shape == (heatmap["height"], heatmap["width"]) == (28, 28)
    assert heatmap["probability"] == pytest.approx(float(run.predictions("test").probabilities[3, 1]), abs=1e-4)


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"target": "Spaceship"}, 400, "no class 'Spaceship'"),
        ({"method": "magic"}, 400, "method must be one of grad-cam"),
        ({"layer": "nowhere"}, 400, "layer goes with grad-cam"),
        ({"as": "svg"}, 400, "as must be png or json"),
        ({"run": "nowhere"}, 404, "no run"),
        ({"top": "3"}, 400, "no field 'top'"),
    ],
)
def test_wrong_questions_for_an_explanation_are_named(client, run, fields, status, words):
    answer = explain(client, png(run.pictures("test").images[0]), **fields)
    assert answer.status_code == status
    assert words in answer.get_json()["error"]


def test_an_engine_that_was_not_made_is_named_with_its_command(client, run):
    answer = post(client, png(run.pictures("test").images[0]), engine="int8")
    assert answer.status_code == 404
    assert "python -m ml evaluate toy --only" in answer.get_json()["error"]


def test_a_batch_streams_from_memory_and_the_connection_goes_on(live_server, run, monkeypatch):
    import tempfile

    noise = np.random.default_rng(0).integers(0, 256, (900, 900, 3)).astype(np.uint8)
    large = png(noise)
    assert len(large) > 2_000_000
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")  # any temporary file now fails
    files = [("files", (f"{i}.png", large)) for i in range(16)]  # more than a picture alone may have: 30 MB
    with requests.Session() as session:
        for count in (16, 2):
            with session.post(f"{live_server}/api/v1/batch", files=files[:count], stream=True, timeout=60) as answer:
                assert answer.headers["Transfer-Encoding"] == "chunked"
                answers = [json.loads(line) for line in answer.iter_lines()]
            assert [line["file"] for line in answers[:-1]] == [f"{i}.png" for i in range(count)]
            assert answers[-1]["done"]["answered"] == count
        too_large = session.post(f"{live_server}/api/v1/batch", files=files * 2, timeout=60)
    assert too_large.status_code == 413
    assert "64 MB" in too_large.json()["error"]
