"""Names beside an axis: what is too long for its margin is cut, and stands whole where one points at it."""

import html
from collections.abc import Sequence
from itertools import pairwise

ALIKE, KEPT = 8, 3  # letters with which two names begin before they are told apart by their ends; what stays of them


def escaped(name: str) -> str:
    """A name as plotly shows it letter for letter: what reads like its markup (<b>, &amp;, %{x}) is none."""
    return html.escape(name, quote=False).replace("%{", "&#37;{")


def cut(name: str, characters: int) -> str:
    """The name, or as much of it as fits into so many characters with the sign that it goes on."""
    return name if len(name) <= characters else f"{name[: characters - 1].rstrip()}…"


def told_apart(names: Sequence[str]) -> list[str]:
    """The names as they stand where there is little room: of those that begin alike what differs comes first.

    Tomato___Early_blight and Tomato___Late_blight, which would both be cut to Tomato___…, are Tom…Early_blight and
    Tom…Late_blight.
    """
    order = sorted(set(names))
    shared = dict.fromkeys(order, 0)
    for one, other in pairwise(order):
        alike = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
        shared[one], shared[other] = max(shared[one], alike), max(shared[other], alike)
    short = {name: _end(name, alike) for name, alike in shared.items()}
    known = list(short.values())
    return [short[name] if known.count(short[name]) == 1 else name for name in names]


def _end(name: str, alike: int) -> str:
    """Its first letters and the words behind those that it has in common with another name."""
    while alike and (alike == len(name) or name[alike - 1].isalnum()):
        alike -= 1
    return name if alike < ALIKE else f"{name[:KEPT]}…{name[alike:]}"
