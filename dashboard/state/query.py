"""The text of an address and its values: one reader a name, which raises ValueError, and the way back."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs, quote

from dashboard.state.values import Lasso, MatrixView, decimals, positional
from dashboard.state.vocabulary import (
    BUCKETS,
    LABELS,
    LEVELS,
    LOOKS,
    MAX_EPSILON,
    MAX_IDS,
    MAX_VERTICES,
    OUTCOMES,
    PLOTS,
    SCALINGS,
    SINCE,
    SORTS,
    SPLIT_NAMES,
    SPLITS,
    STATES,
    VERSUS,
)
from ml.artifacts.schema import RUN_ID
from ml.images import edits
from ml.robustness.catalogue import ATTACKS
from ml.system.wording import shows

REPEATED = ("true", "pred", "outcome", "bucket", "tag", "slice")  # a repeated key means OR
CHARACTERS, MAX_FIELDS = 8_000, 400  # of an address


def parse(search: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """name → value of what can be read of a URL's search part, and the rest in words; never raises."""
    try:
        pairs = parse_qs(search.removeprefix("?")[:CHARACTERS], keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        return {}, ("the whole address, which has too many parts",)
    values: dict[str, Any] = {}
    dropped = []
    for name, texts in pairs.items():
        reader = READERS.get(name)
        if reader is None:
            dropped.append(f"{_short(name)}, which is no filter here")
            continue
        try:
            values[name] = reader(texts)
        except (ValueError, OverflowError):
            dropped.append(f"{_short(name)}={_short(texts[-1])}, which cannot be read")
    return values, tuple(dropped)


def written(items: Iterable[tuple[str, object]]) -> str:
    """The search part of these names and values, '' of none."""
    parts = []
    for name, value in items:
        values = value if isinstance(value, tuple) and name in REPEATED else (value,)
        parts += [f"{name}={quote(_text(name, v), safe=':;,.-~')}" for v in values]
    return "?" + "&".join(parts) if parts else ""


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "…"


def _text(name: str, value: Any) -> str:
    if name in ("conf", "tempered"):
        return "-".join(decimals(end) for end in value)
    if name == "ids":
        return ",".join(map(str, value))
    if name == "epsilon":
        return f"{value:.8f}".rstrip("0").rstrip(".")
    return positional(value) if isinstance(value, float) else str(value)


def _last(values: list[str]) -> str:
    return values[-1]


def _one_of(choices: tuple[str, ...]):
    def read(values: list[str]) -> str:
        if _last(values) not in choices:
            raise ValueError
        return _last(values)

    return read


def _split(values: list[str]) -> str:
    """One of SPLITS, or what it is called on screen."""
    called = {name: split for split, name in SPLIT_NAMES.items()}
    return _one_of(SPLITS)([called.get(_last(values), _last(values))])


def _names(values: list[str]) -> tuple[str, ...]:
    if len(values) > 200 or not all(0 < len(v) <= 60 and shows(v) for v in values):
        raise ValueError
    return tuple(dict.fromkeys(values))


def _words(values: list[str]) -> str:
    text = " ".join(_last(values).split())
    if not 1 <= len(text) <= 60 or not shows(text):
        raise ValueError
    return text


def _pair(values: list[str]) -> str:
    text = _last(values)
    if not 3 <= len(text) <= 121 or not shows(text) or "~" not in text[1:-1]:
        raise ValueError
    return text


def _run(values: list[str]) -> str:
    if not RUN_ID.fullmatch(_last(values)):
        raise ValueError
    return _last(values)


def _digest(values: list[str]) -> str:
    if not re.fullmatch(r"[0-9a-f]{8,64}", _last(values), re.ASCII):
        raise ValueError
    return _last(values)


def _way(values: list[str]) -> str:
    if not re.fullmatch(r"[a-z][a-z-]{0,19}", _last(values), re.ASCII):
        raise ValueError
    return _last(values)


def _edits(values: list[str]) -> str:
    text = _last(values)
    parts = text.split(",")
    if len(parts) > edits.MAX_EDITS or len(text) > edits.CHARACTERS:
        raise ValueError
    for part in parts:
        kind, *numbers = part.split(":")
        if kind == "brush":
            if len(numbers) != 1 or not re.fullmatch(r"[A-Za-z0-9_-]{7,}", numbers[0], re.ASCII):
                raise ValueError
            continue
        if kind not in edits.KINDS:
            raise ValueError
        for number, (low, high) in zip(numbers, edits.KINDS[kind], strict=True):
            readable = re.fullmatch(r"-?(0|[1-9]\d{0,3})(\.\d{1,3})?", number, re.ASCII)
            if not readable or not low <= float(number) <= high:
                raise ValueError
    return text


def _level(values: list[str]) -> int:
    return int(_one_of(tuple(map(str, LEVELS)))(values))


def _versus(values: list[str]) -> str:
    text = _last(values)
    if text not in VERSUS and not (text.startswith("?") and len(text) <= 2_000 and shows(text)):
        raise ValueError
    return text


def _under(values: list[str]) -> str:
    name, _, much = _last(values).partition(":")
    if not re.fullmatch(r"[a-z]{2,20}", name, re.ASCII):
        raise ValueError
    _epsilon([much])
    return _last(values)


def _epsilon(values: list[str]) -> float:
    if not re.fullmatch(r"\d{1,2}(\.\d{1,8})?", _last(values), re.ASCII) or float(_last(values)) > MAX_EPSILON:
        raise ValueError
    return float(_last(values))


def _look(values: list[str]) -> str:
    way, _, target = _last(values).partition(",")
    if way not in LOOKS or target not in ("", "label"):
        raise ValueError
    return _last(values)


def _whole(low: int, high: int):
    def read(values: list[str]) -> int:
        return _digits(_last(values), low, high)

    return read


def _digits(text: str, low: int, high: int) -> int:
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not low <= int(text) <= high:
        raise ValueError
    return int(text)


def _ids(values: list[str]) -> tuple[int, ...]:
    parts = [part for value in values for part in value.split(",")]
    if len(parts) > MAX_IDS:
        raise ValueError
    return tuple(dict.fromkeys(_digits(part, 0, 10**9) for part in parts))


def _share(values: list[str]) -> float:
    if not re.fullmatch(r"[01](\.\d{1,6})?|\.\d{1,6}", _last(values), re.ASCII) or float(_last(values)) > 1:
        raise ValueError
    return float(_last(values))


def _range(values: list[str]) -> tuple[float, float]:
    low, high = _last(values).split("-")
    limits = _share([low]), _share([high])
    if limits[0] > limits[1]:
        raise ValueError
    return limits


def _lasso(values: list[str]) -> Lasso:
    plot, _, outline = _last(values).partition(":")
    points = [tuple(_coordinate(v) for v in pair.split(",")) for pair in outline.split(";")]
    if plot not in PLOTS or not 3 <= len(points) <= MAX_VERTICES or any(len(p) != 2 for p in points):
        raise ValueError
    return Lasso(plot, tuple((p[0], p[1]) for p in points))


def _coordinate(text: str) -> float:
    if not re.fullmatch(r"-?\d{1,15}(\.\d{1,12})?", text, re.ASCII):
        raise ValueError
    return float(text)


READERS: Mapping[str, Callable[[list[str]], Any]] = {
    "run": _run,
    "data": _digest,
    "dataset": _run,
    "against": _run,
    "ask": _run,
    "split": _split,
    "true": _names,
    "pred": _names,
    "outcome": lambda values: tuple(dict.fromkeys(_one_of(OUTCOMES)([value]) for value in values)),
    "bucket": lambda values: tuple(dict.fromkeys(_one_of(BUCKETS)([value]) for value in values)),
    "conf": _range,
    "tempered": _range,
    "reject": _share,
    "lasso": _lasso,
    "ids": _ids,
    "tag": _names,
    "slice": _names,
    "epoch": _whole(1, 10_000),
    "labels": _one_of(LABELS),
    "contrast": _pair,
    "versus": _versus,
    "look": _look,
    "scaling": _one_of(SCALINGS),
    "level": _level,
    "abstain": _share,
    "way": _way,
    "edits": _edits,
    "under": _under,
    "attack": _one_of(tuple(ATTACKS)),
    "epsilon": _epsilon,
    "target": lambda values: _names(values[-1:])[0],
    "state": _one_of(STATES),
    "text": _words,
    "since": _one_of(SINCE),
    "matrix": lambda values: MatrixView.read(_last(values)),
    "sort": _one_of(SORTS),
    "page": _whole(1, 10**6),
    "sample": _whole(0, 10**9),
}
