"""What things are told by: pictures by a digest and never by a name, runs by an id made of what they are called."""

import hashlib
import json
import os
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ml.artifacts import inspection
from ml.artifacts.checking import INDEX_BYTES
from ml.data.base import digest, same_pictures

__all__ = ["PictureSet", "digest", "picture_set", "run_id_of", "same_pictures", "stamp"]


@dataclass(frozen=True)
class PictureSet:
    """The pictures of a data set that are on this machine. digest: 16 digits, others when they are, '' for none.

    described: what its dataset.json says, where that can be read.
    """

    digest: str = ""
    described: dict[str, Any] = field(default_factory=dict)


def run_id_of(name: str) -> str:
    """What a run is called in addresses and folders when people call it `name`: Big Net 2 is big-net-2.

    '' where no letter or digit of a name can stand there.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9_-]+", "-", plain).strip("-_")[:64].rstrip("-_")


def stamp(path: Path | str) -> tuple[int, int] | None:
    """What changes with a file; None where there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def picture_set(folder: Path, stamps: tuple) -> PictureSet:
    """stamps: of the files, which stand for their content where dataset.json does not say what they were made from."""
    try:
        described = inspection.document(folder / "dataset.json", INDEX_BYTES)
    except (OSError, ValueError, RecursionError):
        described = None
    described = described if isinstance(described, dict) else {}
    if isinstance(described.get("hashes"), dict) and described["hashes"]:
        return PictureSet(digest(described), described)
    return PictureSet(hashlib.sha256(json.dumps(stamps).encode()).hexdigest()[:16], described)
