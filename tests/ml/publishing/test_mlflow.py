"""Telling MLflow, against a server that answers as MLflow's REST API does, over real HTTP."""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest

from ml.artifacts import writer
from ml.artifacts.reader import Library
from ml.publishing import mlflow as tracking


class MLflow:
    """What a tracking server keeps; fail: path → status it answers instead."""

    def __init__(self):
        self.experiments, self.runs, self.asked, self.headers = {}, {}, [], []
        self.fail: dict[str, int] = {}
        self.delay, self.raw = 0.0, None

    def answer(self, method, path, query, body):
        self.asked.append(path)
        time.sleep(self.delay)
        if path in self.fail:
            return self.fail[path], {"error_code": "INTERNAL_ERROR"}
        if path == "experiments/get-by-name":
            name = query["experiment_name"][0]
            if name not in self.experiments:
                return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST"}
            return 200, {"experiment": {"experiment_id": self.experiments[name]}}
        if path == "experiments/create":
            self.experiments[body["name"]] = str(len(self.experiments) + 1)
            return 200, {"experiment_id": self.experiments[body["name"]]}
        if path == "runs/create":
            self.runs["r1"] = {**body, "metrics": [], "params": []}
            return 200, {"run": {"info": {"run_id": "r1"}}}
        if path == "runs/log-batch":
            assert len(body.get("metrics", [])) <= 1000
            assert len(body.get("params", [])) <= 100
            for part in ("metrics", "params"):
                self.runs[body["run_id"]][part] += body.get(part, [])
            return 200, {}
        if path == "runs/update":
            self.runs[body["run_id"]].update(body)
            return 200, {"run_info": {}}
        return 404, {}


@pytest.fixture
def mlflow(monkeypatch):
    kept = MLflow()

    class Handler(BaseHTTPRequestHandler):
        def serve(self):
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            parts = urlsplit(self.path)
            kept.headers.append(dict(self.headers))
            path = parts.path.removeprefix("/base/api/2.0/mlflow/")
            status, told = kept.answer(self.command, path, parse_qs(parts.query), body)
            content = kept.raw if kept.raw is not None else json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            if status in (301, 302, 307, 308):
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = serve

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    for name in ("TOKEN", "USERNAME", "PASSWORD"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    kept.uri = f"http://127.0.0.1:{server.server_address[1]}/base/"
    monkeypatch.setenv(tracking.URI, kept.uri)
    yield kept
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def library(home, tmp_path):
    return Library(tmp_path, home)


def metrics(told, key):
    return {one["step"]: one["value"] for one in told["metrics"] if one["key"] == key}


def test_a_run_is_logged_with_settings_epochs_and_scores(mlflow, library, capsys):
    tracking.tell(library, "toy")
    assert capsys.readouterr().err == "MLflow: logged as r1\n"
    run, told = library.open("toy"), mlflow.runs["r1"]
    assert mlflow.experiments == {"fashion-forward": "1"}
    assert (told["run_name"], told["experiment_id"], told["status"]) == ("toy", "1", "FINISHED")
    params = {one["key"]: one["value"] for one in told["params"]}
    assert (params["model"], params["epochs"], params["batch_size"]) == ("compact_cnn", "2", "64")
    assert params["parameters"] == str(run.manifest["parameters"])
    history = run.table("history")
    assert metrics(told, "validation_accuracy") == dict(
        zip(history["epoch"], history["validation_accuracy"], strict=True)
    )
    result = run.manifest["results"]["test"]
    assert metrics(told, "test_final_accuracy") == {0: result["correct"] / result["n"]}
    assert set(metrics(told, "test_macro_f1")) == {0}
    tags = {one["key"]: one["value"] for one in told["tags"]}
    assert tags["weights_sha256"] == run.manifest["weights"]["sha256"]
    assert 0 < told["start_time"] < told["end_time"]
    assert all(told["start_time"] <= one["timestamp"] for one in told["metrics"])


def test_long_histories_are_told_in_parts(mlflow, library, home):
    frame = library.open("toy").table("history")
    long = pd.concat([frame.head(1)] * 200, ignore_index=True).assign(epoch=range(1, 201))
    folder = home / "runs" / "toy"
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["nouns"]["history"] = writer.write_noun(folder, "history", long)
    writer.write_manifest(folder, manifest)
    tracking.tell(library, "toy")
    assert len(metrics(mlflow.runs["r1"], "train_loss")) == 200
    assert mlflow.asked.count("runs/log-batch") > 2


def test_the_experiment_and_the_password_come_from_the_environment(mlflow, library, monkeypatch):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "my team/ä")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    mlflow.experiments["my team/ä"] = "77"
    tracking.tell(library, "toy")
    assert mlflow.runs["r1"]["experiment_id"] == "77"
    assert mlflow.headers[0]["Authorization"] == "Basic " + base64.b64encode(b"me:secret").decode()
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "abc")
    tracking.tell(library, "toy")
    assert mlflow.headers[-1]["Authorization"] == "Bearer abc"


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda m: m.fail.update({"runs/create": 500}), "the server said 500 to runs/create"),
        (lambda m: m.fail.update({"runs/log-batch": 403}), "the server said 403"),
        (lambda m: m.fail.update({"runs/create": 307}), "the server said 307"),
        (lambda m: setattr(m, "raw", b"<html>"), "JSONDecodeError"),
        (lambda m: setattr(m, "raw", b"[]"), "cannot be read"),
        (lambda m: setattr(m, "raw", b"{}"), "KeyError"),
    ],
)
def test_a_server_that_fails_costs_a_line(mlflow, library, capsys, break_it, words):
    break_it(mlflow)
    tracking.tell(library, "toy")
    told = capsys.readouterr().err
    assert told.startswith("MLflow: not logged")
    assert words in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("http://127.0.0.1:1", "ConnectionRefusedError"),
        ("file:///tmp/mlruns", "must be the http address"),
        ("databricks", "must be the http address"),
    ],
)
def test_a_server_that_is_not_there_costs_a_line(library, capsys, monkeypatch, uri, words):
    monkeypatch.setenv(tracking.URI, uri)
    tracking.tell(library, "toy")
    told = capsys.readouterr().err
    assert told.startswith("MLflow: not logged")
    assert words in told


