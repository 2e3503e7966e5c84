"""docs/ablation.md: what each part of the recipe is worth, `python tools/ablation.py --train`.

batchnorm_cnn is trained by the full recipe and again with each part left out, with the same seeds, so that differences
are between trainings that began alike. Every result is written to --results at once; a repeated call trains only what
is missing there. Without --train the page is written from what is there.
"""

import argparse
import json
import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scipy.stats import t as student  # noqa: E402

from ml.system import atomic  # noqa: E402
from ml.training.config import TrainConfig  # noqa: E402

PAGE = ROOT / "docs" / "ablation.md"
RESULTS = ROOT / "build" / "ablation.json"
SEEDS = (1, 2, 3)
FULL: dict[str, Any] = {
    "model": "batchnorm_cnn", "epochs": 12, "batch_size": 128, "learning_rate": 0.005, "weight_decay": 0.05,
    "label_smoothing": 0.05, "augment": ("flip", "shift", "erase"), "ema": 0.99, "train_images": 10_000,
}  # fmt: skip
WITHOUT: dict[str, dict[str, Any]] = {
    "full recipe": {},
    "dropout": {"dropout": 0.0},
    "weight decay": {"weight_decay": 0.0},
    "batch normalisation": {"batch_norm": False},
    "flip": {"augment": ("shift", "erase")},
    "shift": {"augment": ("flip", "erase")},
    "erase": {"augment": ("flip", "shift")},
    "any augmentation": {"augment": ()},
    "label smoothing": {"label_smoothing": 0.0},
    "averaged weights": {"ema": 0.0},
}
Result = dict[str, Any]


def config(part: str, seed: int, **changes: Any) -> TrainConfig:
    return TrainConfig(**{**FULL, **changes, **WITHOUT[part], "seed": seed})


def train(settings: TrainConfig) -> Result:
    """One training: shares right on validation and test of its best validation epoch, seconds without scoring."""
    import torch

    from ml import models
    from ml.data import load
    from ml.pipeline import cores, machine
    from ml.training.loop import fit
    from ml.training.validation import evaluate

    dataset = load(settings.dataset)
    height, width, channels = dataset.shape
    torch.set_num_threads(settings.threads or cores())
    torch.manual_seed(settings.seed)
    model = models.build(
        settings.model, channels=channels, height=height, width=width, classes=len(dataset.classes),
        dropout=settings.dropout, batch_norm=settings.batch_norm,
    )  # fmt: skip
    epochs = list(fit(model, dataset, settings))
    mean, std = dataset.statistics()
    here = machine() | {"threads": torch.get_num_threads()}
    return {
        "config": settings.model_dump(mode="json"),
        "validation": max(epoch.validation_accuracy for epoch in epochs),
        "test": evaluate(model, dataset["test"], mean, std)[1],
        "seconds": round(sum(epoch.seconds for epoch in epochs), 3),
        "machine": f"{here['processor']}, threads: {here['threads']}, torch {torch.__version__}",
        "n": [len(dataset["validation"]), len(dataset["test"])],
    }


def read(path: Path) -> list[Result]:
    return json.loads(path.read_text()) if path.exists() else []


def of(results: Sequence[Result], settings: TrainConfig) -> Result | None:
    """The result of exactly these settings."""
    return next((result for result in results if TrainConfig(**result["config"]) == settings), None)


def complete(path: Path, seeds: Sequence[int], **changes: Any) -> None:
    """Train what is missing, seed by seed so that an early end still compares alike with alike."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        for part in WITHOUT:
            settings, results = config(part, seed, **changes), read(path)
            if of(results, settings):
                continue
            result = train(settings)
            atomic.write(path, json.dumps([*results, result], indent=1) + "\n")
            print(
                f"seed {seed}, {part}: validation {result['validation']:.2%}, test {result['test']:.2%}, "
                f"{result['seconds']:.0f} s", file=sys.stderr, flush=True,
            )  # fmt: skip


def interval(differences: Sequence[float]) -> tuple[float, float, float]:
    """Mean and the ends of its 95 % t interval, paired by seed; infinite ends for fewer than two."""
    mean = statistics.fmean(differences)
    if len(differences) < 2:
        return mean, -float("inf"), float("inf")
    half = float(student.ppf(0.975, len(differences) - 1)) * statistics.stdev(differences) / len(differences) ** 0.5
    return mean, mean - half, mean + half


def spread(values: Sequence[float]) -> str:
    """'89.52 ± 0.21' in percent: mean and standard deviation over seeds."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{100 * statistics.fmean(values):.2f} ± {100 * deviation:.2f}"


