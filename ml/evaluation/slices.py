"""In which groups of pictures is the network wrong more often than elsewhere?

Candidates are drawn without looking at any answer, so that testing them is honest: groups of alike pictures (k-means of
penultimate features of the reference examples) and both ends of every property of the pictures, over all classes and
within each label. Bounds and centres come from the reference examples, counts from the split itself.

A group is held against the rest of the split, one within a label against the rest of that label. p is Fisher's exact
test (one-sided: more mistakes than in the rest), corrected by Holm for all candidates of the split that were tested.
lift is the ratio of the two error rates, with the interval of Katz et al. (1978, Biometrics 34:469).
"""

import itertools
import warnings
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ml.evaluation.context import EvaluationContext
from ml.stats.intervals import Z, wilson
from ml.stats.paired import holm

SPLITS = ("test", "validation")
GROUPS = 40  # k-means groups, at most one for SIZE reference examples
SIZE = 25
ENDS, CLASS_ENDS = 0.1, 0.2  # share of the reference examples at either end of a property; within a label
MIN_GROUP_SIZE = 20  # of a group that is tested
KEPT = 60
ALIKE = 0.5  # of two groups that share more than this of their pictures (Jaccard) only the weaker one is kept
WORDS = {
    "brightness": ("dark", "bright"),
    "contrast": ("little contrast", "much contrast"),
    "ink": ("small", "large"),
    "edges": ("smooth", "busy"),
    "symmetry": ("lopsided", "symmetric"),
    "x": ("left of the middle", "right of the middle"),
    "y": ("high up", "low down"),
}


@dataclass
class Group:
    """A candidate. inside, base: split → bool [n], its pictures and those it is held against, itself among them."""

    slice: str
    name: str
    rule: str
    among: int | None = None
    inside: dict[str, np.ndarray] = field(default_factory=dict)
    base: dict[str, np.ndarray] = field(default_factory=dict)


def table(context: EvaluationContext) -> pd.DataFrame:
    """The weakest groups, one row a group and split; see the schema. Leaves their pictures as `slice_members`."""
    there = _judged(context)
    wrong = {s: context.recorded(s).argmax(1) != context.splits[s].labels for s in there}
    described = {"reference", *there} <= {*context.described}
    groups = [*(alike(context) if described else ()), *ends(context)]
    rows: list[dict] = []
    for split in there:
        tested = [group for group in groups if group.inside[split].sum() >= MIN_GROUP_SIZE]
        counts = [
            (
                int(group.inside[split].sum()),
                int((group.inside[split] & wrong[split]).sum()),
                int((group.base[split] & ~group.inside[split]).sum()),
                int((group.base[split] & ~group.inside[split] & wrong[split]).sum()),
            )
            for group in tested
        ]
        figures = judged(np.array(counts, np.int64).reshape(-1, 4))
        for place, group in enumerate(tested):
            statistics = {name: values[place] for name, values in figures.items()}
            head = {"slice": group.slice, "name": group.name, "split": split, "rule": group.rule, "among": group.among}
            rows.append({**head, **statistics, "tested": len(tested)})
    frame = pd.DataFrame(rows, columns=COLUMNS).astype({"among": "Int16"})
    kept = weakest(groups, frame)
    members = [
        pd.DataFrame(
            {"split": s, "example_id": context.splits[s].ids[group.inside[s]].astype(np.int32), "slice": group.slice}
        )
        for group, s in itertools.product(kept, there)
    ]
    frame = frame[frame["slice"].isin([group.slice for group in kept])].reset_index(drop=True)
    if members and len(frame):
        context.also["slice_members"] = pd.concat(members, ignore_index=True)
    return frame


def _judged(context: EvaluationContext) -> list[str]:
    return [split for split in SPLITS if split in context.judged]


COLUMNS = [
    "slice", "name", "split", "rule", "among", "n", "wrong", "rate", "low", "high", "rest_n", "rest_wrong", "lift",
    "lift_low", "lift_high", "p", "p_adjusted", "tested",
]  # fmt: skip


