"""A network of another framework becomes an ONNX file, whose answers are held against its own; where it cannot be
written as one, what it says of all pictures is kept.

`taken` starts the process of its own in which that happens, `python -m ml.importing.conversion FOLDER`: there alone the
code that such files carry is run. Each kind of source has a module with a function `opened`, and one
`load` where it needs what takes long to load.
"""

import dataclasses
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ml import data
from ml.artifacts import kinds
from ml.artifacts.reader import Broken
from ml.data.base import Dataset
from ml.data.images import asked_at_once, batches
from ml.importing import apart, plain, trial
from ml.importing.graph import Unusable
from ml.importing.sources import Source
from ml.importing.trial import NETWORK, Tried
from ml.importing.understanding import Wishes
from ml.inference.imported import Interface, ask, session_of
from ml.inference.onnx import need
from ml.recording.reading import Part, Understood

SECONDS, ANSWERING_SECONDS = 600.0, 4 * 3_600.0
MEMORY, SHARE = 8 * apart.GIGABYTE, 16
PICTURES = 32
APART = 1e-4  # by which probabilities of the source and of its ONNX may differ
FROM = {
    "torchscript": "ml.importing.from_torchscript",
    "torch-export": "ml.importing.from_torch_export",
    "python": "ml.importing.from_python",
    "keras": "ml.importing.from_keras",
    "skops": "ml.importing.from_skops",
    "weights": "ml.importing.from_weights",
    "hugging-face": "ml.importing.from_hugging_face",
    "optimum": "ml.importing.from_optimum",
}
"""Kind of source → the module that opens it."""


def one_line(error: BaseException) -> str:
    """What an error says, in one line of a sentence's length."""
    return " ".join(str(error).split())[:200] or repr(error)[:200]


class Unconvertible(ValueError):
    """A network that answers and cannot be written as ONNX; the message says why."""


@dataclass(frozen=True)
class Task:
    """What a module opens. pictures: uint8 [PICTURES at most, h, w, c] of the data set; classes: its names; mean,
    deviation: of its training pictures, pixels from 0 to 1."""

    path: Path
    classes: tuple[str, ...]
    pictures: np.ndarray
    wishes: Wishes
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()


@dataclass(frozen=True)
class Slot:
    """An input or output, as onnxruntime describes one: type as 'tensor(float)', shape with 0 for any length."""

    name: str
    type: str = "tensor(float)"
    shape: Sequence[int] = ()


@dataclass(frozen=True)
class Opened:
    """A network in the framework that it was made in, asked as a session of onnxruntime is.

    framework: in sentences; input: pictures; outputs: their names; answer: what the input wants → an array each of
    outputs, float [n, …]; write: leaves ONNX in a file, with the same name of the input and of outputs in this order,
    or raises Unconvertible; names: of its classes by output, and said: metadata as of ONNX, where it tells; lines:
    sentences; stated: fields of Wishes that what it comes with says; architecture: of ml.inference.imported_torch,
    whose weights are left beside the ONNX, '' where the ONNX is what is asked.
    """

    framework: str
    input: Slot
    outputs: tuple[str, ...]
    answer: Callable[[np.ndarray], Sequence[Any]]
    write: Callable[[Path], None]
    names: tuple[str, ...] = ()
    said: dict[str, str] = field(default_factory=dict)
    lines: tuple[str, ...] = ()
    stated: dict[str, Any] = field(default_factory=dict)
    architecture: str = ""

    def get_inputs(self) -> list[Slot]:
        return [self.input]

    def get_outputs(self) -> list[Slot]:
        return [Slot(name) for name in self.outputs]

    def run(self, names: Sequence[str], given: dict[str, np.ndarray]) -> list[Any]:
        said = dict(zip(self.outputs, self.answer(given[self.input.name]), strict=True))
        return [said[name] for name in names]


@dataclass(frozen=True)
class Answered:
    """What a source that is no ONNX says of the pictures of a data set. said: split → float32 [n, classes]; lines:
    sentences; sources: as of Tried."""

    said: dict[str, np.ndarray]
    lines: list[str]

    def understood(self, dataset: Dataset) -> Understood:
        """As a file of predictions would be."""
        judged = dataset.judged()
        parts = {split: Part(np.arange(len(said)), said) for split, said in self.said.items()}
        total, of = sum(map(len, self.said.values())), {split: len(judged[split]) for split in parts}
        return Understood(parts, {}, "probabilities", total, {}, 0, 0, self.lines, of)


