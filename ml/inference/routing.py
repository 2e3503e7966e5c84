"""Which of several runs is asked about a picture: the one that knows its kind. Light: whatever computes is handed in.

A run's claim to a picture is, in logarithms of likelihood, how likely its colours, ground and detail are among the
run's pictures (the noun `looks`), less RARITY times how rare so unlike a picture is among the run's validation pictures
(`familiarity`, or the nearest reference pictures), which counts up to FARTHEST: of two runs that know nothing like it,
how much less one of them does tells nothing. Looks count where every run that is asked has them. docs/preparation.md
measures both.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.artifacts import kinds
from ml.artifacts.reader import Run
from ml.images import looks
from ml.images.decoding import FILE_BYTES, Picture
from ml.images.form import Form, Prepared
from ml.images.geometry import uprighted
from ml.images.preparation import Mode, prepare
from ml.images.sheets import on_sheet
from ml.images.upload_archives import Item
from ml.inference.batch import BatchAnswer, familiarity, read
from ml.inference.prediction_sets import PredictionSets
from ml.stats.likeness import Likeness
from ml.stats.ood import LIMIT

AUTO = "auto"
FARTHEST = 4.0  # of 3, 4, 5, 8 and 10 on three hands' renderings
RARITY = 2.0  # of 1 to 5: what a network says of a picture counts for more than its looks
MOST = 4  # runs that are asked about one picture


@dataclass(frozen=True)
class Candidate:
    """A run that can be asked. name, dataset: for people; ask: uint8 [n, h, w, c] → float32 [n, classes]; unusual: the
    same → percentiles and rarities, float [n] each (ml.stats.likeness.rarity), None where it cannot tell."""

    run_id: str
    name: str
    dataset: str
    classes: tuple[str, ...]
    form: Form
    ask: Callable[[np.ndarray], np.ndarray]
    unusual: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray] | None]
    likeness: Likeness | None = None


@dataclass(frozen=True)
class Asked:
    """What one run makes of a picture. probabilities: float32 [classes]; claim: see above."""

    run_id: str
    name: str
    dataset: str
    classes: tuple[str, ...]
    prepared: Prepared
    probabilities: np.ndarray
    percentile: float | None
    claim: float
    alike: float | None = None
    rare: float = 0.0

    @property
    def predicted(self) -> int:
        return int(self.probabilities.argmax())

    @property
    def label(self) -> str:
        return self.classes[self.predicted]

    @property
    def confidence(self) -> float:
        return float(self.probabilities[self.predicted])

    @property
    def unlike(self) -> bool:
        """Whether the run calls the picture unlike its training data."""
        return self.percentile is not None and self.percentile > LIMIT


@dataclass(frozen=True)
class Routed:
    """asked: every run that was asked, the one that answers first. why: one sentence, '' where there was no choice."""

    asked: tuple[Asked, ...]
    why: str

    @property
    def first(self) -> Asked:
        return self.asked[0]

    @property
    def unlike(self) -> bool:
        """Whether every run calls the picture unlike its training data."""
        return all(one.unlike for one in self.asked)

    def json_value(self) -> dict[str, Any]:
        """`why` and `asked`, as API and command line give them."""
        rows = []
        for one in self.asked:
            row = {"run": one.run_id, "dataset": one.dataset, "label": one.label, "confidence": one.confidence}
            if one.percentile is not None:
                row["familiarity"] = familiarity(one.percentile)
            rows.append(row)
        return {"why": self.why, "asked": rows}


def tells(manifest: Mapping[str, Any]) -> bool:
    """Whether a run has a network and can say how unlike its training pictures one is."""
    nouns = manifest.get("nouns", {})
    return kinds.has(manifest, kinds.NETWORK) and ("familiarity" in nouns or {"features", "neighbours"} <= set(nouns))


def representatives(runs: Iterable[Any], shown: str | None, without: Collection[str] = ()) -> list[str]:
    """Ids of one run of each data set, that of the shown one first: it stands for its own, the best on validation for
    each other. Only the shown one where it cannot tell, [] where it has no network.

    runs: entries of a listing; without: ids that are left out where they are not the shown one.
    """
    whole = {one.run_id: one.manifest for one in runs if one.ok}
    if shown is None or shown not in whole or not kinds.has(whole[shown], kinds.NETWORK):
        return []
    if not tells(whole[shown]):
        return [shown]
    best: dict[str, str] = {whole[shown]["dataset"]["name"]: shown}
    others = [name for name in whole if name not in without and name != shown and tells(whole[name])]
    for name in sorted(others, key=lambda name: _worth(whole[name]), reverse=True):
        if not whole[name].get("twin"):
            best.setdefault(whole[name]["dataset"]["name"], name)
    return list(best.values())[:MOST]


def _worth(manifest: Mapping[str, Any]) -> float:
    result = manifest.get("results", {}).get("validation") or {"correct": 0, "n": 0}
    return float(result["correct"] / max(result["n"], 1))


def likeness_of(run: Run) -> Likeness | None:
    """What is known of its pictures' looks; None without the noun. Raises Broken."""
    if "looks" not in run.nouns:
        return None
    found = Likeness(run.arrays("looks"))
    return found if found.width == len(looks.NAMES) else None


