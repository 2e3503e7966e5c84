"""How weights move: the optimiser, its schedule, and a running average of the weights."""

import copy
import inspect
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from ml.training.config import TrainConfig
from ml.training.layers import rates
from ml.training.muon import OTHERS, matrices, turn

# Nothing here is compiled, and torch 2.13 loads its compiler only to keep it away from an optimiser, which costs each
# process that trains 1.1 s. So steps are taken out of what does so, and what a method of all optimisers has the
# compiler make of itself is itself.
for _name in ("add_param_group", "load_state_dict", "state_dict", "zero_grad"):
    if _method := getattr(getattr(torch.optim.Optimizer, _name), "__wrapped__", None):
        _method.__dict__.setdefault("__dynamo_disable", _method)


class AdamW(torch.optim.AdamW):
    """torch's, whose step does not load the compiler."""

    step: Any = torch.no_grad()(inspect.unwrap(torch.optim.AdamW.step))


class SGD(torch.optim.SGD):
    """torch's, whose step does not load the compiler."""

    step: Any = torch.no_grad()(inspect.unwrap(torch.optim.SGD.step))


class Muon(AdamW):
    """Muon for groups that say `turned`, AdamW for the others."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        torch.optim.Optimizer.__setstate__(self, state)  # AdamW's own looks for its step count in every state

    def _both(self) -> None:
        groups = self.param_groups
        self.param_groups = [group for group in groups if not group["turned"]]
        try:
            super().step()
        finally:
            self.param_groups = groups
        for group in groups:
            if group["turned"]:
                turn(group, self.state)

    step: Any = torch.no_grad()(_both)


def optimiser_of(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW, Nesterov SGD or Muon. Weight decay is for kernels and matrices; offsets and normalisation go free."""
    groups: list[dict[str, Any]] = []
    turned = matrices(model) if config.optimiser == "muon" else set()
    for modules, share in rates(model, config):
        learning = [p for module in modules for p in module.parameters() if p.requires_grad]
        rate = config.learning_rate * share
        if turned and (params := [p for p in learning if id(p) in turned]):
            groups.append({"params": params, "weight_decay": config.weight_decay, "lr": rate, "turned": True})
        for decay, params in (
            (config.weight_decay, [p for p in learning if p.ndim > 1 and id(p) not in turned]),
            (0.0, [p for p in learning if p.ndim <= 1]),
        ):
            if params:
                groups.append({"params": params, "weight_decay": decay, "lr": rate})
    if config.optimiser == "muon":
        for group in groups:
            if not group.setdefault("turned", False):
                group["lr"] *= OTHERS
        return Muon(groups, config.learning_rate, betas=(config.momentum, 0.999), fused=True)
    if config.optimiser == "adamw":
        return AdamW(groups, config.learning_rate, betas=(config.momentum, 0.999), fused=True)
    return SGD(groups, config.learning_rate, momentum=config.momentum, nesterov=config.momentum > 0, fused=True)


def schedule_of(optimiser: torch.optim.Optimizer, config: TrainConfig, steps: int) -> LRScheduler:
    """The learning rate over all steps of the training; it is stepped once a batch."""
    if config.schedule == "one_cycle":
        share = max(config.warmup, 2 / (steps + 1))  # OneCycleLR divides by its first phase, which needs a step
        peaks = [group["lr"] for group in optimiser.param_groups]
        return OneCycleLR(optimiser, peaks, total_steps=steps + 1, pct_start=share)
    rise = math.ceil(config.warmup * steps)

    def factor(step: int) -> float:
        if step < rise:
            return (step + 1) / rise
        if config.schedule == "constant":
            return 1.0
        return 0.5 * (1 + math.cos(math.pi * min((step - rise) / max(steps - rise, 1), 1.0)))

    return LambdaLR(optimiser, factor)


class Average:
    """Exponential moving average of weights and buffers (Polyak and Juditsky 1992, Tarvainen and Valpola 2017).

    The decay grows with the steps, min(decay, (1 + t) / (10 + t)), so that the random start is soon forgotten.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay, self.steps = decay, 0
        self._own, self._theirs = self._pairs(model)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the model's weights after a step."""
        self.steps += 1
        share = 1 - min(self.decay, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(self._own, self._theirs, share)
        for mine, theirs in zip(self.module.buffers(), model.buffers(), strict=True):
            if not mine.is_floating_point():  # counters
                mine.copy_(theirs)

    def state_dict(self) -> dict[str, object]:
        return {"steps": self.steps, "module": self.module.state_dict()}

    def load_state_dict(self, state: dict) -> None:
        self.steps = state["steps"]
        self.module.load_state_dict(state["module"])

    def _pairs(self, model: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
        mine = [*self.module.parameters(), *self.module.buffers()]
        theirs = [*model.parameters(), *model.buffers()]
        kept = [(m, t.detach()) for m, t in zip(mine, theirs, strict=True) if m.is_floating_point()]
        return [m for m, _ in kept], [t for _, t in kept]
