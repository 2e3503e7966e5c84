"""Names in a zip, letter for letter: as UTF-8 where they are, else in the code page that they look like.

A zip says of a name that it is UTF-8, or nothing: then it is in the code page of the machine that packed it, whichever
that was. Python reads code page 437, in which кепка is ¬Ґ»¬а or ╩хяър.
"""

import codecs
import itertools
import re
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Sequence

from ml.images.file_names import normal

UTF8_FLAG = 0x800  # of an entry: its name is UTF-8
UNICODE_PATH = 0x7075  # of Info-ZIP: the name once more, in UTF-8
SAMPLE = 300  # names that a code page is guessed from
# what zips were packed with, the likelier first where names fit several
CODE_PAGES = (
    *("cp437", "cp850", "cp1252", "cp866", "cp1251", "cp932", "gbk", "cp949", "big5", "cp852", "cp1250", "cp737"),
    *("cp1253", "cp857", "cp1254", "cp862", "cp1255", "cp864", "cp1256", "cp874"),
)


def code_page(name: str | None) -> str | None:
    """A code page by any of its names. Raises ValueError for what is none."""
    if name is None:
        return None
    try:
        known = codecs.lookup(name).name
        "é".encode(known, "replace").decode(known)
    except (LookupError, UnicodeError, TypeError):
        raise ValueError(f"{name!r} is no code page; known are {', '.join(CODE_PAGES)} and others") from None
    return known


class Names:
    """The names of a zip's entries.

    code_page: of names that are not UTF-8, guessed from all of them where None. known: names of classes; the page in
    which most folders are called like them is the right one.
    """

    def __init__(
        self, entries: Iterable[zipfile.ZipInfo], code_page: str | None = None, known: Sequence[str] = ()
    ) -> None:
        self._old = [raw for raw in map(_raw, entries) if raw is not None]
        self._given = code_page
        self.code_page = code_page or (_guess(self._old, known) if self._old else "")

    def of(self, entry: zipfile.ZipInfo) -> str:
        raw = _raw(entry)
        return plain(entry) if raw is None else raw.decode(self.code_page or "cp437", "replace")

    def notes(self) -> tuple[str, ...]:
        """What is to be said of a guess, with how to say otherwise."""
        if self._given or not self._old:
            return ()
        shown = max((raw.decode(self.code_page, "replace") for raw in self._old), key=_strange)
        n = len(self._old)
        return (
            f"{n:,} name{' of this zip is' if n == 1 else 's of this zip are'} in an old code page, it does not say "
            f"which: read as {self.code_page}, as in {shown}. Another one: --zip-names CODEPAGE, as in cp866 or gbk",
        )


def plain(entry: zipfile.ZipInfo) -> str:
    """The name of an entry where it can be known, else as code page 437 has it."""
    if entry.flag_bits & UTF8_FLAG:
        return entry.filename
    raw = entry.filename.encode("cp437", "replace")
    if told := _unicode_path(entry.extra, raw):
        return told
    try:
        return raw.decode()
    except UnicodeError:
        return entry.filename


def _raw(entry: zipfile.ZipInfo) -> bytes | None:
    """The bytes of a name in an unknown code page; None where it is known."""
    if entry.flag_bits & UTF8_FLAG or entry.filename.isascii():
        return None
    raw = entry.filename.encode("cp437", "replace")
    if _unicode_path(entry.extra, raw):
        return None
    try:
        raw.decode()
    except UnicodeError:
        return raw
    return None


def _unicode_path(extra: bytes, raw: bytes) -> str:
    """The name in UTF-8 that stands beside one in a code page, '' where none does or it is of an older name."""
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        field, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == UNICODE_PATH and len(field) > 5 and field[0] == 1:
            if struct.unpack("<I", field[1:5])[0] != zlib.crc32(raw):
                return ""
            try:
                return field[5:].decode()
            except UnicodeError:
                return ""
    return ""


