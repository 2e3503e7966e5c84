"""Asks a network why: what in a picture spoke for an answer, and what each layer makes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from dashboard.data.cache import Cache
from dashboard.services.networks import Network, Networks, digest
from ml.artifacts import kinds
from ml.artifacts.reader import Broken, Missing
from ml.explanation.scale import at_once, large, smoothed, to_unit
from ml.system import torch_once

if TYPE_CHECKING:
    from ml.explanation.covering import Covered
    from ml.explanation.walk import Arithmetic, Stop
    from ml.inference.contract import Timed

MAPS = 512  # maps held, a few kB each
# pictures whose feature maps are held, half a MB each, and photographs, 9 MB each with EfficientNet-Lite2
ACTIVATIONS, PHOTO_ACTIVATIONS = 12, 2
# pictures whose way through every layer is held, 2 MB each with small_resnet, 40 with the largest; photographs, 110 MB
WALKS, PHOTO_WALKS = 2, 1
COVERED = 24  # pictures whose answers with each patch covered are held, 170 times the classes' numbers each
ASKING, EXPLAIN = "occlusion", ("grad-cam", "integrated", "gradients", "occlusion")  # the first needs answers alone
MEANS = {
    "grad-cam": 240,
    "gradients": 240,
    "integrated": 24,
    "occlusion": 24,
}  # pictures of a mean: seconds, not minutes
MEANS_KEPT = 64
PATIENCE = 30.0  # seconds that a mean may take where every answer counts: of a slow network it is of fewer pictures
PAIRS = 4  # pictures whose maps of several classes were made together
QUICK = ("int8", "onnx")  # engines that cover patches of a photograph, where they are there and agree with the network
SHARED = ("integrated", "occlusion")  # whose work several classes of a picture share
ALONE = ("integrated", "gradients")  # whose pixels are asked one by one, and neighbours differ
PASSES = {"grad-cam": 2, "gradients": 3, "integrated": 25, "occlusion": 50}  # answers' time that a map of one takes


class NoExplanation(LookupError):
    """This network cannot be explained this way; the message says why."""


@dataclass(frozen=True)
class Typical:
    """What spoke for their classes in n pictures on average; silent more had nothing that did and are left out.

    mean: float64 [h, w], each picture's map above zero and scaled so that it adds up to one; error: float64 [h, w], the
    standard error of that mean.
    """

    n: int
    silent: int
    mean: np.ndarray
    error: np.ndarray


class Explainer:
    """Explains the answers of every run of a store. Maps are kept by network and picture."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self._maps, self._means = Cache(MAPS), Cache(MEANS_KEPT)
        self._walks = {False: Cache(WALKS), True: Cache(PHOTO_WALKS)}  # by whether it is a photograph
        self._activations = {False: Cache(ACTIVATIONS), True: Cache(PHOTO_ACTIVATIONS)}
        self._covers, self._pairs = Cache(COVERED), Cache(PAIRS)

    def explain(
        self, run_id: str | None, image: np.ndarray, target: int, method: str = "grad-cam", *, layer: str = ""
    ) -> np.ndarray:
        """image: uint8 [h, w, c] of the network's form → float32 [h, w] from 0 to 1, what spoke for class `target`.

        layer: that Grad-CAM looks at, '' for its own choice. Raises Missing, Broken, NoExplanation, ValueError for an
        unknown method, class or layer or a picture of another form.
        """
        return self._explained(run_id, image, target, method, layer)[1]

    def together(
        self, run_id: str | None, image: np.ndarray, targets: Sequence[int], method: str, *, layer: str = ""
    ) -> list[np.ndarray]:
        """As `explain`, of several classes: a picture fades in, and each patch is covered, once for all of them."""
        network = self._networks.open(run_id)
        if (
            method in SHARED
            and len(targets) > 1
            and method in ways(network.run.manifest)
            and not _aside(network, method)
        ):
            picture = (*network.key, digest(image))
            if not all(0 <= target < len(network.classes) for target in targets):
                raise ValueError(f"there is no class {max(targets)}")
            made = self._pairs.get(
                (*picture, method, tuple(targets)), lambda: self._several(network, image, targets, method)
            )
            for target, raw in zip(targets, made, strict=True):
                self._maps.get((*picture, target, method, ""), partial(_both, raw, method))
        return [self.explain(run_id, image, target, method, layer=layer) for target in targets]

    def _several(self, network: Network, image: np.ndarray, targets: Sequence[int], method: str) -> np.ndarray:
        """float32 [k, h, w]: of k classes, by a method of SHARED."""
        torch_once.load()
        import torch

        from ml.explanation import integrated, occlusion

        several = integrated.several if method == "integrated" else occlusion.several
        classes = torch.tensor(list(targets))[:, None]
        if photograph(image):  # the way back takes half a second, and needs no lock
            module, inputs = self._in_turns(network, image[None])
            return several(module, inputs, classes)[:, 0].numpy()
        with self._networks.lock:
            asked = network.differentiable
            return several(_folded(asked), asked.inputs(image[None]), classes)[:, 0].numpy()

    def _in_turns(self, network: Network, images: np.ndarray) -> tuple[Any, Any]:
        """What is asked where no layer is looked at, whose every answer takes the lock anew, and its inputs."""
        from ml.robustness.turns import Taking

        with self._networks.lock:
            asked = network.differentiable
            return Taking(_folded(asked), self._networks.lock), asked.inputs(images)

    def attribution(
        self, run_id: str | None, image: np.ndarray, target: int, method: str = "grad-cam", *, layer: str = ""
    ) -> np.ndarray:
        """The same before it is scaled: float32 [h, w] in the method's own unit, of either sign."""
        return self._explained(run_id, image, target, method, layer)[0]

    def _explained(
        self, run_id: str | None, image: np.ndarray, target: int, method: str, layer: str
    ) -> tuple[np.ndarray, np.ndarray]:
        network = self._networks.open(run_id)
        if method not in EXPLAIN:
            raise ValueError(f"unknown explanation {method!r}")
        if not 0 <= target < len(network.classes):
            raise ValueError(f"there is no class {target}")
        layer = layer if method == "grad-cam" else ""
        if layer and layer not in {one["name"] for one in network.run.manifest.get("layers", [])}:
            raise ValueError(f"there is no layer {layer[:60]!r}")

        def ask() -> tuple[np.ndarray, np.ndarray]:
            raw = self._raw(network, image[None], np.array([target]), method, layer)[0]
            return _both(raw, method)

        return self._maps.get((*network.key, digest(image), target, method, layer), ask)

    def glance(self, run_id: str | None, image: np.ndarray, target: int) -> np.ndarray | None:
        """Grad-CAM of one frame of a camera as `explain` gives it, None for a network that has none; it is not kept."""
        network = self._networks.open(run_id)
        try:
            raw = self._raw(network, image[None], np.array([target]), "grad-cam")[0]
        except NoExplanation:
            return None
        return _scaled(raw, "grad-cam")

    def _raw(
        self, network: Network, images: np.ndarray, targets: np.ndarray, method: str, layer: str = ""
    ) -> np.ndarray:
        """float32 [n, h, w] in the method's own unit. Raises NoExplanation, ValueError for pictures of another form."""
        if method not in ways(network.run.manifest):
            raise NoExplanation(kinds.lacks("gradients", kinds.kind_of(network.run.manifest)).rstrip("."))
        if _aside(network, method):
            return np.stack([self._covered(network, one).map(int(to)) for one, to in zip(images, targets, strict=True)])
        torch_once.load()
        import torch

        from ml.explanation.methods import EXPLANATIONS
        from ml.explanation.scale import NoConvolution

        classes = torch.from_numpy(targets.astype(np.int64))
        if method == "integrated" and photograph(images[0]):
            module, inputs = self._in_turns(network, images)
            return EXPLANATIONS[method].raw(module, inputs, classes, layer).numpy()
        with self._networks.lock:
            asked = network.differentiable
            inputs = asked.inputs(images)
            module = asked.module if method == "grad-cam" else _folded(asked)
            try:
                return EXPLANATIONS[method].raw(module, inputs, classes, layer).numpy()
            except NoConvolution as error:
                raise NoExplanation(f"{error}") from None

    def _covered(self, network: Network, image: np.ndarray) -> "Covered":
        """Of all classes at once; others may ask between any few pictures. Raises what asking does."""
        from ml.explanation.covering import covered

        def cover() -> "Covered":
            asked = self._quick(network, image) if large(*image.shape[:2]) else network.asked

            def ask(images: np.ndarray) -> np.ndarray:
                with self._networks.lock:
                    return asked.probabilities(images)

            return covered(ask, image)

        return self._covers.get((*network.key, digest(image)), cover)

    def _quick(self, network: Network, image: np.ndarray) -> "Timed":
        """The quickest engine that is there and says of the picture what the network says."""
        for name in QUICK:
            if name in network.run.manifest["nouns"]:
                try:
                    quick, own = (self._networks.output(network, image, one) for one in (name, "torch"))
                    if quick.probabilities.argmax() == own.probabilities.argmax():
                        return network.engine(name)
                except (Missing, Broken):  # onnxruntime is not everywhere
                    continue
        return network.asked

    def pictures(self, run_id: str | None, method: str) -> int:
        """How many pictures a mean by one of MEANS is of, at most. Raises Missing, Broken."""
        manifest = self._networks.open(run_id).run.manifest
        height, width = manifest["dataset"]["height"], manifest["dataset"]["width"]
        answer = (manifest.get("latency_ms") or 0) / 1000
        if large(height, width):
            seconds = PASSES[method] * answer
        elif method != ASKING or kinds.kind_of(manifest) == kinds.TRAINED:
            return MEANS[method]
        else:
            from ml.explanation.covering import patches

            seconds = len(patches(height, width)[2]) * answer
        return max(2, min(MEANS[method], int(PATIENCE / max(seconds, 1e-9))))

    def typical(self, run_id: str | None, images: np.ndarray, targets: np.ndarray, method: str) -> Typical:
        """What spoke for the classes of many pictures, on average. images: uint8 [n, h, w, c]; targets: int [n].

        Raises Missing, Broken, NoExplanation, ValueError for an unknown method or pictures of another form. Others may
        ask between any few pictures.
        """
        network = self._networks.open(run_id)
        if method not in MEANS:
            raise ValueError(f"unknown explanation {method!r}")
        key = (*network.key, digest(images), digest(targets), method)
        return self._means.get(key, lambda: self._mean(network, images, targets, method))

    def _mean(self, network: Network, images: np.ndarray, targets: np.ndarray, method: str) -> Typical:
        height, width, _ = images.shape[1:]
        n, total, squares = 0, np.zeros((height, width)), np.zeros((height, width))
        size = at_once(32 if method in ("grad-cam", "gradients") else 2, height, width)
        for start in range(0, len(images), size):
            some = slice(start, start + size)
            maps = np.maximum(self._raw(network, images[some], targets[some], method).astype(np.float64), 0)
            sums = maps.sum(axis=(1, 2))
            maps = maps[sums > 0] / sums[sums > 0, None, None]
            n += len(maps)
            total += maps.sum(axis=0)
            squares += (maps**2).sum(axis=0)
        mean = total / max(n, 1)
        error = np.sqrt(np.maximum(squares / max(n, 1) - mean**2, 0) / max(n - 1, 1))
        return Typical(n, len(images) - n, mean, error)

    def walk(self, run_id: str | None, image: np.ndarray) -> "list[Stop]":
        """image: uint8 [h, w, c] of the network's form → its way through every layer that makes maps, [] where none
        does. Do not write to the arrays: they are kept. Raises Missing, Broken, ValueError for another form.
        """
        network = self._networks.open(run_id)

        def walk() -> "list[Stop]":
            from ml.explanation.walk import stops

            with self._networks.lock:
                return stops(network.classifier.module, network.classifier.inputs(image[None]))

        return self._walks[photograph(image)].get((*network.key, digest(image)), walk)

    def arithmetic(
        self, run_id: str | None, image: np.ndarray, stop: int, channel: int, row: int, column: int
    ) -> "Arithmetic":
        """How one number of that walk came about; see ml.explanation.walk. Raises what walk does, and IndexError."""
        from ml.explanation.walk import arithmetic

        walked = self.walk(run_id, image)
        if not 0 <= stop < len(walked):
            raise IndexError(f"there is no stop {stop}")
        with self._networks.lock:
            return arithmetic(self._networks.open(run_id).classifier.module, walked, stop, channel, row, column)

    def feature_maps(self, run_id: str | None, image: np.ndarray) -> dict[str, np.ndarray]:
        """image: uint8 [h, w, c] of the network's form → layer → float32 [channels, h, w], in the network's order.

        Empty for a network without picture-shaped layers. Do not write to the arrays: they are kept. Raises Missing,
        Broken, ValueError for a picture of another form.
        """
        network = self._networks.open(run_id)

        def look() -> dict[str, np.ndarray]:
            with self._networks.lock:
                return network.classifier.activations(image)

        return self._activations[photograph(image)].get((*network.key, digest(image)), look)


