"""Weights from elsewhere in an architecture that is known by name, computed by torch: a network of two parts, `body`
and `head`, as those that were trained here, so that whatever looks into these looks into it.

architecture: `timm:<name>`, `torchvision:<name>`, or one of ml.models.MODELS. Its preparation is its first layer, and
the pictures come to it with pixels from 0 to 1: gradients and maps are of the data set's own pictures.
"""

from collections import OrderedDict
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from ml import models
from ml.artifacts.reader import Broken, Missing, Run
from ml.inference.imported import Interface
from ml.models.variants import out_of_place
from ml.system.torchvision_ops import declare

TORCHVISION = "torchvision:"
RESAMPLING = {"bilinear": "bilinear", "bicubic": "bicubic", "nearest": "nearest-exact"}  # that torch has, by its name
SAME = 1e-4  # by which a network taken apart may differ from itself, of its largest answer


def built(architecture: str, *, channels: int, height: int, width: int, classes: int) -> nn.Module:
    """The network as its library builds it, at random, in evaluation mode. Raises Missing without its library,
    ValueError for a name that it does not know or a size that it cannot read."""
    sizes: Any = {"channels": channels, "height": height, "width": width, "classes": classes}
    try:
        if architecture.startswith(models.TIMM):
            net = _of_timm(architecture.removeprefix(models.TIMM), **sizes)
        elif architecture.startswith(TORCHVISION):
            net = _of_torchvision(architecture.removeprefix(TORCHVISION), channels, classes)
        else:
            net = models.build(architecture, **sizes)
    except KeyError as unknown:
        raise ValueError(str(unknown.args[0])) from None
    except (AssertionError, RuntimeError, TypeError) as error:
        words = " ".join(str(error).split())[:200]
        raise ValueError(f"{architecture} cannot be built for {height} × {width}: {words}") from None
    out_of_place(net)
    return net.eval()


def _of_timm(name: str, *, channels: int, height: int, width: int, classes: int) -> nn.Module:
    if find_spec("timm") is None:
        raise Missing(
            f"timm, which timm:{name} comes from, is not installed.", "pip install -r requirements-networks.txt"
        )
    declare()
    import timm

    if not timm.is_model(name):
        raise ValueError(f"timm {timm.__version__} has no network {name!r}")
    options: dict[str, Any] = {"pretrained": False, "in_chans": channels, "num_classes": classes}
    try:
        return timm.create_model(name, img_size=(height, width), **options)
    except TypeError:  # those that read any size do not know the word
        return timm.create_model(name, **options)


def _of_torchvision(name: str, channels: int, classes: int) -> nn.Module:
    declare()
    import torchvision

    known = torchvision.models.list_models(module=torchvision.models)
    if name not in known:
        raise ValueError(f"torchvision {torchvision.__version__} has no network {name!r}")
    more = {"init_weights": False, "aux_logits": True} if name in ("googlenet", "inception_v3") else {}
    net: nn.Module = torchvision.models.get_model(name, weights=None, num_classes=classes, **more)
    first_name, first = next((n, m) for n, m in net.named_modules() if isinstance(m, nn.Conv2d))
    if channels != first.in_channels:
        settings: Any = {"stride": first.stride, "padding": first.padding, "bias": first.bias is not None}
        kernel: Any = first.kernel_size
        other = nn.Conv2d(channels, first.out_channels, kernel, **settings)
        net.get_submodule(first_name.rpartition(".")[0]).register_module(first_name.rpartition(".")[2], other)
    return net


def last_of(net: nn.Module) -> str:
    """The name of its last linear layer, which answers. Raises ValueError where it has none."""
    named = [name for name, one in net.named_modules() if type(one) is nn.Linear and "aux" not in name.lower()]
    if hasattr(net, "get_classifier"):
        theirs: Any = net
        own = theirs.get_classifier()
        named = [name for name, one in net.named_modules() if one is own and type(one) is nn.Linear]
    if not named:
        raise ValueError("it does not end in one linear layer")
    return named[-1]


class Prepare(nn.Module):
    """images: float [n, channels, height, width] of 0 to 1, as the data set has them → as the network wants them."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, how: Interface) -> None:
        super().__init__()
        self.how = how
        self.register_buffer("mean", torch.tensor(how.mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(how.deviation).view(1, -1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        images = self.framed(images.transpose(2, 3) if self.how.transposed else images)
        if self.how.channels == 3 and images.shape[1] == 1:
            images = images.expand(-1, 3, -1, -1)
        if self.how.inverted:
            images = 1 - images
        if self.how.bgr:
            images = images.flip(1)
        return (images - self.mean) / self.deviation

    def framed(self, images: Tensor) -> Tensor:
        """As ml.images.framing does it with whole pictures."""
        (high, wide), height, width = images.shape[2:], self.how.height, self.how.width
        if (high, wide) == (height, width) and (self.how.frame != "crop" or self.how.share == 1):
            return images
        if self.how.frame == "stretch":
            return self.resized(images, height, width)
        if self.how.frame == "letterbox":
            scale = min(height / high, width / wide)
            inner = self.resized(images, max(1, round(scale * high)), max(1, round(scale * wide)))
            down, right = height - inner.shape[2], width - inner.shape[3]
            return pad(inner, [right // 2, right - right // 2, down // 2, down - down // 2])
        scale = max(height / high, width / wide) / self.how.share
        tall, broad = max(height, int(scale * high + 1e-6)), max(width, int(scale * wide + 1e-6))
        top, left = round((tall - height) / 2), round((broad - width) / 2)
        return self.resized(images, tall, broad)[:, :, top : top + height, left : left + width]

    def resized(self, images: Tensor, height: int, width: int) -> Tensor:
        mode = RESAMPLING[self.how.resampling]
        if mode == "nearest-exact":
            return interpolate(images, (height, width), mode=mode)
        made = interpolate(images, (height, width), mode=mode, align_corners=False, antialias=True)
        return made.clamp(0, 1)  # bicubic goes beyond, which levels cannot

    def extra_repr(self) -> str:
        return f"size=({self.how.height}, {self.how.width})"


class Whole(nn.Module):
    """A network that could not be taken apart, without its last layer, as one step."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images)


