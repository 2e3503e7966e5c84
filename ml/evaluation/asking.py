"""A network asked about the pictures of a split in shards, by several processes: the answers of one, bit for bit.

A shard is a number of the batches in which one process would ask, so that every picture stands in the same batch.
"""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ml.data.images import AnyImages, asked_at_once, take
from ml.evaluation.context import PART, EvaluationContext, Outputs
from ml.system import atomic
from ml.system.shards import Share

PICTURES = 5_000  # of a shard, and as many more as its last batch needs
ALONE = 4  # shards up to which nobody else is asked to help: a process that begins loads torch first
ABOUT = "about.json"


class Answers:
    """What a network says of a split, as ml.system.shards.Shards has it. folder: named after the work."""

    def __init__(self, folder: Path, images: AnyImages, rows: int, context: EvaluationContext) -> None:
        """rows: of a shard."""
        self.folder, self.name = folder, folder.name
        self.n = -(-len(images) // rows)
        self._images, self._rows, self._context = images, rows, context

    def do(self, number: int) -> None:
        """Raises OSError."""
        start = number * self._rows
        rows = np.arange(start, min(start + self._rows, len(self._images)))
        probabilities, features = self._context.ask(take(self._images, rows))
        with atomic.replacing(self._path(number)) as scratch, scratch.open("wb") as file:
            np.savez(file, probabilities=probabilities, features=features)

    def there(self, number: int) -> bool:
        return self._path(number).is_file()

    def last(self, number: int) -> bool:
        return False

    def tell(self, done: int) -> None:
        self._context.tell(f"asking the network, {done}/{self.n}")

    def joined(self) -> Outputs:
        parts = [np.load(self._path(number), allow_pickle=False) for number in range(self.n)]
        return (
            np.concatenate([part["probabilities"] for part in parts]),
            np.concatenate([part["features"] for part in parts]),
        )

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06}.npz"


class Asking:
    """What an EvaluationContext asks with. run: its id; weights: their digest."""

    def __init__(self, share: Share, run: str, weights: str) -> None:
        self._share, self._run, self._weights = share, run, weights

    def __call__(self, context: EvaluationContext, split: str) -> Outputs:
        """As `context.ask` of a split's pictures. Raises OSError."""
        images = context.pictures(split)
        batch = PART * asked_at_once(context.classifier.shape)
        rows = -(-PICTURES // batch) * batch
        if len(images) <= ALONE * rows:
            return context.ask(images)
        about = {"run": self._run, "split": split, "rows": rows, "n": len(images), "weights": self._weights}
        text = json.dumps(about)
        folder = self._share.folder / hashlib.sha256(text.encode()).hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        atomic.write(folder / ABOUT, text)
        answers = Answers(folder, images, rows, context)
        self._share(answers)
        return answers.joined()


@contextlib.contextmanager
def opened(share: Path, name: str, context_of: Callable[[str], tuple[EvaluationContext, str]]) -> Iterator[Answers]:
    """Somebody's shards, to help with. share: the folder of a job's shards; context_of: run id → its context, and the
    digest of its weights. Raises OSError, ValueError where the run here is another one."""
    about = json.loads((share / name / ABOUT).read_text(encoding="utf-8"))
    context, weights = context_of(about["run"])
    images = context.pictures(about["split"])
    if (len(images), weights) != (about["n"], about["weights"]):
        raise ValueError(f"run {about['run']} is another one here")
    yield Answers(share / name, images, about["rows"], context)
