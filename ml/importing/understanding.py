"""How a network from elsewhere is asked, and what its numbers are: told by its shapes, its answers and its metadata.

A name proves nothing: which output answers, and with what, is told by asking about real pictures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ml.images.framing import FRAMES, LEAST_SHARE, RESAMPLING
from ml.importing import naming, plain
from ml.importing.graph import BEGINS, Unusable
from ml.inference.imported import RANGES, TYPES, Interface, table
from ml.recording import numbers
from ml.system.wording import quantity

LAYOUTS = ("nchw", "nhwc", "nhw", "flat", "flat-chw")
NAMED = ("probabilities", "probability", "probs", "softmax", "logits", "scores", "predictions")
DENOTED = {"NominalRange_0_255": "0-255", "Normalized_0_1": "0-1", "Normalized_1_1": "-1-1"}
"""Values of the metadata Image.NominalPixelRange that ONNX defines, as RANGES has them."""


@dataclass(frozen=True)
class Wishes:
    """What a person says; '' or nothing for what shall be found out. frame, share, resampling: as ml.images.framing has
    them; classes: names here in the order of the outputs; names: what the file calls a class → its name here; match:
    take names of the file that differ in case, spaces and underscores alone; size: height and width that it takes;
    architecture: of weights, timm:NAME, torchvision:NAME or ours."""

    layout: str = ""
    range: str = ""
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()
    channels: str = ""
    frame: str = ""
    share: float = 0
    resampling: str = ""
    inverted: bool = False
    transposed: bool = False
    output: str = ""
    numbers: str = ""
    classes: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    match: bool = False
    size: tuple[int, ...] = ()
    architecture: str = ""

    @classmethod
    def of(cls, said: dict[str, Any]) -> "Wishes":
        """From what JSON made of one."""
        fields: dict[str, Any] = {key: tuple(one) if isinstance(one, list) else one for key, one in said.items()}
        return cls(**fields)


@dataclass(frozen=True)
class Asked:
    """A way to ask, before it was tried. fields: of Interface, all that lies before the answer; notes: sentences."""

    fields: dict[str, Any]
    notes: list[str] = field(default_factory=list)

    def interface(self, classes: int, **more: Any) -> Interface:
        """more: further fields of Interface."""
        order = tuple(range(classes))
        return Interface(**{**self.fields, "output": "-", "numbers": "probabilities", "order": order, **more})


def ways(session: Any, shape: tuple[int, int, int], wishes: Wishes, said: dict[str, str]) -> list[Asked]:
    """Every way in which the network may take pictures of (height, width, channels), the likeliest first. said: the
    file's metadata. Raises Unusable."""
    inputs = session.get_inputs()
    if len(inputs) != 1:
        names = ", ".join(repr(one.name) for one in inputs[:5])
        raise Unusable(
            f"the network takes {len(inputs)} inputs ({names}), and a classifier of pictures one: export it with the "
            "pictures alone"
        )
    one = inputs[0]
    if one.type not in TYPES:
        raise Unusable(
            f"the network's input {one.name!r} is {one.type}: pictures are given as float32, float16, float64 or uint8"
        )
    sides = [side if isinstance(side, int) and side > 0 else 0 for side in one.shape] or [0, 0, 0, 0]
    forms = {
        layout: form
        for layout in ([wishes.layout] if wishes.layout else LAYOUTS)
        if (form := _form(layout, sides, shape)) is not None
    }
    if not forms:
        words = " × ".join(str(side or "any") for side in sides)
        height, width, channels = shape
        if sorted(sides) in (sorted(shape), sorted((height, width))) or len(sides) == 1:
            raise Unusable(
                f"the network's input {one.name!r} takes {words}, one picture without an axis for how many: export it "
                "for [n, channels, height, width] or [n, height, width, channels]"
            )
        said_so = f", which is not {wishes.layout}" if wishes.layout else ""
        raise Unusable(
            f"the network's input {one.name!r} takes {words}{said_so}, and the data set has pictures of "
            f"{height} × {width} in {quantity(channels, 'channel')}: export it for those channels, "
            "as [n, channels, height, width] or [n, height, width, channels]"
        )
    return [
        _way(one, layout, form, sides[0] if sides else 0, shape, wishes, said, sure=len(forms) == 1)
        for layout, form in forms.items()
    ]


