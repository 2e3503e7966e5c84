"""What the person is looking at: one value, in the URL, the same on every page."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any
from urllib.parse import parse_qs, quote

from ml.robustness.catalogue import ATTACKS, LADDER

RUN_ID = re.compile(r"^[a-z0-9][a-z0-9_-]{0,63}$")
SPLITS = ("test", "validation", "reference")  # reference: a part of what the runs were trained on
OUTCOMES = ("wrong", "right")
BUCKETS = ("both", "only-a", "only-b", "neither")  # who is right: A is `run`, B is `against`
PAIRED = ("/comparison",)  # pages about two runs
SORTS = ("confident", "unsure", "id")
PLOTS = ("map", "data-map")
PAGE_SIZE = 48
MAX_IDS = 200
MAX_VERTICES = 100
REPEATED = ("true", "pred", "outcome", "bucket", "tag", "slice")  # a repeated key means OR
# what narrows the examples
FILTERS = ("true", "pred", "outcome", "bucket", "conf", "tempered", "reject", "lasso", "ids", "tag", "slice")
LEVELS = (90, 95, 99)  # per cent of the prediction sets that hold the truth
SCALINGS = ("temperature",)  # probabilities after temperature scaling; as trained when not said
LABELS = ("reviewed",)  # scores and matrix with people's decisions; as labelled when not said
VERSUS = ("right", "rest", "run", "contrast")  # the right ones of its classes, all others, its images in another run, …
LOOKS = ("grad-cam", "gradients", "integrated", "occlusion")
MOST = float(LADDER[-1])  # of 255, how far an attack may move a pixel
BINS = 15  # of the calibration error; an end of a range that is a fifteenth to six digits is meant exactly
# what a picture is changed by on Prediction, and from where to where; the meaning and the strokes of `brush` are ml's
EDITS: dict[str, tuple[tuple[float, float], ...]] = {
    "rot": ((-180, 180),), "zoom": ((0.5, 2),), "shift": ((-128, 128), (-128, 128)), "invert": (), "bright": ((-1, 1),),
    "contrast": ((0, 3),), "blur": ((0, 5),), "noise": ((0, 0.5), (0, 9_999)),
}  # fmt: skip
EDITS_MOST = (40, 4_000)  # changes, and characters
STATES = ("new", "accepted", "rejected")  # of feedback
SINCE = ("hour", "day", "all")
FEW = 30  # classes a matrix shows without being told how many
TOPS = (5, 10, 20, 40)  # how many classes of a matrix are offered


@dataclass(frozen=True)
class Lasso:
    """A closed outline on a plot: vertices in the plot's own coordinates."""

    plot: str
    vertices: tuple[tuple[float, float], ...]

    def __str__(self) -> str:
        return f"{self.plot}:" + ";".join(f"{x:g},{y:g}" for x, y in self.vertices)


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
        found: dict[str, Any] = {}
        for word in text.split(","):
            if word in ("row", "column"):
                found["normalise"] = word
            elif word in ("cluster", "log", "table"):
                found[word] = True
            elif word == "off":
                found["diagonal"] = False
            elif re.fullmatch(r"top\d{1,3}", word, re.ASCII):
                found["top"] = int(word[3:])
            else:
                raise ValueError(word)
        return cls(**found)

    def __str__(self) -> str:
        words = [self.normalise if self.normalise != "count" else "", "cluster" if self.cluster else ""]
        words += ["log" if self.log else "", "" if self.diagonal else "off", "table" if self.table else ""]
        words.append("" if self.top is None else f"top{self.top}")
        return ",".join(word for word in words if word)

    def shown(self, classes: int) -> int:
        """How many of `classes` have a row of their own."""
        top = (TOPS[2] if classes > FEW else 0) if self.top is None else self.top
        return classes if top == 0 or top >= classes else top


