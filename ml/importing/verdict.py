"""One table of what every way of asking gives, which of them are not to be told apart, and whether to advise another.

`table` is plain JSON; `lines` is the same in words. The rule of advice is in docs/own-networks.md.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.importing.mistakes import Change
from ml.importing.readings import Ordered, Scored
from ml.importing.search import Found, Way
from ml.inference.imported import Interface
from ml.stats.intervals import wilson
from ml.stats.paired import mcnemar

VERSION = 1
SURE = 0.01  # of a difference that chance makes, all ways that were looked at together, where another way is advised
APART = 0.05  # the same, where two rows are told apart
STRONG, TIMES = 0.85, 4  # what an advised way must be right about: this share, or so many times chance
GAIN = 0.5  # of an answer by chance, by which it must be right more often
FEW, SURER = 3, 0.9  # up to so many classes an advised way must be right about more: this share, lower bound
DECIDED = 0.6  # of the loss of guessing, beneath which an advised way must be: what has hardly learned decides nothing
TOGETHER = 2  # mistakes at once that are advised against, besides what its numbers are; of two classes one
HONEST = 0.05  # by which a network may be surer than it is right, and still be thought to be asked as it should
SHOWN = 12  # rows that are printed
STATED = "as stated"


@dataclass(frozen=True, eq=False)
class Row:
    """A way in one reading. certain: whether its reading of the numbers can be advised."""

    way: Way
    scored: Scored
    changes: tuple[Change, ...]
    how: Interface
    certain: bool

    @property
    def correct(self) -> int:
        return round(self.scored.right * len(self.scored.losses))

    @property
    def loss(self) -> float:
        return float(self.scored.losses.mean())

    @property
    def much(self) -> float:
        """How much it supposes: an order of classes is fitted, and comes behind what is not."""
        return len(self.changes) + 0.5 * isinstance(self.scored, Ordered)

    @property
    def words(self) -> str:
        return ", ".join(one.words for one in self.changes) or STATED

    @property
    def believable(self) -> bool:
        return self.certain and (not isinstance(self.scored, Ordered) or self.scored.believable)


def rows_of(way: Way, stated: Interface) -> list[Row]:
    """The way as it is, in other readings, and in another order of classes where that is better."""
    found = []
    for kind, scored in way.readings.items():
        how = way.how.model_copy(update={"numbers": kind})
        changes = way.changes
        if kind != stated.numbers:
            changes = (*changes, Change("numbers", f"numbers as {READ[kind]}", {}, ("--outputs", kind)))
        certain = kind == stated.numbers or way.sure[kind]
        found.append(Row(way, scored, changes, how, certain))
        other = way.ordered.get(kind)
        if other is not None and other.right > scored.right:
            turned = Change("classes", "classes in another order", {})
            found.append(Row(way, other, (*changes, turned), how.model_copy(update={"order": other.order}), certain))
    return found


READ = {
    "probabilities": "probabilities",
    "percent": "per cent",
    "logits": "logits",
    "log-probabilities": "logarithms of probabilities",
    "scores": "scores, divided by their sum",
    "doubled": "softmax taken twice",
}


def chance(a: Scored, b: Scored, labels: np.ndarray) -> tuple[float, str]:
    """How often chance alone makes a difference like that between two readings of the same pictures, and by what it is
    told: "accuracy", by an exact McNemar test, or where both say the same class of every picture, "loss"."""
    if not np.array_equal(a.predicted, b.predicted):
        right = a.predicted == labels, b.predicted == labels
        return mcnemar(int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())), "accuracy"
    gaps = a.losses - b.losses
    spread = float(gaps.std(ddof=1)) / len(gaps) ** 0.5 if len(gaps) > 1 else 0.0
    if not spread:
        return 1.0, "loss"
    from scipy.stats import norm

    return float(2 * norm.sf(abs(float(gaps.mean())) / spread)), "loss"


def apart(row: Row, other: Row, labels: np.ndarray, looks: int, level: float) -> str:
    """By what two rows are told apart, "" where they are not. Another loss of the same answers tells readings apart
    alone: of other pictures it may come of how sure the network is of itself."""
    p, by = chance(row.scored, other.scored, labels)
    if p * looks >= level or (by == "loss" and row.way is not other.way):
        return ""
    return by


def _misread(row: Row, rows: Sequence[Row], labels: np.ndarray) -> str:
    """ "loss" where the same answers in another reading of their numbers have less of it."""
    kind = type(row.scored)
    others = [one for one in rows if one.way is row.way and type(one.scored) is kind and one.loss < row.loss]
    return next((by for one in others if (by := apart(row, one, labels, len(rows), APART))), "")


def table(found: Found, stated: Interface, classes: Sequence[str], split: str) -> dict[str, Any]:
    """All of it as plain JSON: docs/own-networks.md names the keys. classes: names of the data set's."""
    labels, as_stated = found.labels, stated.model_dump(mode="json")
    rows = [row for way in found.judged for row in rows_of(way, stated)]
    first = rows[0]
    rows.sort(key=lambda row: (-row.correct, row.loss, row.much))
    best, looks = rows[0], max(1, found.asked)
    told = [apart(row, best, labels, len(rows), APART) or _misread(row, rows, labels) for row in rows]
    advised = _advised(rows, told, first, labels, looks, len(classes))
    listed = [
        {**_listed(row, labels, by, row is best, as_stated), "more": _more(row, rows[:place])}
        for place, (row, by) in enumerate(zip(rows, told, strict=True))
    ]
    place = next(i for i, row in enumerate(rows) if row is first)
    found_advice = None
    if advised is not None:
        gain = (advised.correct - first.correct) / len(labels)
        found_advice = {
            "row": next(i for i, row in enumerate(rows) if row is advised),
            "words": advised.words,
            "flags": [flag for one in advised.changes for flag in one.flags],
            "gain": gain,
            "loss_gain": first.loss - advised.loss,
            "p": chance(advised.scored, first.scored, labels)[0],
            "interface": advised.how.model_dump(mode="json"),
            "wishes": wishes(advised.how, classes),
        }
    few = max((way for way in found.screened), key=lambda way: way.score, default=None)
    result = {
        "version": VERSION,
        "split": split,
        "n": len(found.labels),
        "seconds": found.seconds,
        "asked": found.asked,
        "not_asked": found.refused,
        "rows": listed,
        "stated": place,
        "advice": found_advice,
        "fewer": {
            "ways": len(found.screened), "n": found.few, "best_accuracy": few.score[0] if few is not None else None
        },
        "not_tried": found.left,
    }  # fmt: skip
    return {**result, "sentence": sentence(result)}


