"""What is suspected and what was decided of it: the queue of a split, who decides what, its CSV and the way back."""

import csv
import hashlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from flask import Flask, Response, abort, jsonify, request

from dashboard.data.run import RunData
from dashboard.exports.tables import bare, guard, safe
from dashboard.format.images import FOREVER, MAX_TILES, png, sheet, single_url, sprite_url
from dashboard.records.decisions import ACTIONS, BATCH, CLASS, EXCLUDED, MOST, SPLITS, WHO, CurrentLabels, Decision
from dashboard.records.rows import CLOSED, Declined
from dashboard.services.container import Services
from dashboard.state.selection import RUN_ID, Selection
from ml.artifacts.reader import Broken, Missing
from ml.stats.intervals import wilson

ROUTE = "/api/v1/decisions"
NOBODY = "anonymous"
LINES = 50_000  # of a file that is brought back
CSV_BYTES = 10 * 2**20
COLUMNS = ("id", "dataset", "split", "example_id", "action", "before", "after", "who", "when", "run")
NEEDED = ("dataset", "split", "example_id", "action", "after")
LEFT_OUT = "(left out)"  # instead of a label, in a file
CAUTION = (
    "Only suspected labels were looked at, and those are the ones the model disagrees with: the reviewed score can "
    "hardly fall. It is no estimate of what a review of every label would give."
)


def split_of(selection: Selection) -> str:
    """test, validation or train: the address says reference for what the runs were trained on."""
    return "train" if selection.split == "reference" else selection.split


@dataclass(frozen=True)
class Queue:
    """Suspected labels, most suspect first. ids: int32 [n]; labels, suggested: int [n]; quality: float [n].

    suspected: how many there are in the split before any filter; examined: of how many examples.
    """

    split: str
    ids: np.ndarray
    labels: np.ndarray
    suggested: np.ndarray
    quality: np.ndarray
    suspected: int
    examined: int

    def row(self, example_id: int) -> int | None:
        """Place of an example; None where it is not in the queue."""
        found = np.flatnonzero(self.ids == example_id)
        return int(found[0]) if len(found) else None


def queue(run: RunData, selection: Selection) -> Queue:
    """What cleanlab calls an issue, under the filters of the address; of train, what there are pictures of.

    Raises Missing or Broken.
    """
    split = split_of(selection)
    table = run.label_issues(split)
    issues = table[table["issue"] == 1]
    shown = issues
    if split == "train":
        shown = shown[shown["example_id"].isin(run.suspects()["example_id"])]
        if selection.true:
            shown = shown[shown["label"].isin(run.class_ids(selection.true))]
        if selection.pred:
            shown = shown[shown["suggested"].isin(run.class_ids(selection.pred))]
        if selection.ids:
            shown = shown[shown["example_id"].isin(selection.ids)]
    elif selection.narrowed:
        chosen = run.predictions(selection.split).ids[run.mask(selection)]
        shown = shown[shown["example_id"].isin(chosen)]
    return Queue(
        split,
        shown["example_id"].to_numpy(np.int32),
        shown["label"].to_numpy(np.int64),
        shown["suggested"].to_numpy(np.int64),
        shown["quality"].to_numpy(np.float64),
        len(issues),
        len(table),
    )


def given(run: RunData, split: str, ids: list[int] | None = None) -> dict[int, str]:
    """example id → the name of the label it came with, of those asked for that are here, all when None.

    split: test, validation or train. Raises Missing or Broken.
    """
    if split == "train":
        table = run.label_issues("train")
        known, labels = table["example_id"].to_numpy(), table["label"].to_numpy()
    else:
        pictures = run.pictures(split)
        known, labels = pictures.ids, pictures.labels
    rows = np.arange(len(known)) if ids is None else np.flatnonzero(np.isin(known, ids))
    return {int(known[row]): run.classes[int(labels[row])] for row in rows}


