"""Loss, accuracy and speed of the running epoch, and the row of history that it becomes."""

import time
from dataclasses import dataclass

METRICS_SECONDS = 0.5  # between two looks at the running epoch


@dataclass(frozen=True)
class Epoch:
    """One row of history. Accuracies in 0..1, losses mean cross-entropy in nats, seconds without evaluation."""

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    learning_rate: float
    seconds: float
    images_per_second: float


@dataclass(frozen=True)
class Metrics:
    """The batches since the last look: mean loss in nats, share right, rate and speed; batch counts from the start."""

    batch: int
    loss: float
    accuracy: float
    learning_rate: float
    images_per_second: float


class Meter:
    """Counts one epoch; its clock begins at once and ends with `stop`. prepared: seconds that count as well."""

    def __init__(self, prepared: float = 0.0) -> None:
        self.images, self.loss_sum, self.correct, self.seconds = 0, 0.0, 0, 0.0
        self._looked = time.perf_counter()
        self._began = self._looked - prepared
        self._seen = (0, 0.0, 0)  # images, loss sum and right answers at the last look

    def add(self, images: int, loss: float, correct: int) -> None:
        """Take in a batch: its number of pictures, mean loss and right answers."""
        self.images += images
        self.loss_sum += loss * images
        self.correct += correct

    def look(self, batch: int, learning_rate: float) -> Metrics | None:
        """The batches since the last look, about twice a second; None in between."""
        now = time.perf_counter()
        if now - self._looked < METRICS_SECONDS:
            return None
        images, loss_sum, correct = self._seen
        new = self.images - images
        metrics = Metrics(
            batch,
            (self.loss_sum - loss_sum) / new,
            (self.correct - correct) / new,
            learning_rate,
            new / (now - self._looked),
        )
        self._looked, self._seen = now, (self.images, self.loss_sum, self.correct)
        return metrics

    def stop(self) -> None:
        """What follows is not counted as training."""
        self.seconds = time.perf_counter() - self._began

    def epoch(self, number: int, validation: tuple[float, float], learning_rate: float) -> Epoch:
        """The row of history. validation: loss and accuracy."""
        return Epoch(
            number,
            self.loss_sum / self.images,
            self.correct / self.images,
            *validation,
            learning_rate,
            self.seconds,
            self.images / self.seconds,
        )
