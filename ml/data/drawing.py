"""Which picture comes into which split: as a source says; where it does not, drawn from train by class and chance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ml.data import duplicates
from ml.data.base import SPLITS, Split, hold_out

NEAR_MOST = 10_000  # pictures among which near-duplicates are looked for before splits are drawn: seconds
FEW, FEWEST = 5, 3  # pictures of a class that differ, of which test and validation may get some; where none has five


@dataclass(frozen=True)
class Drawn:
    """rows: split → positions, ascending; whole: ids of classes of which none was drawn, since they have too few."""

    rows: dict[str, np.ndarray]
    whole: list[int]


def copies(pixels: Sequence[bytes], labels: np.ndarray) -> np.ndarray:
    """int [n, 2]: the first row with the same pixels and label as this one, and the first with the same pixels. pixels:
    what stands for those of each."""
    first: dict[tuple[bytes, int | None], int] = {}
    rows = np.empty((len(pixels), 2), np.int64)
    for i, (key, label) in enumerate(zip(pixels, labels.tolist(), strict=True)):
        rows[i] = first.setdefault((key, label), i), first.setdefault((key, None), i)
    return rows


def near(everything: Split, given: list[str], notes: list[str]) -> np.ndarray:
    """int [n, 2]: rows that are nearly the same and of which a split may be drawn; none where none is to be drawn, and
    where there are so many that it would take long, which is then noted."""
    nothing, where = np.zeros((0, 2), np.int64), np.array(given)
    if {"test", "validation"} <= set(given):
        return nothing
    pool = everything.take(np.flatnonzero((where == "") | (where == "train")))
    if len(pool) > NEAR_MOST:
        notes.append(
            f"{len(pool):,} pictures are too many to look for near-duplicates before splits are drawn: copies stay in "
            "one split, and near-duplicates in several of them are counted afterwards"
        )
        return nothing
    found = duplicates.table({"pool": pool})
    return found[["example_id", "other_id"]].to_numpy(np.int64)


def told(pairs: np.ndarray, same: np.ndarray, rows: dict[str, np.ndarray]) -> list[str]:
    """What was made of pictures that are nearly the same and no copies. pairs: of `near`; same: int [n], the first row
    with the same pixels; rows: of Drawn."""
    pairs = pairs[same[pairs[:, 0]] != same[pairs[:, 1]]]
    apart = len(np.unique(pairs[:, 0]))
    if not apart:
        return []
    where = {row: split for split, its in rows.items() for row in its.tolist()}
    parted = any(where.get(one) != where.get(other) for one, other in pairs.tolist())
    words = ", but too few differ to keep them in one split" if parted else ", and stay in one split with them"
    return [f"{apart:,} pictures are nearly the same as others{words}"]


def together(heads: np.ndarray, groups: Sequence[str], pairs: np.ndarray | None = None) -> np.ndarray:
    """int [n]: of rows that belong together, and of those that do so through others, the first. heads: int [n], for
    each an earlier row that it belongs to, or itself; groups: what shares a text that is not ''; pairs: int [m, 2],
    further rows."""
    head = list(range(len(heads)))

    def first_of(row: int) -> int:
        while head[row] != row:
            head[row] = head[head[row]]
            row = head[row]
        return row

    def join(one: int, other: int) -> None:
        one, other = sorted((first_of(one), first_of(other)))
        head[other] = one

    first: dict[str, int] = {}
    for row, (other, group) in enumerate(zip(heads.tolist(), groups, strict=True)):
        join(row, other)
        if group:
            join(row, first.setdefault(group, row))
    for one, other in pairs.tolist() if pairs is not None else ():
        join(one, other)
    return np.array([first_of(row) for row in range(len(head))], np.int64)


def draw(
    labels: np.ndarray, given: Sequence[str], members: np.ndarray, classes: int, seed: int, grouped: bool,
    shares: dict[str, float],
) -> Drawn:  # fmt: skip
    """As the source says, and drawn from train where it says nothing of a split.

    given: of each row the split, '' where it may be drawn; shares: split → the share of train that is drawn, rows of
    one of `members` together; grouped: in any case, else where there are enough. A class with few pictures stays in
    train. Raises ValueError, in words, where too few are left to draw any.
    """
    where = np.array([split or "train" for split in given])
    rows = {split: np.flatnonzero(where == split) for split in SPLITS}
    apart = np.unique(np.stack([members[rows["train"]], labels[rows["train"]]]), axis=1)
    counts = np.bincount(apart[1], minlength=classes)
    if not grouped and not (counts >= FEWEST).any():  # too few that differ to keep together
        members, counts = np.arange(len(labels)), np.bincount(labels[rows["train"]], minlength=classes)
    least = FEW if (counts >= FEW).any() else FEWEST
    whole = [] if all(len(rows[split]) for split in ("test", "validation")) else np.flatnonzero(counts < least).tolist()
    fixed = np.isin(labels, whole)
    for split, chance in (("test", seed), ("validation", seed + 1)):
        if len(rows[split]):
            continue
        pool = rows["train"]
        open_to = pool[~fixed[pool]]
        heads = np.unique(members[open_to])
        out = np.zeros(len(pool), bool)
        if len(heads) > 1:
            several = len(np.unique(labels[heads]))
            size = min(max(several, int(len(heads) * shares[split])), len(heads) - 1)
            _, held = hold_out(labels[heads], size, chance)
            out = np.isin(members[pool], heads[held]) & ~np.isin(members[pool], members[pool[fixed[pool]]])
            learned = np.bincount(labels[pool[~out]], minlength=classes) > 0
            kept = members[pool][~learned[labels[pool]]]  # of a class that would lose its last ones
            out &= ~np.isin(members[pool], kept)
        if not out.any():
            few = "groups" if grouped else "pictures"
            raise ValueError(f"there are too few {few} in train to draw a split for {split} from them")
        rows[split], rows["train"] = pool[out], pool[~out]
    return Drawn(rows, whole)