def taken(
    source: Source, dataset: Dataset, wishes: Wishes, home: Path, scratch: Path, pictures: Callable[[int], np.ndarray],
    tell: Callable[[str], None] = lambda words: None,
) -> Tried | Answered:  # fmt: skip
    """A source of any kind, ready to become a run. home: that has the data set; scratch: an empty folder; pictures: how
    many → uint8 [n, h, w, c] of the data set. Raises Unusable, Missing."""
    if source.kind == "onnx":
        return trial.tried(source.path, dataset.classes, pictures(trial.PICTURES), wishes, scratch)
    if source.kind not in FROM:
        raise Unusable(f"{source.path.name} is {source.words}, which is not taken in yet: give an ONNX of it")
    tell(f"opening {source.path.name}, {source.words}, and writing it as ONNX")
    np.save(scratch / "pictures.npy", pictures(PICTURES))
    mean, deviation = dataset.statistics() if source.kind == "weights" else ((), ())
    request: dict[str, Any] = {
        "mean": [*mean], "deviation": [*deviation],
        "path": str(source.path.resolve()), "kind": source.kind, "classes": [*dataset.classes],
        "wishes": dataclasses.asdict(wishes), "seconds": SECONDS,
        "memory": MEMORY + SHARE * sum(one.stat().st_size for one in source.files),
    }  # fmt: skip
    name, load = source.path.name, (FROM[source.kind], "ml.importing.trial")
    made = apart.run("ml.importing.conversion", scratch, request, name, "converted", load)
    if "unwritten" not in made:
        inner = scratch / "trial"
        inner.mkdir()
        tried = trial.tried(
            scratch / NETWORK, dataset.classes, pictures(trial.PICTURES), Wishes.of(made["wishes"]), inner
        )
        tried = dataclasses.replace(tried, lines=[*made["lines"], *tried.lines])
        if not made["architecture"]:
            return tried
        return dataclasses.replace(tried, architecture=made["architecture"], weights=scratch / kinds.WEIGHTS)
    tell(f"it cannot be written as ONNX: asking {name} itself about all pictures")
    asked = {"dataset": dataset.name, "home": str(home), "seconds": ANSWERING_SECONDS}
    answers = apart.run("ml.importing.conversion", scratch, request | asked, name, "asked about all pictures", load)
    said = {split: np.load(scratch / f"{split}.npy", allow_pickle=False) for split in answers["splits"]}
    why = (
        f"{name} cannot be written as ONNX ({made['unwritten']}): what it says of all pictures is kept, and uploads, "
        "explanations and corruptions cannot be asked of it"
    )
    return Answered(said, [*answers["lines"], why])


def worked(request: dict[str, Any], scratch: Path) -> dict[str, Any]:
    """In the process of its own. Raises Unusable, Broken, Missing."""
    pictures = np.load(scratch / "pictures.npy", allow_pickle=False)
    task = Task(
        Path(request["path"]), tuple(request["classes"]), pictures, Wishes.of(request["wishes"]),
        tuple(request["mean"]), tuple(request["deviation"]),
    )  # fmt: skip
    single = Single(import_module(FROM[request["kind"]]).opened(task), task)
    opened = single.opened
    wishes = dataclasses.replace(task.wishes, **opened.stated)
    how, lines = trial.understood(opened, opened.names, opened.said, task.classes, pictures, wishes)
    lines = [*single.words(), *lines]
    if "dataset" in request:
        judged = data.load(request["dataset"], home=Path(request["home"])).judged()
        for split, part in judged.items():
            said = [probabilities(opened, how, batch) for batch in batches(part.images, asked_at_once(how.shape))]
            np.save(scratch / f"{split}.npy", np.concatenate(said) if said else np.zeros((0, len(task.classes))))
        return {"splits": [split for split in judged if len(judged[split])], "lines": [*opened.lines, *lines]}
    try:
        opened.write(scratch / NETWORK)
        tell_names(scratch / NETWORK, opened)
        difference = held(opened, how, (scratch / NETWORK).read_bytes(), pictures)
    except (Unconvertible, Broken) as error:
        return {"unwritten": " ".join(str(error).split())[:300]}
    written = (
        f"{task.path.name} was opened by {opened.framework} and written as ONNX, which says the same of "
        f"{len(pictures)} pictures to {difference:.1g}: the ONNX is asked from here on"
    )
    words = [*([] if opened.architecture else [written]), *opened.lines, *single.words()]
    return {"wishes": dataclasses.asdict(wishes), "lines": words, "architecture": opened.architecture}


