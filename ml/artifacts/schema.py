"""Every noun of a run, declared once: file, columns or shapes, types, one sentence. Writer and reader both check it.

`python -m ml.artifacts.schema` prints artifacts/README.md.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
import pandas as pd

MAJOR, MINOR = 1, 4
VERSION = f"{MAJOR}.{MINOR}"
RUN_ID = re.compile(r"^[a-z0-9][a-z0-9_-]{0,63}$")
CORE = ("history", "predictions")  # of a run that was trained here; ml.artifacts.kinds has that of the others
SPLITS = ("train", "validation", "test", "reference")  # reference: the stratified part of train that ships
FILLED = ("predictions", "scores", "confusion", "calibration", "projection")  # tables that have rows wherever they are


class Mismatch(ValueError):
    """Data that does not fit its declaration."""


@dataclass(frozen=True)
class Table:
    """A parquet file. columns: name → 'int', 'float', 'str'; a name ending in '*' stands for p_0 … p_{C-1}.

    optional: columns that runs of some kinds do not have, each with all of its number or none; others: whether columns
    of any other name may stand behind them, as floats.
    """

    noun: str
    sentence: str
    columns: Mapping[str, str]
    minor: int = 0
    nullable: frozenset[str] = field(default_factory=frozenset)
    optional: frozenset[str] = field(default_factory=frozenset)
    others: bool = False

    @property
    def file(self) -> str:
        return f"{self.noun}.parquet"

    def check(self, frame: pd.DataFrame) -> None:
        """Raise Mismatch unless the frame has the declared columns and types, no nulls and only finite numbers."""
        fixed = {name: kind for name, kind in self.columns.items() if not name.endswith("*")}
        stems = {name[:-1]: kind for name, kind in self.columns.items() if name.endswith("*")}
        missing = [name for name in fixed if name not in frame.columns and name not in self.optional]
        extra = [c for c in frame.columns if c not in fixed and not any(re.fullmatch(rf"{s}\d+", c) for s in stems)]
        if missing or (extra and not self.others):
            raise Mismatch(f"{self.noun}: missing columns {missing}, unknown columns {extra}")
        if frame.empty and self.noun in FILLED:
            raise Mismatch(f"{self.noun} has no rows")
        for name in frame.columns:
            stem = next((s for s in stems if re.fullmatch(rf"{s}\d+", name)), None)
            self._check_column(frame[name], fixed.get(name, "float") if stem is None else stems[stem])
        for stem in stems:
            count = sum(bool(re.fullmatch(rf"{stem}\d+", c)) for c in frame.columns)
            if (not count and f"{stem}*" not in self.optional) or any(
                f"{stem}{i}" not in frame.columns for i in range(count)
            ):
                raise Mismatch(f"{self.noun}: {stem}0 … must be numbered without gaps")

    def _check_column(self, values: pd.Series, kind: str) -> None:
        name = values.name
        if kind != "str" and _good_numbers(values.to_numpy(), kind):  # what pandas asks of each takes ten times as long
            return
        empty = bool(values.isna().any())
        if empty and name not in self.nullable and (name in self.columns or not self.others):
            raise Mismatch(f"{self.noun}.{name} has empty values")
        if kind == "int" and not pd.api.types.is_integer_dtype(values):
            raise Mismatch(f"{self.noun}.{name} must be whole numbers, is {values.dtype}")
        if kind == "float":
            if not pd.api.types.is_float_dtype(values):
                raise Mismatch(f"{self.noun}.{name} must be floating point, is {values.dtype}")
            if not np.isfinite((values.dropna() if empty else values).to_numpy()).all():
                raise Mismatch(f"{self.noun}.{name} has infinite values")
        if kind == "str" and not (pd.api.types.is_string_dtype(values) or pd.api.types.is_object_dtype(values)):
            raise Mismatch(f"{self.noun}.{name} must be text, is {values.dtype}")


def _good_numbers(values: np.ndarray, kind: str) -> bool:
    """Whether a column holds what its kind allows, and nothing empty; False where that is to be looked at closely."""
    if kind == "int":
        return values.dtype.kind in "iu"
    return kind == "float" and values.dtype.kind == "f" and bool(np.isfinite(values).all())


@dataclass(frozen=True)
class Arrays:
    """An npz file. shapes: array name → (dtype, rank); '*' stands for any other name; more: arrays that may be missing."""

    noun: str
    sentence: str
    shapes: Mapping[str, tuple[str, int]]
    minor: int = 0
    more: Mapping[str, tuple[str, int]] = field(default_factory=dict)

    @property
    def file(self) -> str:
        return f"{self.noun}.npz"

    def check(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Raise Mismatch unless each array has its declared type and rank and finite values."""
        missing = [name for name in self.shapes if name != "*" and name not in arrays]
        if missing:
            raise Mismatch(f"{self.noun}: missing arrays {missing}")
        for name, array in arrays.items():
            declared = self.shapes.get(name, self.more.get(name, self.shapes.get("*")))
            if declared is None:
                raise Mismatch(f"{self.noun}: unknown array {name}")
            if array.dtype != np.dtype(declared[0]) or array.ndim != declared[1]:
                raise Mismatch(
                    f"{self.noun}.{name} must be {declared[0]} of rank {declared[1]}, is {array.dtype} {array.shape}"
                )
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise Mismatch(f"{self.noun}.{name} has values that are not finite")


