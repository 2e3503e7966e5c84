"""Every run as CSV."""

from typing import Any

from dashboard.analysis.run_table import Row, rows
from dashboard.services.container import Services

RUN_COLUMNS = [
    "run", "title", "state", "default", "archived", "tags", "note", "model", "dataset", "correct", "n", "accuracy",
    "low", "high", "macro_f1", "macro_f1_low", "macro_f1_high", "ece", "ece_low", "ece_high", "parameters", "bytes",
    "latency_ms", "training_seconds", "created", "seed", "epochs", "learning_rate", "batch_size", "optimiser",
    "schedule", "augment", "train_images", "reason", "data",
]  # fmt: skip


def table(services: Services) -> tuple[list[str], list[list]]:
    """Head, and one row a run in the listing's order."""
    return RUN_COLUMNS, [record(row) for row in rows(services)]


def record(row: Row) -> list[Any]:
    """One line of the CSV."""
    manifest = row.manifest
    config = manifest.get("config", {})

    def score(name: str) -> list[str]:
        one = row.scores.get(name)
        values = (one.value, one.low, one.high) if one else (None, None, None)
        return ["" if value is None else f"{value:.6f}" for value in values]

    return [
        row.run_id, row.mark.title, row.entry.state, "yes" if row.default else "",
        "yes" if row.mark.archived else "", ", ".join(row.mark.tags), row.mark.note, manifest.get("model", ""),
        config.get("dataset", ""), row.right if row.entry.ok else "", row.n or "", *score("accuracy"),
        *score("macro_f1"), *score("calibration_error"), manifest.get("parameters", ""), manifest.get("bytes", ""),
        manifest.get("latency_ms", ""), manifest.get("training_seconds", ""), manifest.get("created", ""),
        config.get("seed", ""), config.get("epochs", ""), config.get("learning_rate", ""), config.get("batch_size", ""),
        config.get("optimiser", ""), config.get("schedule", ""), " ".join(config.get("augment") or ()),
        manifest.get("train_images", ""), row.entry.reason, row.data,
    ]  # fmt: skip
