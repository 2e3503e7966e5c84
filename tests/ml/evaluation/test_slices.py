"""A weakness planted in made-up pictures is found, and each number is that of scipy."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ml.data.base import Split
from ml.data.properties import measure
from ml.evaluation import slices
from ml.stats.paired import holm


@pytest.fixture(scope="module")
def context():
    """Two classes; what is dark and of class 1 is wrong half the time, everything else one time in twenty."""
    rng = np.random.default_rng(0)
    splits, said, features = {}, {}, {}
    for name, n in (("test", 1500), ("validation", 600), ("reference", 1000)):
        labels = np.arange(n) % 2
        bright = rng.integers(20, 230, n)
        images = np.clip(bright[:, None, None, None] + rng.normal(0, 8, (n, 8, 8, 1)), 0, 255).astype(np.uint8)
        chance = np.where((bright < 62) & (labels == 1), 0.5, 0.05)
        guess = np.where(rng.random(n) < chance, 1 - labels, labels)
        splits[name] = Split(images, labels, np.arange(n, dtype=np.int32) + 10)
        said[name] = np.eye(2)[guess]
        features[name] = np.column_stack([labels + rng.normal(0, 0.1, n), rng.normal(0, 1, n)]).astype(np.float32)
    return SimpleNamespace(
        splits=splits, judged=tuple(splits), described=tuple(splits), seed=0, also={},
        classifier=SimpleNamespace(classes=("Top", "Shirt")),
        recorded=said.__getitem__, features=features.__getitem__,
        properties=lambda split: measure(splits[split].images),
    )  # fmt: skip


@pytest.fixture(scope="module")
def frame(context):
    return slices.table(context)


def test_the_planted_weakness_comes_first(frame):
    assert list(frame.columns) == slices.COLUMNS
    test = frame[frame["split"] == "test"]
    worst = test.loc[test["p"].idxmin()]
    assert (worst["slice"], worst["name"], worst["among"]) == ("brightness-low-1", "Shirt, dark", 1)
    assert worst["rule"].startswith("brightness ≤ 0.")
    assert worst["p_adjusted"] < 1e-10
    others = test[~test["slice"].str.startswith(("brightness-low", "group"))]
    assert (others["p_adjusted"] > 0.05).all()


def test_numbers_are_those_of_the_members(frame, context):
    members = context.also["slice_members"]
    for row in frame.itertuples():
        split = context.splits[row.split]
        wrong = context.recorded(row.split).argmax(1) != split.labels
        ids = members.loc[(members["slice"] == row.slice) & (members["split"] == row.split), "example_id"]
        inside = np.isin(split.ids, ids)
        base = np.ones(len(split), bool) if pd.isna(row.among) else split.labels == row.among
        assert (row.n, row.wrong) == (inside.sum(), (inside & wrong).sum())
        assert (row.rest_n, row.rest_wrong) == ((base & ~inside).sum(), (base & ~inside & wrong).sum())
        table = [[row.wrong, row.n - row.wrong], [row.rest_wrong, row.rest_n - row.rest_wrong]]
        assert row.p == pytest.approx(stats.fisher_exact(table, alternative="greater").pvalue, rel=1e-9)
        if row.wrong and row.rest_wrong:
            risk = stats.contingency.relative_risk(row.wrong, row.n, row.rest_wrong, row.rest_n)
            ends = risk.confidence_interval(0.95)
            found = (row.lift, row.lift_low, row.lift_high)
            assert found == pytest.approx((risk.relative_risk, ends.low, ends.high), rel=1e-9)
        wilson = stats.binomtest(int(row.wrong), int(row.n)).proportion_ci(method="wilson")
        assert (row.low, row.high) == pytest.approx((wilson.low, wilson.high), abs=1e-9)


def test_a_rule_says_who_is_inside(frame, context):
    row = frame[(frame["slice"] == "brightness-low-1") & (frame["split"] == "test")].iloc[0]
    bright = measure(context.splits["test"].images)["brightness"].to_numpy()
    bound = float(row["rule"].split("≤")[1].split(",")[0])
    inside = (bright <= bound + 5e-4) & (context.splits["test"].labels == 1)
    members = context.also["slice_members"].query("slice == 'brightness-low-1' and split == 'test'")
    assert set(members["example_id"]) <= set(context.splits["test"].ids[inside])
    assert len(members) >= inside.sum() - 3
    reference = measure(context.splits["reference"].images)["brightness"][context.splits["reference"].labels == 1]
    assert bound == pytest.approx(np.quantile(reference, 0.2), abs=6e-4)


def test_all_that_was_tested_counts(frame):
    tested = frame.groupby("split")["tested"].unique()
    # 40 groups; 7 properties, both ends, over all and in both labels, where there are 20 pictures or more
    assert all(len(t) == 1 and 42 <= t[0] <= 40 + 3 * 14 for t in tested)
    worst = frame[frame["split"] == "test"].sort_values("p").iloc[0]
    assert worst["p_adjusted"] == pytest.approx(min(worst["p"] * worst["tested"], 1))


def test_nothing_to_compare_with():
    found = slices.judged(np.array([[30, 3, 0, 0], [30, 0, 50, 0], [25, 5, 50, 0]]))
    assert found["lift"][0] == 1
    assert found["p"].tolist()[:2] == [1, 1]
    assert found["lift"][2] == pytest.approx((5.5 / 25.5) / (0.5 / 50.5))
    assert np.isfinite(found["lift_high"]).all()
    assert found["p_adjusted"] == pytest.approx(holm(found["p"]))


def test_like_groups_are_listed_once(frame, context):
    members = context.also["slice_members"]
    sets = [set(zip(m["split"], m["example_id"], strict=True)) for _, m in members.groupby("slice")]
    assert all(len(a & b) <= 0.5 * len(a | b) for i, a in enumerate(sets) for b in sets[:i])
    assert frame["slice"].nunique() == len(sets) <= slices.KEPT


def test_a_network_that_tells_nothing_apart_has_one_group(context):
    """Features are all the same: k-means warns and leaves groups empty, which said "Encountered all NA values"."""
    same = SimpleNamespace(**vars(context) | {"features": lambda split: np.zeros((len(context.splits[split]), 3))})
    (only,) = slices.alike(same)
    assert all(only.inside[split].all() for split in slices.SPLITS)
