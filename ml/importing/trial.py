"""A network from elsewhere, tried in a process of its own with limits of memory and time, before any other opens it.

`tried` starts it; `python -m ml.importing.trial FOLDER` is the process, which reads request.json and pictures.npy there
and leaves result.json and network.onnx.
"""

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ml.artifacts.reader import Broken, Missing
from ml.importing import apart, inside, plain, refusals, understanding
from ml.importing.graph import Read, Unusable, nodes, read
from ml.importing.understanding import Asked, Wishes
from ml.inference.imported import NOWHERE, Interface, ask, session_of

SECONDS = 300.0
MEMORY, SHARE = 4 * 2**30, 8  # of address space, and as many times the file's size more
PICTURES, TWICE = 32, 16  # that its gradients are held against; that it is asked about several times over
APART = 1e-4  # by which answers about one picture may differ: what another order of sums makes
NETWORK = "network.onnx"
SCALES = (b"DynamicQuantizeLinear", b"DynamicQuantizeMatMul")  # operators that look at all pictures at once


@dataclass(frozen=True)
class Tried:
    """interface: how it is asked; lines: what was understood, in sentences; parameters: numbers learned; data: names of
    files that lay beside it; file: the network, whole in itself; outputs: names of all that it gives; gradients:
    whether torch computes it to the same answers; architecture: that torch knows by name, and weights: as it names
    them, where it is one: then torch is asked, and not file."""

    interface: Interface
    lines: list[str]
    parameters: int
    data: list[str]
    file: Path
    outputs: list[str] = field(default_factory=list)
    gradients: bool = False
    architecture: str = ""
    weights: Path | None = None

    @property
    def in_torch(self) -> bool:
        """Whether torch is asked: of an architecture that it knows, in a way that it can be."""
        whole = NOWHERE not in self.interface.order and self.interface.resampling != "lanczos"
        return bool(self.architecture) and whole and self.interface.numbers in ("logits", "log-probabilities")

    @property
    def capabilities(self) -> list[str]:
        """Of ml.artifacts.kinds, what a run of it can do."""
        if self.in_torch:
            return ["probabilities", "features", "gradients", "layers"]
        return ["probabilities", *(["features"] if self.interface.features else []), *(["gradients"] * self.gradients)]


def tried(
    path: Path, classes: Sequence[str], pictures: np.ndarray, wishes: Wishes, scratch: Path, seconds: float = SECONDS,
    memory: int = MEMORY,
) -> Tried:  # fmt: skip
    """Try the file on pictures, uint8 [n, h, w, c]. scratch: an empty folder. Raises Unusable, Missing without the
    packages."""
    if not path.is_file():
        raise Unusable(
            f"there is no file {path.name}" if not path.exists() else f"{path.name} is no file: give the .onnx"
        )
    np.save(scratch / "pictures.npy", pictures)
    request: dict[str, Any] = {
        "path": str(path.resolve()), "classes": [*classes], "wishes": dataclasses.asdict(wishes), "seconds": seconds,
        "memory": memory + SHARE * sum(one.stat().st_size for one in _with_data(path)),
    }  # fmt: skip
    result = apart.run("ml.importing.trial", scratch, request, path.name, "tried through")
    return Tried(
        Interface.model_validate(result["interface"]),
        result["lines"],
        result["parameters"],
        result["data"],
        scratch / NETWORK,
        result["outputs"],
        result.get("gradients", False),
    )


def _with_data(path: Path) -> list[Path]:
    """The file and what may be its data, by its name alone: the file is not opened here."""
    beside = [path.with_name(path.name + end) for end in (".data", "_data")] + [path.with_suffix(".data")]
    return [path, *(one for one in {*beside} if one.is_file())]


def examined(path: Path, classes: Sequence[str], pictures: np.ndarray, wishes: Wishes, target: Path) -> dict[str, Any]:
    """What result.json says of a network that is taken in, whose whole file is left in target. Raises Unusable, Broken,
    Missing."""
    found = read(path)
    try:
        return _examined(found, classes, pictures, wishes, target)
    except Broken as broken:
        if said := refusals.sentence(str(broken)):
            raise Unusable(said) from None
        raise


def _examined(
    found: Read, classes: Sequence[str], pictures: np.ndarray, wishes: Wishes, target: Path
) -> dict[str, Any]:
    session, content, before = session_of(found.content), found.content, [*found.plain.notes]
    first = _first(session, pictures, wishes, found.said)
    changed = plain.settled(content, first[1], len(classes), found.plain.labels, wishes.output, wishes.numbers)
    if changed is not None:
        session, content = session_of(changed.content), changed.content
        before += changed.notes
        first = _first(session, pictures, wishes, found.said)
    _alone(first[0], content)
    how, chosen, lines = _understood(session, first, found.names, classes, pictures, wishes)
    looked = inside.looked(content, how, pictures)
    target.write_bytes(looked.content)
    labels = found.plain.labels
    lines += [*before, *understanding.numbered(labels), *understanding.contradicted(first[1], chosen, labels)]
    lines += looked.lines
    if found.data:
        lines.append(f"its weights lay beside it, in {', '.join(found.data[:3])}: they are kept within the file")
    return {
        "interface": looked.how.model_dump(mode="json"), "lines": lines, "parameters": found.parameters,
        "data": [*found.data], "outputs": [*first[1]],
    }  # fmt: skip


