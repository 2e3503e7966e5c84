"""Files that are named by their own content: the same name means the same bytes for ever."""

import hashlib
import re
from pathlib import Path

from ml.system import atomic

NAME = re.compile(r"^[0-9a-f]{16}$")


class Gone(LookupError):
    """There is no such file, or it is not what its name says; the message is for people."""


def freeze(folder: Path, ending: str, content: bytes) -> str:
    """Write it, synced to the disk, where it is not there yet; the name, without the ending."""
    name = hashlib.sha256(content).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / f"{name}{ending}").is_file():
        atomic.write(folder / f"{name}{ending}", content)
    return name


def read(folder: Path, name: str, ending: str, title: str, *, many: bool = False) -> bytes:
    """What is in it. title: what it is called in a sentence, in the plural where many. Raises Gone."""
    be, have, was = ("are", "have", "they were") if many else ("is", "has", "it was")
    if not NAME.fullmatch(name):
        raise Gone(f"{title[:1].upper()}{title[1:]} {have} a name of 16 digits and letters a to f.")
    try:
        content = (folder / f"{name}{ending}").read_bytes()
    except OSError:
        raise Gone(f"The {title} {name} {be} not on this machine.") from None
    if hashlib.sha256(content).hexdigest()[:16] != name:
        raise Gone(f"The {title} {name} {have} been changed since {was} frozen.")
    return content