class Single:
    """A source that may give one number a picture for two classes: asked, and written, as one that gives two.

    What the number is, a probability or a margin, what it first says of pictures tells once, unless a person does.
    """

    def __init__(self, opened: Opened, task: Task) -> None:
        self._source, self._task = opened, task
        self._place, self._chances = -1, False
        self.opened = opened
        if len(task.classes) == 2:
            self.opened = dataclasses.replace(opened, answer=self._answer, write=self._write, names=self._names())

    def words(self) -> list[str]:
        """A sentence, once it was asked; none where it gives a number for each class."""
        if self._place < 0:
            return []
        return [plain.told(self._source.outputs[self._place], chances=self._chances)]

    def _names(self) -> tuple[str, ...]:
        """A name alone is that of the class that the number is for."""
        names, classes = self._source.names, self._task.classes
        if len(names) != 1:
            return names
        return (next(one for one in classes if one != names[0]), names[0]) if names[0] in classes else ()

    def _answer(self, values: np.ndarray) -> Sequence[Any]:
        said = [np.asarray(one) for one in self._source.answer(values)]
        sizes = [one.size // len(one) if one.ndim and len(one) == len(values) else 0 for one in said]
        if self._place < 0 and sizes.count(1) == 1 and 2 not in sizes:
            self._place = sizes.index(1)
            self._chances = plain.likely(said[self._place], self._task.wishes.numbers)
        if self._place >= 0:
            column = said[self._place].reshape(len(values), 1)
            said[self._place] = plain.both(column, chances=self._chances)
        return said

    def _write(self, target: Path) -> None:
        self._source.write(target)
        if self._place >= 0:
            import onnx

            content = target.read_bytes()
            name = onnx.load_model_from_string(content).graph.output[self._place].name
            target.write_bytes(plain.with_two(content, name, chances=self._chances))


def tell_names(path: Path, opened: Opened) -> None:
    """Write into an ONNX file what the source says of its classes and pixels. Raises Missing without the package."""
    said = {**opened.said, **({"classes": json.dumps(opened.names, ensure_ascii=False)} if opened.names else {})}
    if said:
        need("onnx")
        import onnx

        model = onnx.load(path)
        onnx.helper.set_model_props(model, {one.key: one.value for one in model.metadata_props} | said)
        onnx.save(model, path)


def held(opened: Opened, how: Interface, content: bytes, pictures: np.ndarray) -> float:
    """By how much probabilities of the source and of its ONNX differ at most. Raises Unconvertible where by more than
    APART, Broken."""
    session = session_of(content)
    one = session.get_inputs()[0]
    fixed = one.shape[0] if one.shape and isinstance(one.shape[0], int) else 0
    output = session.get_outputs()[opened.outputs.index(how.output)].name
    theirs = how.model_copy(update={"input": one.name, "batch": fixed, "output": output})
    difference = float(np.abs(probabilities(opened, how, pictures) - probabilities(session, theirs, pictures)).max())
    if difference > APART:
        raise Unconvertible(f"its ONNX says something else of the same pictures, by {difference:.2g}")
    return difference


def probabilities(session: Any, how: Interface, images: np.ndarray) -> np.ndarray:
    """uint8 [n, h, w, c] → float32 [n, classes]. Raises Broken."""
    try:
        return how.probabilities(how.table(ask(session, how, how.prepared(images), [how.output])[0]))
    except ValueError as error:
        raise Broken(f"the network cannot be believed: {error}") from error


def main(scratch: Path) -> int:
    """See the head of this file."""
    return apart.answer(scratch, lambda request: worked(request, scratch), "try it where it was made")


if __name__ == "__main__":  # under its own name, so that its errors are those that the modules of FROM raise
    sys.exit(import_module("ml.importing.conversion").main(Path(sys.argv[1])))