@dataclass(frozen=True)
class Graph:
    """An ONNX file, derived from the weights of the same folder and never taken from elsewhere."""

    noun: str
    sentence: str
    minor: int = 0

    @property
    def file(self) -> str:
        return f"network-{self.noun}.onnx"

    def check(self, data: bytes) -> None:
        """Raise Mismatch unless it begins as an ONNX file does: with its version, a small number."""
        if len(data) < 16 or data[0] != 0x08 or not 3 <= data[1] < 0x80:
            raise Mismatch(f"{self.noun} is no ONNX file")


HISTORY = {
    "epoch": "int",
    "train_loss": "float",
    "train_accuracy": "float",
    "validation_loss": "float",
    "validation_accuracy": "float",
    "learning_rate": "float",
    "seconds": "float",
    "images_per_second": "float",
}
NOUNS: dict[str, Table | Arrays | Graph] = {
    noun.noun: noun
    for noun in (
        Table(
            "history",
            "One row an epoch: losses are mean cross-entropies in nats, accuracies shares; seconds exclude evaluation. Of a "
            "run from elsewhere what was told of its epochs: columns may be missing, cells empty, and other measures stand "
            "behind.",
            HISTORY,
        ),
        Table(
            "predictions",
            "One row an example of test, validation and reference: class ids of label and guess, all probabilities. A "
            "recorded run may lack examples, and confidence and probabilities where only labels were predicted; of top-k "
            "lists, a probability is 0 where the list does not name its class.",
            {
                "split": "str",
                "example_id": "int",
                "label": "int",
                "predicted": "int",
                "confidence": "float",
                "p_*": "float",
            },
            optional=frozenset({"confidence", "p_*"}),
        ),
        Table(
            "scores",
            "Scores of a split (class empty) and of each class, with the ends of their 95 % interval and n.",
            {
                "split": "str",
                "class": "int",
                "metric": "str",
                "value": "float",
                "low": "float",
                "high": "float",
                "n": "int",
            },
            nullable=frozenset({"class", "low", "high"}),
        ),
        Table(
            "confusion",
            "How often a label was guessed as a class, counted over a whole split; every pair, zeros too.",
            {"split": "str", "label": "int", "predicted": "int", "count": "int"},
        ),
        Table(
            "projection",
            "Penultimate features in three principal components (fitted on reference) and on a 2D map (t-SNE).",
            {
                "split": "str",
                "example_id": "int",
                "pca_x": "float",
                "pca_y": "float",
                "pca_z": "float",
                "map_x": "float",
                "map_y": "float",
            },
        ),
        Table(
            "neighbours",
            "The ten reference examples nearest in penultimate features, Euclidean; an example is not its own.",
            {"split": "str", "example_id": "int", "rank": "int", "neighbour_id": "int", "distance": "float"},
        ),
        Arrays(
            "filters",
            "The kernels of convolutions by layer name, float16 [out, in, k, k]; none of 1 × 1, none of over 262,144 weights.",
            {"*": ("float16", 4)},
        ),
        Arrays(
            "features",
            "Penultimate features of the reference examples, the first 256 where there are more. A recorded run has those it "
            "was given, of every split.",
            {"reference_id": ("int32", 1), "reference": ("float16", 2)},
            more={
                "validation_id": ("int32", 1),
                "validation": ("float16", 2),
                "test_id": ("int32", 1),
                "test": ("float16", 2),
            },
        ),
        Table(
            "calibration",
            "Calibration error (15 bins), Brier score, loss of a split as trained (scaling none) and after temperature "
            "scaling, and the temperature, which is fitted on validation; with the ends of their 95 % interval.",
            {
                "split": "str",
                "scaling": "str",
                "metric": "str",
                "value": "float",
                "low": "float",
                "high": "float",
                "n": "int",
            },
            minor=1,
        ),
        Arrays(
            "familiarity",
            "What a run knows, in the means and deviations of all its layers: a Gaussian a class, all of one spread. A score "
            "is the squared distance of `statistics / scale @ turn` to the nearest centre; those of validation and test. "
            "Where `last` is there, of directions of the last layer's input in place of statistics.",
            {
                "scale": ("float32", 1),
                "turn": ("float16", 2),
                "centre": ("float32", 2),
                "validation": ("float32", 1),
                "test": ("float32", 1),
            },
            minor=2,
            more={"last": ("uint8", 1)},
        ),
        Arrays(
            "looks",
            "What kind of pictures a run's are before any network sees them, as ml.images.looks measures colours, ground and "
            "detail: a multivariate t distribution for each of several groups (as kept, as they came, enlarged, photographed). "
            "`(measured - centre) @ whiten` has no correlations and a deviation of one.",
            {"centre": ("float32", 2), "whiten": ("float32", 3)},
            minor=3,
        ),
        Table(
            "conformal",
            "Sets of classes that hold the truth as often as level says (LAC): a class belongs to a set where 1 − p, after "
            "temperature scaling, is at most `most`, found on validation. Coverage with its 95 % interval, mean size, and "
            "size_k, the pictures whose set has k classes.",
            {
                "split": "str",
                "level": "float",
                "most": "float",
                "temperature": "float",
                "n": "int",
                "covered": "int",
                "coverage": "float",
                "low": "float",
                "high": "float",
                "size": "float",
                "size_*": "int",
            },
            minor=2,
        ),
        Arrays(
            "epochs",
            "What was said of each test and validation example during training: probabilities × 255 after up to 20 epochs, "
            "right or wrong (packed bits) after each of right_epoch; mean and deviation of the true class's probability. A "
            "run from elsewhere may have those of one split alone.",
            {"epoch": ("int16", 1), "right_epoch": ("int16", 1)},
            more={
                **{
                    f"{split}_{name}": kind
                    for split in ("test", "validation")
                    for name, kind in {
                        "id": ("int32", 1),
                        "probabilities": ("uint8", 3),
                        "right": ("uint8", 2),
                        "mean": ("float32", 1),
                        "spread": ("float32", 1),
                    }.items()
                },
            },
            minor=1,
        ),
        Table(
            "label_issues",
            "How far each label can be believed (its out-of-sample probability), the likeliest class, and whether cleanlab "
            "calls it an issue (1 or 0); rank 1 is the most suspect of its split.",
            {
                "split": "str",
                "example_id": "int",
                "label": "int",
                "suggested": "int",
                "quality": "float",
                "issue": "int",
                "rank": "int",
            },
            minor=1,
        ),
        Arrays(
            "suspects",
            "The 500 most suspect labels of train, most suspect first: pictures (of a run that ships without any, those of "
            "its data set once they are fetched), out-of-sample probabilities, nearest reference examples. Made with "
            "label_issues.",
            {
                "example_id": ("int32", 1),
                "probabilities": ("float32", 2),
                "neighbour_id": ("int32", 2),
            },
            minor=1,
            more={"images": ("uint8", 4)},
        ),
        Table(
            "preparation",
            "How many validation pictures are right, and answered as recorded, when they are given as files and as "
            "photographs of them, with these steps for photographs (`steps`, empty: only fitted as the data set was).",
            {"given": "str", "steps": "str", "n": "int", "correct": "int", "agreeing": "int"},
            minor=2,
        ),
        Table(
            "tags",
            "Which failure modes an example shows, one row for each: conflicting-neighbours, top-2, confidently-wrong, "
            "unsure, flips.",
            {"split": "str", "example_id": "int", "tag": "str"},
            minor=1,
        ),
        Table(
            "slices",
            "Groups of alike pictures with more mistakes than the rest (of one label: `among`): error rate and lift with "
            "95 % intervals, Fisher's p, corrected by Holm for all that were tested.",
            {
                "slice": "str",
                "name": "str",
                "split": "str",
                "rule": "str",
                "among": "int",
                "n": "int",
                "wrong": "int",
                "rate": "float",
                "low": "float",
                "high": "float",
                "rest_n": "int",
                "rest_wrong": "int",
                "lift": "float",
                "lift_low": "float",
                "lift_high": "float",
                "p": "float",
                "p_adjusted": "float",
                "tested": "int",
            },
            minor=1,
            nullable=frozenset({"among"}),
        ),
        Table(
            "slice_members",
            "The pictures of each of the slices. Made with slices.",
            {"split": "str", "example_id": "int", "slice": "str"},
            minor=1,
        ),
        Table(
            "engines",
            "What computes the network, side by side on one thread: bytes of its file, milliseconds of one picture (p50, p95 "
            "of `times`), pictures a second in batches, right answers on test with the ends of their 95 % interval, answers "
            "like the first engine's, largest difference of a probability from the first's.",
            {
                "engine": "str",
                "bytes": "int",
                "p50_ms": "float",
                "p95_ms": "float",
                "times": "int",
                "images_per_second": "float",
                "batch": "int",
                "n": "int",
                "correct": "int",
                "accuracy": "float",
                "low": "float",
                "high": "float",
                "agreeing": "int",
                "agreement": "float",
                "agreement_low": "float",
                "agreement_high": "float",
                "difference": "float",
                "processor": "str",
            },
            minor=2,
        ),
        Graph(
            "onnx",
            "The network in float32: pixels in, logits and features out. Made with engines; no archive holds it.",
            2,
        ),
        Graph("int8", "The same in int8, calibrated on reference pictures. Made with engines; no archive holds it.", 2),
        Table(
            "robustness",
            "How many test pictures are still right under each corruption (`none`: as they are) at severities 1 to 5; level: "
            "how much that is, in the corruption's own unit. All of test, or a stratified part.",
            {
                "split": "str",
                "corruption": "str",
                "severity": "int",
                "level": "float",
                "n": "int",
                "correct": "int",
            },
            minor=2,
        ),
        Table(
            "attacks",
            "How many of a stratified part of test are still right when every pixel (0..1) may move by epsilon: one step "
            "(fgsm) or many (pgd) along the gradient. Made with robustness, of networks that have gradients.",
            {"split": "str", "attack": "str", "epsilon": "float", "n": "int", "correct": "int"},
            minor=2,
        ),
        Arrays(
            "robustness_answers",
            "The class that was said of each example, one row for each row of robustness (`predicted`) and of attacks "
            "(`attacked`), which are empty for a network without gradients. Made with robustness.",
            {
                "example_id": ("int32", 1),
                "predicted": ("int16", 2),
                "attacked_id": ("int32", 1),
                "attacked": ("int16", 2),
            },
            minor=2,
        ),
        Table(
            "unlabelled",
            "One row a picture without a label, none of which any score counts: guess, probabilities, place on the map of "
            "projection, mean distance to the nearest reference examples and the share of validation that is nearer, and "
            "its turn in a diverse sample.",
            {
                "example_id": "int",
                "predicted": "int",
                "confidence": "float",
                "unlike": "float",
                "percentile": "float",
                "diverse": "int",
                "pca_x": "float",
                "pca_y": "float",
                "pca_z": "float",
                "map_x": "float",
                "map_y": "float",
                "p_*": "float",
            },
            minor=3,
            nullable=frozenset({"percentile"}),
        ),
        Table(
            "unlabelled_neighbours",
            "The ten reference examples nearest to each picture without a label, as in neighbours. Made with unlabelled.",
            {"example_id": "int", "rank": "int", "neighbour_id": "int", "distance": "float"},
            minor=3,
        ),
    )
}

