"""From what somebody asks for to a training's config: checked field by field, with labels and feedback frozen."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from pydantic import ValidationError

from dashboard.records.runs import TITLE
from dashboard.services.training_options import TrainingOptions
from ml.artifacts.identity import run_id_of
from ml.artifacts.schema import RUN_ID
from ml.data import corrections as labels
from ml.data import feedback
from ml.data.corrections import Corrections
from ml.data.feedback import Feedback
from ml.jobs.queue import Refused
from ml.models import MODELS, TIMM, too_small
from ml.system import disk, trash
from ml.system.content_addressed import Gone
from ml.system.wording import shows
from ml.training import wording
from ml.training.config import TrainConfig
from ml.training.fields import FIELDS, allowed


class Invalid(Exception):
    """A request that does not check out: input name → what is wrong and what is allowed."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__("; ".join(errors.values()))
        self.errors = errors


def check(
    values: Mapping[str, Any], options: TrainingOptions, taken: frozenset[str] = frozenset()
) -> tuple[TrainConfig, str]:
    """The config and the run's name ('' when it is to be made). Raises Invalid.

    values: TrainConfig's fields and `name`, as they came; taken: names of runs that exist.
    """
    values = dict(values)
    given = name = values.pop("name", None)
    errors: dict[str, str] = {}
    if name in (None, ""):
        name = ""
    elif not isinstance(name, str) or not RUN_ID.fullmatch(name := run_id_of(name)) or not titled(given):
        errors["name"] = (
            f"Name: up to {TITLE} characters in one line, neither / nor \\ among them, with a letter of a to z or a "
            "digit, of which its address is made."
        )
    elif name in taken:
        errors["name"] = f"Name: {name} is taken."
    config = None
    try:
        config = TrainConfig(**values)
    except ValidationError as wrong:
        for error in wrong.errors(include_url=False, include_input=False):
            input_name = str(error["loc"][0]) if error["loc"] else "model"
            own = str(error.get("ctx", {}).get("error", "")) if error["type"] == "value_error" else ""
            words = f"{wording.label(input_name)}: {own.rstrip('.')}." if own else _words(input_name)
            errors.setdefault(input_name, words)
    except (TypeError, RecursionError):
        errors["model"] = "These values cannot be read."
    if config is not None:
        errors |= _missing(config, options)
    if errors or config is None:
        raise Invalid(errors)
    return config, str(name)


def titled(name: object) -> bool:
    """Whether a run can be called so."""
    return isinstance(name, str) and len(name.strip()) <= TITLE and shows(name) and not set(name) & set("/\\")


def with_corrections(
    home: Path,
    config: Mapping[str, Any],
    against: str,
    relabelled: Mapping[int, int],
    excluded: Collection[int],
    digest: str = "",
    labelled: Mapping[int, int] = MappingProxyType({}),
) -> dict[str, Any]:
    """The values of a training on corrected labels, which are frozen now: `labels` names their file.

    config: the settings of a run, those that are no settings any more left out; against: the run to compare with;
    relabelled: example id of train → class id; excluded: example ids of train; digest: of the pictures that these are
    of; labelled: example id → class id of pictures that came without a label. Raises Refused.
    """
    values = {name: config[name] for name in FIELDS if name in config}
    corrections = Corrections(_dataset(values), dict(relabelled), frozenset(excluded), against, digest, dict(labelled))
    try:
        return {**values, "labels": labels.freeze(home, corrections)}
    except OSError as error:
        words = "The corrected labels cannot be written: the app's data folder is read-only."
        raise Refused(disk.told(error, words)) from error


def with_feedback(
    home: Path,
    config: Mapping[str, Any],
    against: str,
    images: np.ndarray,
    wanted: Sequence[int],
    clients: Sequence[int],
) -> dict[str, Any]:
    """The values of a short training from a run's weights on its pictures and accepted feedback, frozen now.

    config: the settings of the run `against`; images: uint8 [n, h, w, c], oldest first; wanted: class ids [n];
    clients: numbers from 0 on [n]. One client's part is capped (`ml.data.feedback`). Raises Refused.
    """
    values = {name: config[name] for name in FIELDS if name in config}
    accepted = Feedback(
        _dataset(values), against, images, np.asarray(wanted, np.int64), np.asarray(clients, np.int64)
    )  # fmt: skip
    try:
        frozen = feedback.freeze(home, accepted.capped())
    except OSError as error:
        words = "The accepted feedback cannot be written: the app's data folder is read-only."
        raise Refused(disk.told(error, words)) from error
    slow = max(float(values.get("learning_rate", FIELDS["learning_rate"].default)) / feedback.SLOWER, 1e-5)
    values |= {"learning_rate": round(slow, 8), "epochs": feedback.EPOCHS, "schedule": "cosine", "warmup": 0.1}
    return {**values, "frozen_epochs": 0, "feedback": frozen}


def _dataset(values: Mapping[str, Any]) -> str:
    return str(values.get("dataset", FIELDS["dataset"].default))


def _missing(config: TrainConfig, options: TrainingOptions) -> dict[str, str]:
    """What a config names that is not here, by input."""
    errors: dict[str, str] = {}
    if config.model not in MODELS and not config.model.startswith(TIMM):
        errors["model"] = f"Model: one of {', '.join(MODELS)}."
    if config.dataset not in [choice.name for choice in options.datasets()]:
        back = trash.way_back(options.home, config.dataset)
        words = f"it was put into the trash; to bring it back: {back}" if back else "it is not on this machine"
        errors["dataset"] = f"Data set: {words}."
    size = options.size(config.dataset)
    if size is not None and (words := too_small(config.model, *size)):
        errors.setdefault("model", f"Model: {words}.")
    if strange := [one for one in (config.teacher or "").split(",") if one and not options.is_run(one)]:
        errors["teacher"] = f"Teacher: there is no run {strange[0]}."
    if config.labels is not None:
        try:
            if labels.read(options.home, config.labels).dataset != config.dataset:
                errors["labels"] = "Corrected labels: these are of another data set."
        except Gone as gone:
            errors["labels"] = str(gone)
    if config.feedback is not None:
        try:
            if feedback.read(options.home, config.feedback).dataset != config.dataset:
                errors["feedback"] = "Accepted feedback: this is of another data set."
        except Gone as gone:
            errors["feedback"] = str(gone)
    return errors


def _words(name: str) -> str:
    """What an input may hold."""
    title = wording.label(name)[:40]
    return f"{title}: {allowed(name)}." if name in FIELDS else f"{title} is no choice here."
