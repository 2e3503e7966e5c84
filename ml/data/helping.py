"""Parts of an import, for a process that did not plan it: pictures as the plan says, and none that differ from it."""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from ml.data import folder, importing, joining, parts
from ml.data.importing import sources
from ml.data.importing.choices import Choices
from ml.data.importing.records import Record
from ml.data.parts import Parts
from ml.data.reading import Hand


class Away(Exception):
    """Something that the import has is not here, or not as it is there; whoever has it must do that part."""


@contextlib.contextmanager
def opened(share: Path, plan: str) -> Iterator[Parts]:
    """The parts of a plan. share: the folder of all plans of the import, home/shards/<job>. Doing one raises Away."""
    with contextlib.ExitStack() as stack:
        source: list[Sequence[Record]] = []  # as it is here, once it had to be opened

        def records(of: range) -> list[Record]:
            rows = parts.planned(share / plan, of)
            if all(row["file"] for row in rows):
                found = [
                    Record(row["name"], row["label"], row["split"], read=partial(sources.content, row["file"]))
                    for row in rows
                ]
            else:
                if not source:
                    source.append(_records(share, made.about, stack))
                found = list(source[0][of.start : of.stop])
                if [(one.name, one.label, one.split) for one in found] != [
                    (row["name"], row["label"], row["split"]) for row in rows
                ]:
                    raise Away(f"{made.about['place']} is not what was planned")
            return [replace(one, read=_here(one.read), pixels=_here(one.pixels)) for one in found]

        made = Parts(share / plan, records, Hand(share))
        yield made


def _records(share: Path, about: dict, stack: contextlib.ExitStack) -> Sequence[Record]:
    """Those of the whole source, in the import's order, to be read until the stack is closed. Raises Away."""
    home = share.parents[1]
    place = Path(os.path.normpath(share / "plan" / about["place"]))
    try:
        found = stack.enter_context(importing.opened(place, Choices.from_json(about["choices"]), home))
        if about["onto"]:
            found = joining.before(found, folder.load(home / "datasets" / about["onto"]))
    except (OSError, ValueError) as problem:
        raise Away(f"{place} cannot be read here: {problem}") from problem
    return found.records


def _here(read: Callable | None) -> Callable | None:
    """What cannot be read here may be readable there: it is not left out."""
    if read is None:
        return None

    def tried():
        try:
            return read()
        except OSError as problem:
            raise Away(str(problem)) from problem

    return tried