@dataclass(frozen=True)
class Selection:
    """The fields are the query names. true and pred hold class names; page counts from 1.

    Read from a URL by `parse`, written by `query`. What could not be read is in `dropped`, in words, and not in the
    query.
    """

    run: str | None = None
    against: str | None = None
    split: str = "test"
    true: tuple[str, ...] = ()
    pred: tuple[str, ...] = ()
    outcome: tuple[str, ...] = ()
    bucket: tuple[str, ...] = ()
    conf: tuple[float, float] | None = None
    tempered: tuple[float, float] | None = None
    reject: float | None = None
    lasso: Lasso | None = None
    ids: tuple[int, ...] = ()
    tag: tuple[str, ...] = ()
    slice: tuple[str, ...] = ()
    epoch: int | None = None
    labels: str | None = None
    contrast: str | None = None
    versus: str | None = None  # whose attention is beside the selection's: one of VERSUS, or the address of another one
    look: str | None = None  # how attention is asked for: 'occlusion', 'grad-cam,label'
    scaling: str | None = None
    level: int = 95
    abstain: float | None = None  # the confidence under which the studio gives no answer
    way: str | None = (
        None  # how the studio's picture was prepared (ml.images.preparation_variants); the usual way when not said
    )
    edits: str | None = None  # how the studio's picture is changed by hand, 'rot:15,shift:2:-1'
    state: str | None = None  # of feedback, one of STATES
    text: str | None = None  # looked for in feedback
    since: str | None = None  # how far back Monitoring looks, one of SINCE; an hour when not said
    matrix: MatrixView = MatrixView()
    under: str | None = None  # whose flipped images are shown: 'noise:3' at that severity, 'pgd:0.5' at that epsilon
    attack: str | None = None  # how the picture is attacked: one of ATTACKS, within epsilon of 255, towards a class
    epsilon: float | None = None
    target: str | None = None
    sort: str = "confident"
    page: int = 1
    sample: int | None = None
    dropped: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def parse(cls, search: object) -> "Selection":
        """From a URL's search part; never raises. Unknown names and bad values end in `dropped`."""
        text = search if isinstance(search, str) else ""
        try:
            pairs = parse_qs(text.removeprefix("?")[:8_000], keep_blank_values=True, max_num_fields=400)
        except ValueError:
            return cls(dropped=("the whole address, which has too many parts",))
        found, dropped = {}, []
        for name, values in pairs.items():
            reader = READERS.get(name)
            if reader is None:
                dropped.append(f"{_short(name)}, which is no filter here")
                continue
            try:
                found[name] = reader(values)
            except (ValueError, OverflowError):
                dropped.append(f"{_short(name)}={_short(values[-1])}, which cannot be read")
        return cls(**found, dropped=tuple(dropped))

    def query(self) -> str:
        """The URL's search part, '' when everything is at its default. Field order is fixed, so equal means equal."""
        parts = []
        for name, value in self.items():
            values = value if isinstance(value, tuple) and name in REPEATED else (value,)
            parts += [f"{name}={quote(_text(name, v), safe=':;,.-~')}" for v in values]
        return "?" + "&".join(parts) if parts else ""

    def items(self) -> list[tuple[str, object]]:
        """(name, value) of every field that is not at its default, `dropped` aside."""
        return [
            (f.name, getattr(self, f.name))
            for f in fields(self)
            if f.name != "dropped" and getattr(self, f.name) != f.default
        ]

    def with_(self, **changes: Any) -> "Selection":
        """A changed copy. Changing what narrows the examples goes back to page 1 and closes the drawer; another
        example is prepared in the usual way and not changed by hand."""
        others = ("run", "against", "split", "epoch", "labels", "state", "text", "sort")
        if any(name in changes for name in (*FILTERS, *others)):
            changes = {"page": 1, "sample": None, **changes}
        if "sample" in changes:
            changes = {"way": None, "edits": None, **changes}
        return replace(self, **changes)

    def toggle(self, name: str, value: str | tuple[str, ...], *, add: bool = False) -> "Selection":
        """Set a class field (true or pred) to one value, or to several at once; where it is set already, remove it.

        add: keep the field's other values instead of replacing them.
        """
        now, values = getattr(self, name), _tuple(value)
        if set(values) <= set(now) and (add or now == values):
            return self.with_(**{name: tuple(v for v in now if v not in values)})
        return self.with_(**{name: tuple(dict.fromkeys((*now, *values))) if add else values})

    def cell(self, true: str | tuple[str, ...], pred: str | tuple[str, ...], *, add: bool = False) -> "Selection":
        """The pictures of one cell of the matrix, whatever their outcome; where it is chosen already, let go of it.

        true, pred: a class, or the classes that share a row or column.
        """
        rows, columns = _tuple(true), _tuple(pred)
        if self.true == rows and self.pred == columns:
            return self.with_(true=(), pred=(), outcome=())
        if not add:
            return self.with_(true=rows, pred=columns, outcome=())
        join = {"true": (*self.true, *rows), "pred": (*self.pred, *columns)}
        return self.with_(outcome=(), **{name: tuple(dict.fromkeys(values)) for name, values in join.items()})

    def explicit(self) -> "Selection":
        """The same examples with the outcome that holds by default written out."""
        return self.with_(outcome=self.outcomes) if not self.narrowed else self

    def differing(self) -> "Selection":
        """The same examples on a page about two runs: without any filter, what one run alone has right is meant."""
        return self if self.narrowed else self.with_(bucket=BUCKETS[1:3])

    def swapped(self, run: str, against: str) -> "Selection":
        """The same comparison seen from the other side: run and against are those it was. What was A's alone goes."""
        other = {"only-a": "only-b", "only-b": "only-a"}
        buckets = tuple(other.get(name, name) for name in self.bucket)
        gone = {"outcome": (), "conf": None, "tempered": None, "reject": None, "lasso": None, "contrast": None}
        return self.with_(run=against, against=run, bucket=buckets, **gone)

    def clear(self) -> "Selection":
        """Without anything that narrows the examples, nor a second cell beside them."""
        return self.with_(contrast=None, **{f.name: f.default for f in fields(self) if f.name in FILTERS})

    def view(self, **changes: Any) -> "Selection":
        """With the matrix drawn another way; the place in the gallery stays."""
        return replace(self, matrix=replace(self.matrix, **changes))

    def beside(self, true: str, pred: str) -> "Selection":
        """The cell of the matrix to hold the chosen one against; the first one is chosen, not held against anything."""
        if not self.true and not self.pred:
            return self.cell(true, pred)
        text = f"{true}~{pred}"
        return replace(self, contrast=None if self.contrast == text else text)

    def other_cell(self, classes: Sequence[str]) -> tuple[str, str] | None:
        """(truth, guess) of `contrast`, None where it names none of these classes. A name may hold the ~ itself."""
        parts = (self.contrast or "").split("~")
        pairs = (("~".join(parts[:i]), "~".join(parts[i:])) for i in range(1, len(parts)))
        return next((pair for pair in pairs if pair[0] in classes and pair[1] in classes), None)

    def contrasted(self, classes: Sequence[str]) -> "Selection | None":
        """The same selection with the other cell in place of the chosen one, None without one."""
        pair = self.other_cell(classes)
        if pair is None:
            return None
        return self.with_(true=pair[:1], pred=pair[1:], outcome=(), contrast=None)

    def here(self, **keep: Any) -> "Selection":
        """What a link to another page carries: the filters, not the place in the gallery."""
        return replace(self, page=1, sample=None, way=None, edits=None, **keep)

    @property
    def narrowed(self) -> bool:
        """Whether anything narrows the examples."""
        return any(name in FILTERS for name, _ in self.items())

    @property
    def outcomes(self) -> tuple[str, ...]:
        """What holds: without any filter the mistakes, since that is what people come for; () for both."""
        if not self.narrowed:
            return ("wrong",)
        return () if len(self.outcome) == len(OUTCOMES) else self.outcome

    @property
    def buckets(self) -> tuple[str, ...]:
        """What holds; () for all four."""
        return () if len(self.bucket) == len(BUCKETS) else self.bucket


