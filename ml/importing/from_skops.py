"""A model of scikit-learn, kept by skops: opened with scikit-learn's own types alone, asked, and written as ONNX.

A tree asks on which side of a threshold a number lies, and of whole pixels many lie exactly on one: whether they were
scaled in float32 or float64 decides about them. So its ONNX is held against it on many made-up pictures, in each way in
which it can be written, and is only taken where none differs.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.artifacts.reader import Broken, Missing
from ml.importing import plain
from ml.importing.conversion import APART, Opened, Slot, Task, Unconvertible
from ml.importing.graph import BEGINS, Unusable
from ml.inference.imported import session_of
from ml.stats.calibration import softmax

if TYPE_CHECKING:
    import onnx

INPUT, OUTPUT = "pixels", "scores"
MADE_UP = 2_000
MOST = 2.0  # what pixels from 0 to 1 have no mean above, and no threshold
NOT_MODELS = ("sklearn.datasets.", "sklearn.externals.", "sklearn.utils._testing", "sklearn.conftest")
INSTALL = "pip install -r requirements-networks.txt"


def load() -> None:
    """What reads a model and what writes it. Raises ImportError."""
    import skl2onnx  # noqa: F401
    import skops.io  # noqa: F401


def opened(task: Task) -> Opened:
    """Raises Unusable, and Missing without skops or scikit-learn."""
    try:
        import sklearn
        import skops.io
    except ImportError as error:
        raise Missing(f"{error.name or 'skops'} is not installed.", INSTALL) from None
    model = loaded(task.path, skops.io)
    if not hasattr(model, "classes_"):
        raise Unusable(
            f"{task.path.name} is a {type(model).__name__}, no classifier that has learned: fit it, and save it again"
        )
    features = int(getattr(model, "n_features_in_", 0) or np.prod(task.pictures.shape[1:]))
    kind = number_type(model)
    labels = [one.item() if isinstance(one, np.generic) else one for one in np.asarray(model.classes_)]
    scores = scores_of(model, task.path.name)
    answers(scores, features, kind, task.path.name)
    lines = [*scikit_lines(model, kind, labels)]
    begins = range_of(model)
    name = "double" if kind is np.float64 else "float"
    return Opened(
        framework=f"scikit-learn {sklearn.__version__}",
        input=Slot(INPUT, f"tensor({name})", (0, features)),
        outputs=(OUTPUT,),
        answer=lambda values: [scores(values)],
        write=lambda target: write(model, scores, features, kind, begins, task, target),
        names=tuple(labels) if all(isinstance(one, str) for one in labels) else (),
        said={BEGINS: begins} if begins else {},
        lines=tuple(lines),
    )


def loaded(path: Path, skops_io: Any) -> Any:
    """Raises Unusable where the file holds types of others than scikit-learn, or cannot be read."""
    try:
        unknown = skops_io.get_untrusted_types(file=path)
        strange = [one for one in unknown if not one.startswith("sklearn.") or one.startswith(NOT_MODELS)]
        if strange:
            more = f" and {len(strange) - 5} more" if len(strange) > 5 else ""
            raise Unusable(
                f"{path.name} holds what is not scikit-learn's own ({', '.join(strange[:5])}{more}), which is not "
                "run: give an ONNX of it, or its predictions"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of another version of scikit-learn; what it says is held against its ONNX
            return skops_io.load(path, trusted=unknown)
    except Unusable:
        raise
    except Exception as error:  # whatever a damaged file, or one of another version, raises
        words = " ".join(str(error).split())[:200]
        raise Unusable(
            f"{path.name} cannot be opened by skops ({type(error).__name__}: {words}): save it again with the versions "
            "that are here, or give an ONNX"
        ) from None


def parts(model: Any) -> Iterator[Any]:
    """The model, or the steps of a pipeline, those of pipelines within it and of searches too, in order."""
    if hasattr(model, "best_estimator_"):
        yield from parts(model.best_estimator_)
    elif hasattr(model, "steps"):
        for _, step in model.steps:
            yield from parts(step)
    elif model is not None and model != "passthrough":
        yield model


def number_type(model: Any) -> type[np.float32] | type[np.float64]:
    """Of the numbers that it learned from, where it kept some of that type; NumPy makes float64 of pixels that are
    divided."""
    kinds = {
        value.dtype.type
        for part in parts(model)
        for name in ("components_", "coef_", "data_max_", "max_abs_", "_fit_X", "means_")
        if isinstance(value := getattr(part, name, None), np.ndarray)
    }
    coefficients = {one.dtype.type for part in parts(model) for one in getattr(part, "coefs_", ())}
    return np.float32 if np.float32 in kinds | coefficients else np.float64


def scikit_lines(model: Any, kind: Any, labels: Sequence[Any]) -> Iterator[str]:
    steps = [type(one).__name__ for one in parts(model)]
    yield f"it is {' → '.join(steps)}, given pixels in {kind.__name__}, rows of all numbers of a picture"
    if not isinstance(labels[0], str) and labels != [*range(len(labels))]:
        yield f"its classes are {', '.join(map(str, labels[:10]))}, in that order"
    if not hasattr(model, "predict_proba"):
        yield (f"{steps[-1]} says no probabilities: softmax of its margins, which order classes are no chances")


def range_of(model: Any) -> str:
    """What pixels it learned from: '0-255', '0-1', '' where nothing that it kept tells."""
    for part in parts(model):
        for name in ("mean_", "data_max_", "max_abs_", "center_", "theta_", "means_", "_fit_X", "centroids_"):
            value = getattr(part, name, None)
            if isinstance(value, np.ndarray) and value.size and value.dtype.kind == "f":
                return "0-255" if float(np.abs(value).max()) > MOST else "0-1"
        if (most := thresholds(part)) is not None:
            return "0-255" if most > MOST else "0-1"
        if hasattr(part, "coef_") or hasattr(part, "coefs_") or hasattr(part, "components_"):
            return ""  # what comes after saw something else than pixels
    return ""


def thresholds(part: Any) -> float | None:
    """The largest threshold of its trees, None where it has none that are looked at."""
    grown = [part] if hasattr(part, "tree_") else [*np.ravel(getattr(part, "estimators_", []))]
    trees = [one.tree_ for one in grown if hasattr(one, "tree_")]
    found = [tree.threshold[tree.feature >= 0] for tree in trees]
    for nodes in (one.nodes for row in getattr(part, "_predictors", []) for one in row):  # of histograms
        trees.append(nodes)
        found.append(nodes["num_threshold"][~nodes["is_leaf"].astype(bool)])
    return max((float(one.max()) for one in found if len(one)), default=None) if trees else None


def scores_of(model: Any, name: str) -> Callable[[np.ndarray], np.ndarray]:
    """Its probabilities, or margins of which softmax makes some: float64 [n, classes]. Raises Unusable."""
    if hasattr(model, "predict_proba"):
        return lambda values: np.asarray(model.predict_proba(values), np.float64)
    if not hasattr(model, "decision_function"):
        raise Unusable(
            f"{name} is a {type(model).__name__}, which names classes and says nothing of how sure it is: give what it "
            "names as predictions, in a file with a column 'predicted'"
        )
    classes = len(model.classes_)

    def margins(values: np.ndarray) -> np.ndarray:
        said = np.asarray(model.decision_function(values), np.float64)
        if said.ndim == 1:  # of two classes, one: above 0 it is the second
            return np.stack([-said / 2, said / 2], axis=1)
        if said.shape[1] != classes:
            raise Unusable(
                f"{name} gives {said.shape[1]} margins, one of each two classes: with decision_function_shape='ovr' "
                "one a class"
            )
        return said

    return margins


def answers(scores: Callable[[np.ndarray], np.ndarray], features: int, kind: Any, name: str) -> None:
    """Raise Unusable unless it answers to two black pictures."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scores(np.zeros((2, features), kind))
    except Unusable:
        raise
    except Exception as error:  # of a model that was never fitted, or made by another version
        words = " ".join(str(error).split())[:200]
        raise Unusable(
            f"{name} does not answer ({type(error).__name__}: {words}): fit it, and save it again with what is here"
        ) from None


