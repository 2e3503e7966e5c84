"""The API described as OpenAPI 3.1: made from the models of requests and answers, and what stands beside each route."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from flask import Flask, jsonify
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

VERSION = "1.0"
TITLE = "Fashion Forward"
ABOUT = (
    'Pictures in, answers out. Every error is {"error": "a sentence"} with a status of 400 or above. Requests that '
    "change or compute something must come from the app's own pages or from no page at all (Origin, Sec-Fetch-Site)."
)
REF = "#/components/schemas/{model}"
FILE = {"type": "string", "contentMediaType": "application/octet-stream"}
ERRORS = {
    400: "What was sent cannot be read, or a field has a value that is not allowed.",
    401: "The server asks for a password (HTTP Basic) or a token (Bearer).",
    403: "The request comes from another site's page, the server is read-only, or the role does not reach.",
    404: "There is no such run, or this run has no such file or explanation.",
    405: "There is no such address, or it does not take this kind of request.",
    409: "The run is broken, or the name is taken.",
    413: "The file or the request is too large.",
    415: "The request is no multipart/form-data or JSON, or the file no picture.",
    422: "The picture is damaged, the run does not check out, or the change is refused.",
    429: "This address has asked for too much: Retry-After says for how many seconds to wait.",
    503: "Too much is being read just now: Retry-After says when to come again.",
}
EVERYWHERE = (400, 401, 403, 429)  # errors that any address may answer with
RETRY = {"Retry-After": {"schema": {"type": "string"}, "description": "Seconds."}}


class ResponseModel(BaseModel):
    """What the API answers; a field that is not set is left out."""

    model_config = ConfigDict(extra="forbid")

    def json_value(self) -> dict[str, Any]:
        """The answer as JSON has it."""
        return self.model_dump(exclude_unset=True)


# float32 sums may pass 1 by a hair
Probability = Annotated[float, Field(ge=0, le=1.0001)]
Count = Annotated[int, Field(ge=0)]
Milliseconds = Annotated[float, Field(ge=0, description="Preparation and network, milliseconds.")]


class Error(ResponseModel):
    error: str = Field(description="What is wrong and what is allowed.")
    field: str = Field("", description="The field at fault, where it is one that a person filled in.")


@dataclass(frozen=True)
class Reply:
    """One answer of an operation. media: the content type of the model; also: other content types it may have."""

    words: str
    model: type[BaseModel] | None = None
    media: str = "application/json"
    also: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, Any] = field(default_factory=dict)

    def described(self) -> dict[str, Any]:
        schema = {"type": "object"} if self.model is None else ref(self.model)
        lines = self.media != "application/json"  # one value of the model a line
        content = {self.media: {"schema": {"type": "string"}, "x-line": schema} if lines else {"schema": schema}}
        headers = {"headers": dict(self.headers)} if self.headers else {}
        return {"description": self.words, **headers, "content": {**self.also, **content}}


@dataclass(frozen=True)
class Parameter:
    """A value in the path or, unless required, the query."""

    name: str
    words: str
    schema: Mapping[str, Any]
    required: bool = False

    def described(self) -> dict[str, Any]:
        place = "path" if self.required else "query"
        return {
            "name": self.name, "in": place, "required": self.required, "description": self.words,
            "schema": dict(self.schema),
        }  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """One method of one path. body: the model of what is sent, JSON, or a form where there are files beside it.

    files: field → its JSON schema, required all; replies: by status; errors: statuses besides EVERYWHERE;
    parameters: of path and query.
    """

    path: str
    method: str
    name: str
    summary: str
    replies: Mapping[int, Reply]
    errors: tuple[int, ...] = ()
    description: str = ""
    body: type[BaseModel] | None = None
    files: Mapping[str, Any] = field(default_factory=dict)
    parameters: tuple["Parameter", ...] = ()

    def models(self) -> list[type[BaseModel]]:
        """Whatever is named in the description."""
        return [one for one in (self.body, *(reply.model for reply in self.replies.values())) if one is not None]

    def described(self, schemas: Mapping[str, Any]) -> dict[str, Any]:
        """The operation object. schemas: of all models, by name."""
        statuses = {*EVERYWHERE, *self.errors} - set(self.replies)
        failed = {status: Reply(ERRORS[status], Error, headers=_again(status)) for status in sorted(statuses)}
        made: dict[str, Any] = {"operationId": self.name, "summary": self.summary}
        if self.description:
            made["description"] = self.description
        if self.parameters:
            made["parameters"] = [one.described() for one in self.parameters]
        if self.body is not None:
            made["requestBody"] = {"required": True, "content": self._content(schemas)}
        replies = {**self.replies, **failed}
        return {**made, "responses": {str(status): reply.described() for status, reply in replies.items()}}

    def _content(self, schemas: Mapping[str, Any]) -> dict[str, Any]:
        assert self.body is not None
        if not self.files:
            return {"application/json": {"schema": ref(self.body)}}
        fields = schemas[self.body.__name__]
        required = [*self.files, *fields.get("required", ())]
        whole = {**fields, "properties": {**self.files, **fields["properties"]}, "required": required}
        return {"multipart/form-data": {"schema": whole}}


def _again(status: int) -> dict[str, Any]:
    return RETRY if status in (429, 503) else {}


def ref(model: type[BaseModel]) -> dict[str, str]:
    """Where the model's schema stands in the document."""
    return {"$ref": REF.format(model=model.__name__)}


class _Plain(GenerateJsonSchema):
    """JSON schemas without what only repeats a name, and without defaults that say nothing."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        if not made.get("default"):
            made.pop("default", None)
        return made


def schemas(models: Iterable[type[BaseModel]]) -> dict[str, Any]:
    """name → JSON schema of the models and of all they hold."""
    requested: list[tuple[type[BaseModel], JsonSchemaMode]] = [(model, "validation") for model in dict.fromkeys(models)]
    _, made = models_json_schema(requested, ref_template=REF, schema_generator=_Plain)
    by_name: dict[str, Any] = made.get("$defs", {})
    for schema in by_name.values():
        schema.pop("title", None)
    return by_name


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """The whole document, a new one each time."""
    listed = list(operations)
    by_name = schemas([Error, *(model for one in listed for model in one.models())])
    paths: dict[str, dict[str, Any]] = {}
    for one in listed:
        paths.setdefault(one.path, {})[one.method] = one.described(by_name)
    forms = {
        one.body.__name__ for one in listed if one.body is not None and one.files
    }  # they stand where they are used
    password = {
        "type": "http",
        "scheme": "basic",
        "description": "Where the server was started with FASHION_PASSWORD; any user name.",
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": VERSION, "description": ABOUT},
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in by_name.items() if name not in forms},
            "securitySchemes": {"password": password},
        },
        "security": [{}, {"password": []}],
    }


OPENAPI_OPERATION = Operation("/api/v1/openapi.json", "get", "openapi", "This document.", {200: Reply("OpenAPI 3.1.")})


def register(server: Flask, operations: Iterable[Operation]) -> None:
    """Add GET /api/v1/openapi.json to the server. operations: of all other routes."""
    listed = [*operations, OPENAPI_OPERATION]

    @server.get(OPENAPI_OPERATION.path)
    def api_described() -> Any:
        return jsonify(document(listed))
