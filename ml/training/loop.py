"""The training loop: pictures stay uint8 in memory, a batch is augmented and normalised as one tensor."""

import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ml.data.base import Dataset, Split
from ml.models.inputs import normalise, pixels
from ml.training.augment import augment
from ml.training.config import TrainConfig

EVALUATION_BATCH = 1_000


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


class Cancelled(Exception):
    """Raised by a progress callback to end a training at the next batch."""


class Diverged(RuntimeError):
    """The loss is no longer a number."""


@torch.inference_mode()
def evaluate(model: nn.Module, split: Split, mean: list[float], std: list[float]) -> tuple[float, float]:
    """Mean cross-entropy and accuracy of the model in evaluation mode."""
    was_training = model.training
    model.eval()
    images, labels = pixels(split.images), torch.from_numpy(split.labels)
    loss, right = 0.0, 0
    for start in range(0, len(labels), EVALUATION_BATCH):
        rows = slice(start, start + EVALUATION_BATCH)
        logits = model(normalise(images[rows], mean, std))
        loss += cross_entropy(logits, labels[rows], reduction="sum").item()
        right += int((logits.argmax(1) == labels[rows]).sum())
    model.train(was_training)
    return loss / max(len(labels), 1), right / max(len(labels), 1)


def fit(
    model: nn.Module,
    dataset: Dataset,
    config: TrainConfig,
    *,
    checkpoint: Path | None = None,
    on_batch: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[Epoch]:
    """Train in place, yielding one Epoch at a time; ends with the weights of the best validation epoch loaded.

    checkpoint: written after each epoch; where it exists, training goes on from it and yields its epochs first.
    on_batch(done, total): called before each step, counting steps of the whole training; may raise Cancelled.
    Raises Diverged when the loss is not finite.
    """
    train, validation = dataset.subset(config.train_images, config.seed), dataset["validation"]
    mean, std = dataset.statistics()
    images, labels = pixels(train.images), torch.from_numpy(train.labels)
    steps = math.ceil(len(labels) / config.batch_size)
    optimiser = _optimiser(model, config)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, config.learning_rate, total_steps=steps * config.epochs + 1, pct_start=0.25
    )
    generator = torch.Generator().manual_seed(config.seed)
    torch.manual_seed(config.seed)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    model.train()

    history: list[Epoch] = []
    best: tuple[float, dict[str, Tensor]] = (-1.0, {})
    if checkpoint is not None and checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
        generator.set_state(state["generator"])
        torch.set_rng_state(state["random"])
        history = [Epoch(**row) for row in state["history"]]
        best = (state["best_accuracy"], state["best"])
        yield from history

    for number in range(len(history) + 1, config.epochs + 1):
        started, loss_sum, right = time.perf_counter(), 0.0, 0
        order = torch.randperm(len(labels), generator=generator)
        for step in range(steps):
            on_batch((number - 1) * steps + step, config.epochs * steps)
            rows = order[step * config.batch_size : (step + 1) * config.batch_size]
            batch = normalise(augment(images[rows], config.augment, generator), mean, std)
            logits = model(batch)
            loss = cross_entropy(logits, labels[rows], label_smoothing=config.label_smoothing)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            value = loss.item()
            if not math.isfinite(value):
                raise Diverged(f"the loss became {value} in epoch {number}: try a lower learning rate")
            loss_sum += value * len(rows)
            right += int((logits.argmax(1) == labels[rows]).sum())
        seconds = time.perf_counter() - started
        validation_loss, validation_accuracy = evaluate(model, validation, mean, std)
        epoch = Epoch(
            number,
            loss_sum / len(labels),
            right / len(labels),
            validation_loss,
            validation_accuracy,
            float(schedule.get_last_lr()[0]),
            seconds,
            len(labels) / seconds,
        )
        history.append(epoch)
        if validation_accuracy > best[0]:
            best = (validation_accuracy, {k: v.detach().clone() for k, v in model.state_dict().items()})
        if checkpoint is not None:
            _save(checkpoint, model, optimiser, schedule, generator, history, best)
        yield epoch
    on_batch(config.epochs * steps, config.epochs * steps)
    model.load_state_dict(best[1])
    model.eval()


def _optimiser(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    if config.optimiser == "adamw":
        return torch.optim.AdamW(model.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    return torch.optim.SGD(
        model.parameters(), config.learning_rate, momentum=0.9, nesterov=True, weight_decay=config.weight_decay
    )


def _save(path, model, optimiser, schedule, generator, history, best) -> None:
    state = {
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
        "schedule": schedule.state_dict(),
        "generator": generator.get_state(),
        "random": torch.get_rng_state(),
        "history": [asdict(epoch) for epoch in history],
        "best_accuracy": best[0],
        "best": best[1],
    }
    scratch = path.with_suffix(".tmp")
    with scratch.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(scratch, path)
