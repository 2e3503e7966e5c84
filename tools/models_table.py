"""docs/models.md: every network of MODELS with a real training, `python tools/models_table.py --train`.

All learn by one recipe that is tuned for none of them; efficientnet_lite0 is there for transfer learning and has its
own preset. Each is trained in an interpreter of its own into --home. What is there already is taken as it is and what
was interrupted goes on, so the call can be repeated. Without --train the page is written from what is there.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ml.artifacts.reader import Broken, Library, Missing, Run  # noqa: E402
from ml.models import ABOUT, MODELS  # noqa: E402
from ml.stats.intervals import wilson  # noqa: E402
from ml.system.paths import ARTIFACTS  # noqa: E402
from ml.training.config import TrainConfig  # noqa: E402
from ml.training.presets import PRESETS  # noqa: E402

PAGE = ROOT / "docs" / "models.md"
HOME = ROOT / "build" / "models"
SHARED = {"epochs": 3, "batch_size": 128, "train_images": 10_000}
RECIPES: dict[str, dict[str, Any]] = {name: {"model": name, **SHARED} for name in MODELS}
RECIPES["efficientnet_lite0"] = {"preset": "transfer"}


def run_id(model: str) -> str:
    return f"models-{model}"


def config(recipe: Mapping[str, Any]) -> TrainConfig:
    """What the command line makes of the same choices."""
    own = {name: value for name, value in recipe.items() if name != "preset"}
    return TrainConfig(**{**PRESETS.get(recipe.get("preset", ""), {}), **own})


def command(model: str, recipe: Mapping[str, Any]) -> str:
    """The one command that trains this run."""
    options = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in recipe.items())
    return f"python -m ml train {options} --run {run_id(model)}"


def train(model: str, home: Path) -> None:
    """Train one and publish it under home/runs, without the tables that only Insights needs."""
    from ml import pipeline

    recipe = RECIPES[model]
    pipeline.train(
        config(recipe),
        run_id=run_id(model),
        home=home,
        command=command(model, recipe),
        callbacks=pipeline.Callbacks(
            on_epoch=lambda epoch: print(
                f"{model} epoch {epoch.epoch}: validation {epoch.validation_accuracy:.2%}, {epoch.seconds:.0f} s",
                file=sys.stderr,
                flush=True,
            )
        ),
        slow=False,
        record=False,
    )


def found(home: Path) -> dict[str, Run]:
    """The finished trainings by model."""
    library, runs = Library(ARTIFACTS, home), {}
    for model in MODELS:
        try:
            runs[model] = library.open(run_id(model))
        except (Missing, Broken):
            continue
    return runs


def shipped() -> list[Run]:
    """The runs of artifacts/, the default first."""
    library = Library(ARTIFACTS, ARTIFACTS)
    order = json.loads((ARTIFACTS / "index.json").read_text())
    names = sorted(order["runs"], key=lambda name: name != order["default"])
    return [library.open(name) for name in names]


def speed(run: Run) -> float:
    """Pictures a second, the median of the epochs in which the whole network learned."""
    history = run.table("history")
    whole = history[history["epoch"] > run.manifest["config"].get("frozen_epochs", 0)]
    return statistics.median((whole if len(whole) else history)["images_per_second"])


def share(result: Mapping[str, int]) -> str:
    """'**90.12 %** (89.52 – 90.69, n 10,000)'"""
    low, high = wilson(result["correct"], result["n"])
    middle = 100 * result["correct"] / result["n"]
    return f"**{middle:.2f} %** ({100 * low:.2f} – {100 * high:.2f}, n {result['n']:,})"


def row(name: str, run: Run) -> str:
    m, settings = run.manifest, run.manifest["config"]
    validation = m["results"]["validation"]
    latency = f"{m['latency_ms']:.2f} ms" if "latency_ms" in m else ""
    cells = [
        f"`{name}`",
        f"{m['parameters']:,}",
        f"{m['train_images']:,} × {settings['epochs']}",
        f"{m['training_seconds']:,.0f} s",
        f"{speed(run):,.0f}",
        share(m["results"]["test"]),
        f"{100 * validation['correct'] / validation['n']:.2f} %",
        latency,
        f"{m['bytes'] / 1e6:.1f} MB" if "bytes" in m else "",
        f"{settings['seed']}",
    ]
    return f"| {' | '.join(cells)} |"


BESIDE = f"""All on {SHARED["train_images"]:,} pictures for {SHARED["epochs"]} epochs by one recipe (AdamW, one-cycle,
batches of {SHARED["batch_size"]}, mirrored half of the time) that is tuned for none of them: this shows what each makes
of little time and few pictures, not how far it can go. `efficientnet_lite0` begins with ImageNet's weights and has a
preset of its own; `efficientnet_lite2` is for photographs of 224 pixels, and its run is among those that ship. The
epoch was chosen on validation; test chose nothing. Training time is without scoring; latency is the median of
one picture on one thread, normalisation folded."""
COLUMNS = (
    "parameters", "pictures × epochs", "training", "pictures/s", "test accuracy (95 %)", "validation", "latency",
    "file", "seed",
)  # fmt: skip


def machines(runs: Sequence[Run]) -> str:
    """'AMD EPYC, threads: 2, torch 2.13.0', each once."""
    each = (
        f"{run.manifest['machine']['processor']}, threads: {run.manifest['machine']['threads']}, "
        f"torch {run.manifest['torch']}"
        for run in runs
    )
    return "; ".join(dict.fromkeys(each))


def table(first: str, runs: Mapping[str, Run]) -> str:
    """first: what the first column names; runs: by what stands there."""
    head = f"| {first} | {' | '.join(COLUMNS)} |\n|---{'|---' * len(COLUMNS)}|"
    return "\n".join([head, *(row(name, run) for name, run in runs.items())])


def others(ships: Sequence[Run]) -> str:
    """A sentence on each run that learned from another data set than the first."""
    usual = ships[0].manifest["dataset"]["name"]
    return "".join(
        f" `{run.run_id}` (`{run.manifest['model']}`) learned from another data set, "
        f"{run.manifest['dataset']['title']},"
        f" and tells {len(run.manifest['dataset']['classes'])} classes of its own."
        for run in ships
        if run.manifest["dataset"]["name"] != usual
    )


def page(runs: Mapping[str, Run], ships: Sequence[Run]) -> str:
    """The whole of docs/models.md. runs: by model, in the order of MODELS."""
    parts = [
        "# Models",
        "Generated by `python tools/models_table.py` from the manifests of real trainings; do not edit by hand.",
        "\n".join(f"- `{name}`: {words}" for name, words in ABOUT.items()),
        "## Side by side",
        BESIDE,
        table("model", runs),
    ]
    missing = [model for model in MODELS if model not in runs]
    if missing:
        parts.append(f"Not trained yet: {', '.join(f'`{model}`' for model in missing)}.")
    if runs:
        parts.append(f"Machine: {machines(list(runs.values()))}.")
    parts.append("Each is one command:")
    parts.append("\n".join(f"    {command(model, RECIPES[model])}" for model in MODELS))
    if ships:
        parts += [
            "## What ships",
            "The runs in `artifacts/`, each by its own recipe, the default first. Their manifests hold every setting."
            + others(ships),
            table("run", {run.run_id: run for run in ships}),
            f"Machine: {machines(ships)}.",
        ]
    return "\n\n".join(parts) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """0 when every model has its run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", action="store_true", help="train what is missing")
    parser.add_argument("--only", nargs="+", choices=MODELS, default=list(MODELS), metavar="MODEL")
    parser.add_argument("--home", type=Path, default=HOME, help="where the runs are (default build/models)")
    parser.add_argument("--to", type=Path, default=PAGE, help="the page (default docs/models.md)")
    parser.add_argument("--one", choices=MODELS, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        train(options.one, options.home)
        return 0
    for model in options.only if options.train else ():
        if model not in found(options.home):
            subprocess.run([sys.executable, __file__, "--one", model, "--home", str(options.home)], cwd=ROOT)
    runs = found(options.home)
    if not runs:
        parser.error(f"there is no trained run in {options.home}, and {options.to} stays as it is; --train makes them")
    options.to.write_text(page(runs, shipped()))
    missing = [model for model in MODELS if model not in runs]
    print(f"{options.to}: {len(runs)} of {len(MODELS)} models", *(f"missing: {model}" for model in missing), sep="\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
