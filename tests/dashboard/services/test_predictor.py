"""The door to the network, on a toy run that was really trained."""

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from dashboard.data.store import Store
from dashboard.services.predictor import EXPLAIN, MEANS, Broken, Missing, Predictor

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def predictor(home, no_artifacts):
    return Predictor(no_artifacts, home)


@pytest.fixture
def run(home, no_artifacts):
    return Store(no_artifacts, home).open("toy")


def test_every_test_picture_gets_its_recorded_answer(predictor, run):
    recorded, pictures = run.predictions("test"), run.pictures("test")
    for row in range(0, len(recorded.ids), 7):
        answer = predictor.predict("toy", pictures.images[row])
        np.testing.assert_allclose(answer.probabilities, recorded.probabilities[row], atol=1e-4)
        assert answer.predicted == recorded.predicted[row]
        assert answer.confidence == pytest.approx(float(recorded.confidence[row]), abs=1e-4)
        assert answer.prepared.unchanged


def test_an_answer_names_its_classes_in_order(predictor, run):
    answer = predictor.predict(None, run.pictures("test").images[0])
    assert answer.run == "toy"
    top = answer.top(4)
    assert top[0] == (answer.label, answer.confidence)
    assert [share for _, share in top] == sorted((share for _, share in top), reverse=True)
    assert {name for name, _ in top} == set(run.classes)
    assert sum(share for _, share in top) == pytest.approx(1, abs=1e-5)


def test_an_unknown_run_is_missing_and_a_damaged_one_broken(predictor, home):
    blank = np.zeros((28, 28, 1), np.uint8)
    with pytest.raises(Missing, match="nowhere"):
        predictor.predict("nowhere", blank)
    weights = home / "runs" / "toy" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\0")
    with pytest.raises(Broken, match="checksum"):
        predictor.predict("toy", blank)


def test_no_run_at_all_names_the_command(no_artifacts, tmp_path):
    with pytest.raises(Missing) as missing:
        Predictor(no_artifacts, tmp_path / "nothing").predict(None, np.zeros((28, 28, 1), np.uint8))
    assert "train" in missing.value.command


def test_a_run_that_goes_is_forgotten(predictor, home):
    blank = np.zeros((28, 28, 1), np.uint8)
    assert predictor.predict("toy", blank).run == "toy"
    (home / "runs" / "toy").rename(home / "runs" / "moved.partial")
    with pytest.raises(Missing):
        predictor.predict("toy", blank)


@pytest.mark.parametrize("way", EXPLAIN)
def test_explanations_are_kept_and_belong_to_their_class(predictor, run, way):
    image = run.pictures("test").images[0]
    first = predictor.explain("toy", image, 0, way)
    assert first.shape == (28, 28)
    assert predictor.explain("toy", image, 0, way) is first
    assert not np.array_equal(predictor.explain("toy", image, 1, way), first)


def test_a_layer_can_be_chosen_for_grad_cam_alone(predictor, run):
    image = run.pictures("test").images[0]
    own = predictor.explain("toy", image, 0)
    early = predictor.explain("toy", image, 0, layer="body.0")
    assert not np.array_equal(own, early)
    assert predictor.explain("toy", image, 0, "occlusion", layer="body.0") is predictor.explain(
        "toy", image, 0, "occlusion"
    )
    with pytest.raises(ValueError, match="no layer"):
        predictor.explain("toy", image, 0, layer="body.99")
    with pytest.raises(ValueError, match="makes no maps"):
        predictor.explain("toy", image, 0, layer="head")
    raw = predictor.attribution("toy", image, 0)
    np.testing.assert_allclose(np.maximum(raw, 0) / raw.max(), own, atol=1e-6)


@pytest.mark.parametrize("way", MEANS)
def test_a_mean_explanation_is_the_mean_of_single_ones(predictor, run, way):
    images, targets = run.pictures("test").images[:6], np.array([0, 1, 2, 3, 0, 1])
    found = predictor.typical("toy", images, targets, way, key="six")
    alone = [np.maximum(predictor.attribution("toy", i, int(t), way), 0) for i, t in zip(images, targets, strict=True)]
    shares = np.array([a / a.sum() for a in alone if a.sum() > 0], np.float64)
    assert (found.n, found.silent) == (len(shares), 6 - len(shares))
    close = {"rtol": 1e-2, "atol": 2e-5}  # differences of probabilities in single precision
    np.testing.assert_allclose(found.mean, shares.mean(0), **close)
    np.testing.assert_allclose(found.error, shares.std(0, ddof=1) / len(shares) ** 0.5, **close)
    assert predictor.typical("toy", images, targets, way, key="six") is found


def test_a_walk_begins_with_the_picture_and_adds_up(predictor, run):
    image = run.pictures("test").images[3]
    walked = predictor.walk("toy", image)
    assert predictor.walk("toy", image) is walked
    maps = predictor.feature_maps("toy", image)
    for stop in walked:
        np.testing.assert_array_equal(stop.maps, maps[stop.name])
    found = predictor.arithmetic("toy", image, 0, 5, 3, 4)
    assert found.parts.sum() + found.bias == pytest.approx(found.value, abs=1e-4)
    assert found.value == maps["body.0"][5, 3, 4]
    with pytest.raises(IndexError):
        predictor.arithmetic("toy", image, 0, 99, 0, 0)
    with pytest.raises(IndexError):
        predictor.arithmetic("toy", image, 99, 0, 0, 0)