def route(
    image: np.ndarray,
    candidates: Sequence[Candidate],
    *,
    orientation: int = 1,
    ways: Collection[str] = (),
    ready: Callable[[Candidate], Prepared] | None = None,
    mode: Mode = "auto",
) -> Routed:
    """Asks each candidate about a picture, uint8 [h, w, 1 or 3] of any size; equals as the candidates stand.

    ready: how a candidate's picture is prepared, where somebody keeps such pictures; ways, mode: of `prepare`
    otherwise. Raises ValueError without candidates.
    """
    if not candidates:
        raise ValueError("there is no run to ask")
    choice = len(candidates) > 1
    comparable = choice and all(one.likeness is not None for one in candidates)
    measured = looks.looks(on_sheet(uprighted(image, orientation)))[None] if comparable else None
    asked = []
    for one in candidates:
        if ready is not None:
            prepared = ready(one)
        else:
            prepared = prepare(image, one.form, orientation=orientation, mode=mode, ways=tuple(ways))
        told = one.unusual(prepared.image[None])
        percentile, rare = (None, FARTHEST) if told is None else (float(told[0][0]), float(told[1][0]))
        alike = float(one.likeness.log_density(measured)[0]) if measured is not None and one.likeness else None
        probabilities = one.ask(prepared.image[None])[0]
        claim = (alike or 0.0) - RARITY * min(rare, FARTHEST)
        asked.append(
            Asked(
                one.run_id, one.name, one.dataset, one.classes, prepared, probabilities, percentile, claim, alike, rare
            )
        )
    asked.sort(key=lambda one: -one.claim)
    return Routed(tuple(asked), _why(asked) if choice else "")


def _why(asked: Sequence[Asked]) -> str:
    """One sentence."""
    first, second = asked[:2]
    share = [f"{one.percentile:.0f} %" for one in (first, second) if one.percentile is not None]
    rarer = len(share) == 2 and min(first.rare, FARTHEST) < min(second.rare, FARTHEST)
    alike = first.alike is not None and second.alike is not None and first.alike > second.alike
    if all(one.unlike for one in asked):
        none = "Neither run knows" if len(asked) == 2 else "No run knows"
        return f"{none} pictures like this one; in kind it is nearest to those of {first.dataset}."
    told = f"{share[0]} of the validation pictures are less unlike, against {share[1]} there" if rarer else ""
    if alike:
        words = f"In colours, ground and detail it is more like {first.dataset} than {second.dataset}"
        return f"{words}{'; ' + told if told else ''}."
    if rarer:
        return f"It is less unusual for {first.dataset} than for {second.dataset}: {told}."
    return f"Nothing decides between {first.dataset} and {second.dataset}."


@dataclass(frozen=True)
class RoutedAnswer:
    """One file of many, see BatchAnswer. routed: None where the file has no answer."""

    answer: BatchAnswer
    routed: Routed | None

    def line(self, top: int, sets: Callable[[str], PredictionSets | None]) -> dict[str, Any]:
        """The same for JSON, with the run that answered, why, and what each run said. sets: of a run."""
        if self.routed is None:
            return self.answer.line((), top)
        first = self.routed.first
        line = self.answer.line(first.classes, min(top, len(first.classes)), sets(first.run_id))
        return {**line, "run": first.run_id, **self.routed.json_value()}


def answers(
    items: Iterable[Item], candidates: Sequence[Candidate], *, mode: Mode = "auto", limit: int = FILE_BYTES
) -> Iterator[RoutedAnswer]:
    """One answer a file, in their order, each of the run that knows its kind. limit: bytes of one file.

    Files are read as the first candidate reads them.
    """
    for item in items:
        found: Picture | str = read(item, candidates[0].form, limit)
        if isinstance(found, str):
            yield RoutedAnswer(BatchAnswer(item.name, problem=found), None)
            continue
        yield answer(item.name, found, candidates, mode)


def answer(name: str, picture: Picture, candidates: Sequence[Candidate], mode: Mode = "auto") -> RoutedAnswer:
    """Of one file that was read."""
    import time

    from ml.images.file_names import truth

    began = time.perf_counter()
    routed = route(picture.pixels, candidates, orientation=picture.orientation, mode=mode)
    first = routed.first
    return RoutedAnswer(
        BatchAnswer(
            name, truth(name, first.classes), first.prepared.image, first.probabilities, "", first.percentile,
            time.perf_counter() - began,
        ),
        routed,
    )  # fmt: skip
