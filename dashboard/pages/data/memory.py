"""What the panels of the page tell each other, in this tab."""

from enum import StrEnum

ACTIVE_MS = 1_000


class Memory(StrEnum):
    TICK = "data-interval"
    SOURCE = "data-source-state"  # {"id": of what is brought, "at"}; by assets/bring.js, or when a path was named
    PARTS = "data-parts-state"  # what was chosen of splits and columns: {"of": id, "splits": {}, "columns": {}}
    NAMES = "data-names-state"  # of classes: {"of": id, "names": {found: wanted}, "order": [wanted]}
    ASKED = "data-asked-state"  # {"act", "of", "at"}: a button of a row; by assets/data.js
    BEGUN = "data-begun-state"  # the id of what is brought whose import was begun
    CHANGED = "data-changed-state"  # when a data set, or what is brought, came, went or changed
    # what stands there of what was understood, whole; None while it is looked at. Dash drops a call that is under way
    # when the next tick comes: whether its answer arrived, only what it would have written here tells
    SHOWN = "data-shown-state"
    JOBS = "data-jobs-state"  # what the imports look like


def source_of(data: object) -> str:
    """The id of what is brought that a tab looks at, '' for none; whatever the browser sends."""
    found = data.get("id") if isinstance(data, dict) else None
    return found if isinstance(found, str) else ""