def _frame(wishes: Wishes) -> tuple[str, float, str]:
    """As Interface has them. Raises Unusable."""
    frame = wishes.frame or ("crop" if wishes.share else "stretch")
    share, resampling = wishes.share or 1.0, wishes.resampling or "bilinear"
    if frame not in FRAMES or resampling not in RESAMPLING:
        raise Unusable(f"--frame is {', '.join(FRAMES)}, and --resampling {', '.join(RESAMPLING)}")
    if not LEAST_SHARE <= share <= 1 or (share < 1 and frame != "crop"):
        raise Unusable(f"--share is of --frame crop, and of the shorter side, {LEAST_SHARE:g} to 1; it is {share:g}")
    return frame, share, resampling


def framing(
    shape: tuple[int, ...], size: tuple[int, int], frame: str, share: float, resampling: str
) -> list[str]:  # fmt: skip
    """A sentence on how pictures of shape get the network's size, none where they have it."""
    if frame == "crop" and share < 1:
        height, width = size
        return [
            f"pictures are made larger than {height} × {width}, {resampling}, and the middle is cut out: "
            f"{share:g} of the shorter side"
        ]
    if size == shape[:2]:
        return []
    how = {
        "stretch": "", "letterbox": ", their proportions kept, on black",
        "crop": ", their proportions kept, what stands over cut",
    }[frame]  # fmt: skip
    return [
        f"pictures of {shape[0]} × {shape[1]} are resized to {size[0]} × {size[1]}, which the network takes, "
        f"{resampling}{how}"
    ]


def _form(layout: str, sides: Sequence[int], shape: tuple[int, int, int]) -> tuple[int, int, int] | None:
    """(height, width, channels) of the pictures in this layout, None where these sides cannot be it."""
    height, width, channels = shape
    if layout in ("flat", "flat-chw"):
        if layout == "flat-chw" and channels == 1:
            return None  # of one channel both are the same
        fits = len(sides) == 2 and sides[1] in (0, height * width * channels)
        return shape if fits else None
    if layout == "nhw":
        fits = len(sides) == 3 and channels == 1
        return (sides[1] or height, sides[2] or width, 1) if fits else None
    if len(sides) != 4:
        return None
    deep, tall, wide = sides[1:] if layout == "nchw" else (sides[3], *sides[1:3])
    if deep not in (0, channels) and not (channels == 1 and deep == 3):
        return None
    return tall or height, wide or width, deep or channels


def _way(
    one: Any, layout: str, form: tuple[int, int, int], batch: int, shape: tuple[int, int, int], wishes: Wishes,
    said: dict[str, str], *, sure: bool,
) -> Asked:  # fmt: skip
    height, width, channels = form
    kind = one.type.removeprefix("tensor(").removesuffix(")")
    given = "as was said" if wishes.layout else "by its shape" if sure else "assumed: --layout says otherwise"
    notes = [
        f"input {one.name!r}: {kind}, {layout} ({given}), {f'{batch} at a time' if batch else 'any number at a time'}"
    ]
    frame, share, resampling = _frame(wishes)
    notes += framing(shape, (height, width), frame, share, resampling)
    notes += [
        word
        for said_so, word in (
            (wishes.inverted, "pictures are inverted: what is black here was white there (as was said)"),
            (wishes.transposed, "rows of pictures are given as columns (as was said)"),
        )
        if said_so
    ]
    if channels != shape[2]:
        notes.append("pictures in gray are given three times over, as red, green and blue")
    mean, deviation, words = _scaling(kind, channels, wishes, said)
    notes.append(words)
    bgr = channels == 3 and (wishes.channels or said.get("Image.BitmapPixelFormat", "").lower()[:3]) == "bgr"
    if channels == 3:
        known = wishes.channels or "Image.BitmapPixelFormat" in said
        how = (
            "as was said"
            if wishes.channels
            else "by its metadata"
            if known
            else "assumed: --channels bgr says otherwise"
        )
        notes.append(f"channels: {'blue, green, red' if bgr else 'red, green, blue'} ({how})")
    fields = {
        "input": one.name, "type": one.type, "layout": layout, "height": height, "width": width, "channels": channels,
        "batch": batch, "mean": mean, "deviation": deviation, "bgr": bgr, "frame": frame, "share": share,
        "resampling": resampling, "inverted": wishes.inverted, "transposed": wishes.transposed,
    }  # fmt: skip
    return Asked(fields, notes)


