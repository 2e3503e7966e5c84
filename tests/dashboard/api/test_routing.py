"""run=auto over HTTP: two runs of different kinds of pictures; files as phones save them."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from dashboard.data.store import Store
from dashboard.services.networks import Network
from dashboard.shell import create_app
from ml.images import decoding


@pytest.fixture(scope="module")
def both(colour_home, tmp_path_factory):
    """A client of the app on `toy` (28 × 28, grey) and `colour` (40 × 32, in colour), and the store."""
    from tests.conftest import nothing_shipped

    artifacts = nothing_shipped(tmp_path_factory.mktemp("nothing"))
    return create_app(artifacts, home=colour_home).server.test_client(), Store(artifacts, colour_home)


def file_of(image: np.ndarray, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image.squeeze()).save(buffer, kind, **options)
    return buffer.getvalue()


def post(client, path: str, name: str, files: list[tuple[bytes, str]], **fields):
    data = {**fields, name: [(io.BytesIO(content), file) for content, file in files]}
    return client.post(path, data=data, content_type="multipart/form-data", base_url="http://127.0.0.1")


def predict(client, content: bytes, **fields) -> dict:
    answer = post(client, "/api/v1/predict", "image", [(content, "a.png")], **fields)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()


def test_a_picture_goes_to_the_run_that_knows_its_kind(both):
    client, store = both
    right = 0
    for run_id in ("toy", "colour"):
        images = store.open(run_id).pictures("test").images
        for row in range(12):
            told = predict(client, file_of(images[row]), run="auto")
            right += told["run"] == run_id
            assert {one["run"] for one in told["asked"]} == {"toy", "colour"}
            first = told["asked"][0]
            assert (first["run"], first["label"]) == (told["run"], told["label"])
            assert first["familiarity"] == told["familiarity"]
            assert told["why"].endswith(".")
            # the same run named gives the same answer
            again = predict(client, file_of(images[row]), run=told["run"])
            assert again["confidence"] == pytest.approx(told["confidence"], abs=1e-6)
            assert "asked" not in again
            assert "why" not in again
    assert right >= 23


def test_a_named_run_stands_for_its_data_set_and_an_unknown_one_is_said(both):
    client, store = both
    content = file_of(store.open("colour").pictures("test").images[0])
    assert predict(client, content, run="auto:colour")["run"] == "colour"
    answer = post(client, "/api/v1/predict", "image", [(content, "a.png")], run="auto:nowhere")
    assert answer.status_code == 404
    assert "no run 'nowhere'" in answer.get_json()["error"]


def test_with_one_data_set_auto_is_the_default_run(client, home):
    run = Store(home.parent / "artifacts", home).open("toy")
    told = predict(client, file_of(run.pictures("test").images[0]), run="auto")
    assert told["run"] == "toy"
    assert "asked" not in told


@pytest.fixture
def client(app):
    return app.server.test_client()


def test_lines_of_a_batch_name_their_run(both):
    client, store = both
    files = [(file_of(store.open(run_id).pictures("test").images[3]), f"{run_id}.png") for run_id in ("toy", "colour")]
    answer = post(client, "/api/v1/batch", "files", [*files, (b"hello", "notes.txt")], run="auto", level="95")
    lines = [json.loads(line) for line in answer.get_data(as_text=True).splitlines()]
    assert [line.get("run") for line in lines] == ["toy", "colour", None, None]
    assert all(len(line["asked"]) == 2 and line["why"] for line in lines[:2])
    assert "error" in lines[2]
    for line in lines[:2]:  # each has the sets of the run that answered
        run = store.open(line["run"])
        (best,) = {line["label"]} & set(run.classes)
        assert line["set"]["level"] == 95
        assert set(line["set"]["labels"]) <= set(run.classes)
        assert line["set"]["labels"][:1] in ([best], [])
    done = lines[3]["done"]
    assert (done["run"], done["answered"], done["refused"]) == ("auto", 2, 1)


def test_the_named_engine_answers_a_batch_too_and_a_run_without_it_is_said_before_the_first_line(both, monkeypatch):
    client, store = both
    files = [(file_of(store.open(run_id).pictures("test").images[3]), f"{run_id}.png") for run_id in ("toy", "colour")]
    answer = post(client, "/api/v1/batch", "files", files, run="auto", engine="int8")
    assert answer.status_code == 404
    assert "python -m ml evaluate" in answer.get_json()["error"]

    class Even:
        """Answers all classes alike, so that it is seen who answered."""

        capabilities = frozenset({"probabilities"})

        def __init__(self, classes: int) -> None:
            self.classes = classes

        def probabilities(self, images):
            return np.full((len(images), self.classes), 1 / self.classes, np.float32)

    own = Network.engine
    monkeypatch.setattr(
        Network, "engine", lambda self, name: Even(len(self.classes)) if name == "int8" else own(self, name)
    )
    answer = post(client, "/api/v1/batch", "files", files, run="auto", engine="int8")
    lines = [json.loads(line) for line in answer.get_data(as_text=True).splitlines()][:2]
    assert [line["run"] for line in lines] == ["toy", "colour"]
    for line in lines:
        even = 1 / len(store.open(line["run"]).classes)
        assert line["confidence"] == pytest.approx(even)
        assert line["asked"][0]["confidence"] == pytest.approx(even)
        assert line["asked"][0]["label"] == line["label"]
        assert line["asked"][1]["confidence"] != pytest.approx(even)


def test_a_frame_follows(both):
    client, store = both
    for run_id in ("toy", "colour"):
        content = file_of(store.open(run_id).pictures("test").images[3])
        answer = post(client, "/api/v1/frame", "image", [(content, "frame.png")], run="auto")
        assert answer.get_json()["run"] == run_id


def test_heic_and_avif_as_phones_save_them(both):
    client, _ = both
    decoding.formats(b"\0\0\0\x18ftypheic")  # registers the reader, and the writer that this test needs
    picture = np.zeros((60, 80, 3), np.uint8)
    picture[10:50, 20:60] = (200, 60, 40)
    plain = predict(client, file_of(picture), run="auto")
    for kind in ("HEIF", "AVIF"):
        told = predict(client, file_of(picture, kind, quality=95), run="auto")
        assert told["run"] == plain["run"]
        assert told["label"] == plain["label"]
        assert len(told["asked"]) == 2
