"""A network's layers as training treats them: some keep the weights they came with, and rates fall to the front.

Discriminative rates are those of Howard and Ruder 2018 (arXiv:1801.06146): what a network learned about edges needs
less change than what it learned about things.
"""

import time

import torch
from torch import nn

from ml.data.base import Statistics
from ml.models.input_adapter import InputAdapter
from ml.models.inputs import normalise
from ml.models.patch_cnn import PatchCNN
from ml.training.config import TrainConfig
from ml.training.held import Held

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
STEP = 32  # pixels by which pictures grow


def layers_of(model: nn.Module) -> list[list[nn.Module]]:
    """What learns of the body, from the picture on, a normalisation with what stands before it; then the head."""
    found: list[list[nn.Module]] = []
    for child in model.get_submodule("body").children():
        if isinstance(child, InputAdapter) or not any(True for _ in child.parameters()):
            continue
        if isinstance(child, NORMS) and found:
            found[-1].append(child)
        else:
            found.append([child])
    return [*found, [model.get_submodule("head")]]


def prepare(model: nn.Module, images: Held, count: int, statistics: Statistics, config: TrainConfig) -> float:
    """Seconds that it took to make the layer that is computed from the `count` training pictures, where the network has
    one and it is not made yet. Raises ValueError as `hold`, which follows."""
    began = time.perf_counter()
    if isinstance(model, PatchCNN):
        generator = torch.Generator().manual_seed(config.seed)
        model.learn(count, lambda rows: normalise(images[rows.to(images.device)], *statistics), generator)
    took = time.perf_counter() - began
    hold(model, config)
    return took


def hold(model: nn.Module, config: TrainConfig) -> None:
    """Weights of the first `frozen_layers` stand still, and those of a computed layer. Raises ValueError where the
    former are more than the body has."""
    if isinstance(model, PatchCNN):
        model.computed.requires_grad_(False)
    if not config.frozen_layers:
        return
    layers = layers_of(model)
    if config.frozen_layers >= len(layers):
        raise ValueError(
            f"{config.model} has {len(layers) - 1} layers before its last: at most as many can be frozen, "
            f"not {config.frozen_layers}"
        )
    for layer in layers[: config.frozen_layers]:
        for part in layer:
            part.requires_grad_(False)


def train_mode(model: nn.Module, config: TrainConfig) -> None:
    """As model.train(), but normalisation of layers that stand still keeps its mean and deviation, and with
    frozen_norm that of all."""
    model.train()
    if not (config.frozen_layers or config.frozen_norm):
        return
    layers = layers_of(model)
    for layer in layers if config.frozen_norm else layers[: config.frozen_layers]:
        for part in layer:
            for inner in part.modules():
                if isinstance(inner, NORMS):
                    inner.eval()


def rates(model: nn.Module, config: TrainConfig) -> list[tuple[list[nn.Module], float]]:
    """Modules whose weights share a rate, and that rate as a share of the whole one: all of them with a layer_decay
    of one, else one layer each, the last first."""
    if config.layer_decay == 1:
        return [([model], 1.0)]
    behind = reversed(layers_of(model))
    return [(layer, config.layer_decay**place) for place, layer in enumerate(behind)]


def side_of(config: TrainConfig, epoch: int, shape: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the pictures in an epoch, the first being 1. shape: as the data set has them.

    With first_side the shorter side begins there and grows by STEP pixels or less, for as many epochs each as can be
    even; epochs in which only the head learns see whole pictures.
    """
    short = min(shape)
    if not config.first_side or config.first_side >= short:
        return shape
    count = -(-(short - config.first_side) // STEP) + 1
    sides = [config.first_side + round((short - config.first_side) * k / (count - 1)) for k in range(count)]
    ends = [config.epochs - config.frozen_epochs, epoch - config.frozen_epochs - 1]
    side = sides[min(max(ends[1], 0) * count // max(ends[0], 1), count - 1)]
    return round(shape[0] * side / short), round(shape[1] * side / short)