def wishes(how: Interface, classes: Sequence[str]) -> dict[str, Any]:
    """What ml.importing.understanding.Wishes must say for a network to be asked so."""
    said: dict[str, Any] = {
        "layout": how.layout, "frame": how.frame, "share": how.share if how.frame == "crop" else 0,
        "resampling": how.resampling, "inverted": how.inverted, "transposed": how.transposed, "output": how.output,
        "numbers": how.numbers,
    }  # fmt: skip
    if how.type != "tensor(uint8)":
        said |= {"mean": [*how.mean], "deviation": [*how.deviation]}
    if how.channels == 3:
        said["channels"] = "bgr" if how.bgr else "rgb"
    if not how.outputs:
        said["classes"] = [classes[place] for place in np.argsort(how.order)]
    return said


def _advised(rows: list[Row], told: list[str], first: Row, labels: np.ndarray, looks: int, classes: int) -> Row | None:
    """The row to take instead of the one as stated, None where that may be right."""
    alike = [row for row, by in zip(rows, told, strict=True) if not by]
    if first in alike:
        return None
    share = float(np.bincount(labels, minlength=classes).max()) / len(labels)
    floor = max(min(STRONG, TIMES / classes), share + (1 - share) / TIMES, SURER if classes <= FEW else 0.0)
    most = 1 if classes == 2 else TOGETHER
    moved = float(wilson(_best_cut(first, labels), len(labels))[1]) if classes == 2 else 0.0
    readings = [row.scored.sure for row in rows if row.way is first.way and type(row.scored) is type(first.scored)]
    honest = max(readings) - first.scored.right <= HONEST and wilson(first.correct, len(labels))[0] > share
    for row in sorted(alike, key=lambda row: row.much):
        low = float(wilson(row.correct, len(labels))[0])
        reread = row.way is first.way and not isinstance(row.scored, Ordered)
        better = reread or (
            not honest and row.scored.right - first.scored.right >= GAIN / classes and (low > moved or _turned(row))
        )
        decided = reread or row.loss <= DECIDED * math.log(classes)
        together = sum(one.factor != "numbers" for one in row.changes)
        good = better and row.loss < first.loss and row.believable and low >= floor and together <= most and decided
        if good and apart(row, first, labels, looks, SURE):
            return row
    return None


