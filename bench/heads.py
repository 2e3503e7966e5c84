"""What parts of the preset `photos` are worth to its head alone, seeds 1 to 3: `python bench/heads.py`.

The body stands still with ImageNet's weights, as in the recipe's first epochs: its answers about every picture, and
about its mirror image, are computed once and kept in `--kept`. On them the head is trained by the recipe, and with one
part changed at a time, with the same seeds. What the parts are worth once the body learns too is not told by this.
The data set is the one of the preset's run: `python -m ml data fetch clothing-photos`.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from scipy.stats import t as student  # noqa: E402

from ml import models  # noqa: E402
from ml.data import load  # noqa: E402
from ml.data.base import Dataset  # noqa: E402
from ml.models.inputs import normalise  # noqa: E402
from ml.stats.calibration import expected_calibration_error, fit_temperature, scale_by_temperature, softmax  # noqa: E402
from ml.training import published  # noqa: E402
from ml.training.config import TrainConfig  # noqa: E402
from ml.training.frozen import Frozen  # noqa: E402
from ml.training.loop import fit  # noqa: E402
from ml.training.presets import PRESETS  # noqa: E402

SEEDS = (1, 2, 3)
PARTS: dict[str, dict[str, Any]] = {
    "the recipe's head": {},
    "without label smoothing": {"label_smoothing": 0.0},
    "without averaged weights": {"ema": 0.0},
    "without weight decay": {"weight_decay": 0.0},
    "without warmup": {"warmup": 0.0},
    "12 epochs in place of 4": {"epochs": 12, "frozen_epochs": 12},
}
SPLITS = ("train", "validation", "test")


def network(dataset: Dataset) -> torch.nn.Module:
    """With published weights and a new head."""
    height, width, channels = dataset.shape
    name = PRESETS["photos"]["model"]
    model = models.build(
        name,
        channels=channels,
        height=height,
        width=width,
        classes=len(dataset.classes),
        pretrained=True,
        side=min(height, width),
    )
    published.load(model, name, *dataset.statistics())
    return model


def features(dataset: Dataset, kept: Path) -> dict[str, torch.Tensor]:
    """float16 [n, d] of each split, and of validation and test mirrored."""
    if not kept.exists():
        body, statistics = network(dataset).eval().get_submodule("body"), dataset.statistics()
        found = {}
        with torch.no_grad():
            for split in SPLITS:
                images = dataset[split].images
                for mirrored in (False, True) if split != "train" else (False,):
                    rows = []
                    for start in range(0, len(images), 32):
                        batch = np.asarray(images[start : start + 32])
                        batch = batch[:, :, ::-1].copy() if mirrored else batch
                        rows.append(body(normalise(torch.from_numpy(batch).permute(0, 3, 1, 2), *statistics)).half())
                        print(f"\r{split} {start}", end="", file=sys.stderr)
                    found[split + " mirrored" * mirrored] = torch.cat(rows).numpy()
        np.savez(kept, **found)
    with np.load(kept) as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


class Kept(Frozen):
    """What was computed once, for every training."""

    found: dict[str, torch.Tensor]

    def __init__(self, model: torch.nn.Module, images: Any, validation: Any, *args: Any, **kwargs: Any) -> None:
        self._train, self._validation = self.found["train"], self.found["validation"]
        self._labels = torch.from_numpy(validation.labels)


def trained(dataset: Dataset, found: dict[str, torch.Tensor], changes: dict[str, Any], seed: int) -> dict[str, float]:
    """Of one training: shares right, also with the mirror image's answer; ECE on test before and after scaling."""
    from ml.training import loop

    Kept.found, loop.Frozen = found, Kept  # type: ignore[misc]
    recipe = {**PRESETS["photos"], "dataset": dataset.name, "epochs": 4, "frozen_epochs": 4, **changes, "seed": seed}
    torch.manual_seed(seed)
    model = network(dataset)
    list(fit(model, dataset, TrainConfig(**recipe)))
    head, values = model.get_submodule("head"), {}
    with torch.no_grad():
        logits = {name: head(rows.float()).numpy() for name, rows in found.items() if name != "train"}
    for split in SPLITS[1:]:
        labels = dataset[split].labels
        both = softmax(logits[split]) + softmax(logits[f"{split} mirrored"])
        values[split] = float((logits[split].argmax(1) == labels).mean())
        values[f"{split} with its mirror image"] = float((both.argmax(1) == labels).mean())
    temperature = fit_temperature(softmax(logits["validation"]), dataset["validation"].labels)
    probabilities = softmax(logits["test"])
    right = probabilities.argmax(1) == dataset["test"].labels
    for name, told in (("ECE", probabilities), ("ECE scaled", scale_by_temperature(probabilities, temperature))):
        values[name] = expected_calibration_error(told.max(1), right)
    return {**values, "temperature": temperature}


def table(found: dict[str, list[dict[str, float]]]) -> None:
    """A line a part: mean and deviation over the seeds, and the difference from the recipe with its 95 % interval."""
    factor = student.ppf(0.975, len(SEEDS) - 1) / len(SEEDS) ** 0.5
    full = next(iter(found.values()))
    for part, rows in found.items():
        print(part)
        for name in rows[0]:
            values = np.array([row[name] for row in rows])
            apart = values - [row[name] for row in full]
            share = 1 if name == "temperature" else 100
            words = f"  {name:<34}{share * values.mean():8.2f} ± {share * values.std(ddof=1):.2f}"
            if part != next(iter(found)):
                words += f"   {share * apart.mean():+.2f} ± {share * factor * apart.std(ddof=1):.2f}"
            print(words)


def main() -> int:
    """Print the table, and all values as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="clothing-photos")
    parser.add_argument("--kept", type=Path, default=ROOT / "build" / "heads.npz", help="where features are kept")
    options = parser.parse_args()
    torch.set_num_threads(1)
    dataset = load(options.dataset)
    options.kept.parent.mkdir(parents=True, exist_ok=True)
    answers = features(dataset, options.kept)
    found = {part: [trained(dataset, answers, changes, seed) for seed in SEEDS] for part, changes in PARTS.items()}
    print(f"n {', '.join(f'{split} {len(dataset[split])}' for split in SPLITS)}; seeds {SEEDS}; 95 % t intervals")
    table(found)
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
