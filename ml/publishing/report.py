"""A run's figures and numbers as files, for a paper, a wiki or a colleague without the app."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from ml.artifacts import kinds
from ml.artifacts.reader import Library, Missing, Run
from ml.artifacts.schema import NOUNS, Table
from ml.stats.intervals import wilson
from ml.system.cells import safe_cell
from ml.system.wording import quantity

matplotlib.use("Agg")  # no screen
from matplotlib import pyplot as plt

DPI = 150


def write(library: Library, run_id: str, folder: Path, split: str = "test") -> list[Path]:
    """Figures as PNG, tables as CSV, numbers as JSON and a page of Markdown that ties them together; what was written.

    A noun the run does not have is left out. Raises Missing, Broken.
    """
    run = library.open(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    written = [_figure(folder / "history.png", _history, run)] if "history" in run.nouns else []
    written.append(_figure(folder / "confusion.png", _confusion, run, split))
    written.append(_figure(folder / "accuracy.png", _accuracy, run, split))
    if "projection" in run.nouns:
        written.append(_figure(folder / "projection.png", _projection, run, split))
    if "filters" in run.nouns:
        written.append(_figure(folder / "filters.png", _filters, run))
    for noun in ("history", "scores", "confusion"):
        if noun in run.nouns and isinstance(NOUNS[noun], Table):
            table = run.table(noun).copy()
            texts = table.select_dtypes(exclude="number")
            table[texts.columns] = texts.map(safe_cell)
            table.to_csv(folder / f"{noun}.csv", index=False)
            written.append(folder / f"{noun}.csv")
    written.append(folder / "numbers.json")
    written[-1].write_text(json.dumps(numbers(run, split), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    pictures = [path.name for path in written if path.suffix == ".png"]
    written.append(folder / "report.md")
    written[-1].write_text(_page(run, split, pictures), encoding="utf-8")
    return written


def numbers(run: Run, split: str) -> dict[str, Any]:
    """Accuracy with its interval, and how the run was made."""
    result, weights = run.manifest["results"].get(split), run.manifest.get("weights")
    if result is None:
        raise Missing(f"This run has no predictions for {split}.")
    low, high = wilson(result["correct"], result["n"])
    return {
        "run": run.run_id,
        "model": run.manifest["model"],
        "kind": kinds.kind_of(run.manifest),
        "parameters": run.manifest.get("parameters"),
        "split": split,
        "accuracy": result["correct"] / result["n"],
        "interval": [round(float(low), 6), round(float(high), 6)],
        "n": result["n"],
        "loss": result.get("loss"),
        "seed": (run.manifest.get("config") or {}).get("seed"),
        "config": run.manifest.get("config"),
        "machine": run.manifest["machine"],
        "seconds": run.manifest["seconds"],
        "created": run.manifest["created"],
        "weights_sha256": weights["sha256"] if weights else None,
    }


def _page(run: Run, split: str, pictures: list[str]) -> str:
    facts = numbers(run, split)
    low, high = facts["interval"]
    machine, loss = run.manifest["machine"], "" if facts["loss"] is None else f", loss {facts['loss']:.4f}"
    made = []
    if kinds.has(run.manifest, kinds.TRAINING):
        made = [
            f"Trained on {quantity(run.manifest['train_images'], 'picture')} for "
            f"{quantity(run.manifest['config']['epochs'], 'epoch')} with seed {facts['seed']}; epoch "
            f"{run.manifest['best_epoch']} was best on validation and kept. {run.manifest['seconds']:,.0f} s on "
            f"{machine['processor']}, {quantity(machine['threads'], 'thread')}."
        ]
    lines = [
        f"# {run.run_id}",
        "",
        _network(run.manifest),
        "",
        f"{split.capitalize()} accuracy **{100 * facts['accuracy']:.2f} %** "
        f"(95 % interval {100 * low:.2f} to {100 * high:.2f}, n {facts['n']:,}){loss}.",
        "",
        *made,
        "",
        *(f"![{Path(name).stem}]({name})" for name in pictures),
    ]
    return "\n".join(lines) + "\n"


def _network(manifest: Mapping[str, Any]) -> str:
    title = manifest["dataset"]["title"]
    if not kinds.has(manifest, kinds.NETWORK):
        return f"Predictions alone, without a network, for {title}."
    return f"{manifest['model']}, {manifest['parameters']:,} parameters, on {title}."


def _figure(path: Path, draw, *arguments) -> Path:
    with plt.rc_context({"text.parse_math": False}):  # a class called $x$ is no formula
        figure = plt.figure(figsize=(8, 6), layout="constrained")
        draw(figure, *arguments)
        figure.savefig(path, dpi=DPI)
        plt.close(figure)
    return path


def _history(figure, run: Run) -> None:
    frame = run.table("history")
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for split, style in (("train", "--"), ("validation", "-")):
            if f"{split}_{name}" in frame:  # nobody may have told it of a run from elsewhere
                known = frame[["epoch", f"{split}_{name}"]].dropna()
                axes.plot(known["epoch"], known[f"{split}_{name}"], style, label=split)
        axes.set(xlabel="epoch", title=name)
        if axes.lines:
            axes.legend()


def _counts(run: Run, split: str) -> np.ndarray:
    frame = run.table("predictions")
    frame = frame[frame["split"] == split]
    counts = np.zeros((len(run.manifest["dataset"]["classes"]),) * 2, int)
    np.add.at(counts, (frame["label"].to_numpy(), frame["predicted"].to_numpy()), 1)
    return counts


def _confusion(figure, run: Run, split: str) -> None:
    counts, names = _counts(run, split), run.manifest["dataset"]["classes"]
    axes = figure.subplots()
    axes.imshow(np.sqrt(counts * ~np.eye(len(names), dtype=bool)), cmap="OrRd")
    for (i, j), count in np.ndenumerate(counts):
        if count:
            axes.text(j, i, count, ha="center", va="center", fontsize=8)
    axes.set(
        xticks=range(len(names)),
        yticks=range(len(names)),
        xlabel="predicted",
        ylabel="true",
        title=f"confusion, {split}",
    )
    axes.set_xticklabels(names, rotation=60, ha="right")
    axes.set_yticklabels(names)


def _accuracy(figure, run: Run, split: str) -> None:
    counts, names = _counts(run, split), run.manifest["dataset"]["classes"]
    right, n = counts.diagonal(), counts.sum(1)
    low, high = wilson(right, n)
    share = right / np.maximum(n, 1)
    order = np.argsort(share)
    axes = figure.subplots()
    bounds = np.maximum([share - low, high - share], 0)[:, order]
    axes.errorbar(100 * share[order], range(len(names)), xerr=100 * bounds, fmt="o")
    axes.set_yticks(range(len(names)), [names[i] for i in order])
    axes.set(xlabel="named right, %, with 95 % interval", title=f"accuracy per class, {split}")


def _projection(figure, run: Run, split: str) -> None:
    frame = run.table("projection")
    frame = frame[frame["split"] == split].sort_values("example_id")
    labels = run.table("predictions").query("split == @split").sort_values("example_id")["label"].to_numpy()
    axes = figure.subplots()
    names = run.manifest["dataset"]["classes"]
    for i in range(len(names)):
        rows = labels == i
        axes.scatter(frame["map_x"][rows], frame["map_y"][rows], s=2, label=str(i))
    axes.set(title=f"t-SNE map of penultimate features, {split}", xticks=[], yticks=[])
    for text, name in zip(axes.legend(markerscale=5, fontsize=7, ncols=2).get_texts(), names, strict=True):
        text.set_text(name)  # a label that begins with _ would be left out


def _filters(figure, run: Run) -> None:
    name, kernels = next(iter(run.arrays("filters").items()))
    shown = kernels.astype(float).mean(1)[:64]
    most = np.abs(shown).max() or 1
    grid = figure.subplots(-(-len(shown) // 8), 8, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, kernel in zip(grid.flat, shown, strict=False):
        axes.imshow(kernel, cmap="RdBu", vmin=-most, vmax=most)
    figure.suptitle(f"kernels of {name}")