def _tuple(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "…"


def _text(name: str, value: Any) -> str:
    if name in ("conf", "tempered"):
        return "-".join(decimals(end) for end in value)
    if name == "ids":
        return ",".join(map(str, value))
    if name == "epsilon":
        return f"{value:.10g}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def decimals(share: float) -> str:
    """Two digits, up to six where two do not say it: '0.50', '0.933333'."""
    text = f"{share:.6f}".rstrip("0")
    return text if len(text) > 3 else f"{share:.2f}"


def exact(share: float) -> float:
    """The fifteenth that is meant where `share` is one to six digits, else the share itself."""
    nearest = round(share * BINS) / BINS
    return nearest if abs(nearest - share) < 1e-6 else share


def _last(values: list[str]) -> str:
    return values[-1]


def _one_of(choices: tuple[str, ...]):
    def read(values: list[str]) -> str:
        if _last(values) not in choices:
            raise ValueError
        return _last(values)

    return read


def _names(values: list[str]) -> tuple[str, ...]:
    if len(values) > 200 or not all(0 < len(v) <= 60 and v.isprintable() for v in values):
        raise ValueError
    return tuple(dict.fromkeys(values))


def _words(values: list[str]) -> str:
    text = " ".join(_last(values).split())
    if not 1 <= len(text) <= 60 or not text.isprintable():
        raise ValueError
    return text


def _pair(values: list[str]) -> str:
    text = _last(values)
    if not 3 <= len(text) <= 121 or not text.isprintable() or "~" not in text[1:-1]:
        raise ValueError
    return text


def _run(values: list[str]) -> str:
    if not RUN_ID.fullmatch(_last(values)):
        raise ValueError
    return _last(values)


def _way(values: list[str]) -> str:
    if not re.fullmatch(r"[a-z][a-z-]{0,19}", _last(values), re.ASCII):
        raise ValueError
    return _last(values)


def _edits(values: list[str]) -> str:
    text = _last(values)
    parts = text.split(",")
    if len(parts) > EDITS_MOST[0] or len(text) > EDITS_MOST[1]:
        raise ValueError
    for part in parts:
        kind, *numbers = part.split(":")
        if kind == "brush":
            if len(numbers) != 1 or not re.fullmatch(r"[A-Za-z0-9_-]{7,}", numbers[0], re.ASCII):
                raise ValueError
            continue
        if kind not in EDITS:
            raise ValueError
        for number, (low, high) in zip(numbers, EDITS[kind], strict=True):
            readable = re.fullmatch(r"-?(0|[1-9]\d{0,3})(\.\d{1,3})?", number, re.ASCII)
            if not readable or not low <= float(number) <= high:
                raise ValueError
    return text


def _level(values: list[str]) -> int:
    return int(_one_of(tuple(map(str, LEVELS)))(values))


def _versus(values: list[str]) -> str:
    text = _last(values)
    if text not in VERSUS and not (text.startswith("?") and len(text) <= 2_000 and text.isprintable()):
        raise ValueError
    return text


def _under(values: list[str]) -> str:
    name, _, much = _last(values).partition(":")
    if not re.fullmatch(r"[a-z]{2,20}", name, re.ASCII):
        raise ValueError
    _epsilon([much])
    return _last(values)


def _epsilon(values: list[str]) -> float:
    if not re.fullmatch(r"\d{1,2}(\.\d{1,8})?", _last(values), re.ASCII) or float(_last(values)) > MOST:
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
    found = _share([low]), _share([high])
    if found[0] > found[1]:
        raise ValueError
    return found


def _lasso(values: list[str]) -> Lasso:
    plot, _, outline = _last(values).partition(":")
    points = [tuple(_coordinate(v) for v in pair.split(",")) for pair in outline.split(";")]
    if plot not in PLOTS or not 3 <= len(points) <= MAX_VERTICES or any(len(p) != 2 for p in points):
        raise ValueError
    return Lasso(plot, tuple((p[0], p[1]) for p in points))


def _coordinate(text: str) -> float:
    if not re.fullmatch(r"-?\d{1,6}(\.\d{1,6})?", text, re.ASCII):
        raise ValueError
    return float(text)


READERS = {
    "run": _run,
    "against": _run,
    "split": _one_of(SPLITS),
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