def signed(share: float) -> str:
    return f"{100 * share:+.2f}".replace("-", "−")


def table(results: Mapping[str, Sequence[Result]]) -> str:
    """results: part left out → one result a seed, the same seeds in the same order everywhere."""
    lines = [
        "| without | validation, % | test, % | difference on test, points (95 %) | training |",
        "|---|---|---|---|---|",
    ]
    full = results["full recipe"]
    for part, rows in results.items():
        difference = ""
        if part != "full recipe":
            mean, low, high = interval([one["test"] - whole["test"] for one, whole in zip(rows, full, strict=True)])
            mark = "**" if low > 0 or high < 0 else ""
            difference = f"{mark}{signed(mean)}{mark} ({signed(low)} to {signed(high)})"
        cells = [
            "nothing: the full recipe" if part == "full recipe" else part,
            spread([one["validation"] for one in rows]),
            spread([one["test"] for one in rows]),
            difference,
            f"{statistics.fmean(one['seconds'] for one in rows):.0f} s",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def page(results: Mapping[str, Sequence[Result]]) -> str:
    """The whole of docs/ablation.md."""
    first = results["full recipe"][0]
    settings, (validation, test) = first["config"], first["n"]
    seeds = [one["config"]["seed"] for one in results["full recipe"]]
    machines = dict.fromkeys(one["machine"] for rows in results.values() for one in rows)
    schedule, augment = settings["schedule"].replace("_", "-"), ", ".join(settings["augment"]) or "none"
    return f"""# What each part of the recipe is worth

Generated by `python tools/ablation.py` from real trainings; do not edit by hand.

`{settings["model"]}` on {settings["train_images"]:,} pictures for {settings["epochs"]} epochs, by the full recipe and
with one part left out at a time, seeds {", ".join(map(str, seeds))}. Mean ± standard deviation over the seeds, of the
epoch that was best on validation (n {validation:,}); test (n {test:,}) chose nothing. Differences are from the full
recipe with the same seed, with the 95 % t interval of their mean, bold where it leaves out zero. So few seeds show
large differences only; what costs little here may cost more in a longer training; and of {len(results) - 1}
comparisons one may stand out by chance.

{table(results)}

Full recipe: AdamW at {settings["learning_rate"]:g}, {schedule}, batches of {settings["batch_size"]}, weight decay
{settings["weight_decay"]:g}, label smoothing {settings["label_smoothing"]:g}, augmentation {augment}, averaged weights
{settings["ema"]:g}, the model's own dropout and batch normalisation.

Machine: {"; ".join(machines)}. All of it: `python tools/ablation.py --train`.
"""


def main(arguments: list[str] | None = None) -> int:
    """0 when every part has at least three seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", action="store_true", help="train what is missing")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--results", type=Path, default=RESULTS, help="default build/ablation.json")
    parser.add_argument("--to", type=Path, default=PAGE, help="the page (default docs/ablation.md)")
    options = parser.parse_args(arguments)
    if options.train:
        complete(options.results, options.seeds)
    known = read(options.results)
    each = {seed: {part: of(known, config(part, seed)) for part in WITHOUT} for seed in options.seeds}
    whole = [seed for seed, rows in each.items() if all(rows.values())]
    if not whole:
        print("no seed is complete yet: add --train", file=sys.stderr)
        return 1
    results = {part: [each[seed][part] or {} for seed in whole] for part in WITHOUT}
    options.to.write_text(page(results))
    print(f"{options.to}: {len(WITHOUT)} recipes, {len(whole)} seeds")
    return 0 if len(whole) >= 3 else 1


if __name__ == "__main__":
    sys.exit(main())