def test_a_server_that_is_slow_is_left_in_time(mlflow, library, capsys, monkeypatch):
    monkeypatch.setattr(tracking, "SECONDS", 0.3)
    mlflow.delay = 2.0
    began = time.monotonic()
    tracking.tell(library, "toy")
    assert time.monotonic() - began < 1.9
    assert "took more than" in capsys.readouterr().err
    mlflow.delay = 0.0  # what it still tells
    for thread in threading.enumerate():
        if thread.name == "mlflow":
            thread.join(30)


def test_without_the_variable_nothing_is_told(mlflow, library, capsys, monkeypatch):
    monkeypatch.delenv(tracking.URI)
    tracking.tell(library, "toy")
    assert mlflow.asked == []
    assert capsys.readouterr().err == ""


def test_a_training_is_done_whatever_the_server_says(mlflow, home, monkeypatch):
    from ml.jobs import trainer
    from ml.jobs.queue import JobTable

    mlflow.fail["runs/create"] = 500
    monkeypatch.delenv("FASHION_DB", raising=False)
    monkeypatch.setattr(trainer, "_limit", lambda: None)
    monkeypatch.setattr(trainer.signal, "signal", lambda *_: None)
    config = {
        "model": "compact_cnn", "dataset": "synthetic-4-28x28x1", "epochs": 1, "batch_size": 64, "threads": 1,
        "train_images": 100,
    }  # fmt: skip
    table = JobTable(home)
    table.submit(config, "told", epochs=1)
    job = table.claim()
    monkeypatch.setenv("FASHION_LEASE", job.lease)
    assert trainer.run_job(job.id, home=home) == 0
    assert table.get(job.id).state == "done"
    assert mlflow.asked[-1] == "runs/create"
    assert (home / "runs" / "told" / "manifest.json").is_file()