def judged(counts: np.ndarray) -> dict[str, np.ndarray]:
    """counts: int [m, 4], n and wrong of a group, n and wrong of the rest → the numbers of the table, [m] each.

    Where there is no mistake in a group or in its rest, half a one is added to both for lift and its interval.
    """
    from scipy.stats import hypergeom

    n, wrong, rest_n, rest_wrong = counts.T
    low, high = wilson(wrong, n)
    half = np.where((wrong == 0) | (rest_wrong == 0), 0.5, 0.0)
    a, b, c, d = wrong + half, n + half, rest_wrong + half, rest_n + half
    with np.errstate(divide="ignore", invalid="ignore"):
        lift = (a / b) / (c / d)
        spread = Z * np.sqrt(np.maximum(1 / a - 1 / b + 1 / c - 1 / d, 0))
        ends = lift * np.exp(-spread), lift * np.exp(spread)
    alone = rest_n == 0  # nothing to hold it against
    lift, lower, upper = (np.where(alone, 1.0, np.nan_to_num(v, nan=1.0, posinf=1e6)) for v in (lift, *ends))
    p = np.where(alone, 1.0, hypergeom.sf(wrong - 1, n + rest_n, wrong + rest_wrong, n))
    return {
        "n": n, "wrong": wrong, "rate": wrong / np.maximum(n, 1), "low": low, "high": high, "rest_n": rest_n,
        "rest_wrong": rest_wrong, "lift": lift, "lift_low": lower, "lift_high": upper, "p": p, "p_adjusted": holm(p),
    }  # fmt: skip


def alike(context: EvaluationContext) -> list[Group]:
    """Groups of pictures that the network describes alike."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    reference = context.features("reference")
    count = min(GROUPS, len(reference) // SIZE)
    if count < 2:
        return []
    with warnings.catch_warnings():
        # a network that has learned nothing describes all pictures by the same numbers: then there are fewer groups
        warnings.simplefilter("ignore", ConvergenceWarning)
        means = KMeans(count, n_init=3, random_state=context.seed).fit(reference)
    names = context.classifier.classes
    place = {split: means.predict(context.features(split)) for split in _judged(context)}
    looks, known = context.properties("reference"), context.splits["reference"].labels
    groups: list[Group] = []
    for k in np.unique(means.labels_).tolist():
        mine = means.labels_ == k
        labels = np.bincount(known[mine], minlength=len(names))
        order = np.argsort(-labels, kind="stable")
        most = " / ".join(names[i][:16] for i in order[:2] if labels[i] >= 0.2 * labels.sum())
        named = ", ".join(filter(None, [most, _look(looks[mine], looks[known == order[0]]), f"group {k + 1}"]))
        group = Group(f"group-{k + 1:02}", named, f"group {k + 1} of {count} alike ones")
        for split in place:
            group.inside[split], group.base[split] = place[split] == k, np.ones(len(place[split]), bool)
        groups.append(group)
    return groups


def _look(mine: pd.DataFrame, all_: pd.DataFrame) -> str:
    """How a group's pictures differ most from all of its main label, in a word; '' below half a standard deviation."""
    apart = (mine.mean() - all_.mean()) / all_.std().replace(0, np.inf)
    name = str(apart.abs().idxmax())
    return "" if not abs(apart[name]) >= 0.5 else WORDS[name][int(apart[name] > 0)]


def ends(context: EvaluationContext) -> list[Group]:
    """Both ends of every property, over all classes and within each label."""
    measured = {split: context.properties(split) for split in ("reference", *_judged(context))}
    labels = {split: context.splits[split].labels for split in measured}
    names = context.classifier.classes
    groups = []
    for among in (None, *range(len(names))):
        bases = {s: np.ones(len(labels[s]), bool) if among is None else labels[s] == among for s in measured}
        if not bases["reference"].any():
            continue
        share = ENDS if among is None else CLASS_ENDS
        for name, words in WORDS.items():
            values = {split: frame[name].to_numpy(np.float64) for split, frame in measured.items()}
            bounds = np.quantile(values["reference"][bases["reference"]], [share, 1 - share])
            if bounds[0] == bounds[1]:
                continue
            for high, (word, bound) in enumerate(zip(words, bounds, strict=True)):
                sign = "≥" if high else "≤"
                rule = f"{name} {sign} {bound:.3f}" + ("" if among is None else f", label {names[among][:20]}")
                title = word.capitalize() if among is None else f"{names[among][:35]}, {word}"
                key = f"{name}-{'high' if high else 'low'}" + ("" if among is None else f"-{among}")
                group = Group(key, title, rule, among)
                for split in _judged(context):
                    beyond = values[split] >= bound if high else values[split] <= bound
                    group.inside[split], group.base[split] = bases[split] & beyond, bases[split]
                groups.append(group)
    return groups


def weakest(groups: list[Group], frame: pd.DataFrame) -> list[Group]:
    """At most KEPT groups with more mistakes than elsewhere in a split, the smallest p first, none like one before."""
    weak = frame[frame["lift"] > 1].groupby("slice")["p"].min().sort_values(kind="stable")
    by_key = {group.slice: group for group in groups}
    kept: list[tuple[Group, np.ndarray]] = []
    for key in weak.index:
        mine = np.concatenate([*by_key[key].inside.values()])
        if all((mine & other).sum() <= ALIKE * (mine | other).sum() for _, other in kept):
            kept.append((by_key[key], mine))
        if len(kept) == KEPT:
            break
    return [group for group, _ in kept]