def ways(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Those of EXPLAIN that a run's network can be explained by, as far as its manifest tells."""
    if kinds.has(manifest, "gradients"):
        return EXPLAIN
    return (ASKING,) if kinds.has(manifest, kinds.NETWORK) else ()


def photograph(image: np.ndarray) -> bool:
    """Whether a network's picture, [h, w, c], is so large that its maps lie over the picture that was sent."""
    return large(*image.shape[:2])


def _folded(asked: Any) -> Any:
    """What is asked where no layer is looked at: the network with its normalisation folded in, which takes two thirds
    of the time."""
    return getattr(asked, "folded", asked.module)


def _aside(network: Network, method: str) -> bool:
    """Whether a map comes of covered pictures that whatever answers is asked about, be it torch or not."""
    manifest = network.run.manifest
    size = manifest["dataset"]
    return method == ASKING and (kinds.kind_of(manifest) != kinds.TRAINED or large(size["height"], size["width"]))


def _both(raw: np.ndarray, method: str) -> tuple[np.ndarray, np.ndarray]:
    """As it is, and as it is shown."""
    return raw, _scaled(raw, method)


def _scaled(raw: np.ndarray, method: str) -> np.ndarray:
    """raw: float32 [h, w] of a method → from 0 to 1, as it is shown."""
    if method == ASKING:
        return to_unit(raw)
    from ml.explanation.methods import EXPLANATIONS

    return to_unit(smoothed(raw) if method in ALONE else raw, EXPLANATIONS[method].full)
