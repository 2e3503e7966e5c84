"""A run's network computed by torch: pictures in; probabilities, features or feature maps out."""

import copy
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ml import models
from ml.artifacts.kinds import CAPABILITIES, IMPORTED, NETWORK, kind_of
from ml.artifacts.reader import Broken, Run
from ml.data.images import AnyImages, asked_at_once, batches
from ml.inference.contract import check, median_latency
from ml.inference.imported_torch import of_run
from ml.models.inputs import normalise, pixels
from ml.models.mirrored import joined, looks
from ml.stats.calibration import softmax
from ml.stats.ood import WIDEST

STATISTICS = WIDEST
PASSING = (
    nn.Conv2d, nn.BatchNorm2d, nn.Linear, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d,
    nn.Dropout, nn.Flatten, nn.Identity,
)  # fmt: skip


class Classifier:
    """A run's network in evaluation mode. classes: names; shape: (height, width, channels) of its pictures.

    folded: what answers, its batch normalisation a part of the convolutions.
    """

    capabilities = frozenset(CAPABILITIES)

    def __init__(
        self, module: nn.Module, dataset: dict[str, Any], again: Callable[[], nn.Module] | None = None
    ) -> None:
        """again: builds the same network anew; it is then in memory once, until somebody looks into its layers."""
        whole = _ready(module)
        self._again, self._whole = again, whole if again is None else None
        self.folded: Any = folded(whole) if again is None else _fold(whole)
        self.classes: tuple[str, ...] = tuple(dataset["classes"])
        self.shape: tuple[int, int, int] = (dataset["height"], dataset["width"], dataset["channels"])
        self.mean: list[float] = dataset["mean"]
        self.std: list[float] = dataset["std"]

    @classmethod
    def open(cls, run: Run) -> "Classifier":
        """Build its model and load its weights. Raises Incapable without a network, Broken when they do not fit."""
        run.need(NETWORK)
        if kind_of(run.manifest) == IMPORTED:
            return cls(*of_run(run), again=lambda: of_run(run)[0])
        return cls(cls._built(run), run.manifest["dataset"], again=lambda: cls._built(run))

    @staticmethod
    def _built(run: Run) -> nn.Module:
        """What was trained. Raises Broken where the weights do not fit."""
        config, name = run.manifest["model_config"], run.manifest["model"]
        if name not in models.MODELS and not name.startswith(models.TIMM):
            raise Broken(f"run {run.run_id} is of the network {name}, which is not in this copy of the app")
        try:
            module: nn.Module = models.build(name, **config)
            module.load_state_dict({name: torch.from_numpy(array) for name, array in run.weights().items()})
        except models.NotInstalled as missing:
            raise Broken(f"run {run.run_id}: {missing}") from missing
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            if isinstance(error, Broken):
                raise
            raise Broken(f"the weights of run {run.run_id} do not fit {name}") from error
        return module

    @property
    def module(self) -> Any:
        """The network as it was trained, whose layers can be looked at one by one. Raises Broken where it is gone."""
        if self._whole is None:
            assert self._again is not None
            with torch.inference_mode(False):  # who looks first may want no gradients, who looks later does
                self._whole = _ready(self._again())
        return self._whole

    def inputs(self, images: np.ndarray) -> Tensor:
        """images: uint8 [n, h, w, c] → float32 [n, c, h, w], normalised."""
        check(images, self.shape)
        return normalise(pixels(images), self.mean, self.std)

    @property
    def differentiable(self) -> "Classifier":
        """What has its gradients: itself."""
        return self

    @property
    def pixels(self) -> nn.Module:
        """The network of pixels in 0..1, float32 [n, c, h, w], which attacks change."""
        return Pixels(self)

    @torch.inference_mode()
    def logits_and_features(self, images: AnyImages) -> tuple[np.ndarray, np.ndarray]:
        """images: uint8 [n, h, w, c] → float32 logits [n, classes] and penultimate features [n, d]."""
        logits, features = [], []
        for batch in batches(images, asked_at_once(self.shape)):
            body = self.folded.body(self.inputs(batch))
            features.append(body.numpy())
            logits.append(self.folded.head(body).numpy())
        return np.concatenate(logits), np.concatenate(features)

    def probabilities(self, images: AnyImages) -> np.ndarray:
        """images: uint8 [n, h, w, c] → float32 [n, classes], rows adding up to one."""
        return softmax(self.logits_and_features(images)[0])

    def probabilities_and_features(self, images: AnyImages) -> tuple[np.ndarray, np.ndarray]:
        """images: uint8 [n, h, w, c] → float32 [n, classes] and [n, d], of one pass."""
        logits, features = self.logits_and_features(images)
        return softmax(logits), features

    def features(self, images: AnyImages) -> np.ndarray:
        """images: uint8 [n, h, w, c] → float32 [n, d], the input of the last layer."""
        return self.logits_and_features(images)[1]

    @torch.inference_mode()
    def activations(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """image: uint8 [h, w, c] → layer name → float32 [channels, h, w] of every layer that still makes a picture.

        Of a mirrored network, what it makes of the picture as it stands.
        """
        maps: dict[str, np.ndarray] = {}
        value = self.inputs(image[None])
        for name, layer in self.module.body.named_children():
            value = layer(value)
            if value.ndim == 4 and not isinstance(layer, nn.Dropout):
                maps[f"body.{name}"] = value[0].numpy()
        return maps

    @torch.inference_mode()
    def statistics(self, images: AnyImages) -> np.ndarray:
        """images: uint8 [n, h, w, c] → float32 [n, d], what every layer says of a picture as a whole.

        Of each channel of a layer that makes pictures or tokens, its mean and its deviation over them; of others the
        numbers themselves. What only prepares the next layer is left out: linear maps before their activation, pooling.
        Of more than STATISTICS numbers, neighbouring ones are averaged until there are fewer.
        """
        return np.concatenate(
            [_narrowed(self._said(batch)[0]).numpy() for batch in batches(images, asked_at_once(self.shape))]
        )

    @torch.inference_mode()
    def everything(self, images: AnyImages) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """images: uint8 [n, h, w, c] → what `probabilities`, `features` and `statistics` say, of one pass."""
        logits, features, wholes = [], [], []
        for batch in batches(images, asked_at_once(self.shape)):
            whole, body = self._said(batch)
            wholes.append(_narrowed(whole).numpy())
            features.append(body.numpy())
            logits.append(self.folded.head(body).numpy())
        return softmax(np.concatenate(logits)), np.concatenate(features), np.concatenate(wholes)

    def breadth(self) -> int:
        """How many numbers `statistics` would give if it averaged none."""
        with torch.inference_mode():
            return self._said(np.zeros((1, *self.shape), np.uint8))[0].shape[1]

    def _said(self, images: np.ndarray) -> tuple[Tensor, Tensor]:
        """What every layer says of pictures, float [n, d], and what its body makes of them, which the head reads."""
        body, parts = self.folded.body, []
        value = looks(body, self.inputs(images))
        for layer in body.children():
            value = layer(value)
            if isinstance(layer, PASSING):
                continue
            if value.ndim == 4:
                parts += [value.mean((2, 3)), value.std((2, 3), correction=0)]
            elif value.ndim == 3:
                parts += [value.mean(1), value.std(1, correction=0)]
            else:
                parts.append(value.clone())  # the next layer may work in place
        return joined(body, torch.cat(parts or [value.flatten(1)], dim=1)), joined(body, value)

    @torch.inference_mode()
    def latency(self) -> float:
        """Median milliseconds from one normalised picture to its logits, on one processor thread."""
        height, width, channels = self.shape
        picture = torch.zeros(1, channels, height, width)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return median_latency(lambda: self.folded(picture))
        finally:
            torch.set_num_threads(threads)

    def layers(self) -> list[dict[str, Any]]:
        """One entry a layer: name, kind, settings, output shape without the batch, trainable numbers."""
        height, width, channels = self.shape
        value = torch.zeros(1, channels, height, width)
        parts = [*((f"body.{n}", m) for n, m in self.module.body.named_children()), ("head", self.module.head)]
        entries = []
        with torch.inference_mode():
            for name, layer in parts:
                value = layer(value)
                entries.append(
                    {
                        "name": name,
                        "kind": type(layer).__name__,
                        "settings": layer.extra_repr(),
                        "shape": list(value.shape[1:]),
                        "parameters": models.parameter_count(layer),
                    }
                )
        return entries


def _narrowed(whole: Tensor) -> Tensor:
    """float [n, d] → [n, ≤ STATISTICS], neighbours averaged where there are more."""
    group = -(-whole.shape[1] // STATISTICS)
    return nn.functional.avg_pool1d(whole[:, None], group, ceil_mode=True)[:, 0] if group > 1 else whole


def folded(module: nn.Module) -> nn.Module:
    """A copy in which batch normalisation that follows a convolution has become part of it: same answers, less work.

    It follows where it is next in a Sequential, or where the two are called conv1 and bn1, as in torchvision's blocks.
    """
    return _fold(copy.deepcopy(module))


def _ready(module: nn.Module) -> nn.Module:
    ready: nn.Module = module.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return ready


def _fold(module: nn.Module) -> nn.Module:
    """The same in place."""
    for parent in list(module.modules()):
        for (one, conv), (two, norm) in pairwise(list(parent.named_children())):
            follows = isinstance(parent, nn.Sequential) or (one[:4] == "conv" and two == f"bn{one[4:]}")
            if follows and isinstance(conv, nn.Conv2d) and type(norm) is nn.BatchNorm2d:  # timm's own also activate
                setattr(parent, one, fuse_conv_bn_eval(conv, norm))
                if isinstance(parent, nn.Sequential):
                    delattr(parent, two)
                else:  # its forward names it
                    setattr(parent, two, nn.Identity())
    return module


class Pixels(nn.Module):
    """A classifier's network that reads pixels in 0..1, float32 [n, c, h, w], instead of normalised ones."""

    mean: Tensor
    std: Tensor

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.network = classifier.folded
        self.register_buffer("mean", torch.tensor(classifier.mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(classifier.std).view(1, -1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last))
        return logits
