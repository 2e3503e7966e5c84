"""Networks that are open: who gets in, who shares, when torch comes."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from dashboard.data.store import Store
from dashboard.services.networks import Networks
from ml.artifacts.reader import Broken, Missing

ROOT = Path(__file__).resolve().parents[3]


def test_an_unknown_run_is_missing_and_a_damaged_one_broken(asking, home):
    blank = np.zeros((28, 28, 1), np.uint8)
    with pytest.raises(Missing, match="nowhere"):
        asking.predictor.predict("nowhere", blank)
    weights = home / "runs" / "toy" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\0")
    with pytest.raises(Broken, match="checksum"):
        asking.predictor.predict("toy", blank)


def test_no_run_at_all_names_the_command(no_artifacts, tmp_path):
    with pytest.raises(Missing) as missing:
        Networks(Store(no_artifacts, tmp_path / "nothing")).open(None)
    assert "train" in missing.value.command


def test_a_run_that_goes_is_forgotten(asking, home):
    blank = np.zeros((28, 28, 1), np.uint8)
    assert asking.predictor.predict("toy", blank).run == "toy"
    (home / "runs" / "toy").rename(home / "runs" / "moved.partial")
    with pytest.raises(Missing):
        asking.predictor.predict("toy", blank)


def test_many_threads_get_the_same_answer(asking, toy):
    images = toy.pictures("test").images[:8]
    alone = [asking.predictor.predict("toy", image).probabilities for image in images]
    wrong: list[int] = []

    def ask(seed: int) -> None:
        for place in np.random.default_rng(seed).integers(0, 8, 20):
            asking.explainer.explain("toy", images[place], int(place) % 4)
            if not np.array_equal(asking.predictor.predict("toy", images[place]).probabilities, alone[place]):
                wrong.append(int(place))

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_torch_comes_with_the_first_question_and_runs_on_one_thread(home, no_artifacts):
    code = f"""
import sys, numpy as np
from pathlib import Path
from dashboard.data.store import Store
from dashboard.services.container import Services
from dashboard.services.jobs import Jobs
asking = Services(Store(Path({str(no_artifacts)!r}), Path({str(home)!r})), Jobs(Path({str(home)!r})))
assert "torch" not in sys.modules
asking.warm("toy").join()
import torch
assert torch.get_num_threads() == 1
assert "ml.explanation" in sys.modules
assert not {{"captum", "matplotlib"}} & set(sys.modules), "40 MB that nobody here asks"
print(asking.predictor.predict("toy", np.zeros((28, 28, 1), np.uint8)).run)
"""
    two = {**os.environ, "OMP_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=two, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "toy"


def test_warming_an_unknown_run_is_quiet(asking):
    asking.warm("nowhere").join(30)


def test_a_tour_of_the_pages_needs_no_torch(home, no_artifacts):
    code = f"""
import sys
from pathlib import Path
from dashboard.pages import PAGES
from dashboard.shell import create_app
from tests.callbacks import ADDRESS, VIEW, fired_in_process
app = create_app(Path({str(no_artifacts)!r}), Path({str(home)!r}))
client, drawn = fired_in_process(app), 0
for page in PAGES:
    assert app.server.test_client().get(page.path).status_code == 200
    for one in client.dependencies:
        inputs = [f"{{part['id']}}.{{part['property']}}" for part in one["inputs"]]
        out = one["output"].strip(".").split("...")[0]
        followed = next((name for name in inputs if name in (ADDRESS, VIEW)), None)
        if followed and not one["clientside_function"] and not one.get("background") and "@" not in out:
            values = {{ADDRESS: "", VIEW: "", "url.pathname": page.path}}
            drawn += client.fire_with(out, followed, values)[0] == 200
assert drawn > 100, drawn
print("torch" in sys.modules, "onnxruntime" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["False", "False"]


def test_pictures_that_are_asked_about_at_once_are_each_answered_and_counted_once(asking, toy):
    images = toy.pictures("test").images[:24]
    network = asking.predictor._networks.open("toy")
    alone = [network.output(image) for image in images]
    calls: list[int] = []
    gatherer = network._gatherers["torch"]
    ask_network = gatherer._ask
    gatherer._ask = lambda pictures: calls.append(len(pictures)) or ask_network(pictures)
    found: dict = {}

    def ask(place: int) -> None:
        found[place] = network.output(images[place])

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(len(images))]
    with network._lock:  # so that all of them wait
        for thread in threads:
            thread.start()
        for _ in range(2000):
            if len(gatherer._waiting) == len(images):
                break
            time.sleep(0.005)
    for thread in threads:
        thread.join(60)
    assert calls == [16, 8]
    for place, one in enumerate(alone):
        np.testing.assert_allclose(found[place].probabilities, one.probabilities, atol=1e-5)
        np.testing.assert_allclose(found[place].features, one.features, rtol=1e-3, atol=1e-3)


def test_a_short_request_looks_a_run_up_once_and_the_next_one_sees_that_it_is_gone(asking, home, monkeypatch):
    networks = asking.predictor._networks
    store, looked = networks.store, []
    open_run = Store.open
    monkeypatch.setattr(Store, "open", lambda self, run_id: looked.append(run_id) or open_run(self, run_id))
    with store.moment:
        first = networks.open("toy")
        assert networks.open("toy") is first
    assert looked == ["toy"]
    (home / "runs" / "toy").rename(home / "runs" / "moved.partial")
    time.sleep(0.06)  # what follows at once shares the look
    with store.moment, pytest.raises(Missing):
        networks.open("toy")
