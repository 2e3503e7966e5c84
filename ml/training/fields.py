"""Every choice of a training, as a form needs it: kind, limits, sentence, read off TrainConfig. Never torch."""

import types
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

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
