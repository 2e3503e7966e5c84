"""The training loop: pictures stay uint8, in memory or mapped; a batch is augmented and normalised as one tensor."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div

from ml.data.base import Dataset, Statistics
from ml.models.inputs import normalise
from ml.training import parallel
from ml.training.augment import smaller
from ml.training.checkpoint import TrainingState
from ml.training.config import TrainConfig
from ml.training.frozen import Frozen
from ml.training.held import held
from ml.training.layers import prepare, side_of, train_mode
from ml.training.meter import Epoch, Meter, Metrics
from ml.training.mixing import changed
from ml.training.validation import evaluate


class Cancelled(Exception):
    """Raised by a progress callback to end a training at the next batch."""


class Diverged(RuntimeError):
    """The loss is no longer a number."""


def fit(
    model: nn.Module,
    dataset: Dataset,
    config: TrainConfig,
    *,
    checkpoint: Path | None = None,
    teachers: Sequence[Callable[[Tensor], Tensor]] = (),
    on_batch: Callable[[int, int], None] = lambda done, total: None,
    on_metrics: Callable[[Metrics], None] = lambda metrics: None,
    on_weights: Callable[[int, nn.Module], None] = lambda epoch, scored: None,
) -> Iterator[Epoch]:
    """Train in place, yielding one Epoch at a time; ends with the weights of the best validation epoch loaded.

    In the first config.frozen_epochs only the head learns, on features of unaugmented pictures computed once.
    checkpoint: written after each epoch; where it exists, training goes on from it and yields its epochs first.
    teachers: uint8 [n, c, h, w] → logits [n, classes], whose mean answer to every augmented picture is learned from too
    (config.teacher_share of the loss); not while only the head learns.
    on_batch(done, total): called before each step, counting steps of the whole training; may raise Cancelled.
    on_metrics: about twice a second. on_weights(epoch, network): what was scored (averaged, where it is), unclocked.
    Under torchrun each process does its share of every batch; only the first one scores, saves, calls and yields.
    Raises Diverged where the loss is not finite, ValueError for a checkpoint of another config or of other pictures.
    """
    team = parallel.team()
    device = team.device()
    train, validation = dataset.subset(config.train_images, config.seed), dataset["validation"]
    statistics = dataset.statistics()
    images, labels = held(train.images, device), torch.from_numpy(train.labels).to(device)
    classes, steps = len(dataset.classes), math.ceil(len(labels) / config.batch_size)
    total = config.epochs * steps
    on_batch = on_batch if team.leads else _nothing
    torch.manual_seed(config.seed + team.rank)  # dropout differs from share to share
    model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    prepared = prepare(model, images, len(labels), statistics, config)
    half = precision(config.precision, device) == "bfloat16"
    state = TrainingState.begin(model, config, total)
    if checkpoint is not None and checkpoint.exists():
        state.load(checkpoint, config, device, dataset.digest)
        yield from state.history

    frozen: Frozen | None = None
    for number in range(len(state.history) + 1, config.epochs + 1):
        meter, begun = Meter(prepared if number == 1 else 0.0), (number - 1) * steps
        if number > config.frozen_epochs:
            frozen = None
        elif frozen is None:
            frozen = Frozen(model, images, validation, statistics, half=half, on_chunk=partial(on_batch, begun, total))
        train_mode(model, config)
        size = side_of(config, number, train.images.shape[1:3])
        order = torch.randperm(len(labels), generator=state.generator).to(device)
        for done, rows in enumerate(order.split(config.batch_size), begun):
            on_batch(done, total)
            part, share = team.part(len(rows))
            state.optimiser.zero_grad(set_to_none=True)
            if frozen is None:
                batch, targets = changed(images[rows], labels[rows], config.augment, classes, state.generator)
                batch = smaller(batch[part], size)
                ask = partial(_asked, model, batch, statistics)
                teach = partial(_taught, teachers, batch, config.teacher_temperature) if teachers else None
            else:
                ask, teach, targets = partial(_asked_head, frozen, model, rows[part]), None, labels[rows]
            loss, hits = _gradients(ask, teach, targets[part], config, half)
            team.add_gradients(model, share)
            state.step()
            value, correct = team.add(loss * share, hits if share else 0)
            if not math.isfinite(value):
                raise Diverged(f"the loss became {value} in epoch {number}: try a lower learning rate")
            meter.add(len(rows), value, int(correct))
            if team.leads and (metrics := meter.look(done + 1, state.learning_rate)):
                on_metrics(metrics)
        meter.stop()
        team.average_statistics(model)
        if not team.leads:
            continue
        score = frozen.evaluate(state.scored) if frozen else evaluate(state.scored, validation, *statistics)
        on_weights(number, state.scored)
        state.add(epoch := meter.epoch(number, score, state.learning_rate))
        if checkpoint is not None:
            state.save(checkpoint, config, dataset.digest)
        yield epoch
    if not team.leads:
        return
    on_batch(total, total)
    model.requires_grad_(True)  # layers that stood still are layers of a network like any other
    model.load_state_dict(state.best)
    model.cpu().eval()


def _asked(model: nn.Module, batch: Tensor, statistics: Statistics, rows: slice) -> Tensor:
    return model(normalise(batch[rows], *statistics)).float()


def _asked_head(frozen: Frozen, model: nn.Module, chosen: Tensor, rows: slice) -> Tensor:
    return frozen.logits(model, chosen[rows])


def _taught(teachers: Sequence[Callable[[Tensor], Tensor]], batch: Tensor, temperature: float, rows: slice) -> Tensor:
    """float [n, classes]: the mean of what the teachers say, softened."""
    said = [torch.softmax(teacher(batch[rows]).float() / temperature, 1) for teacher in teachers]
    return torch.stack(said).mean(0)


def _gradients(
    ask: Callable[[slice], Tensor],
    teach: Callable[[slice], Tensor] | None,
    targets: Tensor,
    config: TrainConfig,
    half: bool,
) -> tuple[float, int]:
    """Mean loss and right answers of a batch, whose gradients are added to those of the weights, part after part.

    targets: int64 [n], or float32 [n, classes] of pictures of two, where the larger of them is what is right."""
    value, hits = 0.0, 0
    for rows in parts(len(targets), config.micro_batch):
        wanted = targets[rows]
        with torch.autocast(targets.device.type, torch.bfloat16, enabled=half):
            logits = ask(rows)
            loss = cross_entropy(logits, wanted, label_smoothing=config.label_smoothing)
            if teach is not None:
                softness = config.teacher_temperature  # its square keeps gradients as large as those of the labels
                said = torch.log_softmax(logits / softness, 1)
                taught = kl_div(said, teach(rows), reduction="batchmean") * softness**2
                loss = loss + config.teacher_share * (taught - loss)
        share = len(wanted) / len(targets)
        (loss if share == 1 else loss * share).backward()
        value += loss.item() * share
        hits += int((logits.argmax(1) == (wanted.argmax(1) if wanted.dim() == 2 else wanted)).sum())
    return value, hits


def parts(n: int, most: int | None) -> list[slice]:
    """n rows in as few parts of at most `most` as can be, nearly equal; of fewer than two rows none, since batch
    statistics need two."""
    count = max(1, min(-(-n // (most or n)), n // 2))
    ends = [n * k // count for k in range(count + 1)]
    return [slice(start, end) for start, end in itertools.pairwise(ends)]


def _nothing(done: int, total: int) -> None:
    """What the other processes of a team call."""


def precision(choice: str, device: torch.device) -> str:
    """float32 or bfloat16: "auto" takes the latter on a graphics card, and on a processor with instructions for it."""
    if choice != "auto":
        return choice
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    known = torch.cpu.get_capabilities()
    return "bfloat16" if known.get("avx512_bf16") or known.get("amx_bf16") else "float32"
