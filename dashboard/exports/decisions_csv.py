"""Suspected labels and what people decided of them as CSV: the queue, the scores, the log, and the log's way back."""

import csv
import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from dashboard.analysis import label_review, to_label
from dashboard.analysis.label_review import NOBODY, given
from dashboard.data.run import RunData
from dashboard.format.csv import guarded_cell, rows_of, unguarded
from dashboard.records.decisions import ACTIONS, BATCH_PATTERN, CLASS, EXCLUDED, SPLITS, WHO, CurrentLabels, Decision
from dashboard.records.rows import Declined
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import NO_LABEL, UNLABELLED
from ml.artifacts.schema import RUN_ID
from ml.images.file_names import normal
from ml.stats.intervals import wilson
from ml.system.wording import shows

LATER = {"train": "label_issues", UNLABELLED: UNLABELLED}  # splits that a run knows the images of by a noun of its own
LINES = 50_000  # of a file that is brought back
CSV_BYTES = 10 * 2**20
COLUMNS = ("id", "dataset", "split", "example_id", "action", "before", "after", "who", "when", "run", "digest")
NEEDED = ("dataset", "split", "example_id", "action", "after")
LEFT_OUT = "(left out)"  # instead of a label, in a file
NONE_BEFORE = f"({NO_LABEL})"  # the same of an image that came without one


def queue(run: RunData, selection: Selection, current_labels: CurrentLabels) -> tuple[list[str], list[list]]:
    """Head and one row a suspected label of the queue, most suspect first, with what was decided of it."""
    if selection.split == UNLABELLED:
        return to_label.csv_rows(run, selection, current_labels)
    suspects = label_review.queue(run, selection)
    head = ["split", "example_id", "label", "suggested", "quality", "decision", "label now"]
    body: list[list] = []
    for i, example in enumerate(suspects.ids.tolist()):
        decision, label = current_labels.of(suspects.split, example), run.classes[suspects.labels[i]]
        now = label if decision is None else decision.after or LEFT_OUT
        action = decision.action if decision else ""
        quality = f"{suspects.quality[i]:.6f}"
        body.append([suspects.split, example, label, run.classes[suspects.suggested[i]], quality, action, now])
    return head, body


def scores(run: RunData, split: str) -> tuple[list[str], list[list]]:
    """Accuracy of all images and of each class with its 95 % interval, as labelled and as reviewed."""
    head = ["labels", "class", "right", "n", "accuracy", "low", "high"]
    rows: list[list] = []
    for labels, counts in zip(("as labelled", "as reviewed"), label_review.counted(run, split), strict=True):
        lines = [("all", int(counts.right.sum()), int(counts.n.sum()))]
        lines += [(name, int(k), int(n)) for name, k, n in zip(run.classes, counts.right, counts.n, strict=True)]
        for name, right, n in lines:
            low, high = wilson(right, n)
            rows.append([labels, name, right, n, f"{right / max(n, 1):.6f}", f"{low:.6f}", f"{high:.6f}"])
    return head, rows


