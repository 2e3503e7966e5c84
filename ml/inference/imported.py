"""A network from elsewhere, computed by onnxruntime: how it wants its pictures and what its numbers are.

Both say an interface in the run's manifest: found by ml.importing, and read again here before the network is asked.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ml.artifacts import kinds
from ml.artifacts.reader import Broken, Run
from ml.data.images import AnyImages, asked_at_once, batches
from ml.images.framing import LEAST_SHARE, framed
from ml.inference.contract import check, median_latency
from ml.inference.onnx import CHANGING, need, words_of
from ml.stats.calibration import softmax

if TYPE_CHECKING:
    from ml.inference.rebuilt import Rebuilt

TYPES = {
    "tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8
}  # fmt: skip
RANGES: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "0-1": ((0.0,), (1.0,)),
    "0-255": ((0.0,), (1 / 255,)),
    "-1-1": ((0.5,), (0.5,)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
"""Name → mean and deviation of pixels from 0 to 1 that are taken off and divided by, for all channels or each."""
NOWHERE = -1  # among the outputs: of a class that a network does not know
DOUBLED = 2e-3  # below 0 that rounding of logarithms makes
EVEN = 1e-3  # by which probabilities of one picture may fail to add up to 1, which is rounding
Number: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]


class Interface(BaseModel):
    """What an ONNX file takes and gives.

    input: its name; type: of TYPES; layout: nhw has no axis of channels, flat is rows of h·w·c numbers, flat-chw of
    c·h·w; height, width, channels: of the pictures it takes; batch: pictures at a time, 0 for any number; mean,
    deviation: of pixels from 0 to 1, one a channel or one for all; bgr: whether blue comes first; frame, share,
    resampling: how pictures get its size, as ml.images.framing has it; inverted: whether black is white; transposed:
    whether rows are columns; output: its name; numbers: of ml.recording.numbers.VALUES, or doubled for probabilities of
    which softmax was taken once more; outputs: how many it gives, 0 for as many as there are classes; order: for each
    class of the data set, where among the outputs it stands, NOWHERE for one that it does not know; keys: of a list of
    dictionaries, in the order of outputs; features: the output that describes pictures, '' for none;
    maps: whether torch finds convolutions in it, for Grad-CAM to look at.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: str = Field(min_length=1, max_length=400)
    type: Literal["tensor(float)", "tensor(double)", "tensor(float16)", "tensor(uint8)"]
    layout: Literal["nchw", "nhwc", "nhw", "flat", "flat-chw"]
    height: int = Field(ge=1, le=4_096)
    width: int = Field(ge=1, le=4_096)
    channels: int = Field(ge=1, le=4)
    batch: int = Field(ge=0, le=65_536)
    mean: tuple[Number, ...] = Field(min_length=1, max_length=4)
    deviation: tuple[Annotated[Number, Field(gt=0)], ...] = Field(min_length=1, max_length=4)
    bgr: bool = False
    frame: Literal["stretch", "letterbox", "crop"] = "stretch"
    share: float = Field(default=1.0, ge=LEAST_SHARE, le=1)
    resampling: Literal["bilinear", "bicubic", "nearest", "lanczos"] = "bilinear"
    inverted: bool = False
    transposed: bool = False
    output: str = Field(min_length=1, max_length=400)
    numbers: Literal["probabilities", "percent", "logits", "log-probabilities", "scores", "doubled"]
    outputs: int = Field(default=0, ge=0, le=100_000)
    order: tuple[Annotated[int, Field(ge=-1)], ...] = Field(min_length=2)
    keys: tuple[str | int, ...] = ()
    features: str = Field(default="", max_length=400)
    maps: bool = False

    @model_validator(mode="after")
    def consistent(self) -> "Interface":
        named = [place for place in self.order if place != NOWHERE]
        if len({*named}) != len(named) or len(named) < 2 or max(named) >= self.width_of_answers:
            raise ValueError("order must name outputs that there are, each once")
        if not self.outputs and len(named) != len(self.order):
            raise ValueError("order must name each output once")
        if {len(self.mean), len(self.deviation)} - {1, self.channels}:
            raise ValueError("mean and deviation need one number, or one a channel")
        if self.keys and (len(self.keys) != self.width_of_answers or len({*self.keys}) != len(self.keys)):
            raise ValueError("keys must be one an output")
        return self

    @property
    def width_of_answers(self) -> int:
        """How many numbers it says of a picture."""
        return self.outputs or len(self.order)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the pictures it takes."""
        return self.height, self.width, self.channels

    def prepared(self, images: np.ndarray) -> np.ndarray:
        """uint8 [n, h, w, c] of any size → what the network reads: resized, repeated in three channels where it wants
        them, scaled, laid out."""
        return self.scaled(self.framed(images))

    def framed(self, images: np.ndarray) -> np.ndarray:
        """uint8 [n, h, w, c] of any size → uint8 [n, height, width, c]."""
        if self.transposed:
            images = images.transpose(0, 2, 1, 3)
        return framed(images, self.height, self.width, self.frame, self.share, self.resampling)

    def scaled(self, images: np.ndarray) -> np.ndarray:
        """uint8 [n, height, width, c] → what the network reads."""
        if images.shape[3] == 1 and self.channels == 3:
            images = np.repeat(images, 3, axis=3)
        if self.inverted:
            images = 255 - images
        if self.bgr:
            images = images[..., ::-1]
        dtype = TYPES[self.type]
        levels = not any(self.mean) and all(255 * one == 1 for one in self.deviation)
        if dtype is np.uint8 or levels:  # as they are: divided and multiplied again, 120 of 256 are off by a last bit
            values = images.astype(dtype)
        else:
            wide: Any = np.float64 if dtype is np.float64 else np.float32
            mean, deviation = np.array(self.mean, wide), np.array(self.deviation, wide)
            values = ((images.astype(wide) / wide(255) - mean) / deviation).astype(dtype)
        if self.layout == "nchw":
            values = values.transpose(0, 3, 1, 2)
        elif self.layout == "nhw":
            values = values[..., 0]
        elif self.layout in ("flat", "flat-chw"):
            rows = values if self.layout == "flat" else values.transpose(0, 3, 1, 2)
            values = rows.reshape(len(values), -1)
        return np.ascontiguousarray(values)

    def table(self, answer: Any) -> np.ndarray:
        """One answer of onnxruntime → float [n, outputs]. Raises ValueError where it is no table of them."""
        return table(answer, self.keys)

    @staticmethod
    def described(answer: Any) -> np.ndarray:
        """What an output says of n pictures → float32 [n, d]. Raises ValueError where it is no row of numbers each."""
        values = np.asarray(answer)
        if values.dtype.kind != "f" or values.ndim < 2 or max(values.shape[1:]) != values[:1].size:
            raise ValueError(f"its features are of shape {values.shape}, not one row a picture")
        return values.reshape(len(values), -1).astype(np.float32)

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """float [n, outputs] as the network says them → float32 [n, classes] in the order of the classes, rows adding
        up to one. Raises ValueError where they cannot."""
        if values.ndim != 2 or values.shape[1] != self.width_of_answers:
            raise ValueError(f"its answers are of shape {values.shape}, not one number a class")
        if not np.isfinite(values).all():
            raise ValueError("it answers with numbers that are not finite")
        if self.numbers in ("probabilities", "percent", "doubled"):
            values = values / 100 if self.numbers == "percent" else values
            if np.abs(values.sum(1) - 1).max(initial=0) > EVEN or values.min(initial=0) < -EVEN:
                raise ValueError("the probabilities of a picture do not add up to 1")
            values = undoubled(values) if self.numbers == "doubled" else values
        elif self.numbers == "scores":
            values = shares(values)
        known = np.array(self.order) != NOWHERE
        values = values[:, np.array(self.order)[known]]
        if self.numbers in ("logits", "log-probabilities"):
            found = softmax(values.astype(np.float32))
        else:
            found = np.clip(values, 0, 1)
            if self.outputs > int(known.sum()):  # what others took is divided among those that are known
                total = found.sum(1, keepdims=True)
                found = np.where(total > 0, found / np.where(total > 0, total, 1), 1 / found.shape[1])
        if known.all():
            return found.astype(np.float32)
        whole = np.zeros((len(found), len(self.order)), np.float32)
        whole[:, known] = found
        return whole


def shares(values: np.ndarray) -> np.ndarray:
    """Scores, float [n, k], each divided by the sum of its row. Raises ValueError where that cannot be."""
    total = values.sum(1, keepdims=True)
    if values.min(initial=0) < 0 or not (total > 0).all():
        raise ValueError("its scores of a picture are below 0, or all 0, so that their sum cannot divide them")
    return values / total


def undoubled(values: np.ndarray) -> np.ndarray:
    """Probabilities of which softmax was taken once more, float [n, k] → as they were before, float64. Raises
    ValueError where they cannot have been that."""
    if not (values > 0).all():
        raise ValueError("softmax was not taken twice: one of its numbers is 0")
    logs = np.log(values.astype(np.float64))
    before = logs + (1 - logs.sum(1, keepdims=True)) / values.shape[1]
    if before.min(initial=0) < -DOUBLED:
        raise ValueError("softmax was not taken twice: its numbers are too far apart")
    return np.clip(before, 0, 1)


def table(answer: Any, keys: Sequence[str | int] = ()) -> np.ndarray:
    """An array, or a list of dictionaries (ZipMap), as float [n, outputs]. Raises ValueError for anything else."""
    if isinstance(answer, list):
        if not all(isinstance(row, dict) and {*row} == {*keys} for row in answer):
            raise ValueError("its answers are no list of dictionaries with a number for each class")
        return np.array([[row[key] for key in keys] for row in answer], np.float32)
    values = np.asarray(answer)
    if values.dtype.kind != "f":
        raise ValueError(f"its answers are {values.dtype}, not numbers with a fraction")
    single = values.ndim > 2 and values.size == len(values) * max(values.shape[1:])  # all axes but one, of one number
    return values.reshape(len(values), -1) if single else values


def session_of(graph: bytes, threads: int = 1) -> Any:
    """An onnxruntime session on a file that is whole in itself. Raises Missing without onnxruntime, Broken."""
    need("onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(
            graph, options, providers=["CPUExecutionProvider"], disabled_optimizers=CHANGING
        )
    except Exception as error:  # its own kinds of error share no other base
        raise Broken(f"onnxruntime cannot open the network ({type(error).__name__}: {words_of(error)})") from error


class ImportedClassifier:
    """An ONNX file from elsewhere behind the contract. classes: names; shape: (height, width, channels) of the data
    set's pictures, which are made what the network takes; capabilities: features where one of its outputs has them."""

    def __init__(
        self, graph: bytes, interface: Interface, classes: Sequence[str], shape: tuple[int, int, int], threads: int = 1,
        gradients: bool = False, again: Callable[[], bytes] | None = None,
    ) -> None:  # fmt: skip
        """gradients: whether torch was seen to compute it to the same answers; again: reads the graph once more, where
        that is asked for, so that nobody has to hold it. Raises Missing without onnxruntime, Broken where it cannot be
        opened."""
        self.classes, self.shape, self.interface = tuple(classes), shape, interface
        self.capabilities = frozenset(
            {"probabilities", *(["features"] if interface.features else []), *(["gradients"] * gradients)}
        )
        self._again = again or (lambda: graph)
        self._session = session_of(graph, threads)

    @classmethod
    def open(cls, run: Run) -> "ImportedClassifier":
        """Raises Missing, Broken where the file or its interface does not check out."""
        data = run.manifest["dataset"]
        try:
            interface = Interface.model_validate(run.manifest["interface"])
        except ValidationError as wrong:
            raise Broken(
                f"run {run.run_id} does not say how its network is asked: {wrong.errors()[0]['msg']}"
            ) from None
        if len(interface.order) != len(data["classes"]):
            raise Broken(f"the network of run {run.run_id} is of other classes than the run")
        shape = (data["height"], data["width"], data["channels"])
        gradients = kinds.has(run.manifest, "gradients")
        return cls(run.network(), interface, data["classes"], shape, gradients=gradients, again=run.network)

    @property
    def graph(self) -> bytes:
        """The file, read again."""
        return self._again()

    def replaced(self, graph: bytes) -> "ImportedClassifier":
        """Another file in its place that is asked the same way, which tells no gradients."""
        return ImportedClassifier(graph, self.interface, self.classes, self.shape)

    @cached_property
    def differentiable(self) -> "Rebuilt":
        """The same network in torch. Raises Missing without onnx2torch, Broken where it cannot be rebuilt."""
        from ml.inference.rebuilt import NoGradients, Rebuilt

        try:
            return Rebuilt(self.graph, self.interface, self.classes, self.shape)
        except NoGradients as error:
            raise Broken(f"the imported network cannot be rebuilt in torch: {error}") from error

    def probabilities(self, images: AnyImages) -> np.ndarray:
        """images: uint8 [n, h, w, c] → float32 [n, classes], rows adding up to one. Raises ValueError for pictures of
        another form, Broken where the network fails."""
        check(images, self.shape)
        parts = [self._part(batch) for batch in batches(images, asked_at_once(self.interface.shape))]
        return np.concatenate(parts)

    def probabilities_and_features(self, images: AnyImages) -> tuple[np.ndarray, np.ndarray]:
        """images: uint8 [n, h, w, c] → float32 [n, classes] and what its last layer reads, float32 [n, d]. Raises as
        `probabilities`, ValueError where it has no features."""
        if not self.interface.features:
            raise ValueError("this network gives no features")
        check(images, self.shape)
        parts = [self._both(batch) for batch in batches(images, asked_at_once(self.interface.shape))]
        probabilities, features = zip(*parts, strict=True)
        return np.concatenate(probabilities), np.concatenate(features)

    def features(self, images: AnyImages) -> np.ndarray:
        """images: uint8 [n, h, w, c] → float32 [n, d]. Raises as `probabilities_and_features`."""
        return self.probabilities_and_features(images)[1]

    def _both(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        how = self.interface
        try:
            answer, features = ask(self._session, how, how.prepared(images), [how.output, how.features])
            return how.probabilities(how.table(answer)), how.described(features)
        except ValueError as error:
            if isinstance(error, Broken):
                raise
            raise Broken(f"the imported network cannot be believed: {error}") from error

    def latency(self) -> float:
        """Median milliseconds from one picture to its probabilities, on one processor thread."""
        picture = np.zeros((1, *self.shape), np.uint8)
        return median_latency(lambda: self._part(picture))

    def _part(self, images: np.ndarray) -> np.ndarray:
        try:
            return self.interface.probabilities(self.interface.table(self.asked(images)))
        except ValueError as error:
            raise Broken(f"the imported network cannot be believed: {error}") from error

    def asked(self, images: np.ndarray) -> Any:
        """uint8 [n, h, w, c] → what its output says of them, as onnxruntime has it. Raises Broken."""
        return ask(self._session, self.interface, self.interface.prepared(images), [self.interface.output])[0]


def ask(session: Any, how: Interface, values: np.ndarray, outputs: Sequence[str]) -> list[Any]:
    """values: as Interface.prepared has them → one answer an output. Where the network takes a fixed number of pictures
    at a time, the last are filled up and the rest of the answer is dropped. Raises Broken."""
    size, n = how.batch or len(values), len(values)
    found: list[list[Any]] = [[] for _ in outputs]
    for start in range(0, n, size):
        part = values[start : start + size]
        filled = len(part)
        if filled < size:
            part = np.concatenate([part, np.repeat(part[-1:], size - filled, axis=0)])
        try:
            answers = session.run([*outputs], {how.input: part})
        except Exception as error:  # see session_of
            program = getattr(session, "framework", "onnxruntime")
            raise Broken(f"{program} cannot ask the network ({type(error).__name__}: {words_of(error)})") from error
        for place, answer in zip(found, answers, strict=True):
            place.append(answer[:filled])
    return [
        [row for part in parts for row in part] if isinstance(parts[0], list) else np.concatenate(parts)
        for parts in found
    ]
