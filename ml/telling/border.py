"""Arrays of other libraries become NumPy's here, by what they can do and what their types are called: nothing that made
them is imported, and no type that files cannot hold comes further."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np


class Wrong(ValueError):
    """What a script says that cannot be used; the message says what can."""


def array(value: Any, what: str) -> np.ndarray:
    """Of a tensor of any library, a table, an array or a list of them: numbers or texts, of a type that NumPy itself
    has.

    what: how it is called in a refusal. Raises Wrong.
    """
    made = _plain(value)
    try:
        found = made if isinstance(made, np.ndarray) else np.asarray(made)
    except (ValueError, TypeError) as error:
        raise Wrong(
            f"{what} must be an array, a tensor or a list of numbers, all rows of one length: {error}"
        ) from None
    if found.dtype.kind == "V" and found.dtype.names is None:  # bfloat16 and its like, of extensions of NumPy
        found = found.astype(np.float32)
    if found.dtype.kind == "O" and all(isinstance(one, str) or hasattr(one, "__fspath__") for one in found.ravel()):
        found = np.array([str(one) for one in found.ravel()]).reshape(found.shape)
    if found.dtype.kind not in "biufU":
        raise Wrong(f"{what} must be numbers or texts; they are of the type {found.dtype.name}")
    return found


def _plain(value: Any) -> Any:
    """As near to NumPy as the library that made it can bring it."""
    if isinstance(value, np.ndarray):
        return value
    if hasattr(value, "detach"):  # torch, on any device and within any graph
        value = value.detach().cpu()
        if str(value.dtype) in ("torch.bfloat16", "torch.float16"):
            value = value.float()
        return value.numpy()
    if hasattr(value, "to_numpy"):  # pandas, polars, arrow
        return value.to_numpy()
    if callable(getattr(value, "numpy", None)):  # TensorFlow
        return value.numpy()
    if isinstance(value, list | tuple) and value and (hasattr(value[0], "detach") or hasattr(value[0], "numpy")):
        return [_plain(one) for one in value]
    return value


def measures(given: Mapping[str, Any]) -> dict[str, float]:
    """Numbers that an epoch is told with, by their name; what is None or no finite number is left out. Raises Wrong."""
    found = {}
    for name, value in given.items():
        if value is None:
            continue
        try:
            number = (
                float(array(value, name).reshape(()).item()) if not isinstance(value, int | float) else float(value)
            )
        except (ValueError, TypeError):
            raise Wrong(f"{name} must be one number; it is {value!r:.60}") from None
        except OverflowError:
            continue  # beyond what a number here can be, as infinity is
        if math.isfinite(number):
            found[named(name)] = number
    return found


NAMES = {
    "loss": "train_loss", "training_loss": "train_loss", "train_loss_epoch": "train_loss",
    "accuracy": "train_accuracy", "acc": "train_accuracy", "train_acc": "train_accuracy",
    "training_accuracy": "train_accuracy", "train_accuracy_epoch": "train_accuracy",
    "train_acc_epoch": "train_accuracy",
    "val_loss": "validation_loss", "valid_loss": "validation_loss", "eval_loss": "validation_loss",
    "val_accuracy": "validation_accuracy", "val_acc": "validation_accuracy", "valid_accuracy": "validation_accuracy",
    "valid_acc": "validation_accuracy", "eval_accuracy": "validation_accuracy", "eval_acc": "validation_accuracy",
    "validation_acc": "validation_accuracy",
    **{f"{form}_accuracy": "train_accuracy" for form in ("sparse_categorical", "categorical", "binary")},
    **{f"val_{form}_accuracy": "validation_accuracy" for form in ("sparse_categorical", "categorical", "binary")},
    "lr": "learning_rate", "rate": "learning_rate",
}  # fmt: skip
"""What loops and frameworks call a measure → its name here."""
LETTERS = 60


def percent(told: Mapping[int, Mapping[str, float]]) -> frozenset[str]:
    """Of the measures of epochs, accuracies that are per cent: one of them is above 1."""
    return frozenset(name for row in told.values() for name, v in row.items() if name.endswith("accuracy") and v > 1)


def shares(told: Mapping[int, Mapping[str, float]], percent: frozenset[str]) -> dict[int, dict[str, float]]:
    """Accuracies as shares. percent: those that are not."""
    return {n: {name: v / 100 if name in percent else v for name, v in row.items()} for n, row in told.items()}


def named(name: str) -> str:
    """A measure's name here: known ones by NAMES, others as they are, in letters that a column can have."""
    plain = "".join(one if one.isalnum() or one in "_-. " else "_" for one in str(name).strip())[:LETTERS]
    return NAMES.get(plain.casefold(), plain or "measure")
