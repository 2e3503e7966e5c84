"""What a gap can be put down to: by the settings that differ, and by twins over seeds and images."""

import json
import shutil

import numpy as np
import pytest

from dashboard.analysis import claims
from dashboard.analysis.claims import Claim, Effect
from dashboard.data.store import Store
from dashboard.shell import create_app
from dashboard.state.selection import Selection
from ml.stats.paired import effect
from tests.callbacks import fired_in_process


def copied(home, name, *, twin=None, **config):
    """A run like toy with other settings."""
    folder = shutil.copytree(home / "runs" / "toy", home / "runs" / name)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest |= {"run_id": name, "config": {**manifest["config"], **config}, **({"twin": twin} if twin else {})}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def said(store, a, b):
    return claims.claim(store.compare(Selection(run=a, against=b)))


def test_beside_the_verdict_stands_what_differs(home, no_artifacts):
    copied(home, "same")
    copied(home, "seeded", seed=8)
    copied(home, "labelled", labels="0" * 16, threads=2)
    copied(home, "quick", labels="0" * 16, epochs=9, learning_rate=0.5, optimiser="sgd", momentum=0.1, seed=1)
    copied(home, "slower", learning_rate=0.5)
    store = Store(no_artifacts, home)
    assert not said(store, "toy", "same").fair
    assert "not even the seed" in said(store, "toy", "same").sentence()
    assert said(store, "toy", "seeded").sentence().startswith("Only the seed differs")
    labelled = said(store, "toy", "labelled")
    assert labelled.fair, "threads change how long it takes, not what is learned"
    assert labelled.sentence().startswith("The labels alone differ")
    assert said(store, "toy", "slower").sentence().startswith("The learning rate alone differs")
    quick = said(store, "toy", "quick")
    assert not quick.fair
    assert quick.sentence() == (
        "Six settings differ (epochs, learning rate, optimiser, momentum and 2 more): this does not tell what the "
        "labels did."
    )
    client = fired_in_process(create_app(no_artifacts, home=home))
    _, made = client.fire_with("comparison-verdict-body.tree", "url.search", {"url.search": "?run=toy&against=quick"})
    assert "this does not tell what the labels did" in str(made)
    web = create_app(no_artifacts, home=home).server.test_client()
    assert "Six settings differ" in web.get("/export/comparison.csv?run=toy&against=quick").text
    assert "Six settings differ" in web.get("/export/report.html?run=toy&against=quick").text
    assert "Six settings differ" in web.get("/export/comparison-report.html?run=toy&against=quick").text


def test_two_settings_and_many_are_told_in_words():
    assert "(epochs and seed)" in Claim(("epochs", "seed")).sentence()
    assert Claim(tuple(f"x{i}" for i in range(20))).sentence().startswith("20 settings differ")
    assert Claim(("feedback", "labels")).sentence().endswith("what the accepted feedback or the labels did.")


def test_the_effect_of_two_trainings_by_hand():
    one = np.array([[1, 0, 0, -1, 0, 1, 0, 0, 0, 0]])
    mean, low, high = effect(one)
    spread = 1.959963984540054 * one.std(ddof=1) / np.sqrt(10)
    assert (mean, low, high) == pytest.approx((0.1, 0.1 - spread, 0.1 + spread))
    same = np.repeat(one, 3, axis=0)
    assert effect(same) == pytest.approx(effect(one)), "seeds that agree add no doubt"
    apart = np.concatenate([one, -one, one])
    mean, low, high = effect(apart)
    t = 4.302652729911275  # Student's t, 2 degrees, 97.5 %
    pictures = 1.959963984540054 * apart.mean(0).std(ddof=1) / np.sqrt(10)
    seeds = t * apart.mean(1).std(ddof=1) / np.sqrt(3)
    assert high - mean == pytest.approx(np.hypot(pictures, seeds))


def test_the_interval_holds_what_it_says():
    """Of trainings that differ by chance alone, the interval leaves zero out in no more than one of twenty."""
    rng = np.random.default_rng(0)
    missed = 0
    for _ in range(400):
        seed = rng.normal(0, 0.01, (3, 1))
        right = [rng.random((3, 500)) < 0.8 + seed * sign for sign in (1, -1)]
        _, low, high = effect(right[0].astype(np.int8) - right[1].astype(np.int8))
        missed += low > 0 or high < 0
    assert missed <= 0.05 * 400


def test_twins_tell_what_the_labels_did(home, no_artifacts):
    for seed in (7, 8, 9):
        for side, labels in (("new", "0" * 16), ("twin", None)):
            name = "fixed" if (seed, side) == (7, "new") else f"fixed-{side}-s{seed}"
            copied(
                home, name, twin={"of": "fixed", "what": "labels", "side": side, "seed": seed}, labels=labels, seed=seed
            )
    store = Store(no_artifacts, home)
    run = store.open("fixed")
    assert claims.twin_of(store, run) == "fixed-twin-s7"
    assert claims.twin_of(store, store.open("toy")) is None
    found = claims.measured(store, run, "test")
    assert (found.seeds, found.n, found.mean, found.low, found.high) == (3, 400, 0, 0, 0), "copies: no effect at all"
    pair = store.compare(Selection(run="fixed", against="fixed-twin-s7"))
    first, second = claims.sentences(store, pair)
    assert first.startswith("The labels alone differ")
    assert "No effect of the corrected labels can be told" in second
    assert "over 3 seeds and 400 test images" in second
    assert len(claims.sentences(store, store.compare(Selection(run="fixed", against="toy")))) == 1
    left = {"of": "fixed", "job": "one that was cancelled", "what": "labels", "side": "twin", "seed": 7}
    copied(home, "fixed-twin-s7-old", twin=left, labels="1" * 16)
    store = Store(no_artifacts, home)
    assert claims.twin_of(store, store.open("fixed")) == "fixed-twin-s7", "not what another job left"
    assert claims.twin_of(store, store.open("fixed-twin-s7-old")) is None
    assert len(claims.sentences(store, store.compare(Selection(run="fixed", against="fixed-twin-s7-old")))) == 1
    assert store.default_run() == "toy", "twins are candidates: nothing promotes itself"
    assert store.other(store.open("toy"), None).run_id != "toy"


def test_an_effect_in_words():
    better = Effect("labels", "test", 3, 1_000, 0.004, 0.001, 0.007).sentence()
    assert better.startswith("The corrected labels made it better: +0.40 points")
    assert "over 3 seeds and 1,000 test images" in better
    alone = Effect("feedback", "test", 1, 50, -0.1, -0.2, -0.01).sentence()
    assert alone.startswith("With the accepted feedback −10.00 points against the twin without (95 % −20.00 to −1.00")
    assert "made it" not in alone, "nobody knows what another seed would give"
    assert alone.endswith("does not tell what the accepted feedback did from what another seed would do.")
