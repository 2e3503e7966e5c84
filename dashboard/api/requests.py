"""Bodies of requests, read into pydantic models; what does not check out is said in a sentence of ours."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NoReturn, TypeVar

from flask import Flask, request
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import BadRequest, HTTPException, RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.wsgi import LimitedStream

from dashboard.api import multipart
from dashboard.data.run import RunData
from dashboard.records.rows import ReadOnly
from dashboard.services.container import Services
from dashboard.services.router import Router
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import LEVELS
from dashboard.web.errors import RequestError
from ml.images.preparation import MODES, Mode
from ml.inference.engines import ENGINES

FIELD_BYTES = 262_144  # of one field that is not a file; also the parser's buffer, which reads 64 kB at a time
DEFAULT_TOP = 3  # classes that are named where nobody says how many
FORM_PARTS = 8  # of a form with one file


@dataclass(frozen=True)
class OneOf:
    """One of these words."""

    values: Sequence[str]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.literal_schema(list(self.values))

    def sentence(self, name: str) -> str:
        """What is told of any other."""
        words = ", ".join(self.values)
        return f"{name} must be {' or '.join(self.values) if len(self.values) == 2 else f'one of {words}'}."


@dataclass(frozen=True)
class Sentence:
    """What a person is told of a field that does not check out, whatever is wrong with it."""

    words: str


class RequestModel(BaseModel):
    """A body. STATUS: of one that does not check out; WHOLE: what is told where it is no object or lacks something."""

    model_config = ConfigDict(strict=True, frozen=True, populate_by_name=True)
    STATUS: ClassVar[int]
    WHOLE: ClassVar[str] = ""


class ComputeRequest(RequestModel):
    """A request that computes something and keeps nothing: it has no other fields."""

    model_config = ConfigDict(extra="forbid")
    STATUS = 400


class ChangeRequest(RequestModel):
    """A request that is written down: what does not check out is refused like what the rules forbid."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": False})
    STATUS = 422


Model = TypeVar("Model", bound=RequestModel)
Flag = Annotated[str, OneOf(("0", "1"))]


def _whole(text: object) -> object:
    """0 for what is no whole number: the sentence about it names the run's number of classes."""
    digits = isinstance(text, str) and text.isascii() and text.isdigit()
    return int(str(text)[:9]) if digits else 0


RunId = Annotated[
    str, Field(description="Which run answers, as /api/v1/runs lists them; the default run when left out.")
]
Asked = Annotated[
    str,
    Field(
        description="The same; or auto: of runs of different data sets, the one that knows the picture's kind; "
        "auto:RUN asks that one of its data set."
    ),
]
Prepare = Annotated[
    Mode,
    OneOf(MODES),
    Field(
        description="auto: a picture of exactly the network's form passes unchanged, others are made to fit as the "
        "training images were and go through the steps for photographs that were measured to help the run; full: every "
        "step for every picture; none: only made to fit."
    ),
]
Engine = Annotated[
    str,
    OneOf(ENGINES),
    Field(
        description="What computes the answer: torch (the usual; onnxruntime where the network was imported), or the "
        "run's ONNX file in float32 or int8, where it was made."
    ),
]


class Choice(ComputeRequest):
    """Who answers about a picture, and how."""

    run: Asked = ""
    top: Annotated[
        int | None,
        BeforeValidator(_whole),
        WithJsonSchema(
            {
                "type": "integer",
                "minimum": 1,
                "description": f"How many classes to name, the likely first; else {DEFAULT_TOP}.",
            }
        ),
    ] = None
    prepare: Prepare = "auto"
    engine: Engine = "torch"
    level: Annotated[
        str,
        OneOf(tuple(map(str, LEVELS))),
        Field(description="Of 100 prediction sets, how many hold the truth; else the lowest."),
    ] = str(LEVELS[0])

    @property
    def routed(self) -> bool:
        """Whether the picture's kind says which run answers."""
        return Router.wanted(self.run)

    def reader(self, services: Services) -> RunData:
        """The run that is named; where the picture says which one answers, the one whose way of reading files counts.

        Raises Missing, Broken.
        """
        return services.store.open(services.router.shown(self.run) if self.routed else self.run or None)

    def opened(self, services: Services) -> tuple[RunData, int]:
        """The run, and how many classes to name. Raises Missing, Broken, RequestError."""
        run = self.reader(services)
        most = len(run.classes)
        top = min(DEFAULT_TOP, most) if self.top is None else self.top
        if not 1 <= top <= most:
            raise RequestError(400, f"top must be a whole number from 1 to {most}.")
        return run, top


