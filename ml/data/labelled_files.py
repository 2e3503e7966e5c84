"""Which files of a folder are labelled, and by what: FOLDER/<class>/…, or FOLDER/<train, test>/<class>/….

Nothing is opened here. What is passed over is kept with its reason, apart from what systems leave in folders.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ml.data.base import class_names, natural
from ml.images.file_names import by_the_way, clean, normal

SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
TOLD = 3  # files named of each reason
NOT_IN_A_CLASS = "it lies in no folder of a class"


@dataclass(frozen=True)
class LabelledFile:
    """label: class id; split: train, validation or test where the folder says so, '' where it is to be drawn."""

    path: Path
    name: str
    label: int
    split: str


@dataclass
class LeftOut:
    """What is not imported. files: (name with folders, reason); by_systems: names of what systems leave in folders."""

    files: list[tuple[str, str]] = field(default_factory=list)
    by_systems: list[str] = field(default_factory=list)

    def add(self, name: str, reason: str) -> None:
        self.files.append((clean(name), reason))

    def counts(self) -> dict[str, int]:
        """reason → files; what systems leave in folders is not among them."""
        return dict(Counter(reason for _, reason in self.files))

    def of_class(self, folder: str) -> list[tuple[str, str]]:
        """Those in the folder of a class, wherever it stands."""
        return [(name, reason) for name, reason in self.files if folder in name.split("/")[:-1]]

    def lines(self) -> list[str]:
        """One sentence a reason, with how many files and the first of them."""
        told = []
        for reason, n in self.counts().items():
            names = [name for name, why in self.files if why == reason]
            told.append(f"left out {_counted(n)} ({_first(names)}): {reason}")
        if self.by_systems:
            n = len(self.by_systems)
            told.append(f"passed over {_counted(n)} that systems leave in folders: {_first(self.by_systems)}")
        return told


@dataclass(frozen=True)
class LabelledFolder:
    """classes: names by class id; files: in order of split, class and name; given: splits that the folders say."""

    classes: tuple[str, ...]
    files: tuple[LabelledFile, ...]
    given: tuple[str, ...]
    left_out: LeftOut


def look(folder: Path, order: Sequence[str] = ()) -> LabelledFolder:
    """What a folder holds. order: class names by class id, kept where the folder has exactly these.

    Raises ValueError, in words, for fewer than two classes and for names that no run may have.
    """
    left_out = LeftOut()
    top = _top(folder)
    splits = _split_folders(top)
    roots = [(split, path) for split in ("train", "validation", "test") for path in splits.get(split, ())]
    if splits:
        known = {path for _, path in roots}
        for path in sorted(top.iterdir()):
            if path not in known:
                _pass_over(path, top, left_out, "it lies beside the folders of the splits")
    roots = roots or [("", top)]
    found: dict[str, list[tuple[str, Path]]] = {}
    for split, root in roots:
        for path in sorted(root.iterdir()):
            if path.is_dir() and not by_the_way(path.name):
                found.setdefault(normal(path.name), []).append((split, path))
            else:
                _pass_over(path, top, left_out, NOT_IN_A_CLASS)
    _refuse_twins([(split, path.name) for places in found.values() for split, path in places])
    names = class_names(natural(found))
    if sorted(order) == sorted(names):
        names = tuple(order)
    if len(names) < 2:
        raise ValueError(f"{folder} needs at least two folders of pictures, one per class; it has {len(names)}")
    files = []
    for split in dict.fromkeys(split for split, _ in roots):
        for label, name in enumerate(names):
            for path in (path for where, path in found[name] if where == split):
                for one in sorted(path.rglob("*")):
                    shown = one.relative_to(top).as_posix()
                    if one.is_dir():
                        continue
                    if by_the_way(shown):
                        left_out.by_systems.append(clean(shown))
                    elif not one.is_file():
                        left_out.add(shown, "it is no file that can be opened")
                    else:
                        files.append(LabelledFile(one, shown, label, split))
    return LabelledFolder(names, tuple(files), tuple(dict.fromkeys(split for split, _ in roots if split)), left_out)


def _top(folder: Path) -> Path:
    """The folder that classes or splits lie in: within the only folder there is, however deep."""
    inside = [path for path in folder.iterdir() if not by_the_way(path.name)]
    while len(inside) == 1 and inside[0].is_dir():
        within = [path for path in inside[0].iterdir() if not by_the_way(path.name)]
        if not any(path.is_dir() for path in within):
            break
        folder, inside = inside[0], within
    return folder


def _split_folders(top: Path) -> dict[str, list[Path]]:
    """split → folders, where folders named after splits hold folders of their own; else these names are classes."""
    found: dict[str, list[Path]] = {}
    for path in sorted(top.iterdir()):
        split = SPLIT_FOLDERS.get(path.name.casefold())
        if split and path.is_dir():
            found.setdefault(split, []).append(path)
    holds = [
        any(one.is_dir() and not by_the_way(one.name) for one in path.iterdir()) for path in found.get("train", ())
    ]
    return found if holds and all(holds) and len(found) > 1 else {}


def _pass_over(path: Path, top: Path, left_out: LeftOut, reason: str) -> None:
    for one in sorted(path.rglob("*")) if path.is_dir() else [path]:
        shown = one.relative_to(top).as_posix()
        if one.is_dir():
            continue
        if by_the_way(shown):
            left_out.by_systems.append(clean(shown))
        else:
            left_out.add(shown, reason)


def _refuse_twins(places: list[tuple[str, str]]) -> None:
    """Raises ValueError for two folders of one split whose names look the same, but for spaces or forms of accents."""
    seen: dict[tuple[str, str], str] = {}
    for split, name in places:
        other = seen.setdefault((split, " ".join(normal(name).split())), name)
        if other != name:
            raise ValueError(
                f"two folders are called {clean(name)!r} and {clean(other)!r}, which look the same: rename one "
                "of them, or put their pictures together"
            )


def _counted(n: int) -> str:
    return f"{n:,} file{'' if n == 1 else 's'}"


def _first(names: Sequence[str]) -> str:
    more = f" and {len(names) - TOLD:,} more" if len(names) > TOLD else ""
    return f"{', '.join(names[:TOLD])}{more}"