def _guess(names: Sequence[bytes], known: Sequence[str]) -> str:
    """The code page in which the names read best; those that are not one in it are no choice."""
    folders = {normal(one).casefold() for one in known}
    best, score = "cp437", float("-inf")
    few = list(dict.fromkeys(names))[:SAMPLE]
    for page in CODE_PAGES:
        try:
            for name in names:
                name.decode(page)
            read = [name.decode(page) for name in few]
        except UnicodeError:
            continue
        called = sum(any(normal(part).casefold() in folders for part in _parts(name)[:-1]) for name in read)
        mean = sum(_likely(name, page) for name in read) / len(read)
        if called + mean > score:
            best, score = page, called + mean
    return best


def _likely(name: str, page: str) -> float:
    """How much a name looks like one that somebody gave, below 1: words of one script, of letters that are frequent."""
    points, n = 0.0, 0
    for part in _parts(re.sub(r"\.\w{1,5}$", "", name)):
        scripts = {_script(letter) for letter in part if letter.isalpha()}
        alone = scripts <= {"cjk unified", "hiragana", "katakana"} or len(scripts) == 1
        for word in WORDS.findall(part):
            strange = [letter for letter in word if not letter.isascii()]
            odd = sum(a.islower() and b.isupper() for a, b in itertools.pairwise(word))  # кЕПКА
            accents = scripts == {"latin"} and len(word) == len(strange) > 1  # öïýóôá
            points += sum(_frequent(letter, page) if alone and not accents else -0.5 for letter in strange) - 0.7 * odd
            n += len(strange)
    signs = sum(not letter.isascii() and not letter.isalpha() and not _joined(letter) for letter in name)
    return 0.9 * (points - signs) / (n + signs) if n + signs else 0.0


WORDS = re.compile(r"[^\W\d_]+")
SCRIPTS = ("HALFWIDTH", "HIRAGANA", "KATAKANA", "CJK UNIFIED", "HANGUL", "CYRILLIC", "GREEK", "HEBREW", "ARABIC",
           "THAI", "LATIN")  # fmt: skip
# the letters that stand most often in words; of those of two bytes, where the frequent ones lie in their table
OFTEN = {
    "cyrillic": "оеаинтсрвлкмдпуяыбзюшОЕАИНТСРВЛКМДПУЯБЗЮШ",
    "greek": "αοιετσνηυρπκμλςίάόέήύώΑΟΕΤΣΝΠΚΜΛ",
    "latin": "éèêëàâäáåæãçíìîïñóòôöõøúùûüýßœšžčřěůąęłśćźżńğışőűţșăÉÈÀÂÄÁÅÇÍÎÑÓÔÖØÚÜŠŽČŘŁŚŻŞİ",
    "hebrew": "יוהלאתרבמשכןםנחעצט",
}
FREQUENT_ROWS = {"gbk": ("gb2312", 0xB0, 0xD7), "cp932": ("cp932", 0x88, 0x97), "cp949": ("euc_kr", 0xB0, 0xC8),
                 "big5": ("big5", 0xA4, 0xC6)}  # fmt: skip
RANK = {"latin": 0.85, "cyrillic": 0.9, "greek": 0.8, "hebrew": 0.75, "hiragana": 1.0, "katakana": 1.0, "thai": 0.45,
        "arabic": 0.6}  # fmt: skip


def _frequent(letter: str, page: str) -> float:
    script = _script(letter)
    if script == "halfwidth" or (script == "arabic" and "FORM" in unicodedata.name(letter, "")):
        return -0.5
    if script in ("cjk unified", "hangul"):
        table, first, last = FREQUENT_ROWS.get(page, ("", 0, 0))
        try:
            return (0.95 if script == "hangul" else 0.8) if table and first <= letter.encode(table)[0] <= last else 0.1
        except UnicodeError:
            return 0.1
    rank = RANK.get(script, 0.0)
    return rank if script not in OFTEN or letter in OFTEN[script] else rank / 3


def _script(letter: str) -> str:
    called = unicodedata.name(letter, "")
    return next((script.lower() for script in SCRIPTS if called.startswith(script)), "sign")


def _joined(letter: str) -> bool:
    """A mark that belongs to the letter before it: the vowels of Thai and Arabic."""
    return unicodedata.category(letter) == "Mn"


def _parts(name: str) -> list[str]:
    return name.replace("\\", "/").split("/")


def _strange(name: str) -> int:
    return sum(not letter.isascii() for letter in name)
