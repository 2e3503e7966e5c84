"""The training loop: pictures stay uint8 in memory, a batch is augmented and normalised as one tensor."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ml.data.base import Dataset, Split
from ml.models.inputs import normalise, pixels
from ml.system import atomic
from ml.training import parallel
from ml.training.augment import augment
from ml.training.config import TrainConfig
from ml.training.frozen import Frozen
from ml.training.optimiser import Average, optimiser_of, schedule_of

EVALUATION_BATCH = 250  # what fits the processor's cache
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


class Cancelled(Exception):
    """Raised by a progress callback to end a training at the next batch."""


class Diverged(RuntimeError):
    """The loss is no longer a number."""


@torch.inference_mode()
def evaluate(
    model: nn.Module, split: Split, mean: list[float], std: list[float], *, flip: bool = False
) -> tuple[float, float]:
    """Mean cross-entropy and accuracy of the model in evaluation mode; flip adds the mirrored picture's logits."""
    was_training, device = model.training, next(iter(model.parameters()), torch.empty(0)).device
    model.eval()
    images, labels = pixels(split.images).to(device), torch.from_numpy(split.labels).to(device)
    loss, right = 0.0, 0
    for start in range(0, len(labels), EVALUATION_BATCH):
        rows = slice(start, start + EVALUATION_BATCH)
        batch = normalise(images[rows], mean, std)
        logits = (model(batch) + model(batch.flip(-1))) / 2 if flip else model(batch)
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
    on_metrics: Callable[[Metrics], None] = lambda metrics: None,
    on_weights: Callable[[int, nn.Module], None] = lambda epoch, scored: None,
) -> Iterator[Epoch]:
    """Train in place, yielding one Epoch at a time; ends with the weights of the best validation epoch loaded.

    In the first config.frozen_epochs only the head learns, on features of unaugmented pictures computed once.
    checkpoint: written after each epoch; where it exists, training goes on from it and yields its epochs first.
    on_batch(done, total): called before each step, counting steps of the whole training; may raise Cancelled.
    on_metrics: about twice a second. on_weights(epoch, network): what was scored on validation (the averaged weights
    where config.ema is set), outside the clock.
    Under torchrun each process does its share of every batch; only the first one scores, saves, calls and yields.
    Raises Diverged when the loss is not finite, ValueError when the checkpoint is of another config.
    """
    team = parallel.team()
    device = team.device()
    train, validation = dataset.subset(config.train_images, config.seed), dataset["validation"]
    mean, std = dataset.statistics()
    images, labels = pixels(train.images).to(device), torch.from_numpy(train.labels).to(device)
    steps = math.ceil(len(labels) / config.batch_size)
    generator = torch.Generator().manual_seed(config.seed)
    torch.manual_seed(config.seed + team.rank)  # dropout differs from share to share
    model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    model.train()
    optimiser = optimiser_of(model, config)
    schedule = schedule_of(optimiser, config, steps * config.epochs)
    average = Average(model, config.ema) if config.ema else None
    half = precision(config.precision, device) == "bfloat16"

    history: list[Epoch] = []
    best: tuple[float, dict[str, Tensor]] = (-1.0, {})
    if checkpoint is not None and checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True, map_location=device)
        if state["config"] != config.model_dump(mode="json"):
            raise ValueError("what is there to go on with was trained by another recipe: choose another name")
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
        generator.set_state(state["generator"].cpu())
        torch.set_rng_state(state["random"].cpu())
        if average is not None:
            average.load_state_dict(state["average"])
        history = [Epoch(**row) for row in state["history"]]
        best = (state["best_accuracy"], state["best"])
        yield from history

    frozen: Frozen | None = None
    for number in range(len(history) + 1, config.epochs + 1):
        started, loss_sum, right = time.perf_counter(), 0.0, 0
        if number > config.frozen_epochs:
            frozen = None
        elif frozen is None:
            begun = partial(on_batch if team.leads else _nothing, (number - 1) * steps, config.epochs * steps)
            frozen = Frozen(model, images, validation, (mean, std), half=half, on_chunk=begun)
        looked, seen = started, (0, 0.0, 0)  # when metrics were last given; pictures, loss sum and right answers then
        order = torch.randperm(len(labels), generator=generator).to(device)
        for step in range(steps):
            done = (number - 1) * steps + step
            if team.leads:
                on_batch(done, config.epochs * steps)
            rows = order[step * config.batch_size : (step + 1) * config.batch_size]
            part, share = team.part(len(rows))
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                if frozen is None:
                    batch = normalise(augment(images[rows], config.augment, generator), mean, std)
                    logits = model(batch[part]).float()
                else:
                    logits = frozen.logits(model, rows[part])
                loss = cross_entropy(logits, labels[rows][part], label_smoothing=config.label_smoothing)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            team.add_gradients(model, share)
            optimiser.step()
            schedule.step()
            if average is not None:
                average.update(model)
            hits = int((logits.argmax(1) == labels[rows][part]).sum()) if share else 0
            value, batch_right = team.add(loss.item() * share, hits)
            if not math.isfinite(value):
                raise Diverged(f"the loss became {value} in epoch {number}: try a lower learning rate")
            loss_sum += value * len(rows)
            right += int(batch_right)
            now = time.perf_counter()
            if team.leads and now - looked >= METRICS_SECONDS:
                n = min((step + 1) * config.batch_size, len(labels))
                new = n - seen[0]
                rate = float(schedule.get_last_lr()[0])
                on_metrics(
                    Metrics(done + 1, (loss_sum - seen[1]) / new, (right - seen[2]) / new, rate, new / (now - looked))
                )
                looked, seen = now, (n, loss_sum, right)
        seconds = time.perf_counter() - started
        team.average_statistics(model)
        if not team.leads:
            continue
        scored = model if average is None else average.module
        if frozen is None:
            validation_loss, validation_accuracy = evaluate(scored, validation, mean, std, flip=config.flip_test)
        else:
            validation_loss, validation_accuracy = frozen.evaluate(scored)
        on_weights(number, scored)
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
            best = (validation_accuracy, {k: v.detach().clone() for k, v in scored.state_dict().items()})
        if checkpoint is not None:
            state = {
                "config": config.model_dump(mode="json"),
                "model": model.state_dict(),
                "optimiser": optimiser.state_dict(),
                "schedule": schedule.state_dict(),
                "generator": generator.get_state(),
                "random": torch.get_rng_state(),
                "average": average.state_dict() if average is not None else None,
                "history": [asdict(epoch) for epoch in history],
                "best_accuracy": best[0],
                "best": best[1],
            }
            _save(checkpoint, state)
        yield epoch
    if not team.leads:
        return
    on_batch(config.epochs * steps, config.epochs * steps)
    model.load_state_dict(best[1])
    model.cpu().eval()


def _nothing(done: int, total: int) -> None:
    """What the other processes of a team call."""


def precision(asked: str, device: torch.device) -> str:
    """float32 or bfloat16: "auto" takes the latter on a graphics card, and on a processor with instructions for it."""
    if asked != "auto":
        return asked
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    known = torch.cpu.get_capabilities()
    return "bfloat16" if known.get("avx512_bf16") or known.get("amx_bf16") else "float32"


def _save(path: Path, state: dict[str, object]) -> None:
    """Replace the checkpoint in one step: a crash leaves the old one or the new one."""
    with atomic.replacing(path) as scratch:
        torch.save(state, scratch)
