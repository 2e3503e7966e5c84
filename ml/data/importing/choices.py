"""What a person says of a source, and what becomes of its records by that."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from ml.data.base import SPLITS, UNLABELLED
from ml.data.importing import names as class_names
from ml.data.importing.columns import ROLES
from ml.data.importing.records import Found, Record, some
from ml.images.file_names import clean, normal
from ml.images.fitting import COLOUR, FITTINGS, RESAMPLING

LEAST_SIDE, MOST_SIDE = 4, 512  # pixels of the pictures that a data set keeps
MOST_SHARE = 0.5
MOST_SEED = 2**31 - 1
PARTS = (*SPLITS, UNLABELLED, "")  # what a split, or what the source calls one, may be taken as; '' leaves it out
CLASS_NOT_CHOSEN, SPLIT_NOT_CHOSEN = "its class is left out, as was chosen", "its split is left out, as was chosen"


@dataclass(frozen=True)
class Choices:
    """All of it may be left to what is found. Raises ValueError, in words, for what cannot be.

    order: class names by class id, kept where it has exactly these; code_page: of names in a zip that do not say
    theirs; columns: what columns of tables are for, role → name; names: class as found → name wanted, '' leaves it
    out, two alike are united; splits: split, or what the source calls one → one of PARTS.

    size: (height, width); fitting: one of ml.images.fitting.FITTINGS; resampling: one of its RESAMPLING; colour: three
    channels, or one; background: #rrggbb, which transparent things are laid on and what is padded is surrounded by;
    turned: whether arrays have rows and columns the other way round. None, and '' of a colour: as is found.

    validation, test: shares of train, drawn where the source has no such split, by class and seed.
    """

    order: Sequence[str] = ()
    code_page: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    splits: Mapping[str, str] = field(default_factory=dict)
    size: tuple[int, int] | None = None
    fitting: str = "pad"
    resampling: str = "lanczos"
    colour: bool | None = None
    background: str = ""
    turned: bool | None = None
    seed: int = 0
    validation: float = 0.1
    test: float = 0.1

    def __post_init__(self) -> None:
        _one_of("fitting", self.fitting, FITTINGS)
        _one_of("resampling", self.resampling, RESAMPLING)
        for role in self.columns:
            _one_of("a column's role", role, ROLES)
        for part in self.splits.values():
            _one_of("a split", part, PARTS)
        if self.size is not None and not all(LEAST_SIDE <= side <= MOST_SIDE for side in self.size):
            shown = " x ".join(map(str, self.size))
            raise ValueError(f"pictures have {LEAST_SIDE} to {MOST_SIDE} pixels a side, not {shown}")
        if self.background and not COLOUR.fullmatch(self.background):
            raise ValueError(f"a background is written #rrggbb, as in #ffffff, not {self.background!r}")
        if not 0 <= self.seed <= MOST_SEED:
            raise ValueError(f"a seed is a whole number from 0 to {MOST_SEED:,}, not {self.seed}")
        for name, share in (("validation", self.validation), ("test", self.test)):
            if not 0 < share <= MOST_SHARE:
                raise ValueError(f"the share that is drawn for {name} is above 0 and at most {MOST_SHARE}, not {share}")

    def to_json(self) -> dict[str, Any]:
        """All of it, as JSON has it; from_json reads it."""
        plain = {"order": list(self.order), "columns": dict(self.columns), "names": dict(self.names)}
        return asdict(self) | plain | {"splits": dict(self.splits), "size": list(self.size) if self.size else None}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "Choices":
        """What is not said is left to what is found. Raises ValueError, in words, for unknown keys and values."""
        if not isinstance(said, Mapping):
            raise ValueError("choices are an object of names and values")
        kept: dict[str, Any] = {}
        known = [one.name for one in fields(cls)]
        for key, value in said.items():
            if key not in known:
                raise ValueError(f"there is no choice {key!r}; there are {', '.join(known)}")
            wanted, fits = KINDS[key]
            if value is None and key in MAY_BE_NONE:
                continue
            if not fits(value):
                raise ValueError(f"{key} is {wanted}")
            kept[key] = tuple(value) if key in ("size", "order") else value
        return cls(**kept)


def _texts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(one, str) for pair in value.items() for one in pair)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


MAY_BE_NONE = ("code_page", "size", "colour", "turned")
KINDS: dict[str, tuple[str, Any]] = {
    "order": ("a list of names", lambda one: isinstance(one, list | tuple) and all(isinstance(n, str) for n in one)),
    "code_page": ("a name", lambda one: isinstance(one, str)),
    "columns": ("an object, role to column", _texts),
    "names": ("an object, class to name", _texts),
    "splits": ("an object, what is found to a split", _texts),
    "size": ("two whole numbers, height and width", lambda one: isinstance(one, list | tuple) and len(one) == 2
             and all(map(_whole, one))),
    "fitting": ("a word", lambda one: isinstance(one, str)),
    "resampling": ("a word", lambda one: isinstance(one, str)),
    "colour": ("true or false", lambda one: isinstance(one, bool)),
    "background": ("a colour, #rrggbb", lambda one: isinstance(one, str)),
    "turned": ("true or false", lambda one: isinstance(one, bool)),
    "seed": ("a whole number", _whole),
    "validation": ("a number", lambda one: isinstance(one, int | float) and not isinstance(one, bool)),
    "test": ("a number", lambda one: isinstance(one, int | float) and not isinstance(one, bool)),
}  # fmt: skip


def _one_of(what: str, value: str, known: Any) -> None:
    if value not in known:
        words = ", ".join(one or "''" for one in known)
        raise ValueError(f"{what} is one of {words}, not {value!r}")


def applied(found: Found, choices: Choices, shown: str) -> Found:
    """With the splits and the names of classes that were chosen. Raises ValueError for a choice about what is not
    there, and where fewer than two classes are left. shown: what the source is called."""
    found = _with_splits(found, choices.splits) if choices.splits else found
    found = _with_names(found, choices, shown) if choices.names else found
    if choices.order and sorted(choices.order) != sorted(found.classes):
        found.notes.append(_not_followed(choices.order, found.classes))
    return found


def _not_followed(order: Sequence[str], classes: Sequence[str]) -> str:
    strange = [repr(clean(name)) for name in order if name not in classes]
    lacking = [repr(name) for name in classes if name not in order]
    why = [f"it names {some(strange)}, which is no class"] * bool(strange) + [f"it lacks {some(lacking)}"] * bool(
        lacking
    )
    return f"the order of classes that was chosen is not followed: {'; '.join(why) or 'it names one twice'}"


def _with_splits(found: Found, chosen: Mapping[str, str]) -> Found:
    met = {name for one in found.records for name in (one.part, one.split)}
    if unknown := [name for name in chosen if name not in met]:
        there = [one for one in sorted(met) if one]
        words = f"there are {some(there)}" if there else "it tells of none"
        raise ValueError(f"nothing in the source is a split called {unknown[0]!r}; {words}")
    kept: list[Record] = []
    for one in found.records:
        part = chosen.get(one.part, chosen.get(one.split, one.split or None))
        if part == "":
            found.left_out.add(one.name, SPLIT_NOT_CHOSEN)
        elif part == UNLABELLED or one.label is None:
            kept.append(replace(one, split=UNLABELLED, label=None))
        else:
            kept.append(replace(one, split=part or ""))
    alone = {one.split for one in kept}
    return replace(found, records=kept, given=tuple(split for split in SPLITS if split in alone))


def _with_names(found: Found, choices: Choices, shown: str) -> Found:
    for name in choices.names:
        if name not in found.classes:
            raise ValueError(f"there is no class {name!r} in the source; it has {some(found.classes)}")
    wanted = [normal(choices.names.get(name, name)).strip() for name in found.classes]
    named, notes = class_names.shown(dict.fromkeys(name for name in wanted if name))
    classes = tuple(dict.fromkeys(named[name] for name in wanted if name))
    if len(classes) < 2:
        raise ValueError(f"{shown}: at least two classes have to be left, and it is {some(classes) or 'none'}")
    if sorted(choices.order) == sorted(classes):
        classes = tuple(choices.order)
    ids = [classes.index(named[name]) if name else None for name in wanted]
    kept: list[Record] = []
    for one in found.records:
        if one.label is None:
            kept.append(one)
        elif (label := ids[one.label]) is None:
            found.left_out.add(one.name, CLASS_NOT_CHOSEN)
        else:
            kept.append(replace(one, label=label))
    united = [name for name in classes if sum(named.get(one) == name for one in wanted if one) > 1]
    if united:
        notes.append(f"several classes are united as chosen: {clean(some(united))}")
    return replace(found, classes=classes, records=kept, notes=[*found.notes, *notes])