def body(model: type[Model]) -> Model:
    """The JSON of the current request. Raises RequestError."""
    if not request.is_json:
        raise RequestError(415, "Send JSON.")
    try:
        value = request.get_json()
    except BadRequest:
        raise RequestError(400, "This is not JSON.") from None
    return checked(model, value)


def form(model: type[Model], file: str, limit: int, words: str) -> tuple[Model, bytes]:
    """The text fields of the current request's form, and what is in its file.

    file: the field that holds it; limit: bytes of the body; words: what is allowed. Raises RequestError.
    """
    text, files = parts(limit, words, FORM_PARTS, f"the file in a field named {file}")
    if file not in files:
        raise RequestError(400, f"There is no file in the field {file}. {words}")
    return checked(model, text, file), files[file].stream.read()


def parts(limit: int, words: str, most: int, what: str) -> tuple[dict[str, str], MultiDict[str, FileStorage]]:
    """Text fields and files of the current request, kept in memory: Flask would put files over 500 kB on disk.

    limit: bytes of the body; words: what is allowed; most: parts of the form; what: is to be sent.
    """
    if request.mimetype != "multipart/form-data":
        raise RequestError(415, f"Send multipart/form-data with {what}.")
    # Limited here: Flask's own limit is that of the largest body of any address.
    stream: Any = LimitedStream(request.stream, limit, is_max=True)
    boundary, length = multipart.boundary_of(request.headers.get("Content-Type", "")), request.content_length
    if boundary and length is not None and length <= min(limit, multipart.MOST):
        body = stream.read()
        found = multipart.plain(body, boundary, most=most, field_bytes=FIELD_BYTES)
        if found is not None:
            return found
        stream = io.BytesIO(body)
    if boundary:
        stream = multipart.UncutEnd(stream, boundary)
    parser = FormDataParser(lambda *_, **__: io.BytesIO(), max_form_memory_size=FIELD_BYTES, max_form_parts=most)
    try:
        if length is not None and length > limit:
            raise RequestEntityTooLarge
        _, text, files = parser.parse(stream, request.mimetype, length, request.mimetype_params)
    except HTTPException as error:
        sentence = "The request is too large." if error.code == 413 else "The form could not be read."
        raise RequestError(error.code or 400, f"{sentence} {words}") from None
    return {name: text[name] for name in text}, files


def checked(model: type[Model], value: object, file: str = "") -> Model:
    """The model of a value. file: the form's field beside the model's. Raises RequestError."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        # an unknown field first: what is wrong with the others may come of a misspelt name
        first = min(problems, key=lambda one: one["type"] != "extra_forbidden")
        raise RequestError(model.STATUS, _sentence(model, first["type"], first["loc"], file)) from None


def _sentence(model: type[RequestModel], kind: str, place: tuple[int | str, ...], file: str) -> str:
    """What is wrong, in words. kind: of pydantic's error; place: where in the body it is."""
    fields = {one.alias or name: one for name, one in model.model_fields.items()}
    name = str(place[0]) if place else ""
    field = fields.get(name)
    own = [one for one in field.metadata if isinstance(one, Sentence)] if field else []
    if own:
        return own[0].words
    if field is None or kind == "missing":
        known = ", ".join((file, *fields) if file else fields)
        return model.WHOLE or f"There is no field {name[:40]!r}; known are {known}."
    choices = [one for one in field.metadata if isinstance(one, OneOf)]
    if choices and kind == "literal_error":
        return choices[0].sentence(name)
    return f"{name} must be {'true or false' if field.annotation is bool else 'text'}."


def selection() -> Selection:
    """What the address of the current request selects."""
    return Selection.parse(request.query_string.decode("latin-1"))


def writable(services: Services) -> None:
    """Raises ReadOnly where nothing may be changed."""
    if services.read_only:
        raise ReadOnly


def answer_get(server: Flask, path: str, sentence: str) -> None:
    """Say in words that the address wants a POST: otherwise Dash's page for any path would come."""

    def how() -> NoReturn:
        raise RequestError(405, sentence, headers={"Allow": "POST"})

    server.add_url_rule(path, f"{path.rpartition('/')[2]}_how", how, methods=["GET"])