def rows(run: RunData, selection: Selection, current_labels: CurrentLabels) -> tuple[list[str], list[list]]:
    """Head and one row a suspected label of the queue, most suspect first, with what was decided of it."""
    found = queue(run, selection)
    head = ["split", "example_id", "label", "suggested", "quality", "decision", "label now"]
    body: list[list] = []
    for i, example in enumerate(found.ids.tolist()):
        decision, label = current_labels.of(found.split, example), run.classes[found.labels[i]]
        now = label if decision is None else decision.after or LEFT_OUT
        action = decision.action if decision else ""
        quality = f"{found.quality[i]:.6f}"
        body.append([found.split, example, label, run.classes[found.suggested[i]], quality, action, now])
    return head, body


def image_url(run: RunData, split: str, example_id: int) -> str:
    """The address of one picture of a queue."""
    if split == "train":
        return f"/suspects/{run.run_id}/{example_id}.png"
    return single_url(run.picture_set, split, example_id)


def sprites_url(run: RunData, split: str, ids: list[int]) -> str:
    """The address of a sheet of pictures of a queue."""
    if split == "train":
        return f"/suspects/{run.run_id}/sheet/{'-'.join(map(str, ids))}.png"
    return sprite_url(run.picture_set, split, ids)


def corrections(run: RunData, current_labels: CurrentLabels) -> tuple[dict[int, int], frozenset[int]]:
    """What the decisions change of train: example id → class id, and the ids that are left out.

    A class that this run has not changes nothing.
    """
    relabelled, excluded = {}, set()
    for example, decision in current_labels.within("train").items():
        if decision.action == "exclude":
            excluded.add(example)
        elif decision.action == "relabel" and decision.after in run.classes:
            relabelled[example] = run.classes.index(decision.after)
    return relabelled, frozenset(excluded)


@dataclass(frozen=True)
class Counted:
    """By class, int [C] each: examples named right, and all."""

    right: np.ndarray
    n: np.ndarray


def counted(run: RunData, split: str) -> tuple[Counted, Counted]:
    """The recorded answers by the labels as they came, and by what was decided. split: as in the address."""
    return _count(run, split), _count(run.reviewed("reviewed"), split)


def _count(run: RunData, split: str) -> Counted:
    found, classes = run.predictions(split), len(run.classes)
    right = found.labels[found.kept & found.right]
    return Counted(np.bincount(right, minlength=classes), np.bincount(found.labels[found.kept], minlength=classes))


def scores_url(selection: Selection) -> str:
    """The address of the scores as labelled and as reviewed, as CSV."""
    return f"/export/reviewed.csv{Selection(run=selection.run, split=selection.split).query()}"


def reviewer(said: object) -> str:
    """Who decides: what was said, else the name given with the password. Raises Declined."""
    if not isinstance(said, str | None):
        raise Declined("Your name: up to 60 characters in one line.")
    name = " ".join((said or "").split())
    if not name and request.authorization is not None:
        name = " ".join((request.authorization.username or "").split())
    if len(name) > WHO or not name.isprintable():
        raise Declined("Your name: up to 60 characters in one line.")
    return name or NOBODY


def decide(services: Services, asked: object) -> list[Decision]:
    """Write what a request asks for; on the disk when this returns. Raises Declined, Missing, Broken."""
    if not isinstance(asked, dict):
        raise Declined("Send an object: run, split, ids, action, label, who, batch.")
    who, run = reviewer(asked.get("who")), _run(services, asked)
    split, action, batch = asked.get("split"), asked.get("action"), asked.get("batch")
    if split not in SPLITS:
        raise Declined(f"Split: one of {', '.join(SPLITS)}.")
    if action not in ACTIONS:
        raise Declined(f"Action: one of {', '.join(ACTIONS)}.")
    if not isinstance(batch, str) or not BATCH.fullmatch(batch):
        raise Declined("Batch: 32 digits and letters a to f, new for each decision.")
    label = asked.get("label") if action == "relabel" else ""
    if action == "relabel" and label not in run.classes:
        raise Declined(f"Label: one of {', '.join(run.classes)}.")
    ids = asked.get("ids")
    if not isinstance(ids, list) or not 1 <= len(ids) <= MOST or not all(type(one) is int for one in ids):
        raise Declined(f"Ids: 1 to {MOST} whole numbers.")
    known = given(run, split, ids)
    strange = [one for one in ids if one not in known]
    if strange:
        raise Declined(f"There is no image {strange[0]} in {split}.")
    came = {one: known[one] for one in ids}
    return services.decisions.decide(
        run.dataset["name"], split, came, action, label=str(label), who=who, run=run.run_id, batch=batch
    )


