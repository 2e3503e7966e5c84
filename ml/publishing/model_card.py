"""A run's model card: its data, recipe, numbers with n and 95 % intervals, and limits, as Markdown made from its files.

Whatever text comes from a run or a person is escaped: a run may come from elsewhere.
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ml.artifacts.reader import Broken, Missing, Run
from ml.data import fashion_mnist
from ml.stats.intervals import wilson
from ml.stats.ood import LIMIT, RANKS, usual

CONFUSED = 6  # pairs that are named
SPLITS = {"test": "test", "validation": "validation", "reference": "part of train"}
OPTIMISERS = {"adamw": "AdamW", "sgd": "SGD with Nesterov momentum"}
SCHEDULES = {"one_cycle": "one-cycle", "cosine": "cosine", "constant": "constant"}
AUGMENTATIONS = {
    "flip": "mirrored left to right",
    "shift": "moved by a pixel",
    "erase": "with a random rectangle blacked out",
}
ASK = "Pictures that look different, such as photographs with a background, worn clothes or several things, are a \
different matter: the accuracy above says nothing about them."


def markdown(run: Run, *, title: str = "", note: str = "", tags: Sequence[str] = ()) -> str:
    """The card. title, note, tags: what people say of the run. Raises Broken where a core file does not check out."""
    manifest = run.manifest
    heading = title or run.run_id
    data, result = manifest["dataset"], manifest["results"]["test"]
    lines = [
        f"# {plain(heading)}",
        "",
        f"Run `{run.run_id}`: {plain(manifest['model'])}, {manifest['parameters']:,} parameters, tells "
        f"{len(data['classes'])} classes of {plain(data['title'])} apart. On {result['n']:,} test images it names "
        f"**{share(result['correct'], result['n'])}** right.",
    ]
    if tags:
        lines += ["", "Tags: " + ", ".join(plain(tag) for tag in tags)]
    if note:
        lines += ["", *(f"> {plain(line)}" for line in note.splitlines())]
    parts = (
        ("Data", _data(manifest)),
        ("Recipe", _recipe(manifest)),
        ("Numbers", _numbers(run)),
        ("Class by class, on test", _classes(run)),
        ("Most confused, on test", _confused(run)),
        ("Size and speed", _speed(manifest)),
        ("Meant for", _purpose(manifest)),
        ("Limits", _limits(run)),
        ("Made by", _made(manifest)),
    )
    for name, body in parts:
        if body:
            lines += ["", f"## {name}", "", *body]
    return "\n".join(lines) + "\n"


def plain(text: object) -> str:
    """Text that Markdown shows as it is: one line, no markup, links or html."""
    line = " ".join(str(text).split())
    line = re.sub(r"([\\`*\[\]<>#|~&!]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|^[-+=]|(?<=:)/(?=/))", r"\\\1", line)
    return re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", line)


def share(right: int, n: int) -> str:
    """'93.04 % (95 % interval 92.52 to 93.52, 9,304 of 10,000)'"""
    low, high = wilson(right, n)
    return (
        f"{100 * right / n:.2f} % (95 % interval {100 * float(low):.2f} to {100 * float(high):.2f}, {right:,} of {n:,})"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[object]], left: int = 1) -> list[str]:
    marks = ["---"] * left + ["---:"] * (len(head) - left)
    return [f"| {' | '.join(map(str, row))} |" for row in (head, marks, *rows)]


def _data(manifest: dict[str, Any]) -> list[str]:
    data = manifest["dataset"]
    shape = f"{data['width']} × {data['height']} pixels, {'grey' if data['channels'] == 1 else 'colour'}"
    counts = ", ".join(f"{plain(name)} {count:,}" for name, count in data["counts"].items())
    lines = [
        f"{plain(data['title'])} (`{data['name']}`): {shape}; {len(data['classes'])} classes: "
        f"{', '.join(plain(name) for name in data['classes'])}.",
        "",
        f"Splits: {counts}. Trained on {manifest['train_images']:,} pictures; the epoch that is kept was chosen on "
        "validation. Test chose nothing.",
    ]
    if not data.get("complete", True):
        lines += ["", "Only a part of the training pictures was there, so this run is weaker than its recipe can be."]
    return lines


def _recipe(manifest: dict[str, Any]) -> list[str]:
    config = manifest["config"]

    def of(name: str, default: Any = None) -> Any:
        value = config.get(name, default)
        return plain(value) if isinstance(value, str) else value

    lines = [
        f"{of('epochs')} epochs in batches of {of('batch_size', '?')} with "
        f"{OPTIMISERS.get(config.get('optimiser', ''), of('optimiser', '?'))}, learning rate "
        f"{of('learning_rate', '?')}, {SCHEDULES.get(config.get('schedule', 'one_cycle'), of('schedule'))} schedule, "
        f"weight decay {of('weight_decay', 0)}, seed {of('seed')}."
    ]
    changes = [AUGMENTATIONS.get(name, plain(name)) for name in config.get("augment") or ()]
    lines.append(f"Pictures were {', '.join(changes)} at random." if changes else "Pictures were used as they are.")
    more = []
    if config.get("label_smoothing"):
        more.append(f"label smoothing {of('label_smoothing')}")
    if config.get("ema"):
        more.append(f"weights averaged with decay {of('ema')}")
    if config.get("dropout") is not None:
        more.append(f"dropout {of('dropout')}")
    if config.get("batch_norm") is False:
        more.append("no batch normalisation")
    if config.get("pretrained"):
        more.append("began with published ImageNet weights")
    if config.get("distil"):
        more.append(f"learned from a teacher's answers with weight {of('distil')}")
    if more:
        lines.append(f"Also: {', '.join(more)}.")
    if manifest.get("best_epoch"):
        lines.append(f"Epoch {manifest['best_epoch']} was best on validation and is kept.")
    return [" ".join(lines)]


def _numbers(run: Run) -> list[str]:
    rows = []
    scores = _optional(run, "scores")
    for split, name in SPLITS.items():
        result = run.manifest["results"].get(split)
        if result is None:
            continue
        low, high = wilson(result["correct"], result["n"])
        rows.append(
            [
                name,
                f"{result['n']:,}",
                _percent(result["correct"] / result["n"], float(low), float(high)),
                _score(scores, split, "macro_f1"),
                _score(scores, split, "calibration_error"),
                f"{result['loss']:.4f}",
            ]
        )
    words = (
        "Value and 95 % interval (Wilson for accuracy, bootstrap for the others), in per cent but for the loss (mean "
        "cross-entropy, nats). ECE: expected calibration error over 15 bins."
    )
    return [*_table(["split", "n", "accuracy", "macro-F1", "ECE", "loss"], rows), "", words]


def _score(scores: pd.DataFrame | None, split: str, metric: str) -> str:
    if scores is None:
        return "–"
    found = scores[(scores["split"] == split) & scores["class"].isna() & (scores["metric"] == metric)]
    return _percent(*found[["value", "low", "high"]].iloc[0]) if len(found) else "–"


def _percent(value: float, low: float, high: float) -> str:
    interval = f" ({100 * low:.2f} – {100 * high:.2f})" if np.isfinite([low, high]).all() else ""
    return f"{100 * value:.2f}{interval}"


def _classes(run: Run) -> list[str]:
    counts, names = _counts(run), run.manifest["dataset"]["classes"]
    hits, truths, guesses = counts.diagonal(), counts.sum(1), counts.sum(0)
    if not truths.sum():
        return []
    rows = []
    for i, name in enumerate(names):
        cells = []
        for total in (truths[i], guesses[i]):
            low, high = wilson(hits[i], total)
            cells += [_percent(hits[i] / total, float(low), float(high)) if total else "–", f"{total:,}"]
        rows.append([plain(name), *cells])
    words = (
        "Named right: the share of a class's images; precision: the share of guesses that were right; each with its n."
    )
    return [*_table(["class", "named right, %", "n", "precision, %", "guesses"], rows), "", words]


def _confused(run: Run) -> list[str]:
    counts, names = _counts(run), run.manifest["dataset"]["classes"]
    truths = counts.sum(1)
    wrong = counts - np.diag(counts.diagonal())
    order = [divmod(int(i), len(names)) for i in np.argsort(-wrong, axis=None, kind="stable")[:CONFUSED]]
    return [
        f"- {plain(names[i])} guessed {plain(names[j])}: {wrong[i, j]:,} of {truths[i]:,}"
        for i, j in order
        if wrong[i, j]
    ]


def _speed(manifest: dict[str, Any]) -> list[str]:
    size = manifest.get("bytes")
    latency = manifest.get("latency_ms")
    words = [f"{manifest['parameters']:,} parameters"]
    if size:
        words.append(f"{size / 1e6:.2f} MB of weights")
    if latency:
        words.append(f"{latency:.2f} ms for one image (median, one thread of the machine below)")
    return [", ".join(words) + "."]


def _purpose(manifest: dict[str, Any]) -> list[str]:
    data = manifest["dataset"]
    return [
        f"Studying how a classifier of {plain(data['title'])} behaves: where it errs, how sure it is, what it sees. "
        "Not for deciding anything about people, goods or money without a check on the very pictures it is to see."
    ]


def _limits(run: Run) -> list[str]:
    manifest = run.manifest
    data = manifest["dataset"]
    kind = fashion_mnist.DOMAIN if data["name"] == fashion_mnist.NAME else f"the pictures of {plain(data['title'])}"
    lines = [f"- Domain shift. It has only ever seen {kind}. {ASK}"]
    lines.append(f"- It always answers with one of its {len(data['classes'])} classes, also for what is none of them.")
    lines += _familiarity(run)
    ece = _optional(run, "scores")
    if ece is not None:
        gap = _score(ece, "test", "calibration_error")
        lines.append(
            f"- Confidence is not certainty: on test, confidence and accuracy differ by {gap} points on average (ECE)."
        )
    lines.append(
        "- One training with one seed. The intervals tell how much the choice of test images matters, not what another "
        "seed would give."
    )
    if "imported" in manifest:
        words = "that its numbers follow from its predictions was checked, where the predictions come from was not."
        lines.append(f"- Taken in from a file: {words}")
    return lines


def _familiarity(run: Run) -> list[str]:
    """What share of test is called unlike the training pictures."""
    if "familiarity" in run.nouns:
        known = run.arrays("familiarity")
        normal, test = known["validation"], known["test"]
        how = "says how far a picture lies from every class in all layers of this network"
    else:
        table = _optional(run, "neighbours")
        if table is None:
            return []
        normal, test = usual(table), usual(table, "test")
        how = f"compares a picture with its {RANKS} nearest training pictures, as this network sees them"
    if not len(normal) or not len(test):
        return []
    unlike = int((test > np.percentile(normal, LIMIT)).sum())
    return [
        f"- The familiarity score {how}. One in {100 / (100 - LIMIT):.0f} validation pictures is called unlike the "
        f"training pictures; of test it is {share(unlike, len(test))}. A much larger share among new pictures means "
        "that they are of another kind; a picture that is not called so can still be named wrong."
    ]


def _made(manifest: dict[str, Any]) -> list[str]:
    machine = manifest["machine"]
    lines = [
        f"- {plain(manifest['created'])}, in {manifest['seconds']:,.0f} s ({manifest['training_seconds']:,.0f} s of it "
        f"training) on {plain(machine['processor'])}, {machine['threads']} threads, PyTorch "
        f"{plain(manifest.get('torch', 'unknown'))}.",
    ]
    if manifest.get("git"):
        lines.append(f"- Code: commit `{_code(manifest['git'])}`")
    if manifest.get("command"):
        lines.append(f"- Command: `{_code(manifest['command'])}`")
    lines.append(f"- Weights: sha256 `{manifest['weights']['sha256']}`")
    if isinstance(manifest.get("imported"), dict):
        was = plain(manifest["imported"].get("run_id", "another run"))
        lines.append(
            f"- Taken in from a file on {plain(manifest['imported'].get('made', 'an unknown day'))}; was {was}."
        )
    return lines


def _code(text: object) -> str:
    """Text for between back quotes."""
    return " ".join(str(text).replace("`", "'").split())[:400]


def _counts(run: Run) -> np.ndarray:
    """int64 [classes, classes] of test, by label and guess."""
    frame = run.table("predictions")
    frame = frame[frame["split"] == "test"]
    classes = len(run.manifest["dataset"]["classes"])
    flat = frame["label"].to_numpy(np.int64) * classes + frame["predicted"].to_numpy(np.int64)
    return np.bincount(flat, minlength=classes**2).reshape(classes, classes)


def _optional(run: Run, noun: str) -> pd.DataFrame | None:
    try:
        return run.table(noun)
    except (Missing, Broken):
        return None