def _scaling(
    kind: str, channels: int, wishes: Wishes, said: dict[str, str]
) -> tuple[tuple[float, ...], tuple[float, ...], str]:
    """Mean and deviation of pixels from 0 to 1, and a sentence on where they come from. Raises Unusable."""
    denoted = DENOTED.get(said.get("Image.NominalPixelRange", ""), "")
    told = denoted or said.get(BEGINS, "")
    if kind == "uint8":
        if wishes.range not in ("", "0-255") or wishes.mean or wishes.deviation:
            raise Unusable("the network takes uint8, pixels as they are: leave --range, --mean and --std out")
        return (0.0,), (1.0,), "pixels: as they are, 0 to 255"
    mean, deviation = RANGES[wishes.range or told or "0-1"]
    mean, deviation = wishes.mean or mean, wishes.deviation or deviation
    if {len(mean), len(deviation)} - {1, channels}:
        raise Unusable(
            f"the pixels' mean and deviation are of {max(len(mean), len(deviation))} channels, and the network takes "
            f"{quantity(channels, 'channel')}: say --range, or --mean and --std, for those"
        )
    given = wishes.range or wishes.mean or wishes.deviation
    found = "by its metadata" if denoted else "by what it does with them first"
    how = "as was said" if given else found if told else "assumed: --range, --mean and --std say otherwise"
    numbers = f"mean {', '.join(f'{x:g}' for x in mean)}, deviation {', '.join(f'{x:g}' for x in deviation)} of 0 to 1"
    name = "" if wishes.mean or wishes.deviation else wishes.range or told or "0-1"
    return mean, deviation, f"pixels: {name or numbers} ({how})"


@dataclass(frozen=True)
class Answering:
    """An output that may be the answer. values: float [n, outputs]; keys: of its dictionaries, none for an array."""

    name: str
    values: np.ndarray
    keys: tuple[str | int, ...] = ()


def answering(
    answers: dict[str, Any], classes: int, names: Sequence[str], wishes: Wishes, n: int
) -> tuple[Answering, list[str]]:
    """Which output is the answer, of n pictures: one with as many numbers as the data set has classes, else as the
    network has names. answers: output → what it said. Raises Unusable."""
    if wishes.output and wishes.output not in answers:
        raise Unusable(f"the network has no output {wishes.output!r}; it has {', '.join(map(repr, answers))}")
    tables = _tables(answers, n)
    if wishes.output:
        if wishes.output not in tables or tables[wishes.output].values.shape[1] < 2:
            raise Unusable(f"output {wishes.output!r} does not give one number for each class")
        return tables[wishes.output], [f"output {wishes.output!r}, as was said"]
    fit: dict[str, Answering] = {}
    for width in (len(wishes.classes),) if wishes.classes else (classes, len(names)):
        fit = fit or {name: one for name, one in tables.items() if width and one.values.shape[1] == width}
    fit = fit or {name: one for name, one in tables.items() if one.keys and isinstance(one.keys[0], str)}
    wide = {name: one for name, one in tables.items() if one.values.shape[1] > 1}
    if not fit and len(wide) == 1:
        fit = wide  # which it may be, where a person says of which classes it is
    shapes = [np.shape(answer) for answer in answers.values() if not isinstance(answer, list)]
    if not fit and classes > 2 and [*shapes].count((n,)) + [*shapes].count((n, 1)) >= classes:
        raise Unusable(
            f"the network has {len(answers)} outputs of one number a picture instead of one of {classes}: export it "
            "with all classes in one output, from scikit-learn with options={'zipmap': False}"
        )
    if not fit:
        given = ", ".join(map(str, sorted({one.values.shape[1] for one in tables.values()}))) or "no"
        raise Unusable(
            f"the network gives {given} numbers a picture, and the data set has {classes} classes: choose the data set "
            "that it was trained for, or export it with one output for each class"
        )
    graded = {name: one for name, one in fit.items() if not np.isin(one.values, (0, 1)).all()}
    fit = graded or fit  # a one for the likeliest class says less than the numbers that it comes of
    rest = [one for one in answers if one not in fit]
    notes = [f"outputs left alone: {', '.join(map(repr, rest[:5]))}"] if rest else []
    even = [one for one in fit.values() if _even(one.values)]
    named = [one for one in fit.values() if numbers.words(one.name) in NAMED]
    chosen = next((group[0] for group in ([*fit.values()], even, named) if len(group) == 1), None)
    if chosen is None:
        raise Unusable(
            f"several outputs give one number for each class ({', '.join(map(repr, fit))}): say which, --output NAME"
        )
    how = "the one with a number for each class"
    if len(fit) > 1:
        how = "of several with a number for each class " + (
            "the one whose rows add up to 1" if len(even) == 1 else "the one that is called so"
        )
    return chosen, [f"output {chosen.name!r}: {how}", *notes]