def undo(services: Services, asked: object) -> list[Decision]:
    """Take back the press that a request names, or the last one of who asks. Raises Declined, Missing, Broken."""
    if not isinstance(asked, dict):
        raise Declined("Send an object: run, who, batch.")
    who, run, batch = reviewer(asked.get("who")), _run(services, asked), asked.get("batch")
    if batch is not None and not (isinstance(batch, str) and BATCH.fullmatch(batch)):
        raise Declined("Batch: 32 digits and letters a to f.")
    return services.decisions.undo(run.dataset["name"], batch=batch, who=who)


def _run(services: Services, asked: Mapping[str, Any]) -> RunData:
    run_id = asked.get("run")
    if not isinstance(run_id, str | None):
        raise Declined("Run: the name of a run.")
    return services.store.open(run_id or None)


# ---- out as CSV, and back


def table(log: list[Decision]) -> list[list[object]]:
    """Head and one row a decision, in the order in which they were made; no cell is a formula."""
    body = [
        [
            d.id, d.dataset, d.split, d.example_id, d.action, d.before or LEFT_OUT, d.after or LEFT_OUT, d.who,
            datetime.fromtimestamp(d.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"), d.run,
        ]
        for d in log
    ]  # fmt: skip
    return [list(COLUMNS), *([guard(cell) for cell in row] for row in body)]


def read(text: str, run: RunData) -> list[dict[str, Any]]:
    """The decisions in a file, as `Decisions.bring` takes them. Raises Declined, with the lines that are wrong."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    lacking = [name for name in NEEDED if name not in (reader.fieldnames or ())]
    if lacking:
        raise Declined(f"This is no file of decisions: it lacks {', '.join(lacking)}.")
    rows: list[dict[str, Any]] = []
    wrong: list[str] = []
    known = {
        split: given(run, split) for split in SPLITS if split != "train" or "label_issues" in run.manifest["nouns"]
    }
    try:
        for number, cells in enumerate(reader, 2):
            if number > LINES + 1:
                raise Declined(f"A file may have up to {LINES:,} decisions.")
            try:
                rows.append(_row({name: bare(cells.get(name) or "") for name in COLUMNS}, run, known))
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
    if split not in known:
        raise ValueError(f"no image is known of the split {split[:20]!r}")
    if not re.fullmatch(r"\d{1,9}", example, re.ASCII) or int(example) not in known[split]:
        raise ValueError(f"there is no image {example[:20]!r} in {split}")
    if action not in ACTIONS:
        raise ValueError(f"{action[:20]!r} is no action")
    came = known[split][int(example)]
    after = {"exclude": EXCLUDED, "keep": came}.get(action, cells["after"])
    if action == "relabel" and after not in run.classes:
        raise ValueError(f"{after[:CLASS]!r} is no class")
    before = EXCLUDED if cells["before"] == LEFT_OUT else cells["before"] or came
    if before != EXCLUDED and before not in run.classes:
        raise ValueError(f"{before[:CLASS]!r} is no class")
    who = " ".join(cells["who"].split()) or NOBODY
    if len(who) > WHO or not who.isprintable():
        raise ValueError("the name is too long or cannot be shown")
    try:
        at = datetime.fromisoformat(cells["when"]) if cells["when"] else datetime.now(UTC)
        seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{cells['when'][:40]!r} is no time") from None
    made_by = cells["run"] if RUN_ID.fullmatch(cells["run"]) else ""
    row = {"dataset": cells["dataset"], "split": split, "example_id": int(example), "action": action}
    row |= {"before": before, "after": after, "who": who, "at": seconds, "run": made_by}
    own = (
        cells["id"] if BATCH.fullmatch(cells["id"]) else hashlib.sha256(repr(sorted(row.items())).encode()).hexdigest()
    )
    return row | {"id": own[:32]}


# ---- the server's part


def register(server: Flask, services: Services) -> None:
    """Add POST /api/v1/decisions and …/undo, the exports decisions.csv and reviewed.csv, and suspects' pictures."""

    def answer(act: Any) -> tuple[Response, int] | Response:
        if not request.is_json:
            return jsonify(error="Send JSON."), 415
        try:
            made = act(services, request.get_json())
        except Declined as declined:
            away = str(declined) == CLOSED
            return jsonify(error=str(declined)), 403 if services.read_only else 503 if away else 422
        except (Missing, Broken) as missing:
            return jsonify(error=str(missing)), 404
        except ValueError:
            return jsonify(error="This is not JSON."), 400
        return jsonify(
            decisions=[
                {
                    "split": d.split, "id": d.example_id, "action": d.action, "before": d.before, "after": d.after,
                    "who": d.who, "at": d.at, "batch": d.batch, "undone": d.undone,
                }
                for d in made
            ]
        )  # fmt: skip

    @server.post(ROUTE)
    def decide_labels():
        return answer(decide)

    @server.post(f"{ROUTE}/undo")
    def undo_decisions():
        return answer(undo)

    def attached(name: str, rows: list[list[object]]) -> Response:
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-store"}
        return Response(text.getvalue(), mimetype="text/csv", headers=headers)

    def asked() -> tuple[RunData, Selection]:
        selection = Selection.parse(request.query_string.decode("latin-1"))
        try:
            return services.store.open(selection.run), selection
        except (Missing, Broken):
            abort(404)

    @server.get("/export/decisions.csv")
    def export_decisions() -> Response:
        name = asked()[0].dataset["name"]
        return attached(f"{name}-decisions", table(services.decisions.log(name)))

    @server.get("/export/queue.csv")
    def export_queue() -> Response:
        run, selection = asked()
        try:
            head, body = rows(run, selection, services.decisions.current_labels(run.dataset["name"]))
        except (Missing, Broken):
            abort(404)
        name = f"{run.run_id}-{split_of(selection)}-suspects"
        return attached(name, [[safe(cell) for cell in row] for row in (head, *body)])

    @server.get("/export/reviewed.csv")
    def export_scores() -> Response:
        run, selection = asked()
        try:
            both = counted(run, selection.split)
        except (Missing, Broken):
            abort(404)
        rows: list[list[object]] = [["labels", "class", "right", "n", "accuracy", "low", "high"]]
        for words, found in zip(("as labelled", "as reviewed"), both, strict=True):
            lines: list[tuple[object, int, int]] = [("all", int(found.right.sum()), int(found.n.sum()))]
            lines += [(safe(c), int(k), int(n)) for c, k, n in zip(run.classes, found.right, found.n, strict=True)]
            for name, right, n in lines:
                low, high = wilson(right, n)
                rows.append([words, name, right, n, f"{right / max(n, 1):.6f}", f"{low:.6f}", f"{high:.6f}"])
        return attached(f"{run.run_id}-{selection.split}-reviewed", rows)

    def suspects(run_id: str, wanted: list[int]) -> np.ndarray:
        """uint8 [n, h, w, c]"""
        try:
            found = services.store.open(run_id).suspects()
        except (Missing, Broken):
            abort(404)
        place = {int(example): row for row, example in enumerate(found["example_id"])}
        if not all(example in place for example in wanted):
            abort(404)
        return found["images"][[place[example] for example in wanted]]

    def picture(image: np.ndarray) -> Response:
        return Response(png(image), mimetype="image/png", headers={"Cache-Control": FOREVER})

    @server.get("/suspects/<run_id>/<int:example_id>.png")
    def suspect(run_id: str, example_id: int) -> Response:
        return picture(suspects(run_id, [example_id])[0])

    @server.get("/suspects/<run_id>/sheet/<ids>.png")
    def suspect_sheet(run_id: str, ids: str) -> Response:
        if not re.fullmatch(rf"\d{{1,9}}(-\d{{1,9}}){{0,{MAX_TILES - 1}}}", ids, re.ASCII):
            abort(404)
        return picture(sheet(suspects(run_id, [int(part) for part in ids.split("-")])))