def write(
    model: Any, scores: Callable[[np.ndarray], np.ndarray], features: int, kind: Any, begins: str, task: Task,
    target: Path,
) -> None:  # fmt: skip
    """The first ONNX that says what the model says, of the pictures and of made-up ones. Raises Unconvertible,
    Missing."""
    rows = made_up(task.pictures, features, kind, begins)
    expected = scores(rows)
    chances = hasattr(model, "predict_proba")
    problem = ""
    for way in ways(kind):
        try:
            content = converted(model, features, kind, way, rows[:16])
            said = session_of(content).run([OUTPUT], {INPUT: rows})[0].astype(np.float64)
        except (Broken, Unconvertible) as error:
            problem = problem or " ".join(str(error).split())[:200]
            continue
        except Exception as error:  # of skl2onnx, whose converters raise what they like, and of onnxruntime
            problem = problem or f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            continue
        if said.shape != expected.shape:
            problem = problem or f"its ONNX says {said.shape[1:]} numbers, and it says {expected.shape[1:]}"
            continue
        both = (said, expected) if chances else (softmax(said), softmax(expected))
        apart = np.abs(both[0] - both[1]).max(1)
        if apart.max() <= APART:
            target.write_bytes(content)
            return
        problem = (
            f"of {len(rows):,} made-up pictures its ONNX says something else of {(apart > APART).sum():,}, by up to "
            f"{apart.max():.2g}, as where a pixel lies exactly on a threshold of a tree"
        )
    raise Unconvertible(problem)


