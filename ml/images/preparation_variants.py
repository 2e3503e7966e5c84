"""Would the answer be the same had the picture been prepared another way?

A photograph can be brought into a network's form in more than one plausible way. `compare` asks about each and says
how far the answers agree: a guess that hangs on one choice of the preparation is not much of a guess. numpy only.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.images.form import Form, Prepared
from ml.images.preparation import prepare, taken

TILT = 6.0  # degrees
USUAL = "usual"


@dataclass(frozen=True)
class Variant:
    """One way to prepare the picture. name: for programs; title: in words; probabilities: float [classes]."""

    name: str
    title: str
    prepared: Prepared
    probabilities: np.ndarray

    @property
    def predicted(self) -> int:
        """The id of the likeliest class."""
        return int(self.probabilities.argmax())


@dataclass(frozen=True)
class Agreement:
    """variants: the first is the picture as it is usually prepared."""

    variants: tuple[Variant, ...]

    @property
    def n(self) -> int:
        """How many ways there were."""
        return len(self.variants)

    @property
    def same(self) -> int:
        """How many of them lead to the class that the first one leads to, itself among them."""
        return sum(variant.predicted == self.variants[0].predicted for variant in self.variants)

    @property
    def probabilities(self) -> np.ndarray:
        """float [classes]: the mean over all of them."""
        return np.mean([variant.probabilities for variant in self.variants], axis=0)

    @property
    def distance(self) -> float:
        """0..1: the largest total variation distance of any from the first, the share of probability that moves."""
        first = self.variants[0].probabilities
        return max(float(np.abs(variant.probabilities - first).sum()) / 2 for variant in self.variants)


def variants(image: np.ndarray, form: Form, **options: Any) -> list[tuple[str, str, Prepared]]:
    """(name, title, prepared), the usual one first; ways that come to the same picture as an earlier one are left out.

    image: uint8 [h, w, 1 or 3]; options: those of ml.images.preparation.prepare. A picture that passes unchanged, or is
    only resized, is asked about as it is and as it would be fully prepared.
    """
    first = prepare(image, form, **options)
    candidates = [(USUAL, "as it is usually prepared", first)]
    for name, title, changes in plausible(first, form, **options):
        made = prepare(image, form, **{**options, **changes})
        if not any(np.array_equal(made.image, other.image) for _, _, other in candidates):
            candidates.append((name, title, made))
    return candidates


def plausible(first: Prepared, form: Form, **options: Any) -> list[tuple[str, str, dict[str, Any]]]:
    """(name, title, what of `options` is other) of every way but the usual one, which prepared `first`."""
    off: Collection[str] = options.get("off", ())
    ways: Collection[str] = options.get("ways", ())
    done = {step.name for step in first.steps if step.done}
    if first.unchanged or not taken(form, options.get("mode", "auto")):
        return [("full", "fully prepared", {"mode": "full"})]
    alternatives: list[tuple[str, str, dict[str, Any]]] = []
    if "straighten" in done:
        alternatives.append(("leaning", "not straightened", {"off": {*off, "straighten"}}))
    elif form.background is not None:
        by_hand = {name: options[name] for name in ("turn", "box") if name in options and "hand" not in off}
        for sign, side in ((1, "left"), (-1, "right")):
            turn = (by_hand.get("turn", 0.0) + sign * TILT + 180) % 360 - 180
            tilted = {"turn": turn, "box": by_hand.get("box"), "off": {*off, "straighten"} - {"hand"}}
            alternatives.append((f"tilted-{side}", f"tilted to the {side}", tilted))
    if "crop" in done:
        alternatives.append(("loose", "cut less close", {"ways": {*ways, "loose"}}))
    alternatives.append(("reversed", "tones reversed", {"ways": {*ways, "reversed"}}))
    if "straighten" not in off and {"clear", "crop"} <= done:
        alternatives.append(("pair", "one of a pair, as from the side", {"ways": {*ways, "pair"}}))
    if "resize" in done:
        alternatives.append(("skip", "rows and columns skipped, as the authors did", {"ways": {*ways, "skip"}}))
    if "contrast" in done:
        alternatives.append(("flat", "contrast as it came", {"off": {*off, "contrast"}}))
    return alternatives


def prepared(image: np.ndarray, form: Form, name: str = USUAL, **options: Any) -> Prepared:
    """The picture in one of its ways; the usual one where it has none of that name."""
    first = prepare(image, form, **options)
    if name == USUAL:
        return first
    changes = next((changes for known, _, changes in plausible(first, form, **options) if known == name), None)
    return first if changes is None else prepare(image, form, **{**options, **changes})


def compare(image: np.ndarray, form: Form, classify: Callable[[np.ndarray], np.ndarray], **options: Any) -> Agreement:
    """Ask a classifier about every variant of a picture in one batch.

    classify: uint8 [n, h, w, c] → float [n, classes], such as ml.inference.classifier.Classifier.probabilities; the
    rest as for `variants`.
    """
    candidates = variants(image, form, **options)
    probabilities = classify(np.stack([prepared.image for _, _, prepared in candidates]))
    return Agreement(
        tuple(
            Variant(name, title, prepared, p)
            for (name, title, prepared), p in zip(candidates, probabilities, strict=True)
        )
    )
