"""A select whose options stand under headings: runs by the data set they learned from, which alone can be compared."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dashboard.components.plain import Drawn
from ml.artifacts.reader import RunEntry

Option = dict[str, Any]
BROKEN = "Broken"  # the heading of runs whose data set nobody can read


class Picker(Drawn):
    """options: {"value", "label", "group"} and, where they hold, "disabled" and "title", those of a group together.

    Headings are drawn where there is more than one. value: of the chosen one; placeholder: stands without one.
    """

    _type = "Picker"

    def __init__(
        self, id: str, options: Sequence[Option] = (), value: str | None = None, placeholder: str | None = None
    ):
        super().__init__(id=id, options=list(options), value=value, placeholder=placeholder)


def group(entry: RunEntry) -> str:
    """The heading that a run stands under."""
    return heading(entry.manifest["dataset"]) if entry.ok else BROKEN


def heading(dataset: Mapping[str, Any]) -> str:
    """Of the runs of a data set."""
    return str(dataset.get("title") or dataset["name"])


def together(options: Iterable[Option], *, first: str = "") -> list[Option]:
    """Those of a group side by side, groups as they come, what is broken last. first: begins."""
    entries = list(options)
    order = [first, *dict.fromkeys(one["group"] for one in entries if one["group"] != BROKEN), BROKEN]
    return sorted(entries, key=lambda one: order.index(one["group"]))
