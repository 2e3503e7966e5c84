"""POST /api/v1/decisions and …/undo: what people decide of labels, and the same as CSV."""

from typing import Annotated, Any

from flask import Flask, Response, jsonify, request
from pydantic import Field

from dashboard.analysis import label_review
from dashboard.analysis.label_review import NOBODY
from dashboard.api.exports import attached
from dashboard.api.requests import ChangeRequest, OneOf, Sentence, body, selection, writable
from dashboard.exports import decisions_csv
from dashboard.format.csv import Source, as_csv
from dashboard.records.decisions import ACTIONS, BATCH_PATTERN, MAX_DECISIONS, SPLITS, WHO, Decision
from dashboard.records.rows import Declined
from dashboard.services.container import Services
from ml.people import acting
from ml.system.wording import shows

PATH = "/api/v1/decisions"
NAME = "Your name: up to 60 characters in one line."
BATCH_HELP = "Batch: 32 digits and letters a to f, new for each decision."
Batch = Annotated[str, Field(pattern=BATCH_PATTERN.pattern)]
Who = Annotated[str | None, Sentence(NAME)]
RunId = Annotated[str | None, Sentence("Run: the name of a run.")]


class Decide(ChangeRequest):
    WHOLE = "Send an object: run, split, ids, action, label, who, batch."

    who: Who = None
    run: RunId = None
    split: Annotated[str, OneOf(SPLITS), Sentence(f"Split: one of {', '.join(SPLITS)}.")]
    action: Annotated[str, OneOf(ACTIONS), Sentence(f"Action: one of {', '.join(ACTIONS)}.")]
    batch: Annotated[Batch, Sentence(BATCH_HELP)]
    label: Annotated[str | None, Sentence("Label: the name of a class.")] = None
    ids: Annotated[
        list[int], Field(min_length=1, max_length=MAX_DECISIONS), Sentence(f"Ids: 1 to {MAX_DECISIONS} whole numbers.")
    ]


class Undo(ChangeRequest):
    WHOLE = "Send an object: run, who, batch."

    who: Who = None
    run: RunId = None
    batch: Annotated[Batch | None, Sentence("Batch: 32 digits and letters a to f.")] = None


def register(server: Flask, services: Services) -> None:
    """Add both, and GET /export/decisions.csv, queue.csv and reviewed.csv."""

    @server.post(PATH)
    def decide_labels() -> Response:
        writable(services)
        fields = body(Decide)
        who, run = reviewer(fields.who), services.store.open(fields.run or None)
        label = fields.label or "" if fields.action == "relabel" else ""
        return listed(
            label_review.decide(
                services, run, fields.split, fields.ids, fields.action, label=label, who=who, batch=fields.batch
            )
        )

    @server.post(f"{PATH}/undo")
    def undo_decisions() -> Response:
        writable(services)
        fields = body(Undo)
        who, run = reviewer(fields.who), services.store.open(fields.run or None)
        return listed(services.decisions.undo(run.data_version, batch=fields.batch, who=who))

    @server.get("/export/decisions.csv")
    def export_decisions() -> Response:
        run = services.store.shown(selection().run)
        made = services.decisions.log(run.data_version)
        return attached(as_csv(*decisions_csv.log(made), None), f"{run.dataset['name']}-decisions.csv")

    @server.get("/export/queue.csv")
    def export_queue() -> Response:
        chosen = selection()
        run = services.store.shown(chosen.run)
        head, rows = decisions_csv.queue(run, chosen, services.decisions.current_labels(run.data_version))
        return attached(
            as_csv(head, rows, Source.of(run)), f"{run.run_id}-{label_review.split_of(chosen)}-suspects.csv"
        )

    @server.get("/export/reviewed.csv")
    def export_scores() -> Response:
        chosen = selection()
        run = services.store.shown(chosen.run)
        head, rows = decisions_csv.scores(run, chosen.split)
        return attached(as_csv(head, rows, Source.of(run)), f"{run.run_id}-{chosen.split}-reviewed.csv")


def reviewer(name: str | None) -> str:
    """Who decides: the name that was proved, else the one in the request or beside the password. Raises Declined."""
    if known := acting.name():
        return known
    name = " ".join((name or "").split())
    if not name and request.authorization is not None:
        name = " ".join((request.authorization.username or "").split())
    if len(name) > WHO or not shows(name):
        raise Declined(NAME)
    return name or NOBODY


def listed(made: list[Decision]) -> Response:
    """Decisions as JSON."""
    rows: list[dict[str, Any]] = [
        {
            "split": d.split, "id": d.example_id, "action": d.action, "before": d.before, "after": d.after,
            "who": d.who, "at": d.at, "batch": d.batch, "undone": d.undone,
        }
        for d in made
    ]  # fmt: skip
    return jsonify(decisions=rows)
