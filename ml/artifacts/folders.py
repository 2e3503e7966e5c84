"""The folders of runs, what is listed of one, and how one is called that is none of a run."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ml.artifacts.judging import CHECKING

SHOWN = 64  # characters of a folder's name that is no run's


@dataclass(frozen=True)
class RunEntry:
    """One line of the listing. A broken run has a reason and no manifest."""

    run_id: str
    folder: Path
    shipped: bool
    reason: str = ""
    manifest: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return not self.reason

    @property
    def pending(self) -> bool:
        """Whether it is not known yet if it can be used."""
        return self.reason == CHECKING

    @property
    def state(self) -> str:
        """usable, broken or being checked."""
        return "usable" if self.ok else "being checked" if self.pending else "broken"


def run_folders(root: Path) -> list[Path]:
    """Run folders by name, those that are none because of their name or as links too; not unpublished, hidden ones."""
    try:
        inside = sorted(root.iterdir())
    except OSError:
        return []
    return [f for f in inside if not f.name.startswith(".") and not f.name.endswith(".partial") and is_folder(f)]


def is_folder(path: Path) -> bool:
    try:
        return path.is_symlink() or path.is_dir()
    except OSError:
        return False


def shown(name: str) -> str:
    """A folder's name as text that can be shown and sent: file systems know bytes that are no letters."""
    letters = "".join(c if c.isprintable() and c.isascii() else "?" for c in name)
    return letters if len(letters) <= SHOWN else f"{letters[: SHOWN - 1]}…"


def name_problem(name: str) -> str:
    if len(name) > SHOWN:
        return f"its folder's name has {len(name)} characters; a run's has at most {SHOWN}"
    return "its folder's name is none of a run: small letters, digits, - and _, beginning with a letter or digit"
