"""The API's description: whole, and true of the app, asked through its own WSGI interface."""

import json
import re

import pytest

from dashboard.api import openapi, routes

schemathesis = pytest.importorskip("schemathesis")

UPLOADS = {"/api/v1/uploads", "/api/v1/uploads/{staged_id}"}  # which tus describes
UNDESCRIBED = {"/api/v1/decisions", "/api/v1/decisions/undo", *UPLOADS}  # of the Review page's own script


def document() -> dict:
    return openapi.document([*routes.described(), openapi.OPENAPI_OPERATION])


@pytest.fixture(scope="module")
def described(toy_home, tmp_path_factory):
    """The app on the toy run, which no test here changes, and a description of its API for schemathesis."""
    from dashboard.shell import create_app
    from tests.conftest import nothing_shipped

    app = create_app(nothing_shipped(tmp_path_factory.mktemp("described")), home=toy_home, read_only=True)
    app.server.test_client().get("/", base_url="http://127.0.0.1")
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app.server)
    return app.server, schema


def test_every_route_is_described_and_every_described_one_is_there(described):
    server, _ = described
    routes = {
        (re.sub(r"<(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in server.url_map.iter_rules()
        if rule.rule.startswith("/api/") and not rule.endpoint.endswith("_how")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    documented = {(path, method) for path, methods in document()["paths"].items() for method in methods}
    assert {route for route in routes if route[0] not in UNDESCRIBED} == documented


def test_every_reference_leads_somewhere_and_the_document_is_json():
    whole = document()
    assert whole["openapi"] == "3.1.0"
    for name in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(whole)):
        assert name in whole["components"]["schemas"], name


def test_the_app_answers_as_described(described):
    """A few dozen requests that schemathesis makes up of the description, right and wrong ones."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis.errors import Unsatisfiable
    from schemathesis import checks

    _, schema = described
    kept = [
        checks.not_a_server_error,
        schemathesis.specs.openapi.checks.status_code_conformance,
        schemathesis.specs.openapi.checks.content_type_conformance,
        schemathesis.specs.openapi.checks.response_schema_conformance,
    ]
    statuses = []
    for entry in schema.get_all_operations():
        operation = entry.ok()
        for mode in schemathesis.GenerationMode:
            few = settings(
                max_examples=8,
                deadline=None,
                derandomize=True,
                database=None,
                phases=(Phase.explicit, Phase.generate),
                suppress_health_check=list(HealthCheck),
            )

            def ask(case):
                answer = case.call(base_url="http://127.0.0.1")
                case.validate_response(answer, checks=kept)
                statuses.append((case.path, answer.status_code))

            try:
                few(given(case=operation.as_strategy(generation_mode=mode))(ask))()
            except Unsatisfiable:
                assert mode is schemathesis.GenerationMode.NEGATIVE  # a GET without parameters cannot be asked wrongly
    assert len(statuses) >= 40
    assert {status for _, status in statuses} >= {200, 400}


@pytest.mark.parametrize("fields", [{}, {"as": "json"}])
def test_right_answers_have_the_shape_that_is_described(described, fields):
    """With a real picture, which nobody makes up: answers, lines and explanations."""
    import io

    import jsonschema_rs
    import numpy as np
    from PIL import Image

    server, _ = described
    buffer = io.BytesIO()
    Image.fromarray(np.tile(np.arange(28, dtype=np.uint8) * 9, (28, 1))).save(buffer, "PNG")
    schemas = document()["components"]

    def fits(name: str, value: object) -> None:
        whole = {"$ref": f"#/components/schemas/{name}", "components": schemas}
        jsonschema_rs.validator_for(whole).validate(value)

    def send(path: str, field: str, **more: str):
        data = {field: (io.BytesIO(buffer.getvalue()), "a/b.png"), **more}
        answer = server.test_client().post(path, data=data, base_url="http://127.0.0.1")
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return answer

    fits("Answer", send("/api/v1/predict", "image").get_json())
    fits("Frame", send("/api/v1/frame", "image", overlay="1").get_json())
    for line in send("/api/v1/batch", "files", seen="1").get_data(as_text=True).splitlines():
        fits("Line", json.loads(line))
    answer = send("/api/v1/explain", "image", **fields)
    if fields:
        fits("Attribution", answer.get_json())
    else:
        assert answer.mimetype == "image/png"
    fits("Runs", server.test_client().get("/api/v1/runs", base_url="http://127.0.0.1").get_json())
