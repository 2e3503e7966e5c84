"""What was done, when and by whom: one row each, written in the transaction in which it is done, never changed."""

import time
from dataclasses import dataclass

from sqlalchemy import Connection, Select, insert, select

from ml.people import acting
from ml.people.tables import happenings

ABOUT, WORDS = 120, 300  # characters
SHOWN = 1_000  # rows at once


@dataclass(frozen=True)
class Happening:
    """One row. who: '' where nobody had a name; act: of `acting.ACTS`; about: a run or data set; at: since 1970."""

    number: int
    at: float
    who: str
    act: str
    about: str
    words: str


@dataclass(frozen=True)
class Wanted:
    """What narrows the list; '' and 0 narrow nothing. who: a name, '-' for nobody's; before: a row's number."""

    who: str = ""
    act: str = ""
    text: str = ""
    before: int = 0


EVERYTHING = Wanted()
NAMELESS = "-"


def note(connection: Connection, act: str, about: str, words: str) -> None:
    """Write down what is done in this transaction. Raises KeyError for an act that nobody knows."""
    _ = acting.ACTS[act]
    row = {"at": time.time(), "who": acting.name(), "act": act, "about": about[:ABOUT], "words": words[:WORDS]}
    connection.execute(insert(happenings).values(row))


def query(wanted: Wanted = EVERYTHING, limit: int | None = None) -> Select:
    """Rows of `Happening`, newest first."""
    chosen = select(*(happenings.c[name] for name in Happening.__dataclass_fields__))
    if wanted.who:
        chosen = chosen.where(happenings.c.who == ("" if wanted.who == NAMELESS else wanted.who))
    if wanted.act:
        chosen = chosen.where(happenings.c.act == wanted.act)
    if wanted.text:
        columns = [
            column.icontains(wanted.text, autoescape=True) for column in (happenings.c.about, happenings.c.words)
        ]
        chosen = chosen.where(columns[0] | columns[1])
    if wanted.before:
        chosen = chosen.where(happenings.c.number < wanted.before)
    return chosen.order_by(happenings.c.number.desc()).limit(limit)


def names() -> Select:
    """Everybody who did something, in rows of `who`."""
    return select(happenings.c.who).distinct().order_by(happenings.c.who)
