"""POST /api/v1/batch: what many pictures show, one JSON line a file, as they are answered."""

import functools
import threading
import time
from collections.abc import Callable, Iterator
from typing import IO, Annotated, Any

import numpy as np
import orjson
from flask import Flask, Response
from pydantic import Field, RootModel
from pydantic.json_schema import SkipJsonSchema

from dashboard.analysis import prediction_sets
from dashboard.api.openapi import FILE, Count, Error, Operation, Probability, Reply, ResponseModel
from dashboard.api.predict import MB, AskedRun, Familiarity, Guess, LabelSet
from dashboard.api.requests import Choice, Flag, answer_get, checked, parts
from dashboard.services.container import Services
from dashboard.services.uploads import thumbnail
from dashboard.web import rate_limits
from dashboard.web.errors import RequestError, note
from dashboard.web.security import BATCH_BYTES, BATCH_ROUTE
from ml.artifacts.reader import Broken, Missing
from ml.images.upload_archives import FILES, UNPACKED
from ml.inference.batch import BatchAnswer
from ml.inference.prediction_sets import PredictionSets
from ml.inference.routing import AUTO

WORDS = f"A batch may have {FILES:,} files, {BATCH_BYTES // MB} MB as sent and {UNPACKED // MB} MB unpacked."
LINES = "application/x-ndjson"
BATCHES = threading.BoundedSemaphore(2)  # batches under way: each keeps what was sent in memory, and one of 8 threads
PATIENCE = 5.0  # seconds a batch waits for another


class Batch(Choice):
    seen: Annotated[Flag, Field(description="1: send each picture as the network saw it along.")] = "0"


class AnsweredFile(ResponseModel):
    file: str = Field(description="The file's name, with its folders, as text.")
    true: str = Field("", description="The class that its folder is named after; left out where it is none.")
    label: str = Field(description="The most likely class.")
    confidence: Probability
    top: list[Guess] = Field(min_length=1)
    calibrated: Probability | SkipJsonSchema[None] = None
    set: LabelSet | SkipJsonSchema[None] = None
    familiarity: Familiarity | SkipJsonSchema[None] = None
    run: str = Field("", description="With run=auto: the run that answered this file.")
    why: str = Field("", description="With run=auto: why that one.")
    asked: list[AskedRun] = Field(default=[], description="With run=auto: what each run says.")
    seen: str = Field("", description="The picture as the network saw it, a data URL; where seen=1 was sent.")


class RefusedFile(ResponseModel):
    file: str = Field(description="The file's name.")
    true: str = Field("", description="As above.")
    error: str = Field(description="Why.")


class Counts(ResponseModel):
    run: str = Field(description="The run that answered; auto where each file's line names its own.")
    files: Count
    answered: Count
    refused: Count
    seconds: float = Field(ge=0)


class Done(ResponseModel):
    done: Counts


class Line(RootModel[AnsweredFile | RefusedFile | Done | Error]):
    """One line of a batch: an answer, a file without one, or the last line, which counts them."""


OPERATIONS = (
    Operation(
        BATCH_ROUTE,
        "post",
        "batch",
        "What many pictures show, one JSON line a file, as they are answered.",
        {200: Reply("One JSON value a line.", Line, LINES)},
        (404, 409, 413, 415, 503),
        description=(
            f"Files and zips: {FILES:,} files, {BATCH_BYTES // MB} MB as sent and {UNPACKED // MB} MB unpacked. "
            "A file that cannot be read has its own line with an error; the others go on. The last line counts "
            "them: without it the answer broke off. A folder named after a class is the file's true label."
        ),
        body=Batch,
        files={
            "files": {
                "type": "array",
                "items": FILE,
                "minItems": 1,
                "description": "A picture or a zip of pictures each; its name may have folders.",
            }
        },
    ),
)


def register(server: Flask, services: Services) -> None:
    """Add it to the server."""

    @server.post(BATCH_ROUTE)
    def api_batch() -> Response:
        return batch(services, rate_limits.spender(server))

    answer_get(server, BATCH_ROUTE, "Send pictures by POST, as multipart/form-data in a field named files.")


