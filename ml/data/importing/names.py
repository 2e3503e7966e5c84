"""Names of classes as people gave them, made such that a page can show them and a manifest may say them."""

from collections.abc import Iterable, Sequence

from ml.data.base import class_names, natural, same_when_folded, visible
from ml.images.file_names import CLASS_LETTERS, clean, normal, readable
from ml.system.wording import hidden


def shown(names: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Name as given → as it is shown, no two alike, and a sentence for each that had to be changed."""
    found: dict[str, str] = {}
    names, notes = list(dict.fromkeys(names)), []
    for name in names:
        if _cleaned(name) == normal(name):
            found[name] = normal(name)
    taken = set(found.values())
    for name in names:
        if name not in found:
            found[name] = _free(_cleaned(name), taken)
            taken.add(found[name])
            notes.append(f"a class is called {found[name]!r} here: {_why(name)}")
    return found, notes


def ordered(names: Iterable[str], order: Sequence[str] = ()) -> tuple[str, ...]:
    """Names by class id: in natural order, or as `order` has exactly the same ones. Raises ValueError for too many."""
    known = class_names(natural(set(names)))
    return tuple(order) if sorted(order) == sorted(known) else known


def alike(names: Sequence[str]) -> list[str]:
    """A sentence for each two names that differ in little more than the case of their letters."""
    return [
        f"the classes {one!r} and {other!r} differ in the case or form of letters alone"
        for one, other in same_when_folded(names)
    ]


def _cleaned(name: str) -> str:
    text = readable(name)
    if not visible(text):
        return " ".join(f"U+{ord(letter):04X}" for letter in name)[:CLASS_LETTERS] or "(no name)"
    return text


def _why(name: str) -> str:
    if letter := hidden(name):
        return f"its name holds a letter that cannot be shown, U+{ord(letter):04X}"
    if not visible(name):
        return "its name holds nothing that can be seen"
    if len(name) > CLASS_LETTERS:
        return f"its name has {len(name):,} letters, {CLASS_LETTERS} are the most"
    return f"its name is {clean(name)!r}"


def _free(name: str, taken: set[str]) -> str:
    """The name, with a number behind it where another class has it."""
    number, free = 1, name
    while free in taken:
        number += 1
        end = f" ({number})"
        free = name[: CLASS_LETTERS - len(end)] + end
    return free
