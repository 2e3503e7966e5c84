"""What a file's name and folders say of it: text to be shown, a class, or that a system left it there."""

import functools
import os
import re
import unicodedata
from collections.abc import Sequence

from ml.system.wording import JOINED

NAME_LETTERS = 200
CLASS_LETTERS = 60  # of a class's name at most
STAND_IN = "\ufffd"  # �
LEFT_BY_SYSTEMS = ("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "picasa.ini", "icon\r")  # files
FOLDERS_OF_SYSTEMS = (
    "__macosx",
    "@eadir",
    "#recycle",
    "#snapshot",
    "@recycle",
    "@recently-snapshot",
    "$recycle.bin",
    "system volume information",
    "lost+found",
    "__pycache__",
)
# with both of them goes all that begins with a dot (.DS_Store, ._1.png, .git), what an office program has open
# (~$a.docx), and what Windows keeps of where a file came from (a.png:Zone.Identifier)

# between two letters, or a letter and a digit: of numbers they are a part
BETWEEN_WORDS = re.compile(r"(?<=[^\W\d_])[\s_.:/\\-]+(?=[^\W_])|(?<=\d)[\s_.:/\\-]+(?=[^\W\d_])")


def clean(name: str) -> str:
    """A name as it can be shown: one line, slashes between folders, NAME_LETTERS at most, its end kept."""
    text = name.replace("\\", "/")
    if not (text.isascii() and text.isprintable()):  # of which there is nothing to be hidden, in most names
        text = "".join(" " if _hidden(letter) else letter for letter in text)
    text = text.encode("utf-8", "replace").decode().strip()
    return text if len(text) <= NAME_LETTERS else f"…{text[1 - NAME_LETTERS :]}"


def _hidden(letter: str) -> bool:
    """What is not to be seen, and may turn the letters around it; joiners of Persian and pictograms are needed."""
    return unicodedata.category(letter) in ("Cc", "Cf", "Zl", "Zp") and letter not in "\u200c\u200d"


def spelled(path: str | os.PathLike[str]) -> str:
    """A path as text: names of files are UTF-8 whatever Python takes this machine's to be; other bytes stay
    letters that cannot be shown."""
    return os.fsencode(path).decode("utf-8", "surrogateescape")


def by_the_way(name: str) -> bool:
    """Whether a file is what a system leaves in folders, or lies in a folder of one, and is no picture of anybody's."""
    folder, _, file = name.replace("\\", "/").rpartition("/")
    low = file.lower()
    if low.startswith((".", "~$")) or low in LEFT_BY_SYSTEMS or low.endswith(":zone.identifier"):
        return True
    return low in FOLDERS_OF_SYSTEMS or (folder != "" and _of_a_system(folder))


@functools.lru_cache(4_096)  # asked of each picture, several times, of which many lie in one
def _of_a_system(folders: str) -> bool:
    return any(
        one.lower() in FOLDERS_OF_SYSTEMS or (one.startswith(".") and one.strip(".") != "")
        for one in folders.split("/")
    )


def safe_folder(name: str) -> str:
    """A class's name as that of a folder on any system; two names may become one."""
    return re.sub(r'[\x00-\x1f/\\:*?"<>|]', "_", name).strip(". ") or "_"


def normal(name: str) -> str:
    """A name in the one form in which systems that spell é in two ways agree (Unicode's NFC)."""
    return unicodedata.normalize("NFC", name)


def readable(name: str) -> str:
    """A class's name as it is shown: what cannot be seen goes, spaces of any kind are one, what nobody can draw is �;
    CLASS_LETTERS at most."""
    text = normal(name)
    if not text.isprintable():
        joined = {place.start() for place in JOINED.finditer(text)}
        text = "".join(one if place in joined else _seen(one) for place, one in enumerate(text)).strip()
    return text if len(text) <= CLASS_LETTERS else f"{text[: CLASS_LETTERS - 1]}…"


def _seen(letter: str) -> str:
    if letter.isprintable():
        return letter
    kind = unicodedata.category(letter)
    return "" if kind == "Cf" else " " if kind.startswith("Z") or letter.isspace() else STAND_IN


def truth(name: str, classes: Sequence[str]) -> int | None:
    """The class that the folder of a file is named after, None where it is none.

    A name as it is written goes first, whatever form its accents have; then as an import shows it, or did when it let
    no joiner stay; then one without the dots and spaces at its end, which Windows takes away; then one that differs in
    the case of its letters; then one that differs in what stands between its words, so that `t-shirt_top` is
    T-shirt/top, while C, C++, -1, 1, 1.5 and 15 stay apart. Where two classes would do, none is meant. Two folders may
    make up one name (`T-shirt/top/1.png`).
    """
    folders = normal(name).split("/")[:-1]
    for form in (normal, readable, _apart, _bare, _folded, _joined):
        known = [form(one) for one in classes]
        for parts in (folders[-1:], folders[-2:]):
            wanted = form("/".join(parts))
            if wanted and known.count(wanted) == 1:
                return known.index(wanted)
            if wanted and known.count(wanted) > 1:
                return None
    return None


def _apart(name: str) -> str:
    return JOINED.sub("", readable(name))


def _bare(name: str) -> str:
    return normal(name).rstrip(" .")


def _folded(name: str) -> str:
    return normal(" ".join(_bare(name).casefold().split()))


def _joined(name: str) -> str:
    return BETWEEN_WORDS.sub("", _folded(name))
