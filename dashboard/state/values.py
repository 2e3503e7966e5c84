"""Values of an address that have parts: an outline on a plot, how the matrix is drawn, exact shares."""

import re
from dataclasses import dataclass
from typing import Any

from dashboard.state.vocabulary import TOPS
from ml.stats.calibration import BINS

MANY_CLASSES = 30  # of more, a panel shows some: a matrix those with the most mistakes, when it is not told how many
LARGEST_MATRIX = 60  # classes of a matrix that is drawn whole


@dataclass(frozen=True)
class Lasso:
    """A closed outline on a plot: vertices in the plot's own coordinates."""

    plot: str
    vertices: tuple[tuple[float, float], ...]

    def __str__(self) -> str:
        return f"{self.plot}:" + ";".join(f"{positional(x, 12)},{positional(y, 12)}" for x, y in self.vertices)


@dataclass(frozen=True)
class MatrixView:
    """How the matrix is drawn; nothing here narrows the examples.

    top: the classes with the most mistakes that are shown by name, the others in one row and column; 0 for all of
    them, None for what suits their number.
    """

    normalise: str = "count"  # or row, column
    cluster: bool = False  # classes that are mistaken for each other side by side
    log: bool = False  # colour
    diagonal: bool = True
    table: bool = False  # of buttons, in place of the chart
    top: int | None = None

    @classmethod
    def read(cls, text: str) -> "MatrixView":
        """From words joined by commas, 'row,log,top5'. Raises ValueError."""
        fields: dict[str, Any] = {}
        for word in text.split(","):
            if word in ("row", "column"):
                fields["normalise"] = word
            elif word in ("cluster", "log", "table"):
                fields[word] = True
            elif word == "off":
                fields["diagonal"] = False
            elif re.fullmatch(r"top\d{1,3}", word, re.ASCII):
                fields["top"] = int(word[3:])
            else:
                raise ValueError(word)
        return cls(**fields)

    def __str__(self) -> str:
        words = [self.normalise if self.normalise != "count" else "", "cluster" if self.cluster else ""]
        words += ["log" if self.log else "", "" if self.diagonal else "off", "table" if self.table else ""]
        words.append("" if self.top is None else f"top{self.top}")
        return ",".join(word for word in words if word)

    def shown(self, classes: int) -> int:
        """How many of `classes` have a row of their own."""
        top = (TOPS[2] if classes > MANY_CLASSES else 0) if self.top is None else self.top
        most = classes if classes <= LARGEST_MATRIX else TOPS[-1]
        return most if top == 0 or top >= most else top


def positional(value: float, places: int = 6) -> str:
    """Six digits of a number as every reader of an address takes it, without an exponent: '0.00005', never '5e-05'."""
    text = f"{float(f'{value:.6g}'):.{places}f}"
    text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def decimals(share: float) -> str:
    """Two digits, up to six where two do not say it: '0.50', '0.933333'."""
    text = f"{share:.6f}".rstrip("0")
    return text if len(text) > 3 else f"{share:.2f}"


def exact(share: float) -> float:
    """The fifteenth that is meant where `share` is one to six digits, else the share itself."""
    nearest = round(share * BINS) / BINS
    return nearest if abs(nearest - share) < 1e-6 else share
