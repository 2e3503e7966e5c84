"""Whose outputs are which classes: by names in the file, by what a person says, by number where nothing else tells."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ml.importing.graph import Unusable
from ml.inference.imported import NOWHERE
from ml.recording.columns import Columns, folded, matched

REST = "*"  # as a name of theirs: all that nothing is said of
ALIKE = 0.8  # of difflib's ratio, from which names are suggested
TOLD = 8  # names in a sentence
MANY = 60  # names to be said otherwise, of which those alone are listed that something is suggested for


@dataclass(frozen=True)
class Named:
    """order: for each class of the data set its output, NOWHERE for none; outputs: how many there are, 0 where each is
    one of the classes; lines: sentences."""

    order: tuple[int, ...]
    outputs: int
    lines: list[str]


def named(
    width: int, said: Sequence[str], whose: str, classes: Sequence[str], names: Mapping[str, str], *, match: bool
) -> Named:
    """Of a network with so many outputs. said: what it calls them, none where that is not known; whose: where that
    comes from, in a sentence; names: what it calls one → its name here, '' to leave it out, by number where names are
    not known; match: take those that differ in form alone. Raises Unusable, with suggestions."""
    if not said and width == len(classes) and not names:
        words = f"outputs are the classes by number: 0 is {classes[0]!r}, {width - 1} {classes[-1]!r}"
        return Named(tuple(range(width)), 0, [f"{words} (assumed: --classes says otherwise)"])
    if said and len(said) != width:
        raise Unusable(
            f"the network gives {width:,} numbers a picture, and its classes ({whose}) are {len(said):,}: "
            "--classes A,B,… names them in the order of the outputs"
        )
    theirs = [*said] or [str(i) for i in range(width)]
    whose = whose if said else "by number"
    _known(names, theirs, classes)
    found = Columns()
    places = matched(theirs, classes, names, match, found) if said else _by_number(names, theirs, classes)
    if twice := sorted({classes[place] for place in places.values() if [*places.values()].count(place) > 1}):
        raise Unusable(
            f"several outputs are said to be the class {twice[0]!r}: leave out all but one, --class 'THEIRS='"
        )
    missing = [name for place, name in enumerate(classes) if place not in places.values()]
    strange = [one for one in theirs if one not in places and names.get(one) != ""]
    if len(places) < 2 or (missing and strange and REST not in names):
        raise Unusable(*_refusal(width, theirs, strange, missing, classes, whose, found.suggested, bool(said)))
    by_class = {place: theirs.index(name) for name, place in places.items()}
    order = tuple(by_class.get(place, NOWHERE) for place in range(len(classes)))
    whole = len(places) == width == len(classes)
    same = order == tuple(range(len(classes)))
    lines = [f"classes {whose}, {'in the order' if same else 'in another order than'} of the data set", *found.notes]
    dropped = [one for one in theirs if one not in places]
    if dropped:
        lines.append(
            f"outputs that are no class here are left out, {len(dropped):,} of {width:,}: {_some(dropped)}; the "
            "probabilities of the others are made to add up to 1"
        )
    if missing:
        lines.append(f"classes that it does not know are never predicted: {_some(missing)}")
    return Named(order, 0 if whole else width, lines)


def _known(names: Mapping[str, str], theirs: Sequence[str], classes: Sequence[str]) -> None:
    for one, wanted in names.items():
        if one not in theirs and one != REST:
            raise Unusable(f"--class {one}={wanted}: the network has no class {one!r}; it has {_some(theirs)}")
        if wanted and wanted not in classes:
            raise Unusable(f"--class {one}={wanted}: the data set has no class {wanted!r}; it has {_some(classes)}")


def _by_number(names: Mapping[str, str], theirs: Sequence[str], classes: Sequence[str]) -> dict[str, int]:
    return {one: classes.index(names[one]) for one in theirs if names.get(one)}


def suggestions(
    theirs: Sequence[str], strange: Sequence[str], missing: Sequence[str], classes: Sequence[str],
    alike: Mapping[str, str],
) -> dict[str, str]:  # fmt: skip
    """For each strange name of theirs a missing one that it may mean, '' for none, none twice. alike: those that differ
    in form alone, which go first; then by number where there are as many, then what is written alike, with case."""
    found = {one: alike[one] for one in strange if one in alike}

    def free() -> list[str]:
        return [name for name in missing if name not in found.values()]

    for one in strange:
        close = difflib.get_close_matches(folded(one), [folded(name) for name in free()], 1, ALIKE)
        if one not in found and close:
            found[one] = next(name for name in free() if folded(name) == close[0])
    if len(theirs) == len(classes):
        for one in strange:
            own = classes[theirs.index(one)]
            if one not in found and own in free():
                found[one] = own
    left = [one for one in strange if one not in found]
    if len(left) == len(free()) == 1:
        found[left[0]] = free()[0]
    if len(strange) > MANY:
        return {**found, REST: ""}
    return {one: found.get(one, "") for one in strange}


def _refusal(
    width: int, theirs: Sequence[str], strange: Sequence[str], missing: Sequence[str], classes: Sequence[str],
    whose: str, alike: Mapping[str, str], known: bool,
) -> tuple[str, dict[str, str]]:  # fmt: skip
    if not known:
        return (
            f"the network gives {width:,} numbers a picture, and the data set has {len(classes):,} classes: choose the "
            f"data set that it was trained for, or say which is which, --class '3={classes[0]}' for output 3, or "
            "what all are called, --class-names FILE",
            {},
        )
    hint = " --match-names takes those that differ in case and spaces alone," if alike else ""
    found = suggestions(theirs, strange, missing, classes, alike)
    return (
        f"its classes ({whose}) are {len(theirs):,}, {_some(strange)} among them, which are not those of the data "
        f"set, of which {_some(missing)} {'is' if len(missing) == 1 else 'are'} left:{hint} --class 'THEIRS=OURS' says "
        f"which is which, --class 'THEIRS=' leaves one out, --class '{REST}=' all the rest",
        found,
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - TOLD:,} more" if len(names) > TOLD else ""
    return f"{', '.join(map(repr, names[:TOLD]))}{more}"


def lines(found: Mapping[str, str], most: int = 40) -> list[str]:
    """Suggestions as a table of flags, to be kept or changed."""
    rows = [f"  --class '{theirs}={ours}'" for theirs, ours in [*found.items()][:most]]
    more = len(found) - most
    return ["suggested:", *rows, *([f"  and {more:,} more"] if more > 0 else [])] if found else []