def _tables(answers: dict[str, Any], n: int) -> dict[str, Answering]:
    """Outputs that give numbers of each picture."""
    found = {}
    for name, answer in answers.items():
        keys: tuple[str | int, ...] = ()
        if isinstance(answer, list) and answer and isinstance(answer[0], dict):
            keys = tuple(sorted(answer[0], key=lambda key: (isinstance(key, str), key)))
        try:
            values = table(answer, keys)
        except (ValueError, TypeError):
            continue
        if values.ndim == 2 and len(values) == n:
            found[name] = Answering(name, values, keys)
    return found


def _even(values: np.ndarray) -> bool:
    return bool(values.min() >= -numbers.BEYOND and np.abs(values.sum(1) - 1).max() <= numbers.EVEN)


def numbered(labels: Sequence[str | int]) -> list[str]:
    """A sentence on classes that the file numbers otherwise than from 0 on."""
    if not labels or isinstance(labels[0], str) or [*labels] == [*range(len(labels))]:
        return []
    return [
        f"the file's classes are {', '.join(map(str, labels[:10]))}{' …' if len(labels) > 10 else ''}, in that order"
    ]


def contradicted(answers: dict[str, Any], chosen: Answering, labels: Sequence[str | int]) -> list[str]:
    """A sentence where the network's own label is now and then another class than its largest number. labels: what the
    file calls its classes. Raises Unusable where it mostly is."""
    apart, n = plain.disagreement(answers, chosen.values, labels)
    if 2 * apart > n:
        raise Unusable(
            f"the network itself names another class than the largest number of output {chosen.name!r}, of {apart} of "
            f"{n} pictures: those numbers are no scores of the classes; export it with probabilities"
        )
    return [f"of {apart} of {n} pictures its own label is not its largest number; the numbers count"] if apart else []


def meaning(values: np.ndarray, wishes: Wishes) -> tuple[str, list[str]]:
    """One of numbers.VALUES and sentences. Raises Unusable where nobody can tell."""
    if not np.isfinite(values).all():
        raise Unusable(
            "the network answers with numbers that are not finite: look at what it was trained and exported with"
        )
    try:
        told = numbers.kind_of(values.astype(np.float64), wishes.numbers)
    except ValueError:
        low, high, sums = values.min(), values.max(), values.sum(1)
        raise Unusable(
            f"its numbers are between {low:.3g} and {high:.3g} and add up to {sums.min():.3g} to {sums.max():.3g}: "
            "logits, or a yes or no for each class? Say --outputs logits, or --outputs scores to divide by the sum"
        ) from None
    return told.kind, [*told.notes] or ["its numbers are probabilities: those of a picture add up to 1"]


def called(
    keys: Sequence[str | int], names: Sequence[str], width: int, classes: Sequence[str], wishes: Wishes
) -> naming.Named:
    """Which output is which class. keys: of dictionaries; names: what the file's metadata call the outputs; width: how
    many there are. Raises Unusable."""
    said = wishes.classes or (tuple(map(str, keys)) if any(isinstance(one, str) for one in keys) else tuple(names))
    whose = "as was said" if wishes.classes else "by their names in the file"
    return naming.named(width, said, whose, classes, wishes.names, match=wishes.match)