def log(decisions: Sequence[Decision]) -> tuple[list[str], list[list]]:
    """Head and one row a decision, in the order in which they were made; no cell is a formula."""
    rows = [
        [
            d.id, d.dataset, d.split, d.example_id, d.action,
            d.before or (NONE_BEFORE if d.split == UNLABELLED else LEFT_OUT), d.after or LEFT_OUT, d.who,
            datetime.fromtimestamp(d.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"), d.run,
            d.digest,
        ]
        for d in decisions
    ]  # fmt: skip
    return list(COLUMNS), [[guarded_cell(cell) for cell in row] for row in rows]


def read(text: str, run: RunData) -> list[dict[str, Any]]:
    """The decisions in a file, as `Decisions.bring` takes them. Raises Declined, with the lines that are wrong."""
    reader = rows_of(text)
    lacking = [name for name in NEEDED if name not in (reader.fieldnames or ())]
    if lacking:
        raise Declined(f"This is no file of decisions: it lacks {', '.join(lacking)}.")
    rows: list[dict[str, Any]] = []
    wrong: list[str] = []
    known = {
        split: given(run, split) for split in SPLITS if split not in LATER or LATER[split] in run.manifest["nouns"]
    }
    try:
        for number, cells in enumerate(reader, 2):
            if number > LINES + 1:
                raise Declined(f"A file may have up to {LINES:,} decisions.")
            try:
                rows.append(_row({name: unguarded(cells.get(name) or "") for name in COLUMNS}, run, known))
            except ValueError as error:
                wrong.append(f"line {number}: {error}")
    except csv.Error:
        raise Declined("This is no CSV file.") from None
    if wrong:
        more = f"; and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise Declined(f"Nothing was taken in. {'; '.join(wrong[:3])}{more}.")
    if not rows:
        raise Declined("There is no decision in this file.")
    return rows


def _row(cells: Mapping[str, str], run: RunData, known: Mapping[str, Mapping[int, str]]) -> dict[str, Any]:
    """One decision of a file. Raises ValueError, in words."""
    split, action, example = cells["split"], cells["action"], cells["example_id"]
    if cells["dataset"] != run.dataset["name"]:
        raise ValueError(f"it is of {cells['dataset'][:40]!r}, not of {run.dataset['name']}")
    version = run.data_version
    if cells["digest"] not in ("", version.digest):
        raise ValueError(f"it is of other images of {version.name}, imported under the same name")
    if split not in known:
        raise ValueError(f"no image is known of the split {split[:20]!r}")
    if not re.fullmatch(r"\d{1,9}", example, re.ASCII) or int(example) not in known[split]:
        raise ValueError(f"there is no image {example[:20]!r} in {split}")
    if action not in ACTIONS:
        raise ValueError(f"{action[:20]!r} is no action")
    came = known[split][int(example)]
    after = {"exclude": EXCLUDED, "keep": came}.get(action, _class(cells["after"], run.classes))
    if split == UNLABELLED and action == "keep":  # what was predicted then, by whichever run
        after = _class(cells["after"], run.classes)
    if (action == "relabel" or (split == UNLABELLED and action == "keep")) and after not in run.classes:
        raise ValueError(f"{after[:CLASS]!r} is no class")
    none = cells["before"] in (LEFT_OUT, NONE_BEFORE) or (split == UNLABELLED and not cells["before"])
    before = EXCLUDED if none else _class(cells["before"], run.classes) or came
    if before != EXCLUDED and before not in run.classes:
        raise ValueError(f"{before[:CLASS]!r} is no class")
    who = " ".join(cells["who"].split()) or NOBODY
    if len(who) > WHO or not shows(who):
        raise ValueError("the name is too long or cannot be shown")
    try:
        at = datetime.fromisoformat(cells["when"]) if cells["when"] else datetime.now(UTC)
        seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{cells['when'][:40]!r} is no time") from None
    made_by = cells["run"] if RUN_ID.fullmatch(cells["run"]) else ""
    row = {"dataset": version.name, "split": split, "example_id": int(example), "action": action}
    row |= {"before": before, "after": after, "who": who, "at": seconds, "run": made_by}
    own = (
        cells["id"]
        if BATCH_PATTERN.fullmatch(cells["id"])
        else hashlib.sha256(repr(sorted(row.items())).encode()).hexdigest()
    )
    return row | {"id": own[:32], "digest": version.digest}


def _class(cell: str, classes: Sequence[str]) -> str:
    """The class that a cell names, also where a spreadsheet wrote 2 for 02 and no other class is 2; else the cell."""
    if cell in classes or not cell:
        return cell
    same = [name for name in classes if _retold(name) == _retold(cell)]
    return same[0] if len(same) == 1 else cell


def _retold(name: str) -> float | str:
    try:
        return float(name.replace(",", "."))
    except ValueError:
        return normal(name).casefold()
