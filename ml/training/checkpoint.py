"""Everything that training changes, and the file that holds it between two epochs."""

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Generator, Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from ml.system import atomic
from ml.training.config import TrainConfig
from ml.training.meter import Epoch
from ml.training.optimiser import Average, optimiser_of, schedule_of


def merit(epoch: Epoch) -> tuple[float, float]:
    """What the epoch that is kept has most of: right answers on validation and, of equally many, the lower loss."""
    return epoch.validation_accuracy, -epoch.validation_loss


@dataclass
class TrainingState:
    """Weights and what moves them, chance, and what came of it so far. The model is changed in place."""

    model: nn.Module
    optimiser: torch.optim.Optimizer
    schedule: LRScheduler
    average: Average | None
    generator: Generator
    history: list[Epoch] = field(default_factory=list)
    best_accuracy: float = -1.0
    best_loss: float = math.inf
    best: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def begin(cls, model: nn.Module, config: TrainConfig, steps: int) -> "TrainingState":
        """Before the first of `steps` steps."""
        optimiser = optimiser_of(model, config)
        return cls(
            model,
            optimiser,
            schedule_of(optimiser, config, steps),
            Average(model, config.ema) if config.ema else None,
            torch.Generator().manual_seed(config.seed),
        )

    @property
    def scored(self) -> nn.Module:
        """The network that validation judges: the averaged weights where there are any."""
        return self.model if self.average is None else self.average.module

    @property
    def learning_rate(self) -> float:
        return float(max(self.schedule.get_last_lr()))

    def step(self) -> None:
        """Move the weights along the gradients."""
        self.optimiser.step()
        self.schedule.step()
        if self.average is not None:
            self.average.update(self.model)

    def add(self, epoch: Epoch) -> None:
        """Take in a finished epoch; its weights where it is the best on validation, by accuracy and then by loss."""
        self.history.append(epoch)
        if merit(epoch) > (self.best_accuracy, -self.best_loss):
            self.best_accuracy, self.best_loss = epoch.validation_accuracy, epoch.validation_loss
            self.best = {name: value.detach().clone() for name, value in self.scored.state_dict().items()}

    def save(self, path: Path, config: TrainConfig, digest: str = "") -> None:
        """digest: of the data set. Replace the checkpoint in one step: a crash leaves the old one or the new one."""
        state = {
            "config": config.model_dump(mode="json"),
            "digest": digest,
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "generator": self.generator.get_state(),
            "random": torch.get_rng_state(),
            "average": self.average.state_dict() if self.average is not None else None,
            "history": [asdict(epoch) for epoch in self.history],
            "best_accuracy": self.best_accuracy,
            "best_loss": self.best_loss,
            "best": self.best,
        }
        with atomic.replacing(path) as scratch, scratch.open("wb") as file:  # torch's own writer hides a full disk
            torch.save(state, file)

    def load(self, path: Path, config: TrainConfig, device: torch.device, digest: str = "") -> None:
        """Go on from a checkpoint, torch's random state included.

        Raises ValueError when it is of another config, or of a data set with another digest.
        """
        state = torch.load(path, weights_only=True, map_location=device)
        if TrainConfig.model_validate(state["config"]) != config:  # an earlier version's lacks fields, and had defaults
            raise ValueError("what is there to go on with was trained by another recipe: choose another name")
        if state.get("digest", digest) != digest:
            raise ValueError(
                f"the images of {config.dataset} were imported anew since this training began: choose another name"
            )
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.generator.set_state(state["generator"].cpu())
        torch.set_rng_state(state["random"].cpu())
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.history = [Epoch(**row) for row in state["history"]]
        self.best_accuracy, self.best = state["best_accuracy"], state["best"]
        self.best_loss = state.get("best_loss", math.inf)  # an earlier version kept the first of equal accuracy