def _turned(row: Row) -> bool:
    """Whether all it changes is the order of the classes, of which no cut is right."""
    return all(one.factor == "classes" for one in row.changes)


def _best_cut(row: Row, labels: np.ndarray) -> int:
    """Of two classes: how many pictures are right where the network's own numbers are cut at the best place instead of
    at a half. One that learned too little tells classes apart and has its cut elsewhere, and whatever moves its numbers
    may put that right by luck."""
    sure = np.exp(-row.scored.losses)
    second = np.where(labels == 1, sure, 1 - sure)
    order = np.argsort(second, kind="stable")
    ones = np.concatenate([[0], np.cumsum(labels[order] == 1)])  # below a cut behind the first i
    zeros = np.arange(len(labels) + 1) - ones
    ends = np.concatenate([[True], np.diff(second[order]) > 0, [True]])  # equal numbers lie on one side
    return int((zeros + ones[-1] - ones)[ends].max())


def _more(row: Row, before: list[Row]) -> bool:
    """Whether it supposes more than a row before it, and is no better."""
    own = {(one.factor, one.words) for one in row.changes}
    return any({(one.factor, one.words) for one in other.changes} < own for other in before if other.changes)


def _listed(row: Row, labels: np.ndarray, by: str, best: bool, as_stated: Mapping[str, Any]) -> dict[str, Any]:
    n = len(labels)
    low, high = wilson(row.correct, n)
    return {
        "words": row.words,
        "changes": [{"factor": one.factor, "words": one.words, "flags": [*one.flags]} for one in row.changes],
        "stated": not row.changes,
        "n": n,
        "correct": row.correct,
        "accuracy": row.correct / n,
        "low": float(low),
        "high": float(high),
        "loss": round(row.loss, 6),
        "apart": by,
        "first": best,
        "fields": {name: value for name, value in row.how.model_dump(mode="json").items() if value != as_stated[name]},
    }


def share(row: Mapping[str, Any]) -> str:
    """'41.2 % (36–46)'."""
    return f"{100 * row['accuracy']:.1f} % ({100 * row['low']:.0f}–{100 * row['high']:.0f})"


def sentence(table: Mapping[str, Any]) -> str:
    """What the table comes to."""
    stated = table["rows"][table["stated"]]
    if (advice := table["advice"]) is not None:
        row = table["rows"][advice["row"]]
        more = f", log loss {stated['loss']:.3g} and {row['loss']:.3g}" if row["correct"] == stated["correct"] else ""
        return f"as stated {share(stated)}, with {advice['words']} {share(row)}{more}: use it?"
    first = table["rows"][0]
    if first["stated"]:
        return f"as stated {share(stated)}: nothing else is better"
    words = f"as stated {share(stated)}, with {first['words']} {share(first)}"
    if not stated["apart"]:
        return f"{words}: not to be told apart, so nothing is advised"
    return f"{words}: the difference is not one to rely on, so nothing is advised"


def lines(table: Mapping[str, Any], shown: int = SHOWN) -> list[str]:
    """The table as text."""
    if not table["rows"]:
        return [table["sentence"]]
    rows = table["rows"]
    kept = [i for i, row in enumerate(rows) if not row["more"]][:shown]
    always = [table["stated"], *([table["advice"]["row"]] if table["advice"] is not None else [])]
    kept = sorted({*kept, *always})
    width = max(len(rows[i]["words"]) for i in kept)
    found = [f"asked about {table['n']} pictures of {table['split']} in {table['asked']} ways, {table['seconds']:g} s:"]
    found.append(f"  {'':{width}}  accuracy            log loss")
    for i in kept:
        row = rows[i]
        note = "" if row["first"] or row["apart"] else "not told apart from the first"
        mark = ">" if table["advice"] is not None and i == table["advice"]["row"] else "*" if row["stated"] else " "
        found.append(f"{mark} {row['words']:{width}}  {share(row):<18}  {row['loss']:<8.4g}  {note}".rstrip())
    if len(kept) < len(rows):
        found.append(f"  and {len(rows) - len(kept)} more, which are no better")
    fewer = table["fewer"]
    if fewer["ways"]:
        found.append(
            f"  {fewer['ways']} ways were asked about {fewer['n']} of them only; the best of those had "
            f"{100 * fewer['best_accuracy']:.0f} %"
        )
    found += [f"not tried: {one}" for one in table["not_tried"]]
    found.append(table["sentence"])
    return found
