"""What can be chosen for a training, what the choices mean, and how long it would take."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ml.artifacts.reader import Library
from ml.artifacts.schema import RUN_ID
from ml.data import available, fashion_mnist
from ml.jobs.reading import JobReader
from ml.models import ABOUT, MODELS
from ml.system import small_files
from ml.training.config import TrainConfig
from ml.training.fields import FIELDS
from ml.training.presets import PRESETS
from ml.training.schedule import rates

# what is not part of a preset: a choice of the day, not of the recipe
CIRCUMSTANCES = ("dataset", "seed", "train_images", "threads")


@dataclass(frozen=True)
class DataChoice:
    """A data set to train on. complete: False when only the shipped part of its training pictures is here."""

    name: str
    title: str
    train_images: int
    complete: bool


class TrainingOptions:
    """The choices of one home folder. artifacts: the folder of what ships."""

    def __init__(self, home: Path, artifacts: Path) -> None:
        self.home, self.artifacts = home, artifacts

    def models(self) -> list[str]:
        return list(MODELS)

    def about(self, model: object) -> str:
        """What a model is, in a sentence; '' for one that is not known."""
        return ABOUT.get(model, "") if isinstance(model, str) else ""

    def datasets(self) -> list[DataChoice]:
        """Built-in data sets first, then imported ones."""
        choices = []
        for name in available(self.home):
            described = self._described(name)
            if name == fashion_mnist.NAME and fashion_mnist.find() is not None:
                choices.append(DataChoice(name, "Fashion-MNIST", 55_000, True))
            elif described is not None:
                splits = described["splits"]
                count = splits.get("train", splits.get("reference", 0))
                choices.append(DataChoice(name, described["title"], count, "train" in splits))
        return choices

    def is_run(self, run_id: str) -> bool:
        """Whether a run of that name is here, usable or not."""
        return Library(self.artifacts, self.home).entry(run_id) is not None

    def validation_images(self, dataset: object) -> int | None:
        """How many pictures validation accuracy is measured on; None when that is not known yet."""
        if dataset == fashion_mnist.NAME:
            return fashion_mnist.VALIDATION
        if not isinstance(dataset, str) or not RUN_ID.fullmatch(dataset):
            return None
        described = self._described(dataset)
        return int(described["splits"]["validation"]) if described else None

    def size(self, dataset: str) -> tuple[int, int] | None:
        """Height and width of a data set's pictures; None where that is not known."""
        described = self._described(dataset) if RUN_ID.fullmatch(dataset) else None
        return (described["height"], described["width"]) if described else None

    def presets(self) -> dict[str, dict[str, Any]]:
        """Name → every choice that the preset makes, as JSON."""
        return {
            name: TrainConfig(**values).model_dump(mode="json", exclude={*CIRCUMSTANCES} - {*values})
            for name, values in PRESETS.items()
        }

    def planned(self, values: Mapping[str, Any], steps: int = 600) -> list[tuple[float, float]]:
        """(epochs done, learning rate) over a training with these settings; empty where they do not check out.

        values: learning_rate, epochs, schedule, warmup (others are not looked at); steps: of the whole training.
        """
        names = ("learning_rate", "epochs", "schedule", "warmup")
        try:
            config = TrainConfig(**{name: values[name] for name in names})
        except (ValidationError, TypeError, KeyError, RecursionError):
            return []
        return rates(config, max(steps, 1))

    def limits(self, name: str) -> tuple[float, float]:
        """Smallest and largest value of a number of TrainConfig."""
        return FIELDS[name].low or 0, FIELDS[name].high or 0

    def default(self, name: str) -> Any:
        """TrainConfig's own choice."""
        return FIELDS[name].default

    def _described(self, dataset: str) -> dict[str, Any] | None:
        """dataset.json of a data set whose pictures are here."""
        for root in (self.home, self.artifacts):
            file = root / "datasets" / dataset / "dataset.json"
            if file.is_file():
                return small_files.document(file)
        return None


def estimate(table: JobReader, model: str, dataset: str, epochs: int, images: int) -> tuple[float, int] | None:
    """Seconds a training would take, from the last trainings here of that model and data; and from how many."""
    paces, extras = [], []
    for job in table.listing(50):
        if job.spec.get("twins"):  # which took the time of several
            continue
        if job.state != "done" or (job.spec.get("model"), job.spec.get("dataset")) != (model, dataset):
            continue
        rows = table.history(job.id)
        if rows and job.started and job.finished:
            paces.append(statistics.fmean(row["images_per_second"] for row in rows))
            extras.append(max(job.finished - job.started - sum(row["seconds"] for row in rows), 0.0))
        if len(paces) == 3:
            break
    if not paces:
        return None
    return epochs * images / statistics.median(paces) + statistics.median(extras), len(paces)
