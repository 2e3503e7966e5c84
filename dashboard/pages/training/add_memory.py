"""What the parts of *Add a network or predictions* tell each other, in this tab."""

import json
from enum import StrEnum
from typing import Any

ACTIVE_MS, IDLE_MS = 1_000, 4_000
MOST = 200_000  # characters of what was chosen


class Memory(StrEnum):
    TICK = "runs-add-interval"
    SOURCE = "runs-add-source-state"  # {"id": of what is brought, "at"}; by assets/bring.js, or a button
    # {"of": id, "wishes": {"network": {}, "predictions": {}}, "base": what was said before a row was used}; by
    # assets/adding.js
    WISHES = "runs-add-wishes-state"
    ASKED = "runs-add-asked-state"  # {"act", "of", "at"}: a button of a row; by assets/adding.js
    CHANGED = "runs-add-changed-state"  # when what is brought came, went or changed
    # what stands there of what was understood, whole; None while it is looked at. Dash drops a call that is under way
    # when the next tick comes: whether its answer arrived, only what it would have written here tells
    SHOWN = "runs-add-shown-state"
    TABLE = "runs-add-doctor-state"  # which table of the doctor's stands there, whole
    JOBS = "runs-add-jobs-state"  # what the jobs look like


class Ids(StrEnum):
    CARD = "runs-add"
    DROP = "runs-add-upload"
    FAR = "runs-add-far"  # how far an upload is; by assets/bring.js
    WAITING = "runs-add-waiting"
    FIND = "runs-add-find"
    DATASET = "runs-add-dataset"
    ABOUT = "runs-add-dataset-about"
    BODY = "runs-add-understood"
    DOCTOR = "runs-add-doctor"
    FORM = "runs-add-form"
    NAME = "runs-add-name"
    NAMED = "runs-add-named"  # whether the name is free
    START = "runs-add-start"
    CLOSE = "runs-add-close"
    SAID = "runs-add-said"
    LIST = "runs-add-jobs"
    LIST_SAID = "runs-add-jobs-said"


def source_of(data: object) -> str:
    """The id of what is brought that a tab looks at, '' for none; whatever the browser sends."""
    found = data.get("id") if isinstance(data, dict) else None
    return found if isinstance(found, str) else ""


def wishes_of(staged_id: str, data: object) -> dict[str, Any]:
    """What was said of it, as ml.importing.adding.Choices reads it; whatever the browser sends."""
    if not isinstance(data, dict) or data.get("of") != staged_id:
        return {}
    return _checked(data.get("wishes"))


def base_of(staged_id: str, data: object, now: dict[str, Any]) -> dict[str, Any]:
    """What was said when the doctor was asked, which a row of its table has changed since; else what is said now."""
    if not isinstance(data, dict) or data.get("of") != staged_id or not isinstance(data.get("base"), dict):
        return now
    return _checked(data["base"])


def _checked(said: object) -> dict[str, Any]:
    kinds = {kind: said[kind] for kind in ("network", "predictions") if isinstance(said, dict) and kind in said}
    kept = {kind: wishes for kind, wishes in kinds.items() if isinstance(wishes, dict) and wishes}
    return kept if len(json.dumps(kept)) <= MOST else {}