class TwoParts(nn.Module):
    """pixels: float [n, c, h, w] of 0 to 1 → logits [n, classes]."""

    def __init__(self, net: nn.Module, how: Interface) -> None:
        """net: as `built` gives it; it is taken apart, and its weights are kept."""
        super().__init__()
        body, self.head = parts(net, (how.channels, how.height, how.width))
        self.body = nn.Sequential(OrderedDict([("prepare", Prepare(how)), *body.items()]))
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images))


@torch.no_grad()
def parts(net: nn.Module, shape: tuple[int, int, int]) -> tuple[OrderedDict[str, nn.Module], nn.Linear]:
    """Its steps by name, which one after another give the input of its last layer, and that layer. Raises ValueError
    where it does not end in one."""
    if hasattr(net, "body") and isinstance(getattr(net, "head", None), nn.Linear):  # one of our own
        body: Any = net.body
        return OrderedDict(body.named_children()), net.head  # type: ignore[return-value]
    name = last_of(net)
    head: Any = net.get_submodule(name)
    example = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))
    expected = net(example)
    within, _, last = name.rpartition(".")
    net.get_submodule(within).register_module(last, nn.Identity())
    for steps in _guesses(net):
        try:
            value = example
            for step in steps.values():
                value = step(value)
            if value.ndim == 2 and torch.allclose(head(value), expected, atol=SAME * float(expected.abs().max())):
                return steps, head
        except (AssertionError, RuntimeError, ValueError, TypeError, NotImplementedError):
            continue
    if not torch.allclose(head(net(example)), expected, atol=SAME * float(expected.abs().max())):
        raise ValueError("it does not end in one linear layer")
    return OrderedDict(features=Whole(net)), head


def _guesses(net: nn.Module) -> list[OrderedDict[str, nn.Module]]:
    """Its children in their order, sequences among them opened, and rows made of maps before the last ones."""
    flat: OrderedDict[str, nn.Module] = OrderedDict()
    last = next(reversed([name for name, _ in net.named_children()]), "")
    at = 0
    for name, child in net.named_children():
        if name == last:
            at = len(flat)
        if isinstance(child, nn.Sequential) and not name.startswith("layer"):
            flat.update((f"{name}_{place}", one) for place, one in child.named_children())
        else:
            flat[name] = child
    items = [(name, one) for name, one in flat.items() if not isinstance(one, nn.Identity)]
    at = min(at, len(items))
    row = OrderedDict([*items[:at], ("flatten", nn.Flatten(1)), *items[at:]])
    guesses = [OrderedDict(items), row]
    if hasattr(net, "forward_features") and hasattr(net, "forward_head"):  # of timm
        from ml.models.timm_networks import Features, Pool

        guesses.append(OrderedDict(features=Features(net), pool=Pool(net)))
    return guesses


def plain(dataset: dict[str, Any]) -> dict[str, Any]:
    """A data set's description with pixels from 0 to 1 as they are, which Prepare takes."""
    channels = dataset["channels"]
    return {**dataset, "mean": [0.0] * channels, "std": [1.0] * channels}


def of_run(run: Run) -> tuple[TwoParts, dict[str, Any]]:
    """A run's network, and its data set as such a network reads it. Raises Broken, Missing without its library."""
    architecture, dataset = run.manifest["model"], run.manifest["dataset"]
    weights = {name: torch.from_numpy(array) for name, array in run.weights().items()}
    try:
        how = Interface.model_validate(run.manifest["interface"])
        if len(how.order) != len(dataset["classes"]):
            raise Broken(f"the network of run {run.run_id} is of other classes than the run")
        net = built(architecture, channels=how.channels, height=how.height, width=how.width, classes=len(how.order))
        module = TwoParts(net, how)
        module.load_state_dict(weights)
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        if isinstance(error, Broken):
            raise
        raise Broken(f"the weights of run {run.run_id} do not fit {architecture}") from error
    return module, plain(dataset)


def ordered(module: TwoParts, order: Sequence[int]) -> None:
    """Put its answers in another order, and leave out those of no class, in place: for each class where it stands."""
    rows, head = torch.tensor(order), module.head
    module.head = nn.Linear(head.in_features, len(order), bias=head.bias is not None)
    with torch.no_grad():
        module.head.weight.copy_(head.weight[rows])
        if head.bias is not None:
            module.head.bias.copy_(head.bias[rows])
    module.eval()