def _alone(way: Asked, content: bytes) -> None:
    """One picture at a time, where a network scales its numbers by the largest of all that it is asked about at once,
    as onnxruntime's quantize_dynamic makes it: it would say of each what hangs on the others."""
    if way.fields["batch"] or not any(word in content for word in SCALES):
        return
    import onnx

    if any(node.op_type.encode() in SCALES for node in nodes(onnx.load_model_from_string(content))):
        way.fields["batch"] = 1
        way.notes.append(
            "it scales its numbers by the largest among the pictures of one asking (DynamicQuantizeLinear): it is "
            "asked about one at a time"
        )


def understood(
    session: Any, names: Sequence[str], said: dict[str, str], classes: Sequence[str], pictures: np.ndarray,
    wishes: Wishes,
) -> tuple[Interface, list[str]]:  # fmt: skip
    """How a network is asked, and sentences. session: of onnxruntime, or what is asked in the same way; names: of its
    classes, and said: metadata, where it has some. Raises Unusable, Broken."""
    first = _first(session, pictures, wishes, said)
    how, _, lines = _understood(session, first, names, classes, pictures, wishes)
    return how, lines


def _understood(
    session: Any, first: tuple[Asked, dict[str, Any]], names: Sequence[str], classes: Sequence[str],
    pictures: np.ndarray, wishes: Wishes,
) -> tuple[Interface, understanding.Answering, list[str]]:  # fmt: skip
    way, answers = first
    chosen, notes = understanding.answering(answers, len(classes), names, wishes, len(pictures))
    named = understanding.called(chosen.keys, names, chosen.values.shape[1], classes, wishes)
    kind, told = understanding.meaning(chosen.values, wishes)
    how = way.interface(
        len(classes), output=chosen.name, numbers=kind, order=named.order, outputs=named.outputs, keys=chosen.keys
    )
    believed(session, how, pictures)
    return how, chosen, [*way.notes, *notes, *told, *named.lines]


def _first(session: Any, pictures: np.ndarray, wishes: Wishes, said: dict[str, str]) -> tuple[Asked, dict[str, Any]]:
    """The first way of asking that the network takes, and what each of its outputs said. Raises Unusable, Broken."""
    _, height, width, channels = pictures.shape
    shape = height, width, channels
    problem: Broken | None = None
    names = [one.name for one in session.get_outputs()]
    for way in understanding.ways(session, shape, wishes, said):
        for batch in dict.fromkeys((way.fields["batch"], 1)):
            one_by_one = batch != way.fields["batch"]
            if one_by_one and way.fields["batch"]:
                continue  # a fixed batch is what the file says
            asked = Asked({**way.fields, "batch": batch}, [*way.notes])
            if one_by_one:
                asked.notes.append(
                    "it says that it takes any number of pictures, and takes one: they are given one by one"
                )
            how = asked.interface(2)
            try:
                values, answers = how.prepared(pictures), {}
                for name in names:
                    try:
                        answers[name] = ask(session, how, values, [name])[0]
                    except Broken:
                        raise
                    except (IndexError, TypeError, ValueError):
                        continue  # of no picture each, as a number alone
                return asked, answers
            except Broken as error:
                problem = problem or error
    raise problem or Unusable("the network cannot be asked")


def believed(session: Any, how: Interface, pictures: np.ndarray) -> None:
    """Raise Unusable unless the same pictures twice, alone and in a batch, get the same answers, which add up."""

    def said(images: np.ndarray) -> np.ndarray:
        try:
            return how.probabilities(how.table(ask(session, how, how.prepared(images), [how.output])[0]))
        except ValueError as error:
            raise Unusable(f"the network cannot be believed: {error}") from None

    first, again = said(pictures), said(pictures)
    if np.abs(first - again).max() > APART:
        raise Unusable(
            "the network says different things of the same pictures: export it as it answers, not as it learns (in "
            "torch after model.eval())"
        )
    alone = np.concatenate([said(pictures[i : i + 1]) for i in range(len(pictures))])
    if np.abs(first - alone).max() > APART:
        raise Unusable(
            "the network says of a picture alone what it does not say of it among others: export it as it answers, not "
            "as it learns (in torch after model.eval())"
        )


def load() -> None:
    """What nearly every network needs, which takes a second or two. Raises ImportError."""
    import onnx  # noqa: F401
    import onnxruntime  # noqa: F401

    from ml.inference import rebuilt

    rebuilt.load()


def main(scratch: Path) -> int:
    """In the process of its own."""

    def work(request: dict[str, Any]) -> dict[str, Any]:
        return examined(
            Path(request["path"]),
            request["classes"],
            pictures()[:TWICE],
            Wishes.of(request["wishes"]),
            scratch / NETWORK,
        )

    def more(request: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
        return looked_into(result, (scratch / NETWORK).read_bytes(), request["classes"], pictures())

    def pictures() -> np.ndarray:
        found: np.ndarray = np.load(scratch / "pictures.npy", allow_pickle=False)
        return found

    return apart.answer(scratch, work, "export it again, and try it with onnxruntime where it was made", more)


def looked_into(result: dict[str, Any], content: bytes, classes: Sequence[str], pictures: np.ndarray) -> dict[str, Any]:
    """What result.json says of a network's gradients, and the line that is added about them."""
    how, maps = Interface.model_validate(result["interface"]), False
    try:
        why, maps = inside.gradients(content, how, pictures, classes)
    except Missing as missing:
        why = f"{str(missing).rstrip('.')}: {missing.command}"
    except MemoryError:
        why = "torch needs more memory for it than it may have"
    words = "gradients: torch computes it to the same answers" if not why else f"gradients: none, for {why}"
    interface = {**result["interface"], "maps": maps}
    return {"gradients": not why, "lines": [*result["lines"], words], "interface": interface}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