PICTURE_NOUNS: dict[str, Table] = {
    noun.noun: noun
    for noun in (
        Table(
            "properties",
            "What can be said of each picture without a network; shares and pixels in 0..1, x and y in -1..1.",
            {
                "split": "str",
                "example_id": "int",
                "brightness": "float",
                "contrast": "float",
                "ink": "float",
                "edges": "float",
                "symmetry": "float",
                "x": "float",
                "y": "float",
            },
            minor=1,
        ),
        Table(
            "duplicates",
            "Pictures of test, validation and reference, and those without a label, that are nearly the same as one of "
            "test, validation or train, nearest first: sqrt(2 - 2r), r the correlation over pixels.",
            {"split": "str", "example_id": "int", "other_split": "str", "other_id": "int", "distance": "float"},
            minor=1,
        ),
        Table(
            "files",
            "Which file is which picture, of a data set that ships without its pictures: its path in the folder that is "
            "fetched, the class by its id, split and number. Its digest stands in dataset.json.",
            {"example_id": "int", "split": "str", "label": "int", "path": "str"},
            minor=4,
        ),
    )
}  # of a data set, beside its pictures


_MEASURES = frozenset(HISTORY) - {"epoch"}
TOLD = {
    "history": replace(cast(Table, NOUNS["history"]), nullable=_MEASURES, optional=_MEASURES, others=True)
}  # fmt: skip
"""Nouns as runs from elsewhere may have them: of what nobody told there is none."""