def made_up(pictures: np.ndarray, features: int, kind: Any, begins: str) -> np.ndarray:
    """[MADE_UP, features] of pixels: the pictures, and ones in which each place has the level of another's, or any."""
    rng = np.random.default_rng(0)
    flat = pictures.reshape(len(pictures), -1)
    if flat.shape[1] != features:
        flat = rng.integers(0, 256, (len(pictures), features))
    mixed = flat[rng.integers(0, len(flat), (MADE_UP // 2, features)), np.arange(features)]
    any_level = rng.integers(0, 256, (MADE_UP - len(mixed) - len(flat), features))
    levels = np.concatenate([flat, mixed, any_level])
    return levels.astype(kind) if begins == "0-255" else (levels / 255).astype(kind) if kind is np.float64 else (
        levels.astype(np.float32) / np.float32(255)
    )  # fmt: skip


def ways(kind: Any) -> tuple[str, ...]:
    """In which a model may be written, the likeliest to be right first: numbers all through in float64 or float32; in
    float64 up to its last step and in float32 there, as trees round what they compare; with a scaler that divides as
    scikit-learn does, instead of multiplying."""
    return ("double", "last in float", "float") if kind is np.float64 else ("float", "dividing", "last in float")


def converted(model: Any, features: int, kind: Any, way: str, rows: np.ndarray) -> bytes:
    """ONNX that takes INPUT in kind and gives OUTPUT alone. Raises what skl2onnx does, Unconvertible."""
    try:
        from skl2onnx import to_onnx
        from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
        from skl2onnx.sklapi import CastTransformer
    except ImportError:
        raise Missing("skl2onnx is not installed.", INSTALL) from None
    import onnx
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    steps = [*parts(model)]
    whole = model
    if way == "last in float":
        if len(steps) < 2:
            raise Unconvertible("it is of one step")
        named = [(f"step{i}", one) for i, one in enumerate(steps[:-1])]
        whole = Pipeline([*named, ("rounded", CastTransformer(dtype=np.float32)), ("last", steps[-1])])
    wide = way in ("double", "last in float")
    options: dict[Any, Any] = {StandardScaler: {"div": "div"}} if way == "dividing" else {}
    given = (DoubleTensorType if wide else FloatTensorType)([None, features])
    made: onnx.ModelProto | None = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for zipmap in ({id(whole): {"zipmap": False}}, {}):
            try:
                made = to_onnx(whole, initial_types=[(INPUT, given)], options={**options, **zipmap} or None)
                break
            except NameError:  # of models that have no such option, and write a table as they are
                continue
    if made is None:
        raise Unconvertible("skl2onnx does not write it")
    return finished(made, wide=wide, kind=kind, classes=len(model.classes_), rows=rows)


def finished(made: "onnx.ModelProto", *, wide: bool, kind: Any, classes: int, rows: np.ndarray) -> bytes:
    """With the one output, of a name that is known, two columns for two classes, and an input of kind."""
    from onnx import TensorProto, helper

    known = plain.plain(made)
    given = rows.astype(np.float64 if wide else np.float32)
    session = session_of(made.SerializeToString())
    answers = dict(zip([one.name for one in session.get_outputs()], session.run(None, {INPUT: given}), strict=True))
    content = made.SerializeToString()
    changed = plain.settled(content, answers, classes, known.labels)
    if changed is not None:
        made.ParseFromString(changed.content)
    tables = [name for name, answer in answers.items() if np.asarray(answer).dtype.kind == "f"]
    if len(tables) != 1:
        raise Unconvertible(f"its ONNX has {len(tables)} tables of numbers")
    del made.graph.output[:]
    made.graph.node.append(
        helper.make_node("Cast", [tables[0]], [OUTPUT], "scores_of_the_classes", to=TensorProto.FLOAT)
    )
    made.graph.output.append(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [None, classes]))
    made.metadata_props.add(key=plain.HELD, value="scikit-learn")
    if wide != (kind is np.float64):
        _given_in(made, TensorProto.DOUBLE if kind is np.float64 else TensorProto.FLOAT)
    return bytes(made.SerializeToString())


def _given_in(made: "onnx.ModelProto", kind: int) -> None:
    """Let the input be of another type, from which the file makes what it wants."""
    from onnx import helper

    one = made.graph.input[0]
    inner, wanted = f"{one.name}_rounded", one.type.tensor_type.elem_type
    for node in plain.nodes(made):
        for i, name in enumerate(node.input):
            if name == one.name:
                node.input[i] = inner
    made.graph.node.insert(0, helper.make_node("Cast", [one.name], [inner], f"{inner}_cast", to=wanted))
    one.type.tensor_type.elem_type = kind
