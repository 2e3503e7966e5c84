"""Every choice of a training, as a form needs it: kind, limits, sentence, read off TrainConfig. Never torch."""

import types
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from ml.models import MODELS
from ml.training import wording
from ml.training.config import TrainConfig

KINDS = {bool: "switch", int: "whole", float: "number", str: "text"}


@dataclass(frozen=True)
class Field:
    """kind: whole, number, switch, text, choice (one of choices) or several (any of choices).

    low, high: ends of what a number may be, both allowed. optional: None may be chosen, and means what `description`
    says.
    """

    name: str
    kind: str
    default: Any
    description: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    optional: bool = False


def _field(name: str, info: FieldInfo) -> Field:
    annotation: Any = info.annotation
    optional = get_origin(annotation) in (Union, types.UnionType)
    (kind,) = (part for part in get_args(annotation) if part is not type(None)) if optional else (annotation,)
    ends = {end: _limit(info, sign) for end, sign in (("low", "ge"), ("high", "le"))}
    choices: tuple[str, ...] = ()
    if get_origin(kind) is Literal:
        words, choices = "choice", get_args(kind)
    elif get_origin(kind) is tuple:
        words, choices = "several", get_args(get_args(kind)[0])
    else:
        words = KINDS[kind]
    return Field(name, words, info.default, info.description or "", choices=choices, optional=optional, **ends)


def _limit(info: FieldInfo, sign: str) -> float | None:
    return next((getattr(limit, sign) for limit in info.metadata if hasattr(limit, sign)), None)


FIELDS: dict[str, Field] = {name: _field(name, info) for name, info in TrainConfig.model_fields.items()}
"""In TrainConfig's order."""


NAMES = {
    "model": f"one of {', '.join(MODELS)}, or timm:<name>",
    "dataset": "the name of a data set that is here, as python -m ml data list tells it",
    "labels": "the 16 digits by which Review calls its corrected labels",
    "feedback": "the 16 digits by which Feedback calls what was accepted",
    "teacher": "a run, or up to four with commas between",
}
"""Of choices that are text: what they hold."""


def allowed(name: str) -> str:
    """What a choice may be, in words that stand behind its name: 'a whole number from 1 to 200', 'any of flip, …'."""
    field = FIELDS[name]
    empty = ", or nothing" if field.optional else ""
    if field.kind in ("whole", "number"):
        kind = "a whole number" if field.kind == "whole" else "a number"
        return f"{kind} from {wording.span(field.low or 0, field.high or 0)}{empty}"
    if field.kind == "several":
        return f"any of {', '.join(field.choices)}"
    if field.kind == "text":
        return f"{NAMES[name]}{empty}"
    return "on or off" if field.kind == "switch" else f"one of {', '.join(field.choices)}"
