"""Labels of tables that are lists as text: cat|dog, cat, dog, and ['cat', 'dog'] as pandas writes a list into a CSV."""

import ast
import re
from collections.abc import Sequence
from dataclasses import replace

from ml.data.importing.records import LeftOut
from ml.data.importing.rows import Row, text

LISTED = re.compile(r"\[.{0,2000}\]", re.DOTALL)
SEVERAL = "it has several labels"


def apart(rows: Sequence[Row], left_out: LeftOut) -> list[Row]:
    """Without rows of several labels, and with those of a list of one as that. A sign between words makes a list where
    the words are labels of other rows: all of them around a comma, any around a bar or a semicolon."""
    lists = {label: found for label in {row.label for row in rows} if (found := _literal(label)) is not None}
    alone = {row.label for row in rows if row.label not in lists and not re.search(r"[|;,]", row.label)}
    alone |= {found[0] for found in lists.values() if len(found) == 1}
    kept = []
    for row in rows:
        words = lists.get(row.label)
        if words is None and (row.label in alone or not _parts(row.label, alone)):
            kept.append(row)
        elif words is not None and len(words) < 2:
            kept.append(replace(row, label=words[0] if words else ""))
        else:
            left_out.add(row.name, SEVERAL)
    return kept


def _literal(label: str) -> list[str] | None:
    """What a list in Python's or JSON's notation holds; None for anything else. A literal is read, nothing is run."""
    if not LISTED.fullmatch(label):
        return None
    try:
        found = ast.literal_eval(label)
    except (SyntaxError, ValueError, MemoryError, RecursionError, TypeError):
        return None
    plain = isinstance(found, list) and all(isinstance(one, str | int) for one in found)
    return [text(one) for one in found] if plain else None


def _parts(label: str, alone: set[str]) -> bool:
    for sign, wanted in (("|", any), (";", any), (",", all)):
        parts = [one.strip() for one in label.split(sign) if one.strip()]
        if len(parts) > 1 and wanted(one in alone for one in parts):
            return True
    return False