def batch(services: Services, spend: Callable[[float], None]) -> Response:
    """One JSON line a file, written as they are answered, and a last one that counts them.

    spend: takes the client's tokens for each file. Raises RequestError, Missing or Broken before the first line.
    """
    if not BATCHES.acquire(timeout=PATIENCE):
        raise RequestError(503, "Two batches are being read right now. Try again in a few seconds.")
    once = threading.Lock()

    def free() -> None:
        if once.acquire(blocking=False):
            BATCHES.release()

    try:
        text, files = parts(BATCH_BYTES, WORDS, FILES + len(Batch.model_fields), "the files in a field named files")
        fields = checked(Batch, text, "files")
        if set(files) != {"files"}:
            raise RequestError(400, f"Send the files in a field named files, as often as there are files. {WORDS}")
        run, top = fields.opened(services)
        sent = [(one.filename or "", one.stream) for one in files.getlist("files")][::-1]
        if fields.routed and len(services.router.ids(run.run_id)) > 1:
            response = _respond(_routed(services, run.run_id, _popped(sent), fields, top, spend), free)
            return response
        run_id, classes, answers = services.predictor.answers(
            run.run_id, _popped(sent), mode=fields.prepare, engine=fields.engine,
            unlike=(lambda images: services.ood.percentiles(run.run_id, images)) if fields.engine == "torch" else None,
        )  # fmt: skip
    except BaseException:
        free()
        raise
    counted = _counted(services, run_id, classes, answers)
    sets = prediction_sets.told(run, int(fields.level))
    told = ((one.line(classes, top, sets), one.image) for one in counted)
    return _respond(_lines(run_id, told, fields.seen == "1", spend), free)


def _respond(lines: Iterator[bytes], free: Callable[[], None]) -> Response:
    response = Response(_then(lines, free), mimetype=LINES)
    response.call_on_close(free)  # where the client left before the first line
    return response


def _routed(
    services: Services,
    shown: str,
    sources: Iterator[tuple[str, IO[bytes]]],
    fields: Batch,
    top: int,
    spend: Callable[[float], None],
) -> Iterator[bytes]:
    """The lines where each picture's kind says which run answers."""

    @functools.cache
    def sets(run_id: str) -> PredictionSets | None:
        try:
            return prediction_sets.told(services.store.open(run_id), int(fields.level))
        except (Missing, Broken):  # it went while it was asked
            return None

    _, answers = services.router.answers(shown, sources, mode=fields.prepare, engine=fields.engine)

    def told() -> Iterator[tuple[dict[str, Any], np.ndarray | None]]:
        for one in answers:
            if one.routed is not None:
                first = one.routed.first
                services.monitor.saw(first.run_id, first.label, first.confidence, one.answer.seconds, one.answer.image)
            yield one.line(top, sets), one.answer.image

    return _lines(AUTO, told(), fields.seen == "1", spend)


def _popped(sent: list[tuple[str, IO[bytes]]]) -> Iterator[tuple[str, IO[bytes]]]:
    """From the end, each forgotten here once it is handed on."""
    while sent:
        yield sent.pop()


def _counted(
    services: Services, run_id: str, classes: tuple[str, ...], answers: Iterator[BatchAnswer]
) -> Iterator[BatchAnswer]:
    """The same answers, each of them seen by the monitor."""
    for one in answers:
        if one.probabilities is not None:
            best = int(one.probabilities.argmax())
            services.monitor.saw(run_id, classes[best], float(one.probabilities[best]), one.seconds, one.image)
        yield one


def _then(lines: Iterator[bytes], after: Callable[[], None]) -> Iterator[bytes]:
    try:
        yield from lines
    finally:
        after()


def _lines(
    run_id: str,
    answers: Iterator[tuple[dict[str, Any], np.ndarray | None]],
    seen: bool,
    spend: Callable[[float], None],
) -> Iterator[bytes]:
    """answers: each file's line and its picture as the network saw it."""
    began, answered, files = time.perf_counter(), 0, 0
    try:
        for line, image in answers:
            files += 1
            answered += "label" in line
            spend(1.0)
            if seen and image is not None:
                line["seen"] = thumbnail(image)
            yield orjson.dumps(line) + b"\n"
    except Exception as error:  # the status is on its way already: the last line must say it
        number = note(error, BATCH_ROUTE)
        yield orjson.dumps({"error": f"Something went wrong on the server; its log has it as {number}."}) + b"\n"
        return
    counts = {"files": files, "answered": answered, "refused": files - answered}
    yield orjson.dumps({"done": {"run": run_id, **counts, "seconds": round(time.perf_counter() - began, 3)}}) + b"\n"
