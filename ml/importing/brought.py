"""What somebody brought through the browser: files out of the tar that a page makes of several, and which count.

Nobody knows who made it: what carries code goes no further than ml.importing.sources, which tells it by its content.
"""

import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ml.importing.adding import NETWORK, PREDICTIONS
from ml.importing.graph import Unusable
from ml.importing.sources import WEIGHTS
from ml.recording import files as tables

FILES = 2_000  # of one tar
NAMELESS = "network"  # what sentences call a folder of files that came without one
CONFIGURATION = "config.json"  # of Hugging Face
BESIDE = (".json", ".txt", ".md", ".model", ".jinja")
"""Endings of what may lie beside a network and is none."""


def opened(place: Path, scratch: Path) -> list[Path]:
    """The file itself, or those of a tar, by name, put into scratch. Raises Unusable, OSError."""
    if place.suffix != ".tar":
        return [place]
    found: list[Path] = []
    try:
        with tarfile.open(place, "r:") as archive:
            for member in archive:
                path = PurePosixPath(member.name)
                if not member.isreg() or any(part.startswith((".", "__")) for part in path.parts):
                    continue  # folders, and what systems leave in them
                if path.is_absolute() or member.issparse() or len(found) == FILES:
                    raise Unusable(
                        f"{place.name} is no plain tar of at most {FILES:,} files: give the files themselves"
                    )
                target = scratch / path
                target.parent.mkdir(parents=True, exist_ok=True)
                source = archive.extractfile(member)
                assert source is not None
                with source, target.open("xb") as file:
                    shutil.copyfileobj(source, file)
                found.append(target)
    except (tarfile.TarError, FileExistsError, NotADirectoryError, EOFError):
        raise Unusable(f"{place.name} is no whole tar: give the files themselves") from None
    if not found:
        raise Unusable(f"there is no file in {place.name}")
    return sorted(found)


def told(files: Sequence[Path]) -> tuple[str, list[Path]]:
    """NETWORK or PREDICTIONS, and its files: of a network the one that is asked for, or its folder where it is one of
    Hugging Face, whatever a training left beside it. What a network is, and whether it may come from a page,
    ml.importing.sources tells. Raises Unusable, in a sentence."""
    folders = [one.parent for one in files if one.name == CONFIGURATION]
    theirs = [one for one in folders if any((one / weights).is_file() for weights in WEIGHTS)]
    if theirs and all(file.is_relative_to(theirs[0]) for file in files):
        return NETWORK, [theirs[0]]
    data = [file for file in files if file.name.casefold().endswith((".data", "_data"))]
    named = [file for file in files if file not in data and file.suffix.casefold() not in (*tables.SUFFIXES, *BESIDE)]
    if len(named) > 1:
        names = ", ".join(file.name for file in named[:3])
        raise Unusable(f"these are {len(named)} networks ({names}): bring one at a time, with its data file")
    if named:
        return NETWORK, [named[0]]
    if data:
        raise Unusable(f"{data[0].name} is the data of a network: bring the .onnx with it, both at once")
    return PREDICTIONS, [*files]
