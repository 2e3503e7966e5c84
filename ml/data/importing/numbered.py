"""Classes that a source has numbers for, and a file beside them that says what these are called."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ml.data.importing.names import shown
from ml.data.importing.records import Found, LeftOut
from ml.data.importing.sources import Entry, looks_like_a_picture
from ml.images.decoding import Refusal
from ml.images.file_names import by_the_way, clean

NUMBER = re.compile(r"\d+")
TEXTS = re.compile(r"categor|class|label|names?|species|synset|words", re.IGNORECASE)  # in the name of a file of text
LINE = re.compile(r"(\d+)[\s,;:]+(\S.*)")
TURNED = re.compile(r"(\S.*?)[\s,;:]+(\d+)")
CODE = re.compile(r"n\d{8}|/[mgt]/\w+")  # of WordNet and of Google's knowledge graph, as Open Images has them
CODED = re.compile(r"""(?P<code>n\d{8}|/[mgt]/\w+)[\s,;:]+"?(?P<name>\S.*?)"?""")
MOST = 2**20  # bytes of such a file
MOST_OF_CODES = 2**22  # bytes of one, as WordNet's words.txt beside tiny-imagenet
FILES = 20  # of them, beyond which each belongs to a picture


def called(found: Found, entries: Sequence[Entry], order: Sequence[str] = ()) -> Found:
    """With names in place of the numbers, where all classes are numbers and a file names each of them. order: class
    names that are to stay as they are where these are they."""
    if sorted(order) == sorted(found.classes):
        return found
    if all(map(CODE.fullmatch, found.classes)):
        return _decoded(found, entries)
    if not all(map(NUMBER.fullmatch, found.classes)):
        return found
    numbers = [int(one) for one in found.classes]
    for name, by_number in _files(entries):
        if not {*numbers} <= by_number.keys():
            continue
        named, notes = shown(by_number[one] for one in numbers)
        rank = sorted(range(len(numbers)), key=numbers.__getitem__)
        place = {was: now for now, was in enumerate(rank)}
        kept = LeftOut([one for one in found.left_out.files if one[0] != clean(name)], found.left_out.by_systems)
        notes.insert(0, f"classes are numbers, and called as {clean(name)} names them")
        return replace(
            found, classes=tuple(named[by_number[numbers[i]]] for i in rank), left_out=kept,
            records=[one if one.label is None else replace(one, label=place[one.label]) for one in found.records],
            notes=[*found.notes, *notes],
        )  # fmt: skip
    return found


def _decoded(found: Found, entries: Sequence[Entry]) -> Found:
    """With names in place of codes, where a file beside has one for each. Of WordNet's several words the first stands,
    where no other class has it."""
    for entry in [one for one in entries if one.read is not None and not by_the_way(one.name) and _may(one.name)]:
        try:
            content = entry.content()
        except (OSError, Refusal):
            continue
        text = content.decode("utf-8-sig", "replace") if len(content) <= MOST_OF_CODES else ""
        words = _codes_of_json(text) if entry.name.casefold().endswith(".json") else _codes_of_lines(text)
        if not {*found.classes} <= words.keys():
            continue
        said = [words[one] for one in found.classes]
        first = [
            name.partition(",")[0].strip() if code[0] == "n" else name
            for code, name in zip(found.classes, said, strict=True)
        ]
        said = [one if first.count(one) == 1 else whole for one, whole in zip(first, said, strict=True)]
        if len({*said}) < len(said):
            continue
        named, notes = shown(said)
        kept = LeftOut([one for one in found.left_out.files if one[0] != clean(entry.name)], found.left_out.by_systems)
        notes.insert(0, f"classes are codes, and called as {clean(entry.name)} names them")
        return replace(
            found, classes=tuple(named[one] for one in said), left_out=kept, notes=[*found.notes, *notes]
        )  # fmt: skip
    return found


def _codes_of_lines(text: str) -> dict[str, str]:
    found = (CODED.fullmatch(line.strip()) for line in text.splitlines())
    return {one["code"]: " ".join(one["name"].split()) for one in found if one}


def _codes_of_json(text: str) -> dict[str, str]:
    """{"n02123045": "tabby"} or {"0": ["n02123045", "tabby"]}."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    pairs = list(said.items()) if isinstance(said, dict) else []
    pairs = [tuple(value) if isinstance(value, list) and len(value) == 2 else (key, value) for key, value in pairs]
    plain = all(isinstance(one, str) for pair in pairs for one in pair)
    return {key: value for key, value in pairs if CODE.fullmatch(key)} if plain else {}


def _files(entries: Iterable[Entry]) -> Iterator[tuple[str, dict[int, str]]]:
    """Name of a file → names by number, of those that are nothing else."""
    several = [one for one in entries if one.read is not None and not by_the_way(one.name) and _may(one.name)]
    for entry in several if len(several) <= FILES else ():
        if found := names(entry):
            yield entry.name, found


def names(entry: Entry) -> dict[int, str]:
    """Number → name, no two alike; nothing where a file says anything else."""
    try:
        content = entry.content() if _may(entry.name) else b""
    except (OSError, Refusal):
        return {}
    text = content.decode("utf-8-sig", "replace") if len(content) <= MOST else ""
    found = _of_json(text) if entry.name.casefold().endswith(".json") else _of_lines(text)
    alike = len({*found.values()}) < len(found)
    return {} if alike or any(map(looks_like_a_picture, found.values())) else found


def _may(name: str) -> bool:
    return name.casefold().endswith(".json") or _is_text(name.rpartition("/")[2])


def _is_text(name: str) -> bool:
    stem, _, suffix = name.casefold().rpartition(".")
    return suffix in ("txt", "csv", "tsv") and TEXTS.search(stem) is not None


def _of_json(text: str) -> dict[int, str]:
    """{"0": "cat"}, {"cat": 0}, {"0": ["n02123045", "cat"]}, or a list of names."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if isinstance(said, list):
        said = dict(enumerate(said)) if all(isinstance(one, str) for one in said) else {}
    if not isinstance(said, dict):
        return {}
    pairs = [(key, value[-1] if isinstance(value, list) and value else value) for key, value in said.items()]
    if pairs and all(isinstance(value, int) and not isinstance(value, bool) for _, value in pairs):
        pairs = [(value, key) for key, value in pairs]
    return _pairs((str(number), name) for number, name in pairs if isinstance(name, str))


def _of_lines(text: str) -> dict[int, str]:
    """0 cat, or cat 0, in each line, a head before them or not."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    for pattern, number, name in ((LINE, 1, 2), (TURNED, 2, 1)):
        found = [pattern.fullmatch(line) for line in lines]
        if lines and sum(one is None for one in found) <= (0 if len(lines) < 3 else 1) and any(found):
            return _pairs((one[number], one[name]) for one in found if one is not None)
    return {}


def _pairs(pairs: Iterable[tuple[str, str]]) -> dict[int, str]:
    """Nothing where one is no number, a number has two names, or nothing is a word."""
    found: dict[int, str] = {}
    for number, name in pairs:
        if not NUMBER.fullmatch(number) or int(number) in found:
            return {}
        found[int(number)] = " ".join(name.strip().strip("\"'").split())
    return found if any(re.search(r"[^\W\d_]", name) for name in found.values()) else {}
