"""Four data sets that are nothing like the one that ships, and a run on each: `python -m tests.any_sets FOLDER`.

`two`: 2 classes, 8 × 8, gray. `many`: 250 classes, 64 × 64, colour, few pictures each. `large`: 12 classes, 224 × 224,
colour, one of them absent from test and one 500 times as frequent as another. `thousand`: 1,000 classes of 50 pictures.
FOLDER becomes a FASHION_HOME. A run's body is as it was initialised, its head one mean for each class; what its files
say of it is measured, as of any other. That, and a flat map in place of t-SNE, makes all four in seconds.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

from ml.data.base import Dataset, Split

KINDS = ("warbler", "wheaten terrier", "leaf curl", "bolete", "albatross", "cap", "moth", "kingfisher")


@dataclass(frozen=True)
class Kind:
    """counts: split → how many pictures of each class; noise: of pictures, in levels; nouns: beyond the usual ones;
    measured: whether properties and near-duplicates of the pictures are there."""

    title: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    counts: Mapping[str, Sequence[int]]
    model: str
    noise: float
    nouns: tuple[str, ...] = ()
    measured: bool = False


def named(n: int) -> tuple[str, ...]:
    """Class names as data sets of kinds have them: some long, some alike."""
    return tuple(f"{KINDS[i % len(KINDS)]} {i + 1:03}" for i in range(n))


SETS = {
    "two": Kind(
        "Two marks", ("No", "Yes"), (8, 8, 1), {"train": [300, 100], "validation": [90, 30], "test": [120, 40]},
        "fashion_cnn", 150, ("tags", "slices"), True,
    ),
    "many": Kind(
        "Many kinds", named(250), (64, 64, 3),
        {"train": [8] * 250, "validation": [2] * 250, "test": [2, *[4] * 249]}, "quick_cnn", 60,
    ),
    "large": Kind(
        "Large photographs", named(12), (224, 224, 3),
        {"train": [500, 1, *[8] * 10], "validation": [12, 1, *[2] * 10], "test": [25, 1, *[5] * 9, 0]},
        "small_vit", 60,
    ),
    "thousand": Kind(
        "A thousand kinds", named(1_000), (16, 16, 3),
        {"train": [46] * 1_000, "validation": [1] * 1_000, "test": [3] * 1_000}, "mlp", 60,
    ),
}  # fmt: skip


def dataset(name: str) -> Dataset:
    """The same pictures each time: a rough pattern for each class, alike within four of them, with noise."""
    kind, rng = SETS[name], np.random.default_rng(len(name))
    height, width, channels = kind.shape
    side = 8 if height > 16 else 4
    alike = rng.integers(60, 196, (len(kind.classes) // 4 + 1, side, side, channels))
    own = rng.normal(0, 30, (len(kind.classes), side, side, channels))
    patterns = alike[np.arange(len(own)) // 4] + own
    splits, first = {}, 0
    for split, counts in kind.counts.items():
        labels = rng.permutation(np.repeat(np.arange(len(counts)), counts))
        rough = patterns[labels] + rng.normal(0, kind.noise, (len(labels), side, side, channels))
        images = np.clip(rough, 0, 255).astype(np.uint8).repeat(height // side, 1).repeat(width // side, 2)
        ids = np.arange(first, first + len(labels), dtype=np.int32)
        splits[split], first = Split(images, labels.astype(np.int64), ids), first + len(labels)
    return Dataset(name, kind.title, kind.classes, splits, hashes={"made by": f"tests.any_sets, {name}"})


def make(name: str, home: Path) -> None:
    """The data set, complete, and a run of its name on it."""
    import torch

    from ml import models
    from ml.artifacts import writer
    from ml.evaluation import AT_TRAINING, EVALUATIONS, calibration
    from ml.evaluation.context import EvaluationContext
    from ml.evaluation.epochs import Recorder
    from ml.inference.classifier import Classifier
    from ml.pipeline import machine, measure, results
    from ml.training.config import TrainConfig

    kind, made = SETS[name], dataset(name)
    writer.write_pictures(home, made, complete=True)
    if kind.measured:
        measure(home, made)
    torch.manual_seed(7)
    torch.set_num_threads(1)
    height, width, channels = kind.shape
    model_config = {"channels": channels, "height": height, "width": width, "classes": len(kind.classes)}
    module = models.build(kind.model, **model_config)
    partial, description = writer.partial(home / "runs", name), writer.describe(made)
    recorder = Recorder(partial, made)

    def context() -> EvaluationContext:
        splits = {"test": made["test"], "validation": made["validation"], "reference": made.reference()}
        return EvaluationContext(Classifier(module, description), splits, dataset=lambda: made, brief=True)

    before = context()
    rows = [row(1, before)]
    recorder(1, module)
    fit(module, before)
    after = context()
    rows.append(row(2, after))
    recorder(2, module)
    nouns = {"history": writer.write_noun(partial, "history", pd.DataFrame(rows))}
    nouns["epochs"] = writer.write_noun(partial, "epochs", recorder.arrays(2, 2))
    empty = []
    with patch.object(calibration, "REFITS", 4):
        for noun in ("predictions", *AT_TRAINING, "neighbours", *kind.nouns, "projection"):
            data = flat(after) if noun == "projection" else EVALUATIONS[noun](after)
            also, after.also = after.also, {}
            for other, payload in {noun: data, **also}.items():
                if len(payload):
                    nouns[other] = writer.write_noun(partial, other, payload, started=time.perf_counter())
                else:
                    empty.append(other)
    weights = {key: np.ascontiguousarray(value.numpy()) for key, value in module.state_dict().items()}
    manifest = {
        "run_id": name, "model": kind.model, "model_config": model_config, "dataset": description,
        "config": TrainConfig(model=kind.model, dataset=name, epochs=2, augment=()).model_dump(mode="json"),
        "train_images": len(made["train"]), "parameters": models.parameter_count(module),
        "layers": after.classifier.layers(), "best_epoch": 2, "results": results(after), "seconds": 2.0,
        "training_seconds": 1.0, "machine": machine(), "torch": torch.__version__, "git": "", "command": "",
        "created": writer.now(), "nouns": nouns, "empty": empty, **after.notes,
        "weights": writer.write_weights(partial, weights), "bytes": (partial / "weights.safetensors").stat().st_size,
    }  # fmt: skip
    writer.publish(partial, manifest)


def fit(module: Any, context: Any) -> None:
    """Nearest class mean as a linear head, on features of the body as it is."""
    import torch

    features, labels = context.features("reference"), context.splits["reference"].labels
    sums = np.zeros((len(context.classifier.classes), features.shape[1]))
    np.add.at(sums, labels, features)
    means = sums / np.bincount(labels, minlength=len(sums))[:, None]
    scale = 0.3 / max(float(((features - means[labels]) ** 2).mean()), 1e-9)
    with torch.no_grad():
        module.head.weight.copy_(torch.from_numpy(means * scale))
        module.head.bias.copy_(torch.from_numpy(-(means**2).sum(1) / 2 * scale))


def row(epoch: int, context: Any) -> dict[str, Any]:
    """One of the history."""
    from ml.stats.calibration import cross_entropy
    from ml.training.meter import Epoch

    numbers = []
    for split in ("reference", "validation"):
        probabilities, labels = context.probabilities(split), context.splits[split].labels
        right = float((probabilities.argmax(1) == labels).mean())
        numbers += [float(cross_entropy(probabilities, labels).mean()), right]
    return asdict(Epoch(epoch, *numbers, 0.01, 0.5, 1_000.0))


def flat(context: Any) -> pd.DataFrame:
    """The noun projection with the first two components for a map."""
    from sklearn.decomposition import PCA

    from ml.evaluation.context import SPLITS

    pca = PCA(3, random_state=0).fit(context.features("reference"))
    context.notes["explained_variance"] = pca.explained_variance_ratio_.round(6).tolist()
    frames = []
    for split in SPLITS:
        places = pca.transform(context.features(split)).astype(np.float32)
        names = ("pca_x", "pca_y", "pca_z", "map_x", "map_y")
        frame = pd.DataFrame(dict(zip(names, places[:, [0, 1, 2, 0, 1]].T, strict=True)))
        frames.append(frame.assign(split=split, example_id=context.splits[split].ids.astype(np.int32)))
    return pd.concat(frames, ignore_index=True)


if __name__ == "__main__":
    for one in sys.argv[2:] or SETS:
        make(one, Path(sys.argv[1]))
