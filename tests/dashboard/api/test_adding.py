"""A network or predictions by a program: uploaded, looked at, queued, asked about."""

import base64
import time

import pytest
from sqlalchemy.exc import OperationalError

from dashboard.services.job_database import JobDatabase
from dashboard.shell import create_app
from ml.data import Choices, import_dataset, load
from ml.jobs.queue import JobTable
from tests import own_networks

HOST = {"base_url": "http://127.0.0.1"}
TUS = {"Tus-Resumable": "1.0.0"}


@pytest.fixture
def client(home, no_artifacts, tmp_path, monkeypatch):
    """Of an app with a data set, bars, whose jobs wait."""
    import numpy as np
    from PIL import Image

    made = load("synthetic-4-28x28x1")
    for split in ("train", "validation", "test"):
        for i, (image, label) in enumerate(zip(made[split].images[:60], made[split].labels[:60], strict=True)):
            folder = tmp_path / "bars" / split / f"bar {label}"
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.asarray(image)[..., 0]).save(folder / f"{split}-{i}.png")
    import_dataset(tmp_path / "bars", "bars", Choices(), home=home)
    monkeypatch.setattr(JobDatabase, "wake", lambda self: False)
    return create_app(no_artifacts, home=home).server.test_client()


def brought(client, name: str, content: bytes, purpose: str = "run") -> str:
    said = {"filename": name, **({"purpose": purpose} if purpose else {})}
    metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in said.items())
    head = {**TUS, "Upload-Length": str(len(content)), "Upload-Metadata": metadata}
    answer = client.post("/api/v1/uploads", headers=head, **HOST)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    place = answer.headers["Location"]
    more = {**TUS, "Upload-Offset": "0"}
    client.patch(place, headers=more, content_type="application/offset+octet-stream", data=content, **HOST)
    return place.rsplit("/", 1)[-1]


def looked(client, **body):
    for _ in range(600):
        answer = client.post("/api/v1/runs/looked", json=body, **HOST).get_json()
        if not answer["working"]:
            return answer
        time.sleep(0.1)
    raise AssertionError("too long")


def test_a_table_is_looked_at_and_queued(client, home, tmp_path):
    table = own_networks.predictions(load("bars", home=home), tmp_path / "My said.csv", names={"bar 3": "last"})
    upload = brought(client, table.name, table.read_bytes())
    body = {"upload": upload, "data": "bars"}
    first = looked(client, **body)
    assert (first["kind"], first["classes"]) == ("predictions", {"last": ""})
    assert "last" in first["refused"]
    body["choices"] = {"predictions": {"names": {"last": "bar 3"}}}
    found = looked(client, **body)["found"]
    assert (found["kind"], found["matched"], found["unmatched"]) == ("recorded", 120, 0)
    added = client.post("/api/v1/runs/added", json=body, **HOST)
    assert added.status_code == 202
    said = added.get_json()
    assert (said["run"], said["state"]) == ("my-said", "queued")
    assert client.get(f"/api/v1/runs/added/{said['job']}", **HOST).get_json()["state"] == "queued"
    again = client.post("/api/v1/runs/added", json={**body, "name": "my said"}, **HOST)
    assert (again.status_code, again.get_json()["free"]) == (409, "my-said-2")
    assert str(home) not in str(said)


def test_what_cannot_be_is_refused_in_a_sentence(client):
    upload = brought(client, "x.csv", b"id,predicted\n1,bar 0\n")
    pictures = brought(client, "x.zip", b"PK", purpose="")
    for path in ("looked", "added"):
        for body, status in (
            ({"upload": "f" * 24, "data": "bars"}, 404), ({"upload": pictures, "data": "bars"}, 404),
            ({"upload": upload, "data": "gone"}, 404), ({"upload": upload}, 422), ([], 422),
            ({"upload": upload, "data": "bars", "choices": {"network": 3}}, 422),
        ):  # fmt: skip
            answer = client.post(f"/api/v1/runs/{path}", json=body, **HOST)
            assert answer.status_code == status, (path, body, answer.get_json())
            assert answer.get_json()["error"]
    strange = looked(client, upload=upload, data="bars", choices={"network": {"layouts": "x"}, "other": {}})
    assert "the choices do not check out" in strange["refused"]
    assert client.get(f"/api/v1/runs/added/{'0' * 32}", **HOST).status_code == 404
    head = {**TUS, "Upload-Length": "1", "Upload-Metadata": "filename eA==,purpose eA=="}
    assert client.post("/api/v1/uploads", headers=head, **HOST).status_code == 400


def test_what_a_full_disk_cannot_queue_may_be_asked_for_again(client, monkeypatch):
    """503 as of any other change, and not 422 as of what is wrong with the request."""
    upload = brought(client, "x.csv", b"id,predicted\n1,bar 0\n")

    def full(*_, **__):
        raise OperationalError("INSERT", {}, Exception("database or disk is full"))

    monkeypatch.setattr(JobTable, "submit", full)
    answer = client.post("/api/v1/runs/added", json={"upload": upload, "data": "bars", "name": "x"}, **HOST)
    assert (answer.status_code, answer.get_json()["error"][:17]) == (503, "The disk is full,")
