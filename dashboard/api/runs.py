"""GET and POST /api/v1/runs: every run there is, and a run that is taken in; runs on their way out as files."""

from collections.abc import Callable
from typing import Any

from flask import Flask, Response, jsonify
from pydantic import BaseModel, ConfigDict, Field

from dashboard.api.exports import attached
from dashboard.api.openapi import ERRORS, FILE, Count, Operation, Reply, ResponseModel
from dashboard.api.requests import ComputeRequest, form, writable
from dashboard.records.runs import Mark
from dashboard.services.container import Services
from dashboard.web.errors import SENTENCES, RequestError
from ml.artifacts import kinds
from ml.publishing.run_archive import UPLOAD_BYTES

PATH = "/api/v1/runs"
GRAPHS = {"onnx": ".onnx", "int8": "-int8.onnx"}  # noun → the end of its file's name


class Import(ComputeRequest):
    name: str = Field("", description="What the run shall be called here; its own name when left out.")


class Result(ResponseModel):
    correct: Count
    n: Count


class Run(BaseModel):
    """A run; a broken one has ok false, and a reason instead of the rest."""

    model_config = ConfigDict(extra="ignore")

    run: str = Field(description="Its id.")
    ok: bool
    reason: str = Field("", description="Why it cannot be used.")
    kind: str = Field("", description="trained, imported or recorded: predictions alone.")
    answers: bool = Field(False, description="Whether it has a network that can be asked about pictures.")
    model: str = Field("", description="The network's name.")
    parameters: Count | None = Field(0, description="Null where nobody knows.")
    dataset: str = Field("", description="What it was trained on.")
    classes: list[str] = []
    height: Count = 0
    width: Count = 0
    channels: Count = 0
    results: dict[str, Result] = Field({}, description="By split: right answers, of how many.")
    created: str = Field("", description="When it was trained.")
    title: str = Field("", description="What people call it.")
    tags: list[str] = []
    note: str = Field("", description="What people say of it.")
    archived: bool = False


class Runs(ResponseModel):
    default: str | None = Field(description="The run that answers when none is named.")
    runs: list[Run]


class Taken(ResponseModel):
    run: str = Field(description="What the run is called here.")
    was: str = Field(description="What it was called in the file.")
    needs: str = Field(description="The data set whose pictures are not on this machine, or ''.")


class NameTaken(ResponseModel):
    error: str = Field(description="Why.")
    field: str = Field("", description="name")
    free: str = Field("", description="A name that is free.")


OPERATIONS = (
    Operation(PATH, "get", "runs", "Every run, broken ones with their reason.", {200: Reply("The runs.", Runs)}),
    Operation(
        PATH,
        "post",
        "take",
        "Take in the zip of a run, after checking everything in it.",
        {201: Reply("The run is here.", Taken), 409: Reply(ERRORS[409], NameTaken)},
        (413, 415, 422, 503),
        body=Import,
        files={"file": FILE},
    ),
)


def register(server: Flask, services: Services) -> None:
    """Add both, and GET /export/runs/<run_id>.zip, .md and /<noun>.onnx."""

    @server.get(PATH)
    def api_runs() -> Response:
        return jsonify(runs(services).json_value())

    @server.post(PATH)
    def api_take() -> tuple[Response, int]:
        return jsonify(take(services).json_value()), 201

    def file(run_id: str, tail: str, kind: str, make: Callable[[str], str | bytes]) -> Response:
        """Made before it is named: then run_id is one of the listing, and the file's name one of ours."""
        content = make(run_id)
        return attached(content, f"{run_id}{tail}", kind)

    @server.get("/export/runs/<run_id>.zip")
    def export_run(run_id: str) -> Response:
        return file(run_id, ".zip", "application/zip", services.registry.pack)

    @server.get("/export/runs/<run_id>.md")
    def export_card(run_id: str) -> Response:
        return file(run_id, ".md", "text/markdown", services.registry.card)

    @server.get("/export/runs/<run_id>/<noun>.onnx")
    def export_graph(run_id: str, noun: str) -> Response:
        if noun not in GRAPHS:
            raise RequestError(404, SENTENCES[404])
        return file(run_id, GRAPHS[noun], "application/octet-stream", lambda name: services.registry.graph(name, noun))


def take(services: Services) -> Taken:
    """Take in the run that the current request carries; raises RequestError, Declined."""
    writable(services)
    fields, content = form(Import, "file", UPLOAD_BYTES, f"A run may have up to {UPLOAD_BYTES // 10**6} MB.")
    taken = services.registry.take(content, fields.name or None)
    return Taken(run=taken.run_id, was=taken.was, needs=taken.needs)


def runs(services: Services) -> Runs:
    """Every run with what a program needs to choose one; broken ones with their reason."""
    marks = services.store.marks()
    listed = [
        Run(**_usable(entry.manifest), run=entry.run_id, ok=True, **_written(marks.of(entry.run_id)))
        if entry.ok
        else Run(run=entry.run_id, ok=False, reason=entry.reason)
        for entry in services.store.runs()
    ]
    return Runs(default=services.store.default_run(), runs=listed)


def _usable(manifest: dict[str, Any]) -> dict[str, Any]:
    """What the manifest says of the run."""
    dataset, results = manifest["dataset"], manifest.get("results", {})
    return {
        "model": manifest["model"], "kind": kinds.kind_of(manifest), "parameters": manifest.get("parameters"),
        "answers": kinds.has(manifest, kinds.NETWORK), "created": manifest["created"],
        "dataset": dataset["name"], "classes": list(dataset["classes"]),
        "height": dataset["height"], "width": dataset["width"], "channels": dataset["channels"],
        "results": {split: Result(correct=one["correct"], n=one["n"]) for split, one in results.items()},
    }  # fmt: skip


def _written(mark: Mark) -> dict[str, Any]:
    """What people say of the run."""
    return {"title": mark.title, "tags": list(mark.tags), "note": mark.note, "archived": mark.archived}
