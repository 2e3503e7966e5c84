"""Pictures without a label: predicted, laid on the map, held against the training pictures, and never counted."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ml import pipeline
from ml.artifacts.reader import Library, Missing
from ml.data import corrections
from ml.data.base import UNLABELLED
from ml.data.corrections import Corrections
from ml.evaluation import AT_TRAINING, ON_DEMAND, unlabelled
from tests.unlabelled import CONFIG, given

OWN = ("unlabelled", "unlabelled_neighbours")


@pytest.fixture
def homes(without_and_with_unlabelled):
    """The same training twice: with and without pictures that have no label."""
    return without_and_with_unlabelled


def run_of(home: Path):
    return Library(home, home).open("toy")


def test_every_file_of_a_run_but_its_own_is_the_same_bit_for_bit(homes):
    first, second = map(run_of, homes)
    assert set(second.nouns) - set(first.nouns) == set(OWN)
    for noun, entry in first.manifest["nouns"].items():
        if noun not in ("history", "preparation"):  # these tell seconds, and of pictures as files
            assert entry["sha256"] == second.manifest["nouns"][noun]["sha256"], noun
    for column in ("train_loss", "validation_loss", "validation_accuracy"):
        assert first.table("history")[column].tolist() == second.table("history")[column].tolist()
    pd.testing.assert_frame_equal(first.table("preparation"), second.table("preparation"))
    for key in ("results", "explained_variance", "best_epoch", "weights"):
        one, other = first.manifest[key], second.manifest[key]
        assert {**one, "made": ""} == {**other, "made": ""} if isinstance(one, dict) else one == other, key
    assert "empty" not in first.manifest or UNLABELLED not in first.manifest["empty"]


def test_pairs_of_scored_splits_are_the_same_and_its_own_come_behind(homes):
    first, second = (Library(home, home).about("bars", "duplicates") for home in homes)
    scored = second[second["split"] != UNLABELLED].reset_index(drop=True)
    pd.testing.assert_frame_equal(first, scored)
    assert UNLABELLED not in set(scored["other_split"])
    own = second[(second["split"] == UNLABELLED) & (second["distance"] < 1e-6)]
    copies = own[own["other_split"] == "test"]
    assert {9_040, 9_041} <= set(copies["example_id"])
    properties = Library(homes[1], homes[1]).about("bars", "properties")
    assert (properties["split"] == UNLABELLED).sum() == 45


def test_predictions_are_the_networks(homes):
    run, (_, dataset) = run_of(homes[1]), given()
    frame = run.table("unlabelled")
    assert frame["example_id"].tolist() == list(range(9_000, 9_045))
    context = pipeline.context_of(Library(homes[1], homes[1]), run)
    probabilities = context.classifier.probabilities(dataset[UNLABELLED].images)
    np.testing.assert_allclose(frame[[f"p_{i}" for i in range(4)]], probabilities, atol=1e-6)
    assert frame["predicted"].tolist() == probabilities.argmax(1).tolist()
    assert "label" not in frame
    copies = run.table("predictions").query("split == 'test'").sort_values("example_id")
    order = np.argsort(dataset["test"].ids[:2])
    place = frame.iloc[40:42].iloc[order]
    twins = copies[copies["example_id"].isin(dataset["test"].ids[:2])]
    np.testing.assert_allclose(place["p_0"], twins["p_0"], atol=1e-5)


def test_places_and_distances(homes):
    run, (_, dataset) = run_of(homes[1]), given()
    frame, near = run.table("unlabelled"), run.table("unlabelled_neighbours")
    assert near.groupby("example_id").size().unique().tolist() == [10]
    mean = near[near["rank"] <= 5].groupby("example_id")["distance"].mean()
    np.testing.assert_allclose(frame["unlike"], mean, rtol=1e-5)
    known = run.table("neighbours").query("split == 'validation' and rank <= 5")
    usual = known.groupby("example_id")["distance"].mean().to_numpy()
    share = [100 * (usual < value).mean() for value in frame["unlike"]]
    assert np.abs(frame["percentile"] - share).max() <= 100 / 60  # float32 may turn one of 60 pictures
    copies = dataset["test"].ids[:2]
    projection = run.table("projection").query("split == 'test'").set_index("example_id")
    for row, example in zip((40, 41), copies, strict=True):
        np.testing.assert_allclose(
            frame.iloc[row][["pca_x", "pca_y"]].astype(float), projection.loc[example, ["pca_x", "pca_y"]], atol=1e-3
        )
    apart = projection[["map_x", "map_y"]].to_numpy()
    spread = np.linalg.norm(apart - apart.mean(0), axis=1).max()
    moved = np.linalg.norm(
        frame.iloc[40:42][["map_x", "map_y"]].to_numpy() - projection.loc[copies, ["map_x", "map_y"]]
    )
    assert moved < spread  # beside where the same picture of test lies


def test_it_can_be_made_later_and_is_the_same(homes, tmp_path):
    library = Library(homes[1], homes[1])
    before = library.open("toy").table("unlabelled")
    assert pipeline.evaluate(library, "toy", ["unlabelled"]) == ["unlabelled"]
    after = Library(homes[1], homes[1]).open("toy").table("unlabelled")
    pd.testing.assert_frame_equal(before, after, rtol=1e-3, atol=1e-3)
    assert pipeline.evaluate(Library(homes[0], homes[0]), "toy", ["unlabelled"]) == []
    with pytest.raises(Missing, match="without a label"):
        run_of(homes[0]).table("unlabelled")


def test_a_diverse_sample_takes_one_of_each_group_first():
    rng = np.random.default_rng(1)
    centres = np.array([[0, 0], [50, 0], [0, 50], [50, 50]])
    group = np.repeat(np.arange(4), (40, 30, 20, 10))
    features = (centres[group] + rng.normal(size=(100, 2))).astype(np.float32)
    unlabelled_groups = unlabelled.GROUPS
    try:
        unlabelled.GROUPS = 4
        turn = unlabelled.diverse(features, seed=0)
    finally:
        unlabelled.GROUPS = unlabelled_groups
    assert sorted(turn.tolist()) == list(range(1, 101))
    first = np.argsort(turn)
    assert group[first[:4]].tolist() == [0, 1, 2, 3]  # the largest group first
    assert group[first[4:8]].tolist() == [0, 1, 2, 3]
    assert group[first[-10:]].tolist() == [0] * 10
    middle = features[:40].mean(0)
    assert first[0] == np.linalg.norm(features[:40] - middle, axis=1).argmin()
    assert unlabelled.diverse(np.zeros((5, 3), np.float32), 0).tolist() == [1, 2, 3, 4, 5]


def test_what_was_labelled_is_learned_from_and_no_longer_without(homes, tmp_path):
    _, dataset = given()
    mine = Corrections("bars", {}, frozenset(), "toy", dataset.digest, {9_003: 2, 9_007: 1, 1: 0})
    learned = mine.apply(dataset)
    assert len(learned["train"]) == 202
    assert dict(zip(learned["train"].ids[-2:].tolist(), learned["train"].labels[-2:].tolist(), strict=True)) == {
        9_003: 2, 9_007: 1,
    }  # fmt: skip
    np.testing.assert_array_equal(learned["train"].images[200], dataset[UNLABELLED].images[3])
    assert len(learned[UNLABELLED]) == 43
    assert learned["test"] is dataset["test"]
    home = homes[1]
    name = corrections.freeze(home, mine)
    assert corrections.read(home, name) == mine
    pipeline.train(CONFIG.model_copy(update={"labels": name}), run_id="again", home=home)
    run = Library(home, home).open("again")
    assert run.manifest["train_images"] == 202
    assert run.manifest["results"]["test"]["n"] == 80
    assert set(run.table("unlabelled")["example_id"]) == set(range(9_000, 9_045)) - {9_003, 9_007}
    assert len(pipeline.context_of(Library(home, home), run).unlabelled) == 43
    with pytest.raises(ValueError, match="a class that"):
        replace(mine, labelled={9_003: 4}).apply(dataset)


def test_the_name_of_corrected_labels_without_such_pictures_is_what_it_was(tmp_path):
    name = corrections.freeze(tmp_path, Corrections("bars", {3: 1}, frozenset({4}), "toy"))
    content = json.dumps({"dataset": "bars", "against": "toy", "relabelled": {"3": 1}, "excluded": [4]}, indent=1)
    assert name == hashlib.sha256(content.encode() + b"\n").hexdigest()[:16]


def test_no_other_evaluation_knows_of_them():
    assert "unlabelled" not in (*AT_TRAINING, *ON_DEMAND)
    folder = Path(unlabelled.__file__).parent
    readers = [file.name for file in folder.glob("*.py") if ".unlabelled" in file.read_text()]
    assert sorted(readers) == ["context.py", "unlabelled.py"]