def readme() -> str:
    """artifacts/README.md as generated from this module."""
    lines = [
        "# Artifacts",
        "",
        "Generated by `python -m ml.artifacts.schema`; do not edit by hand.",
        f"Schema {VERSION}: a reader takes any minor version of its major.",
        "",
        "    index.json                what ships: the default run and the list of runs",
        "    datasets/<name>/          dataset.json, one npz a split (images uint8 [n, h, w, c], labels, ids), tables;",
        "                              no npz where the pictures are to be fetched: python -m ml data fetch <name>",
        "    runs/<run_id>/            manifest.json, weights.safetensors (network.onnx of an imported one) and the nouns below",
        "",
        f"Core, never changed after a run is published: weights, {', '.join(CORE)}.",
        "Every other noun may be added later with `python -m ml evaluate RUN --only NOUN`.",
        "`kind` of the manifest is trained (also where it is missing), imported or recorded: predictions alone, whose core",
        "is predictions, without weights. `capabilities` says what is known: probabilities or top-k, features, gradients,",
        "layers; a run that was trained here has them all.",
        "",
        "| noun | file | what | columns or arrays |",
        "|---|---|---|---|",
    ]
    lines += [_line(noun) for noun in NOUNS.values()]
    lines += [
        "",
        "Of a data set, made with its pictures or by `python -m ml data measure NAME`:",
        "",
        "| noun | file | what | columns |",
        "|---|---|---|---|",
        *(_line(noun) for noun in PICTURE_NOUNS.values()),
    ]
    return "\n".join(lines) + "\n"


def _line(noun: Table | Arrays | Graph) -> str:
    """One noun as a line of the table."""
    if isinstance(noun, Table):
        kinds = noun.columns.items()
        content = ", ".join(f"`{n}` {k}{' or empty' if n in noun.nullable else ''}" for n, k in kinds)
    elif isinstance(noun, Arrays):
        content = ", ".join(f"`{n}` {d} rank {r}" for n, (d, r) in noun.shapes.items())
        content += "".join(f", perhaps `{n}` {d} rank {r}" for n, (d, r) in noun.more.items())
    else:
        content = "`images` uint8 rank 4 → `logits`, `features` float32 rank 2"
    return f"| {noun.noun} | {noun.file} | {noun.sentence} | {content} |"


if __name__ == "__main__":
    print(readme(), end="")
