"""R1 to R4: broken and hostile runs beside good ones, a run that goes away while it is shown. (R4, answers under a
changing default, is in tests/dashboard/services/test_runs.py.)"""

import json
import os
import pickle
import shutil
import sys
import threading
import time

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from dashboard.shell import create_app
from ml.artifacts import checking
from ml.artifacts.judging import CHECKING
from ml.artifacts.writer import sha256
from tests.callbacks import Client, body
from tests.promises import promised

GOOD = 5


class Bomb:
    """Whatever unpickles this makes a file."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return (open, (str(self.canary), "w"))


def copy_run(home, name):
    folder = home / "runs" / name
    shutil.copytree(home / "runs" / "toy", folder)
    change(folder, lambda manifest: manifest.update(run_id=name))
    return folder


def change(folder, how):
    manifest = json.loads((folder / "manifest.json").read_text())
    how(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def reshape(folder):
    """Weights of other shapes, with a checksum that fits."""
    weights = load_file(folder / "weights.safetensors")
    last = list(weights)[-1]
    weights[last] = np.zeros(1, weights[last].dtype)
    save_file(weights, folder / "weights.safetensors")
    change(folder, lambda manifest: manifest["weights"].update(sha256=sha256(folder / "weights.safetensors")))


def columns(folder):
    """A table of another kind under the name of predictions, with a checksum that fits."""
    shutil.copy(folder / "history.parquet", folder / "predictions.parquet")
    digest = sha256(folder / "predictions.parquet")
    change(folder, lambda manifest: manifest["nouns"]["predictions"].update(sha256=digest))


def link_out(folder):
    shutil.move(folder, folder.parent.parent / "elsewhere")
    os.symlink(folder.parent.parent / "elsewhere", folder)


BROKEN = {
    "no-weights": lambda folder: (folder / "weights.safetensors").unlink(),
    "empty": lambda folder: [path.unlink() for path in folder.iterdir()],
    "truncated": lambda folder: os.truncate(folder / "predictions.parquet", 4_000),
    "schema": columns,
    "shapes": reshape,
    "bad-json": lambda folder: (folder / "manifest.json").write_text('{"run_id": '),
    "link-out": link_out,
    "newer": lambda folder: change(folder, lambda manifest: manifest.update(schema="2.0")),
}


@pytest.fixture
def registry(home):
    """Five good runs and eight broken ones."""
    for number in range(1, GOOD):
        copy_run(home, f"good-{number}")
    for name, damage in BROKEN.items():
        damage(copy_run(home, name))
    return home


def make_client(home, artifacts):
    browser = create_app(artifacts, home=home).server.test_client()

    def send(path, data):
        answer = browser.post(path, data=data, content_type="application/json")
        return answer.status_code, answer.get_data(as_text=True)

    client = Client(send, lambda path: browser.get(path).get_data(as_text=True))
    client.browser = browser
    return client


def test_r1_broken_runs_are_listed_with_their_reason_and_the_good_ones_work(registry, no_artifacts):
    client = make_client(registry, no_artifacts)
    listed = client.browser.get("/api/v1/runs").get_json()
    good = {run["run"] for run in listed["runs"] if run["ok"]}
    broken = {run["run"]: run["reason"] for run in listed["runs"] if not run["ok"]}
    assert good == {"toy", *(f"good-{n}" for n in range(1, GOOD))}
    assert set(broken) == set(BROKEN)
    assert all(len(reason) > 10 and str(registry) not in reason for reason in broken.values())
    assert listed["default"] in good
    began = time.monotonic()
    status, made = client.fire_with("training-runs-help.children", "training-runs-state.data", {"url.search": ""})
    assert time.monotonic() - began < 2
    assert status == 200
    table = json.dumps(made["training-runs-table"]["tree"])
    assert all(json.dumps(reason)[1:-1] in table for reason in broken.values())
    _, made = client.fire_with("run-picker.options", "url.pathname", {"url.pathname": "/"})
    offered = {option["value"]: option for option in made["run-picker"]["options"]}
    assert {name for name, option in offered.items() if option.get("disabled")} == set(BROKEN)
    fired = 0
    for name in (*BROKEN, "toy"):
        values = {"url.search": f"?run={name}", "app-view-state.data": f"?run={name}", "url.pathname": "/"}
        for callback in client.dependencies:
            inputs = {f"{part['id']}.{part['property']}" for part in callback["inputs"]}
            changed = sorted(inputs & {"url.search", "app-view-state.data"})
            if changed and not callback["clientside_function"]:
                status, _ = client.send("/_dash-update-component", body(callback, values, changed))
                assert status < 500, (name, callback["output"])
                fired += 1
    assert fired > 10 * len(BROKEN)


def test_r1_nobody_waits_while_new_folders_are_looked_through(home, no_artifacts, monkeypatch, tell):
    """However long that takes: here for ever, until it is let go on."""
    client, let = make_client(home, no_artifacts), threading.Event()
    assert client.browser.get("/health").get_json()["runs"] == {"usable": 1, "broken": 0}
    real = checking.core_problem
    monkeypatch.setattr(checking, "core_problem", lambda *given: let.wait(60) and real(*given))
    new = [copy_run(home, f"new-{number}") for number in range(20)]
    for folder in new[1:]:
        os.truncate(folder / "predictions.parquet", 4_000)
    seconds = []
    try:
        for path in ("/health", "/", "/api/v1/runs", "/api/v1/runs?x=1", "/api/v1/predict", "/export/runs.csv"):
            began = time.monotonic()
            answer = client.browser.get(path)
            seconds.append(time.monotonic() - began)
            assert answer.status_code == (405 if "predict" in path else 200), path
        runs = {run["run"]: run.get("reason") for run in client.browser.get("/api/v1/runs").get_json()["runs"]}
        assert runs == {"toy": None, **{folder.name: CHECKING for folder in new}}
        assert client.browser.get("/health").get_json()["runs"] == {"usable": 1, "broken": 0, "pending": 20}
        _, made = client.fire_with("run-picker.options", "url.pathname", {"url.pathname": "/"})
        assert "new-3 · being checked" in {one["label"] for one in made["run-picker"]["options"]}
    finally:
        let.set()
    assert max(seconds) < promised(2)
    limit = time.monotonic() + 30
    while client.browser.get("/health").get_json()["runs"] != {"usable": 2, "broken": 19}:
        assert time.monotonic() < limit
        time.sleep(0.1)
    tell(f"at most {max(seconds):.1f} s")


def test_r2_weights_that_are_a_pickle_are_never_opened(home, no_artifacts, tmp_path):
    canary = tmp_path / "canary"
    folder = copy_run(home, "bomb")
    (folder / "weights.safetensors").write_bytes(pickle.dumps(Bomb(canary)))
    (folder / "weights.pt").write_bytes(pickle.dumps(Bomb(canary)))
    change(folder, lambda manifest: manifest["weights"].update(sha256=sha256(folder / "weights.safetensors")))
    client = make_client(home, no_artifacts)
    (bomb,) = [run for run in client.browser.get("/api/v1/runs").get_json()["runs"] if run["run"] == "bomb"]
    assert not bomb["ok"]
    assert "unsafe format" in bomb["reason"]
    image = (tmp_path / "x.png", b"")
    answer = client.browser.post("/api/v1/predict", data={"image": image[1], "run": "bomb"})
    assert answer.status_code < 500
    assert not canary.exists()


def test_r3_a_run_deleted_while_it_is_shown_is_named_and_the_default_shown(home, no_artifacts):
    copy_run(home, "shown")
    client = make_client(home, no_artifacts)
    search = "?run=shown&split=validation"
    _, made = client.fire_with("app-dropped.children", "url.search", {"url.search": search})
    assert made.get("app-dropped", {}).get("children") is None
    shutil.rmtree(home / "runs" / "shown")
    status, made = client.fire_with("app-dropped.children", "url.search", {"url.search": search})
    assert status == 200
    assert "run shown, which is not here (any more); toy is shown" in made["app-dropped"]["children"]
    status, made = client.fire_with("selection-count.children", "url.search", {"url.search": search})
    assert status == 200
    assert made["selection-count"]["children"].replace(",", "").isdigit()
    _, made = client.fire_with(
        "run-picker.options", "url.pathname", {"url.pathname": "/", "app-view-state.data": search}
    )
    assert made["run-picker"]["value"] == "toy"


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_r1_pipes_in_other_folders_stop_nothing(home, no_artifacts):
    """In place of what describes a data set, an upload, what a script told: no page waits for somebody to write."""
    for place in ("datasets/bad/dataset.json", f"uploads/{'0' * 24}/about.json", "publishing/x.partial/settings.json"):
        (home / place).parent.mkdir(parents=True)
        os.mkfifo(home / place)
    deep = home / "datasets" / "deep" / "dataset.json"
    deep.parent.mkdir()
    deep.write_text("[" * 100_000)
    odd = home / "uploads" / ("1" * 24) / "about.json"
    odd.parent.mkdir()
    odd.write_text('{"path": "/x", "name": "x", "size": "many", "created": 1e400, "who": "", "file": "x"}')
    client = make_client(home, no_artifacts)
    began, fired = time.monotonic(), 0
    for path in ("/health", "/api/v1/runs", "/search?q=bar", "/export/datasets.csv"):
        assert client.browser.get(path).status_code == 200, path
    for callback in client.dependencies:
        inputs = {f"{part['id']}.{part['property']}" for part in callback["inputs"]}
        changed = sorted(inputs & {"url.search", "app-view-state.data"})
        if changed and callback["output"].strip(".").startswith(("data-", "training-", "runs-add")):
            status, text = client.send("/_dash-update-component", body(callback, {"url.search": ""}, changed))
            assert status < 500, (callback["output"], text)
            fired += 1
    assert fired > 5
    assert time.monotonic() - began < 60, "nothing waits for ever"
    _, made = client.fire_with("data-table.tree", "url.search", {"url.search": ""})
    assert json.dumps(made["data-table"]).count("cannot be read") >= 2
