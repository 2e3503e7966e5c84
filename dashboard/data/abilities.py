"""What a run can do, by its manifest: whether what a panel needs of it is there, and what makes what is not."""

from typing import Any

from ml.artifacts import kinds
from ml.artifacts.reader import Run


class Abilities:
    """Of a run that was opened. manifest: as it was read."""

    def __init__(self, run: Run) -> None:
        self._run, self.run_id = run, run.run_id
        self.manifest: dict[str, Any] = run.manifest

    @property
    def run(self) -> Run:
        """What the predictor opens."""
        return self._run

    def need(self, *needs: str) -> None:
        """Raise Incapable unless it can do what these name, of ml.artifacts.kinds.NEEDS."""
        self._run.need(*needs)

    def can(self, need: str) -> bool:
        """Whether it can do what one of ml.artifacts.kinds.NEEDS names."""
        return kinds.has(self.manifest, need)

    @property
    def seed(self) -> int:
        """What chance is drawn by, of whatever is counted again."""
        return int((self.manifest.get("config") or {}).get("seed", 0))

    def command(self, noun: str) -> str:
        """What makes an artifact of this run that is not there."""
        return f"python -m ml evaluate {self.run_id} --only {noun}"
