"""Numbers as people write them, and what the numbers of a row of classes are: probabilities, per cent, logits."""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?(inf|nan)", re.IGNORECASE)
COMMA = re.compile(r"[-+]?\d+,\d+([eE][-+]?\d+)?|[-+]?\d+")
PERCENT = re.compile(r"[-+]?\d+([.,]\d+)?\s*%")
EVEN = 1e-3  # by which a sum of probabilities may be off: rounding to three digits
ROUNDED = 0.1  # by which one may be off that was rounded coarsely, as int8 networks do
SAMPLE_ROWS = 5_000
VALUES = ("probabilities", "percent", "logits", "log-probabilities", "scores")
BEYOND = 1e-6  # below 0 or above 1 that rounding makes


@dataclass(frozen=True)
class Told:
    """What numbers are taken as, one of VALUES, and sentences on that."""

    kind: str
    notes: tuple[str, ...] = ()


def words(name: str) -> str:
    """A column's name without what stands between its words."""
    return re.sub(r"[\W_]+", "", name.casefold())


def parsed(cells: pd.Series, *, comma: bool) -> np.ndarray:
    """float64 [n] of cells of text; nan for what is no number. comma: whether one may stand for the decimal point."""
    text = cells.astype(str).str.strip().str.rstrip("%").str.strip()
    if comma:
        text = text.str.replace(",", ".", regex=False)
    return pd.to_numeric(text, errors="coerce").to_numpy(np.float64)


def kind_of(values: np.ndarray, wanted: str = "") -> Told:
    """What float [n, k] are. wanted: one of VALUES that a person says. Raises ValueError where neither tells."""
    if wanted:
        return Told(wanted, (f"the numbers are taken as {wanted}, as was said",))
    sums, low, high = values.sum(1), float(values.min()), float(values.max())
    least, most = float(sums.min()), float(sums.max())
    if low >= -BEYOND and high <= 1 + BEYOND:
        off = max(abs(least - 1), abs(most - 1))
        if off <= EVEN:
            return Told("probabilities")
        if off <= ROUNDED + BEYOND:
            note = f"the probabilities add up to {least:.3f} to {most:.3f}: each row is divided by its sum"
            return Told("scores", (note,))
        raise ValueError(
            f"the numbers are between 0 and 1 and add up to {least:.3g} to {most:.3g}, not to 1: a network with a "
            "yes or no for each class gives such. Say --values scores to divide each row by its sum"
        )
    if low >= -BEYOND and high <= 100 * (1 + BEYOND) and max(abs(least - 100), abs(most - 100)) <= 100 * ROUNDED / 4:
        return Told("percent", ("the probabilities are per cent: they add up to 100",))
    if high <= BEYOND:
        total = np.exp(values.astype(np.float64)).sum(1)
        if np.abs(total - 1).max() <= EVEN:
            return Told("log-probabilities", ("the numbers are logarithms of probabilities",))
        for base, words in ((2, "2"), (10, "10")):
            if np.abs((base ** values.astype(np.float64)).sum(1) - 1).max() <= EVEN:
                raise ValueError(
                    f"the numbers are logarithms to the base of {words} of probabilities: write the probabilities, or "
                    "natural logarithms"
                )
    if low < -BEYOND:
        return Told(
            "logits", (f"the numbers are logits ({low:.3g} to {high:.3g}): softmax makes probabilities of them",)
        )
    raise ValueError(
        f"the numbers are between {low:.3g} and {high:.3g} and add up to {least:.3g} to {most:.3g}, which are neither "
        "probabilities nor per cent. Say --values logits, or --values scores to divide each row by its sum"
    )


def probabilities(values: np.ndarray, kind: str) -> np.ndarray:
    """float [n, k], rows adding up to one where they should; of the values' own type where nothing is to be done."""
    if kind == "probabilities":
        return values
    wide = values.astype(np.float64)
    if kind == "percent":
        wide = wide / 100
        total = wide.sum(1, keepdims=True)
        return np.where(np.abs(total - 1) > EVEN, wide / total, wide)
    if kind in ("logits", "log-probabilities"):
        powers = np.exp(wide - wide.max(1, keepdims=True))
        return powers / powers.sum(1, keepdims=True)
    if wide.min() < 0 or not (wide.sum(1) > 0).all():
        raise ValueError("scores must not be below 0, and not all of a row 0, for their sum to divide them")
    return wide / wide.sum(1, keepdims=True)
