"""A run's model card: its data, recipe, numbers with n and 95 % intervals, and limits, as Markdown made from its files.

The text is model_card.md.j2; here are the values it names. Whatever is put into it is escaped, since a run may come
from elsewhere.
"""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ml.artifacts import kinds
from ml.artifacts import scores as told
from ml.artifacts.reader import Broken, Missing, Run
from ml.data import fashion_mnist
from ml.stats.intervals import wilson
from ml.stats.ood import LIMIT, RANKS, usual
from ml.training import wording

CONFUSED = 6  # pairs that are named
WEAK = 5  # groups of alike images that are
FEW = 30  # images of a class, below which its numbers say little
SPLITS = {"test": "test", "validation": "validation", "reference": "part of train"}
UNLIKE = "photographs with another background, in other light or of several things"


class Code(str):
    """Text between back quotes, which needs no escaping."""


def markdown(run: Run, *, title: str = "", note: str = "", tags: Sequence[str] = ()) -> str:
    """The card. title, note, tags: what people say of the run. Raises Broken where a core file does not check out."""
    people = {"heading": title or run.run_id, "note": note.splitlines(), "tags": tags}
    return _environment().get_template("model_card.md.j2").render({**_story(run.manifest), **_results(run), **people})


def plain(text: object) -> str:
    """Text that Markdown shows as it is: one line, no markup, links or html."""
    line = " ".join(str(text).split())
    line = re.sub(r"([\\`*\[\]<>#|~&!]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|^[-+=]|(?<=:)/(?=/))", r"\\\1", line)
    return re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", line)


def code(text: object) -> Code:
    """A command or a checksum."""
    return Code("`" + " ".join(str(text).replace("`", "'").split())[:400] + "`")


def share(right: int, n: int) -> str:
    """'93.04 % (95 % interval 92.52 to 93.52, 9,304 of 10,000)'"""
    low, high = wilson(right, n)
    return (
        f"{100 * right / n:.2f} % (95 % interval {100 * float(low):.2f} to {100 * float(high):.2f}, {right:,} of {n:,})"
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=lambda value: value if isinstance(value, Code) else plain(value),
    )
    environment.filters["code"] = code
    return environment


def _story(manifest: dict[str, Any]) -> dict[str, Any]:
    """What the manifest tells: data, recipe, size, origin."""
    data, size, latency = manifest["dataset"], manifest.get("bytes"), manifest.get("latency_ms")
    ours = data["name"] == fashion_mnist.NAME
    trained = kinds.has(manifest, kinds.TRAINING)
    imported = manifest.get("imported")
    return {
        "model": manifest["model"],
        "alone": not kinds.has(manifest, kinds.NETWORK),
        "trained": trained,
        "parameters": f"{manifest.get('parameters') or 0:,}",
        "title": data["title"],
        "dataset": data["name"],
        "classes": data["classes"],
        "height": data["height"],
        "width": data["width"],
        "channels": data["channels"],
        "splits": [f"{name} {count:,}" for name, count in data["counts"].items()],
        "complete": data.get("complete", True),
        "train_images": f"{manifest.get('train_images') or 0:,}",
        "script": str((manifest.get("published") or {}).get("script", ""))[:120],
        "settings": [(name, wording.text(name, value)) for name, value in (manifest.get("settings") or {}).items()],
        "recipe": _recipe(manifest) if trained else "",
        "megabytes": f"{size / 1e6:.2f}" if size else "",
        "latency": f"{latency:.2f}" if latency else "",
        "published": _published(data.get("published")),
        "temperature": f"{manifest['temperature']:.3f}" if manifest.get("temperature") else "",
        "domain": fashion_mnist.DOMAIN if ours else "",
        "unlike": fashion_mnist.UNLIKE if ours else UNLIKE,
        "imported": {"made": "", "run_id": "", **imported} if isinstance(imported, dict) else imported,
        "created": manifest["created"],
        "seconds": f"{manifest['seconds']:,.0f}",
        "training_seconds": f"{manifest.get('training_seconds') or 0:,.0f}",
        "machine": manifest["machine"],
        "torch": manifest.get("torch", "unknown"),
        "git": manifest.get("git"),
        "command": manifest.get("command"),
        "sha256": (manifest.get("weights") or {}).get("sha256", ""),
        "predictions": manifest["nouns"]["predictions"]["sha256"],
    }


def _results(run: Run) -> dict[str, Any]:
    """What the tables tell: numbers with their intervals."""
    scores, counts = _scores(run), _counts(run)
    names, results = run.manifest["dataset"]["classes"], run.manifest["results"]
    headline = "test" if "test" in results else "validation"
    return {
        "run_id": run.run_id,
        "headline": headline,
        "test_images": f"{results[headline]['n']:,}",
        "accuracy": share(results[headline]["correct"], results[headline]["n"]),
        "numbers": [
            [
                name,
                f"{result['n']:,}",
                _proportion(result["correct"], result["n"]),
                _score(scores, split, "macro_f1"),
                _score(scores, split, "calibration_error"),
                "–" if result.get("loss") is None else f"{result['loss']:.4f}",
            ]
            for split, name in SPLITS.items()
            if (result := results.get(split)) is not None
        ],
        "by_class": _by_class(counts, names) if counts.any() else [],
        "confused": _confused(counts, names),
        "few": [f"{name} ({n:,})" for name, n in zip(names, counts.sum(1), strict=True) if 0 < n < FEW],
        "weak": _weak(_optional(run, "slices")),
        "familiarity": _familiarity(run),
        "calibration": "" if scores is None else _score(scores, "test", "calibration_error"),
    }


