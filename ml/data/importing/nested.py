"""Folders within folders of which names alone do not say what are the classes: copies of the whole, letters of the
alphabet, kinds that all hold the same."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ml.data.importing.records import FLAGS, LeftOut, some
from ml.data.importing.sources import Entry
from ml.images.file_names import clean

LEAST = 2  # folders within others that speak of classes


@dataclass(frozen=True)
class Placed:
    """parts: beneath the folder that classes or splits lie in."""

    entry: Entry
    parts: tuple[str, ...]
    is_folder: bool

    @property
    def shown(self) -> str:
        return "/".join(self.parts)


def _inside(placed: Sequence[Placed]) -> dict[str, set[str]]:
    """Folder → names of the folders in it, '' for files that lie in it themselves."""
    found: dict[str, set[str]] = {}
    for one in placed:
        if len(one.parts) + one.is_folder > 1:
            within = one.parts[1] if len(one.parts) + one.is_folder > 2 else ""
            found.setdefault(one.parts[0], set()).update({within} if within or not one.is_folder else ())
    return found


def laid_out(placed: list[Placed], left_out: LeftOut) -> list[Placed]:
    """Without folders that hold all the others once more, as flowers/flowers/daisy beside flowers/daisy, and without
    those of first letters, as a/abbey (SUN397, Places365)."""
    inside = _inside(placed)
    copies = {
        top
        for top, within in inside.items()
        if len(within) >= LEAST and within == inside.keys() - {top} and not any(within & inside[one] for one in within)
    }
    if len(copies) == 1:
        there, kept = {one.parts for one in placed if one.parts[0] not in copies}, []
        for one in placed:
            if one.parts[0] not in copies:
                kept.append(one)
            elif one.parts[1:] in there:
                if not one.is_folder:
                    left_out.add(one.shown, f"{clean(one.parts[0])} holds the other folders once more")
            elif len(one.parts) > 1:
                kept.append(replace(one, parts=one.parts[1:]))
        return kept
    letters = len(inside) >= LEAST and all(
        len(top) == 1 and within and all(name.casefold().startswith(top.casefold()) for name in within)
        for top, within in inside.items()
    )
    if letters and any(len(within) >= LEAST for within in inside.values()):
        return [
            replace(one, parts=("/".join(one.parts[1:-1]), one.parts[-1]))
            for one in placed
            if len(one.parts) > 2 and not one.is_folder
        ]
    return placed


def like_train(placed: Sequence[Placed], train: Sequence[str], known: Iterable[str]) -> list[str]:
    """Folders beside that of train, of names that say nothing, that hold folders of its classes and of no others."""
    inside = _inside(placed)
    classes = set().union(*(inside[one] for one in train if one in inside)) - {""}
    others = inside.keys() - {*known}
    return sorted(one for one in others if len(inside[one]) >= min(LEAST, len(classes)) and inside[one] <= classes)


def taken_with_train(folders: Sequence[str]) -> str:
    """What is said of these."""
    named = some([clean(one) for one in folders])
    return f"{named}: folders of the same classes beside train, which are taken with it{FLAGS}split {folders[0]}=test"


def told(within: Mapping[str, set[str]]) -> list[str]:
    """What is to be said of folders within those of classes. within: class → names of the folders in it."""
    several = {name: folders for name, folders in within.items() if len(folders) >= LEAST}
    if len(within) < LEAST or len(several) * 2 < len(within):
        return []
    first = next(iter(several))
    if len({frozenset(folders) for folders in within.values()}) == 1:
        inner = some([clean(one) for one in sorted(several[first])])
        return [
            f"{some([*within])} are taken as the classes, and each has folders of the same names ({inner}): if these "
            f"are the classes, bring one of the outer ones alone{FLAGS}split '{first}=train'"
        ]
    n = sum(map(len, within.values()))
    example = clean(f"{first}/{min(several[first])}")
    return [
        f"{n:,} folders within those of the classes, as {example}, belong to these; were they the classes, bring them"
        " alone, or a table with the label of each file"
    ]
