"""/api/v1/runs/added and /looked: a network or predictions that were uploaded, looked at and made a run of."""

from typing import Annotated, Any

from flask import Flask, Response, jsonify
from pydantic import Field

from dashboard.api.openapi import Count, Operation, Parameter, Reply, ResponseModel
from dashboard.api.requests import ChangeRequest, Sentence, body, writable
from dashboard.data import datasets
from dashboard.records.rows import Declined, closed
from dashboard.services.container import Services
from dashboard.services.staging import Staged
from ml.artifacts.reader import Missing
from ml.jobs.queue import NotAllowed, Refused
from ml.jobs.tables import Job

LOOKED, ADDED = "/api/v1/runs/looked", "/api/v1/runs/added"
ONE = f"{ADDED}/{{job}}"
Upload = Annotated[
    str,
    Field(description="The last part of the address of an upload of the purpose run, whole by now."),
    Sentence("upload must be the last part of the address of an upload."),
]
Data = Annotated[
    str,
    Field(description="The name of the data set that it is about."),
    Sentence("data must be the name of a data set."),
]
Said = Annotated[
    dict[str, dict[str, Any]],
    Field(
        default_factory=dict,
        description="What is said of it: {network: {layout, range, mean, deviation, channels, output, numbers, "
        "classes, names, match}} or {predictions: {columns, names, suggested, values, split, repeated, epoch}}, as "
        "docs/own-networks.md tells the flags of the same names; what is left out is found out, or assumed.",
    ),
    Sentence("choices must be an object with network or predictions."),
]


class LookAtFile(ChangeRequest):
    WHOLE = "Send an object: upload, data, and choices where something is to be said otherwise."

    upload: Upload
    data: Data
    choices: Said


class AddRun(LookAtFile):
    WHOLE = "Send an object: upload, data, name, choices."

    name: Annotated[
        str, Field(description="What the run is called; after its file when left out."), Sentence("name must be text.")
    ] = ""


class LookedAt(ResponseModel):
    working: bool = Field(description="Whether it is being looked at: ask again in a second.")
    kind: str = Field("", description="network or predictions, where that is known.")
    refused: str = Field("", description="Why it cannot be added as it is.")
    found: dict[str, Any] = Field(
        {}, description="What was understood: kind, capabilities, understood (sentences), matched, unmatched, left_out."
    )
    columns: list[str] = Field([], description="Of a table of which something has to be said.")
    classes: dict[str, str] = Field({}, description="Its names of classes that the data set has not → the likely one.")


class AddedRun(ResponseModel):
    job: str
    run: str = Field(description="What it is called, or will be.")
    state: str = Field(description="queued, running, done, failed, cancelled or interrupted.")
    stage: str = Field("", description="What is done just now.")
    done: Count = 0
    of: Count = Field(0, description="Steps of the stage; 0 where it has none.")
    cause: str = Field("", description="Why it ended.")
    made: dict[str, Any] = Field(
        {}, description="What was made: run, kind, capabilities, understood, validation_accuracy …"
    )


JOB = Parameter("job", "The id of a job.", {"type": "string", "pattern": "^[0-9a-f]{32}$"}, required=True)
OPERATIONS = (
    Operation(
        LOOKED, "post", "look_at_file", "What would be made of a network or of predictions. Nothing is written.",
        {200: Reply("What was understood, or why it is refused.", LookedAt)}, (404, 415, 422), body=LookAtFile,
    ),
    Operation(
        ADDED, "post", "add_run", "Queue the making of a run of a network or of predictions.",
        {202: Reply("It is queued.", AddedRun)}, (404, 409, 415, 422, 503), body=AddRun,
    ),
    Operation(
        ONE, "get", "added_run", "How far that is.", {200: Reply("Its state.", AddedRun)}, (404,), parameters=(JOB,)
    ),
)  # fmt: skip


def register(server: Flask, services: Services) -> None:
    """Add them to the server."""

    @server.post(LOOKED)
    def look_at_file() -> Response:
        staged, fields = given(services, LookAtFile)
        return jsonify(looked(services, staged, fields).json_value())

    @server.post(ADDED)
    def add_run() -> tuple[Response, int]:
        staged, fields = given(services, AddRun)
        taken = services.registry.names()
        name = fields.name or services.adding.free(services.adding.stem(staged), taken)
        try:
            job = services.adding.begin(staged, name, fields.data, fields.choices, taken=taken, datasets=(fields.data,))
        except NotAllowed:
            raise
        except Refused as refused:
            if refused.__cause__ is not None:  # it may be asked for again: the disk is full, the database is away
                raise closed(refused) from refused
            free = services.adding.free(name, taken) if refused.field == "name" and "already" in str(refused) else ""
            raise Declined(str(refused), refused.field, free) from None
        return jsonify(told(services, job).json_value()), 202

    @server.get(f"{ADDED}/<job>")
    def added_run(job: str) -> Response:
        found = next((one for one in services.adding.jobs() if one.id == job), None)
        if found is None:
            raise Missing("There is no such job here.")
        return jsonify(told(services, found).json_value())


def given(services: Services, model: type[Any]) -> tuple[Staged, Any]:
    """What was brought, and the request about it. Raises RequestError, ReadOnly, NotAllowed, Missing, Declined."""
    writable(services)
    services.jobs.permit("import")
    fields = body(model)
    staged = services.adding.brought(fields.upload)
    if staged is None:
        raise Missing("This upload is not here (any more), or was not brought to become a run.")
    if not staged.whole:
        raise Declined("Not all of this upload is here yet.", "upload")
    one = datasets.one(services.store.library, fields.data, services.store.runs())
    if one.problem:
        raise Declined(f"{one.name} cannot be read: {one.problem}.", "data")
    if not one.here:
        words = f"The pictures of {one.name} are not on this machine."
        raise Declined(f"{words} To fetch them: {services.store.library.way_to(one.name)}", "data")
    return staged, fields


def looked(services: Services, staged: Staged, fields: LookAtFile) -> LookedAt:
    """What is known by now."""
    found = services.adding.look(staged, fields.data, fields.choices)
    if found.answer is None:
        return LookedAt(working=False, refused=found.problem) if found.problem else LookedAt(working=True)
    known = {key: value for key, value in found.answer.items() if key in LookedAt.model_fields}
    return LookedAt(working=False, **known)


def told(services: Services, job: Job) -> AddedRun:
    """A job, as far as it is."""
    made = services.adding.receipt(job) or {}
    cause = job.cause.replace(str(job.spec.get("source")), str(job.spec.get("shown")))
    return AddedRun(
        job=job.id, run=job.run_id, state=job.state, stage=job.stage, done=job.batch, of=job.batches, cause=cause,
        made=made,
    )  # fmt: skip