def _proportion(right: int, n: int) -> str:
    low, high = wilson(right, n)
    return _percent(right / n, float(low), float(high)) if n else "–"


def _score(scores: pd.DataFrame | None, split: str, metric: str) -> str:
    if scores is None:
        return "–"
    matches = scores[(scores["split"] == split) & scores["class"].isna() & (scores["metric"] == metric)]
    return _percent(*matches[["value", "low", "high"]].iloc[0]) if len(matches) else "–"


def _percent(value: float, low: float, high: float) -> str:
    interval = f" ({100 * low:.2f} – {100 * high:.2f})" if np.isfinite([low, high]).all() else ""
    return f"{100 * value:.2f}{interval}"


def _by_class(counts: np.ndarray, names: Sequence[str]) -> list[list[str]]:
    hits, truths, guesses = counts.diagonal(), counts.sum(1), counts.sum(0)
    return [
        [
            name,
            _proportion(hits[i], truths[i]),
            f"{truths[i]:,}",
            _proportion(hits[i], guesses[i]),
            f"{guesses[i]:,}",
        ]
        for i, name in enumerate(names)
    ]


def _confused(counts: np.ndarray, names: Sequence[str]) -> list[tuple[str, str, str, str]]:
    truths = counts.sum(1)
    wrong = counts - np.diag(counts.diagonal())
    order = [divmod(int(i), len(names)) for i in np.argsort(-wrong, axis=None, kind="stable")[:CONFUSED]]
    return [(names[i], names[j], f"{wrong[i, j]:,}", f"{truths[i]:,}") for i, j in order if wrong[i, j]]


def _weak(slices: pd.DataFrame | None) -> list[dict[str, str]]:
    """Groups of alike test images with more errors than the rest, the largest lift first."""
    if slices is None:
        return []
    rows = slices[(slices["split"] == "test") & (slices["lift_low"] > 1)].sort_values("lift", ascending=False)
    return [
        {
            "name": row["name"], "wrong": f"{row['wrong']:,}", "n": f"{row['n']:,}", "lift": f"{row['lift']:.1f}",
            "low": f"{row['lift_low']:.1f}", "high": f"{row['lift_high']:.1f}",
            "p": "below 0.001" if row["p_adjusted"] < 0.001 else f"{row['p_adjusted']:.3f}",
        }
        for _, row in rows.head(WEAK).iterrows()
    ]  # fmt: skip


def _published(said: object) -> dict[str, str] | None:
    """Where the pictures are published: address, commit and licence, as text."""
    if not isinstance(said, dict):
        return None
    return {name: str(said.get(name, "")) for name in ("address", "commit", "licence")}


def _familiarity(run: Run) -> dict[str, str] | None:
    """What share of test is called unlike the training pictures, and how that is told."""
    if "familiarity" in run.nouns:
        known = run.arrays("familiarity")
        normal, test = known["validation"], known["test"]
        how = "says how far a picture lies from every class in all layers of this network"
    else:
        table = _optional(run, "neighbours")
        if table is None:
            return None
        normal, test = usual(table), usual(table, "test")
        how = f"compares a picture with its {RANKS} nearest training pictures, as this network sees them"
    if not len(normal) or not len(test):
        return None
    unlike = int((test > np.percentile(normal, LIMIT)).sum())
    return {"how": how, "one_in": f"{100 / (100 - LIMIT):.0f}", "share": share(unlike, len(test))}


def _counts(run: Run) -> np.ndarray:
    """int64 [classes, classes] of test, by label and guess."""
    frame = run.table("predictions")
    frame = frame[frame["split"] == "test"]
    classes = len(run.manifest["dataset"]["classes"])
    flat = frame["label"].to_numpy(np.int64) * classes + frame["predicted"].to_numpy(np.int64)
    return np.bincount(flat, minlength=classes**2).reshape(classes, classes)


def _scores(run: Run) -> pd.DataFrame | None:
    try:
        return told.scores(run)
    except (Missing, Broken):
        return None


def _optional(run: Run, noun: str) -> pd.DataFrame | None:
    try:
        return run.table(noun)
    except (Missing, Broken):
        return None


def _recipe(manifest: dict[str, Any]) -> str:
    mirrored = bool((manifest.get("model_config") or {}).get("mirrored"))
    return wording.recipe(manifest["config"], manifest.get("best_epoch"), mirrored=mirrored)
