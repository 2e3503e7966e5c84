"""Who is acting just now, and whether they may do what they ask for: the one place where that is decided.

A server says with each request who sent it. Where nobody was named, as on the command line and in threads of the app's
own, everything may be done: whoever runs those owns the machine.
"""

from contextvars import ContextVar
from dataclasses import dataclass

LOOK, REVIEW, TRAIN, OWN = ROLES = ("look", "review", "train", "own")
"""Each may do what those before it may."""
WHO = 60  # characters of a name
UNDECIDED = "change"  # the act of what names none of its own

ACTS: dict[str, tuple[str, str]] = {
    "feedback": (LOOK, "give feedback"),
    "judge": (REVIEW, "accept, reject, delete or bring back feedback"),
    "decide": (REVIEW, "decide labels"),
    "undo": (REVIEW, "take decisions back"),
    "bring": (REVIEW, "take in decisions from a file"),
    "slice": (REVIEW, "save, rename or remove slices"),
    "view": (REVIEW, "save, rename or delete views"),
    "describe": (REVIEW, "name, tag or annotate runs"),
    UNDECIDED: (REVIEW, "change this"),
    "train": (TRAIN, "start trainings"),
    "evaluate": (TRAIN, "have something computed of a run"),
    "fetch": (TRAIN, "fetch data sets"),
    "job": (TRAIN, "cancel, resume or discard jobs"),
    "import": (TRAIN, "take in runs"),
    "dataset": (TRAIN, "import, describe or add to data sets"),
    "archive": (TRAIN, "archive runs"),
    "promote": (OWN, "make a run the default"),
    "delete": (OWN, "delete runs or data sets, or bring them back"),
    "account": (OWN, "change accounts"),
}
"""act: the least role it takes, and what it is to do it."""


class NotAllowed(Exception):
    """Somebody's role does not reach so far; the message is for them."""


@dataclass(frozen=True)
class Person:
    """Who sent a request. name: '' where nobody has one; how: account, token, proxy, password, '' where none was asked.

    A name is one that was proved, never one that somebody typed beside a shared password.
    """

    name: str = ""
    role: str = OWN
    how: str = ""


_now: ContextVar[Person | None] = ContextVar("person", default=None)


def enter(person: Person) -> None:
    """From here on this person acts in this thread."""
    _now.set(person)


def leave() -> None:
    """Nobody acts any more."""
    _now.set(None)


def person() -> Person | None:
    """Who acts; None outside requests."""
    return _now.get()


def name() -> str:
    """The name of who acts, '' where nobody has one."""
    acting = _now.get()
    return acting.name if acting is not None else ""


def may(act: str) -> bool:
    """Whether who acts may do this. Raises KeyError for an act that nobody knows."""
    acting = _now.get()
    return acting is None or ROLES.index(acting.role) >= ROLES.index(ACTS[act][0])


def permit(act: str) -> None:
    """Raises NotAllowed, in words."""
    acting = _now.get()
    if acting is None or may(act):
        return
    who = f"{acting.name} has the role {acting.role}" if acting.name else f"Your role here is {acting.role}"
    role, words = ACTS[act]
    raise NotAllowed(f"{who}: it takes the role {role} to {words}. Whoever runs this server can give it.")