def test_explanations_refuse_what_is_not_there(predictor, run):
    image = run.pictures("test").images[0]
    with pytest.raises(ValueError, match="unknown explanation"):
        predictor.explain("toy", image, 0, "tea-leaves")
    with pytest.raises(ValueError, match="no class 99"):
        predictor.explain("toy", image, 99)
    with pytest.raises(ValueError, match="pictures must be"):
        predictor.explain("toy", image[:5], 0)


def test_familiarity_agrees_with_the_table_of_neighbours(predictor, run):
    pictures = run.pictures("test")
    for row in (0, 5):
        found = predictor.familiarity("toy", pictures.images[row])
        recorded = run.neighbours("test", int(pictures.ids[row]))
        assert found.neighbour_ids.tolist() == recorded["neighbour_id"].tolist()
        np.testing.assert_allclose(found.distances, recorded["distance"], rtol=1e-3, atol=1e-3)
        assert found.n == len(run.pictures("validation").ids)


def test_the_nearest_of_another_class_and_a_picture_is_not_its_own_neighbour(predictor, run):
    pictures = run.pictures("reference")
    image, own = pictures.images[4], int(pictures.ids[4])
    every = predictor.familiarity("toy", image)
    assert every.neighbour_ids[0] == own
    assert every.rival is None
    ids, features = run.features()
    point = features[list(ids).index(own)]
    distances = np.linalg.norm(features - point, axis=1)
    labels = np.array([pictures.labels[pictures.row(int(i))] for i in ids])
    for rival in range(4):
        found = predictor.familiarity("toy", image, itself=own, rival=rival)
        assert own not in found.neighbour_ids
        rows = [row for row in np.argsort(distances, kind="stable") if ids[row] != own]
        nearest = next(row for row in rows if labels[row] == rival)
        assert found.rival.example_id == ids[nearest]
        assert found.rival.distance == pytest.approx(distances[nearest], rel=1e-2, abs=1e-2)
        assert found.rival.place == rows.index(nearest) + 1


def test_a_twin_is_found_and_a_stranger_has_none(predictor, run):
    pictures = run.pictures("reference")
    brighter = np.clip(pictures.images[7].astype(int) + 6, 0, 255).astype(np.uint8)
    found = predictor.twin("toy", brighter)
    assert found is not None
    assert found[0] == pictures.ids[7]
    noise = np.random.default_rng(0).integers(0, 256, (28, 28, 1)).astype(np.uint8)
    assert predictor.twin("toy", noise) is None


def test_noise_is_less_familiar_than_a_test_picture(predictor, run):
    pictures = run.pictures("test").images
    usual = [predictor.familiarity("toy", image).percentile for image in pictures[:20]]
    noise = np.random.default_rng(0).integers(0, 256, (28, 28, 1)).astype(np.uint8)
    assert predictor.familiarity("toy", noise).percentile > np.median(usual)
    assert predictor.familiarity("toy", noise).unlike


def test_without_reference_features_familiarity_is_missing_with_its_command(predictor, home):
    import json

    manifest = home / "runs" / "toy" / "manifest.json"
    told = json.loads(manifest.read_text())
    del told["nouns"]["features"]
    manifest.write_text(json.dumps(told))
    blank = np.zeros((28, 28, 1), np.uint8)
    assert predictor.predict("toy", blank).run == "toy"
    with pytest.raises(Missing) as missing:
        predictor.familiarity("toy", blank)
    assert missing.value.command == "python -m ml evaluate toy --only features"


def test_many_threads_get_the_same_answer(predictor, run):
    images = run.pictures("test").images[:8]
    alone = [predictor.predict("toy", image).probabilities for image in images]
    wrong: list[int] = []

    def ask(seed: int) -> None:
        for place in np.random.default_rng(seed).integers(0, 8, 20):
            predictor.explain("toy", images[place], int(place) % 4)
            if not np.array_equal(predictor.predict("toy", images[place]).probabilities, alone[place]):
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
from dashboard.services.predictor import Predictor
predictor = Predictor(Path({str(no_artifacts)!r}), Path({str(home)!r}))
assert "torch" not in sys.modules
predictor.warm("toy").join()
import torch
assert torch.get_num_threads() == 1
assert "captum" in sys.modules
print(predictor.predict("toy", np.zeros((28, 28, 1), np.uint8)).run)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "toy"


def test_warming_an_unknown_run_is_quiet(predictor):
    predictor.warm("nowhere").join(30)


def test_a_picture_is_prepared_once_for_several_questions(predictor):
    picture = np.full((90, 140, 3), 230, np.uint8)
    picture[15:75, 50:80] = 40
    first = predictor.predict("toy", picture).prepared
    assert predictor.predict("toy", picture.copy()).prepared is first
    for other in ({"turn": 1.0}, {"off": ("crop",)}, {"box": (0, 0, 1, 0.5)}, {"mode": "none"}, {"way": "loose"}):
        assert not np.array_equal(predictor.predict("toy", picture, **other).prepared.image, first.image), other
    picture[15:75, 50:60] = 230
    assert not np.array_equal(predictor.predict("toy", picture).prepared.image, first.image)


def test_every_way_is_asked_as_if_it_were_alone(predictor):
    picture = np.full((90, 140, 3), 230, np.uint8)
    picture[15:75, 50:80] = 40
    found = predictor.agreement("toy", picture, turn=4.0)
    assert found.n >= 5
    for one in found.variants:
        alone = predictor.predict("toy", picture, turn=4.0, way=one.name)
        np.testing.assert_array_equal(alone.prepared.image, one.prepared.image)
        np.testing.assert_allclose(alone.probabilities, one.probabilities, atol=1e-5)
    with pytest.raises(ValueError, match="a box is"):
        predictor.predict("toy", picture, box=(0, 0, 0, 0))
