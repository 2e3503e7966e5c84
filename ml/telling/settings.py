"""What a script says that it trains with, as a manifest can hold it: names and plain values, nothing secret."""

import dataclasses
import enum
import math
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from types import FunctionType
from typing import Any

from ml.telling.border import Wrong

MOST, LETTERS, TEXT, ITEMS = 200, 80, 200, 50
SECRET = re.compile(
    r"(^|[._\- ])(api_?key|access_?key|token|password|passwd|secret|credentials?|auth)s?($|[._\- ])", re.I
)
NAMES = {
    **dict.fromkeys(("lr", "base_lr", "init_lr", "initial_lr"), "learning_rate"),
    **dict.fromkeys(("bs", "batch", "train_batch_size", "per_device_train_batch_size"), "batch_size"),
    **dict.fromkeys(("num_epochs", "max_epochs", "n_epochs", "num_train_epochs"), "epochs"),
    **dict.fromkeys(("random_seed", "random_state", "manual_seed"), "seed"),
    **dict.fromkeys(("optimizer", "optim", "opt"), "optimiser"),
    **dict.fromkeys(("scheduler", "lr_scheduler", "lr_scheduler_type", "sched"), "schedule"),
    **dict.fromkeys(("label_smoothing_factor", "smoothing"), "label_smoothing"),
    **dict.fromkeys(("arch", "model_name"), "model"), "wd": "weight_decay", "warmup_ratio": "warmup",
}  # fmt: skip
"""What scripts and frameworks call a setting → its name here, so that runs of different ones can be compared."""
RESERVED = ("labels", "feedback", "twins")  # which mean something of trainings here


def settings(given: Any) -> dict[str, Any]:
    """Name → value, as JSON has them: a text, a number, yes or no, or a list of these.

    given: a mapping, a dataclass, what argparse returns, or a model of pydantic; mappings within are told apart by dots
    (optimiser.lr). Names that say the value is secret (token, password, api_key) are left out, and so are those that
    begin with an underscore. Raises Wrong.
    """
    told, found = dict(_flat(given, "")), {}  # type: dict[str, Any], dict[str, Any]
    for name, value in told.items():
        word = NAMES.get(name.casefold(), f"{name} (told)" if name in RESERVED else name)
        found[name if word in told or word in found else word] = value
    if len(found) > MOST:
        raise Wrong(f"settings are at most {MOST}; these are {len(found):,}: leave out what never changes")
    return found


def command(words: Sequence[str]) -> str:
    """A command as a shell takes it, without what stands behind flags whose names say it is secret."""
    shown, hide = [], False
    for word in words:
        flag, joined, _ = word.partition("=")
        secret = flag.startswith("-") and SECRET.search(flag.lstrip("-")) is not None
        shown.append("…" if hide and not word.startswith("-") else f"{flag}=…" if secret and joined else word)
        hide = secret and not joined
    return shlex.join(shown)


def _flat(given: Any, before: str) -> Iterator[tuple[str, Any]]:
    for key, value in _items(given).items():
        name = "".join(one if one.isprintable() else " " for one in str(key)).strip()
        if not name or name.startswith("_") or _secret(name, value):
            continue
        name = f"{before}{name}"[:LETTERS]
        if _within(value):
            yield from _flat(value, f"{name}.")
        else:
            yield name, plain(value)


def _secret(name: str, value: Any) -> bool:
    """A number of tokens is none."""
    found = SECRET.search(name)
    return found is not None and not ("token" in found[0].lower() and isinstance(value, int | float))


def _within(value: Any) -> bool:
    return isinstance(value, Mapping) or (dataclasses.is_dataclass(value) and not isinstance(value, type))


def _items(given: Any) -> Mapping[Any, Any]:
    if isinstance(given, Mapping):
        return given
    if dataclasses.is_dataclass(given) and not isinstance(given, type):
        return {field.name: getattr(given, field.name) for field in dataclasses.fields(given)}
    if callable(getattr(given, "model_dump", None)):
        return given.model_dump()
    if hasattr(given, "__dict__") and not isinstance(given, type | FunctionType):
        return vars(given)
    raise Wrong(f"settings are a dictionary, a dataclass or what argparse returns; this is {type(given).__name__}")


def plain(value: Any) -> Any:
    """A value as JSON has it. What is none is named: a class and a function by their names, anything else by its own
    text where that is the same in each process, else by its class."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return value
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, str):
        return value if len(value) <= TEXT else f"{value[: TEXT - 1]}…"
    if isinstance(value, int):
        return int(value) if abs(value) < 2**63 else str(value)[:TEXT]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    if isinstance(value, list | tuple | set | frozenset):
        members = sorted(value, key=str) if isinstance(value, set | frozenset) else [*value]
        if len(members) > ITEMS or any(isinstance(one, list | tuple | set | frozenset | Mapping) for one in members):
            return plain(str(members))
        return [plain(one) for one in members]
    if isinstance(value, type | FunctionType):
        return value.__name__
    if getattr(value, "shape", None) == () and callable(getattr(value, "item", None)):  # one number of NumPy or torch
        return plain(value.item())
    words = str(value) if not isinstance(value, PurePath) else value.as_posix()
    return plain(type(value).__name__ if " at 0x" in words or "\n" in words else words)
