"""The API described as OpenAPI 3.1: written beside the routes and kept true by a test that asks them.

A route of another module adds its part with an entry in PATHS (and in SCHEMAS, for what it answers).
"""

import copy
from typing import Any

from dashboard.records.feedback import NOTE, STATES
from dashboard.services.explainer import EXPLAIN
from dashboard.web.security import API_BYTES, BATCH, BATCH_BYTES
from ml.images.preparation import MODES
from ml.images.upload_archives import FILES, UNPACKED
from ml.inference.engines import ENGINES

VERSION = "1.0"
MB = 10**6
TITLE = "Fashion Forward"
ABOUT = (
    'Pictures in, answers out. Every error is {"error": "a sentence"} with a status of 400 or above. Requests that '
    "change or compute something must come from the app's own pages or from no page at all (Origin, Sec-Fetch-Site)."
)


def _text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "description": words, **more}


def _object(properties: dict[str, Any], required: list[str] | None = None, **more: Any) -> dict[str, Any]:
    """required: all of the properties when None."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
        **more,
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: dict[str, Any], words: str) -> dict[str, Any]:
    return {"description": words, "content": {"application/json": {"schema": schema}}}


def _multipart(properties: dict[str, Any], required: list[str], **more: Any) -> dict[str, Any]:
    """A form; `more` goes to its media type."""
    return {"required": True, "content": {"multipart/form-data": {"schema": _object(properties, required), **more}}}


FILE = {"type": "string", "contentMediaType": "application/octet-stream"}
SHARE = {"type": "number", "minimum": 0, "maximum": 1.0001}  # float32 sums may pass 1 by a hair
COUNT = {"type": "integer", "minimum": 0}
CHOICE: dict[str, dict[str, Any]] = {
    "run": _text("Which run answers, as /api/v1/runs lists them; the default run when left out."),
    "top": {"type": "integer", "minimum": 1, "description": "How many classes to name, the likely first; else 3."},
    "prepare": _text(
        "auto: a picture of exactly the network's form passes unchanged, others go through every step; full: every "
        "step for every picture; none: only resized.",
        enum=list(MODES),
    ),
    "engine": _text(
        "What computes the answer: torch (the usual), or the run's ONNX file in float32 or int8, where it was made.",
        enum=list(ENGINES),
    ),
}  # fmt: skip
IMAGE = {**FILE, "description": f"A PNG, JPEG, WebP or GIF file of up to {API_BYTES // MB} MB."}
ERRORS = {
    "400": "What was sent cannot be read, or a field has a value that is not allowed.",
    "401": "The server asks for its password (HTTP Basic).",
    "403": "The request comes from another site's page, or the server is read-only.",
    "404": "There is no such run, or this run has no such file or explanation.",
    "409": "The run is broken, or the name is taken.",
    "413": "The file or the request is too large.",
    "415": "The request is no multipart/form-data, or the file no picture.",
    "422": "The picture is damaged, or the run does not check out.",
    "429": "This address has asked for too much: Retry-After says for how many seconds to wait.",
    "503": "Too much is being read just now: Retry-After says when to come again.",
}


def _errors(*statuses: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status in sorted({400, 401, 403, 429, *statuses}):
        found[str(status)] = _json(_ref("Error"), ERRORS[str(status)])
        if status in (429, 503):
            found[str(status)]["headers"] = {"Retry-After": {"schema": {"type": "string"}, "description": "Seconds."}}
    return found


SCHEMAS: dict[str, dict[str, Any]] = {
    "Error": _object({"error": _text("What is wrong and what is allowed.")}),
    "Guess": _object({"label": _text("A class."), "probability": SHARE}),
    "Answer": _object(
        {
            "run": _text("The run that answered."),
            "label": _text("The most likely class."),
            "confidence": SHARE,
            "top": {"type": "array", "items": _ref("Guess"), "minItems": 1},
            "ms": {"type": "number", "minimum": 0, "description": "Preparation and network, milliseconds."},
            "ticket": _ref("Ticket"),
        },
        ["run", "label", "confidence", "top", "ms"],
    ),
    "Frame": _object(
        {
            "run": _text("The run that answered."),
            "label": _text("The most likely class."),
            "confidence": SHARE,
            "top": {"type": "array", "items": _ref("Guess"), "minItems": 1},
            "ms": {"type": "number", "minimum": 0, "description": "Preparation and network, milliseconds."},
            "height": {**COUNT, "description": "Of the picture as the network saw it."},
            "width": {**COUNT, "description": "Of the picture as the network saw it."},
            "place": {
                "type": "array",
                "description": "Where that picture lies in the frame: two rows that make of its point (x, y, 1), in "
                "pixels from the upper left corner, the point of the frame, in shares of width and height.",
                "items": {"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3},
                "minItems": 2,
                "maxItems": 2,
            },
            "overlay": _text("What spoke for the class, a see-through PNG of that picture's size as a data URL."),
        },
        ["run", "label", "confidence", "top", "ms", "height", "width", "place"],
    ),
    "Ticket": _object(
        {
            "run": _text("The run that answered."),
            "prediction": _text("The server's mark that it gave this answer; empty where no feedback is taken."),
            "said": _text("The answer."),
            "confidence": _text("Its confidence, as the mark has it."),
            "origin": _text("The data set's picture, as 'test 17'; empty for any other."),
            "image": _text("The picture as the network saw it, a data URL."),
        }
    ),
    "Judgement": _object(
        {
            "key": _text("32 digits and letters a to f, new for each answer: what is sent twice is kept once."),
            **{
                name: _text(f"As the ticket has it: {name}.")
                for name in ("run", "prediction", "said", "confidence", "origin", "image")
            },
            "label": _text("The class it is, in your judgement."),
            "note": _text(f"At most {NOTE} characters."),
        },
        ["key", "run", "prediction", "said", "confidence", "image", "label"],
    ),
    "Kept": _object(
        {
            "number": COUNT,
            "label": _text("The class it is."),
            "right": {"type": "boolean", "description": "The answer."},
        }
    ),
    "Numbers": _object(
        {"numbers": {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}}}
    ),
    "Changed": _object({"changed": COUNT}),
    "Line": {
        "description": "One line of a batch: an answer, a file without one, or the last line, which counts them.",
        "anyOf": [
            _object(
                {
                    "file": _text("The file's name, with its folders, as text."),
                    "true": _text("The class that its folder is named after; left out where it is none."),
                    "label": _text("The most likely class."),
                    "confidence": SHARE,
                    "top": {"type": "array", "items": _ref("Guess"), "minItems": 1},
                    "seen": _text("The picture as the network saw it, a data URL; where seen=1 was sent."),
                },
                ["file", "label", "confidence", "top"],
            ),
            _object(
                {"file": _text("The file's name."), "true": _text("As above."), "error": _text("Why.")},
                ["file", "error"],
            ),
            _object(
                {
                    "done": _object(
                        {
                            "run": _text("The run that answered."),
                            "files": COUNT,
                            "answered": COUNT,
                            "refused": COUNT,
                            "seconds": {"type": "number", "minimum": 0},
                        }
                    )
                }
            ),
            _ref("Error"),
        ],
    },
    "Change": _object(
        {
            "image": _text("A picture as a data URL; one that has not the network's form is prepared first."),
            "edits": _text(
                "What is changed, in this order, as docs/preparation.md has it: rot:15,shift:2:-1,blur:0.8",
                maxLength=4000,
            ),
            "run": CHOICE["run"],
            "engine": CHOICE["engine"],
            "look": {"type": "boolean", "description": "Send Grad-CAM of the answer after the changes along."},
        },
        ["image"],
    ),
    "Whatif": _object(
        {
            "run": _text("The run that answered."),
            "edits": _text("What was changed."),
            "image": _text("The picture after it, of the network's form, a data URL."),
            "ground": {"type": "integer", "minimum": 0, "maximum": 255, "description": "What comes in from outside."},
            "classes": {"type": "array", "items": {"type": "string"}},
            "before": {"type": "array", "items": SHARE, "description": "Probabilities as trained, in class order."},
            "after": {"type": "array", "items": SHARE, "description": "The same after the changes."},
            "table": _text("Both as CSV, a data URL."),
            "ms": {"type": "number", "minimum": 0},
            "look": _text("See-through, a data URL; empty where the network has no convolution."),
        },
        ["run", "edits", "image", "ground", "classes", "before", "after", "table", "ms"],
    ),
    "Attribution": _object(
        {
            "run": _text("The run that was asked."),
            "method": _text("How it was asked.", enum=list(EXPLAIN)),
            "target": _text("The class that was asked about."),
            "probability": {**SHARE, "description": "Of that class."},
            "label": _text("The most likely class."),
            "height": COUNT,
            "width": COUNT,
            "values": {
                "type": "array",
                "description": "height rows of width numbers, in the method's own unit: what spoke for the class "
                "(above zero) and against it.",
                "items": {"type": "array", "items": {"type": "number"}},
            },
        }
    ),
    "Run": {
        "description": "A run; a broken one has ok false, and a reason instead of the rest.",
        "type": "object",
        "properties": {
            "run": _text("Its id."),
            "ok": {"type": "boolean"},
            "reason": _text("Why it cannot be used."),
            "model": _text("The network's name."),
            "parameters": COUNT,
            "dataset": _text("What it was trained on."),
            "classes": {"type": "array", "items": {"type": "string"}},
            "height": COUNT,
            "width": COUNT,
            "channels": COUNT,
            "results": {
                "type": "object",
                "description": "By split: right answers, of how many.",
                "additionalProperties": _object({"correct": COUNT, "n": COUNT}),
            },
            "created": _text("When it was trained."),
            "title": _text("What people call it."),
            "tags": {"type": "array", "items": {"type": "string"}},
            "note": _text("What people say of it."),
            "archived": {"type": "boolean"},
        },
        "required": ["run", "ok"],
    },
    "Runs": _object(
        {
            "default": {"type": ["string", "null"], "description": "The run that answers when none is named."},
            "runs": {"type": "array", "items": _ref("Run")},
        }
    ),
    "Taken": _object(
        {
            "run": _text("What the run is called here."),
            "was": _text("What it was called in the file."),
            "needs": _text("The data set whose pictures are not on this machine, or ''."),
        }
    ),
    "NameTaken": _object(
        {"error": _text("Why."), "field": _text("name"), "free": _text("A name that is free.")}, ["error"]
    ),
}


def _feedback(operation: str, summary: str, sent: dict[str, Any], answers: dict[str, Any]) -> dict[str, Any]:
    """A JSON request about feedback."""
    return {
        "post": {
            "operationId": operation,
            "summary": summary,
            "requestBody": {"required": True, "content": {"application/json": {"schema": sent}}},
            "responses": {**answers, **_errors(404, 413, 415, 422, 503)},
        }
    }


CHANGED = {"200": _json(_ref("Changed"), "How many were changed.")}
JUDGED = _object({**SCHEMAS["Numbers"]["properties"], "state": _text("What they are from now on.", enum=list(STATES))})
PATHS: dict[str, dict[str, Any]] = {
    "/api/v1/predict": {
        "post": {
            "operationId": "predict",
            "summary": "What a picture shows.",
            "requestBody": _multipart(
                {
                    "image": IMAGE,
                    **CHOICE,
                    "ticket": _text("1: send along what POST /api/v1/feedback needs.", enum=["0", "1"]),
                },
                ["image"],
            ),
            "responses": {"200": _json(_ref("Answer"), "The answer."), **_errors(404, 409, 413, 415, 422, 503)},
        }
    },
    "/api/v1/frame": {
        "post": {
            "operationId": "frame",
            "summary": "What one frame of a camera shows, quickly.",
            "description": "The thing is looked for in a coarser copy than predict does. Nothing is kept or counted.",
            "requestBody": _multipart(
                {
                    "image": {**FILE, "description": "A PNG, JPEG, WebP or GIF file of up to 2 MB."},
                    "run": CHOICE["run"],
                    "overlay": _text("1: send Grad-CAM's overlay along, where the network has one.", enum=["0", "1"]),
                },
                ["image"],
            ),
            "responses": {"200": _json(_ref("Frame"), "The answer."), **_errors(404, 409, 413, 415, 422, 503)},
        }
    },
    BATCH: {
        "post": {
            "operationId": "batch",
            "summary": "What many pictures show, one JSON line a file, as they are answered.",
            "description": (
                f"Files and zips: {FILES:,} files, {BATCH_BYTES // MB} MB as sent and {UNPACKED // MB} MB unpacked. "
                "A file that cannot be read has its own line with an error; the others go on. The last line counts "
                "them: without it the answer broke off. A folder named after a class is the file's true label."
            ),
            "requestBody": _multipart(
                {
                    "files": {
                        "type": "array",
                        "items": FILE,
                        "minItems": 1,
                        "description": "A picture or a zip of pictures each; its name may have folders.",
                    },
                    **CHOICE,
                    "seen": _text("1: send each picture as the network saw it along.", enum=["0", "1"]),
                },
                ["files"],
            ),
            "responses": {
                "200": {
                    "description": "One JSON value a line.",
                    "content": {"application/x-ndjson": {"schema": {"type": "string"}, "x-line": _ref("Line")}},
                },
                **_errors(404, 409, 413, 415, 503),
            },
        }
    },
    "/api/v1/explain": {
        "post": {
            "operationId": "explain",
            "summary": "What in a picture spoke for a class.",
            "requestBody": _multipart(
                {
                    "image": IMAGE,
                    "run": CHOICE["run"],
                    "prepare": CHOICE["prepare"],
                    "target": _text("A class by name; the most likely one when left out."),
                    "method": _text("How to ask; grad-cam when left out.", enum=list(EXPLAIN)),
                    "layer": _text("Grad-CAM only: the layer it looks at, as the run's manifest names it."),
                    "as": _text("png: an overlay of the network's size; json: the numbers.", enum=["png", "json"]),
                },
                ["image"],
            ),
            "responses": {
                "200": {
                    "description": "The overlay, or the numbers.",
                    "headers": {
                        "X-Target": {"schema": {"type": "string"}, "description": "With a PNG: the class, from 0."}
                    },
                    "content": {
                        "image/png": {"schema": {"type": "string", "contentMediaType": "image/png"}},
                        "application/json": {"schema": _ref("Attribution")},
                    },
                },
                **_errors(404, 409, 413, 415, 422, 503),
            },
        }
    },
    "/api/v1/whatif": {
        "post": {
            "operationId": "whatif",
            "summary": "What becomes of the answer when a picture is changed by hand.",
            "requestBody": {"required": True, "content": {"application/json": {"schema": _ref("Change")}}},
            "responses": {"200": _json(_ref("Whatif"), "Both answers."), **_errors(404, 409, 413, 415, 422, 503)},
        }
    },
    "/api/v1/runs": {
        "get": {
            "operationId": "runs",
            "summary": "Every run, broken ones with their reason.",
            "responses": {"200": _json(_ref("Runs"), "The runs."), **_errors()},
        },
        "post": {
            "operationId": "take",
            "summary": "Take in the zip of a run, after checking everything in it.",
            "requestBody": _multipart(
                {"file": FILE, "name": _text("What the run shall be called here; its own name when left out.")},
                ["file"],
            ),
            "responses": {
                "201": _json(_ref("Taken"), "The run is here."),
                **_errors(413, 415, 422, 503),
                "409": _json(_ref("NameTaken"), ERRORS["409"]),
            },
        },
    },
    "/api/v1/feedback": _feedback(
        "feedback",
        "Say whether an answer was right. On the disk when this answers.",
        _ref("Judgement"),
        {"201": _json(_ref("Kept"), "It is kept."), "200": _json(_ref("Kept"), "It was kept already.")},
    ),
    "/api/v1/feedback/judge": _feedback("judge", "Accept or reject feedback by number.", JUDGED, CHANGED),
    "/api/v1/feedback/delete": _feedback("delete", "Delete feedback by number.", _ref("Numbers"), CHANGED),
    "/api/v1/feedback/restore": _feedback("restore", "Bring deleted feedback back.", _ref("Numbers"), CHANGED),
    "/api/v1/openapi.json": {
        "get": {
            "operationId": "openapi",
            "summary": "This document.",
            "responses": {"200": _json({"type": "object"}, "OpenAPI 3.1."), **_errors()},
        }
    },
}  # fmt: skip


def document() -> dict[str, Any]:
    """The whole document, a new one each time."""
    return copy.deepcopy(
        {
            "openapi": "3.1.0",
            "info": {"title": TITLE, "version": VERSION, "description": ABOUT},
            "paths": PATHS,
            "components": {
                "schemas": SCHEMAS,
                "securitySchemes": {
                    "password": {
                        "type": "http",
                        "scheme": "basic",
                        "description": "Where the server was started with FASHION_PASSWORD; any user name.",
                    }
                },
            },
            "security": [{}, {"password": []}],
        }
    )
