"""Every door through which something is changed, found in the app itself, tried with each role and with none."""

import io
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from dashboard.records import decisions, feedback, happenings, prediction_log, runs, slices, views
from dashboard.records.rows import Declined, Rows
from dashboard.services import adding, datasets, imports, jobs, staging
from dashboard.services import runs as registry
from dashboard.shell import create_app
from dashboard.web import security
from ml.artifacts.reader import Library
from ml.jobs.queue import Refused
from ml.people import acting
from ml.people.accounts import Accounts
from ml.people.acting import OWN, REVIEW, ROLES, TRAIN
from ml.system import database
from tests.faults.test_web import CALLBACK, envelope

WORD, HOST = "correct horse", "http://127.0.0.1"
LOOKS = {"GET", "HEAD", "OPTIONS"}

Call = Callable[..., Any]
UPLOAD = {"Tus-Resumable": "1.0.0", "Upload-Length": "1", "Upload-Offset": "0", "Upload-Metadata": "filename eA=="}
PIECE = "application/offset+octet-stream"
NOT_WHOLE = staging.Staged("f" * 24, "x.zip", 1, Path("x.zip"), 0.0)
VIEW = {"page": "/", "search": "?run=toy", "dataset": "d", "run": "toy", "data": "", "split": "test"}
# every method that changes something: the least role that it takes, and what asks for it. A method in neither this
# table nor the next one fails the test
CHANGING: dict[type, dict[str, tuple[str, Call]]] = {
    runs.Records: {
        "rename": (REVIEW, lambda made: made.rename("toy", "x")),
        "annotate": (REVIEW, lambda made: made.annotate("toy", "x")),
        "tag": (REVIEW, lambda made: made.tag("toy", "x")),
        "archive": (TRAIN, lambda made: made.archive("toy")),
        "promote": (OWN, lambda made: made.promote("toy", "because", None)),
        "deleting": (OWN, lambda made: made.deleting("toy", "x").__enter__()),
        "undo": (REVIEW, lambda made: made.undo(1)),
    },
    decisions.Decisions: {
        "decide": (REVIEW, lambda made: made.decide("d", "test", {1: "a"}, "exclude", batch="f" * 32)),
        "undo": (REVIEW, lambda made: made.undo("d")),
        "bring": (REVIEW, lambda made: made.bring([], "f" * 32)),
    },
    slices.Slices: {
        "save": (REVIEW, lambda made: made.save("d", "x", {"test": [1]}, rule="", run="toy")),
        "rename": (REVIEW, lambda made: made.rename(made.all("d")[0].key, "y")),
        "remove": (REVIEW, lambda made: made.remove(made.all("d")[0].key)),
    },
    feedback.Feedback: {
        "judge": (REVIEW, lambda made: made.judge([1], "accepted")),
        "remove": (REVIEW, lambda made: made.remove([1])),
        "restore": (REVIEW, lambda made: made.restore([1])),
    },
    views.Views: {
        "save": (REVIEW, lambda made: made.save("x", "", VIEW)),
        "describe": (REVIEW, lambda made: made.describe(1, "x", "y")),
        "remove": (REVIEW, lambda made: made.remove(1)),
        "restore": (REVIEW, lambda made: made.restore(1)),
    },
    registry.RunRegistry: {
        "take": (TRAIN, lambda made: made.take(b"PK")),
        "delete": (OWN, lambda made: made.delete("toy")),
        "restore": (OWN, lambda made: made.restore(made.deleted()[0].folder)),
    },
    staging.Staging: {
        "create": (TRAIN, lambda made: made.create("x.zip", 1)),
        "point": (TRAIN, lambda made: made.point("/")),
        "append": (TRAIN, lambda made: made.append("f" * 24, 0, None)),
        "remove": (TRAIN, lambda made: made.remove("f" * 24)),
    },
    imports.Imports: {
        "begin": (TRAIN, lambda made: made.begin(NOT_WHOLE, "x", {})),
        "fetch": (TRAIN, lambda made: made.fetch("clothing-photos")),
    },
    adding.Adding: {
        "begin": (TRAIN, lambda made: made.begin(NOT_WHOLE, "x", "toys", {}, taken=(), datasets=())),
    },
    datasets.DatasetRegistry: {
        "describe": (TRAIN, lambda made: made.describe("x", title="x", description="")),
        "delete": (OWN, lambda made: made.delete("x")),
        "restore": (OWN, lambda made: made.restore("x")),
    },
    jobs.Jobs: {
        "begin": (TRAIN, lambda made: made.begin({}, "x", kind="import")),
        "submit": (TRAIN, lambda made: made.submit({})),
        "retrain": (TRAIN, lambda made: made.retrain({}, "x", against="toy", relabelled={}, excluded=())),
        "fine_tune": (
            TRAIN, lambda made: made.fine_tune({}, "x", against="toy", images=None, wanted=(), clients=()),
        ),
        "fetch": (TRAIN, lambda made: made.fetch()),
        "evaluate": (TRAIN, lambda made: made.evaluate("toy", "engines", runs=("toy",))),
        "cancel": (TRAIN, lambda made: made.cancel("f" * 32)),
        "resume": (TRAIN, lambda made: made.resume("f" * 32)),
        "discard": (TRAIN, lambda made: made.discard("f" * 32)),
    },
}  # fmt: skip
LOOKING: dict[type, set[str]] = {
    runs.Records: {"changed", "marks", "promotions", "changes", "change"},
    decisions.Decisions: {"changed", "current_labels", "log", "count"},
    slices.Slices: {"changed", "all", "get"},
    feedback.Feedback: {
        "changed", "signature", "signed", "listing", "counts", "labels", "accepted", "deeds", "trashed", "readable",
        "picture", "sweep", "give",  # whoever may look may say whether an answer was right
    },
    views.Views: {"changed", "listing", "get"},
    registry.RunRegistry: {"home", "entry", "names", "card", "pack", "graph", "free_name", "deleted", "purge", "undo"},
    staging.Staging: {"get", "listing", "imported", "sweep", "used"},
    imports.Imports: {"preview", "named", "listing", "receipt"},
    adding.Adding: {
        "brought", "doctored", "listing", "look", "diagnose", "key", "left_out", "named", "free", "jobs", "receipt",
        "stem",
    },
    datasets.DatasetRegistry: {"names", "known", "busy", "packed", "deleted", "original", "as_it_came"},
    jobs.Jobs: {
        "listing",
        "estimate", "manager", "admit", "view", "training", "evaluation", "events", "log_file", "log_tail", "ahead",
        "at_work", "names", "lessons", "kept", "corrections", "watched", "table", "wake", "health", "clustered",
        "reachable", "trouble",
    },
}  # fmt: skip
ROWS = {
    "writing",
    "permit",
    "note",
    "opened",
    "rows",
    "reading",
    "owner",
    "migrations",
}  # what all records are built from

# method and route: the least role that it takes, and a body that would do
POSTS: dict[str, tuple[str, Call]] = {
    "POST /api/v1/decisions": (
        REVIEW,
        lambda: {"json": {"run": "toy", "split": "test", "ids": [1], "action": "exclude", "batch": "f" * 32}},
    ),
    "POST /api/v1/decisions/undo": (REVIEW, lambda: {"json": {"run": "toy"}}),
    "POST /api/v1/feedback/judge": (REVIEW, lambda: {"json": {"numbers": [1], "state": "accepted"}}),
    "POST /api/v1/feedback/delete": (REVIEW, lambda: {"json": {"numbers": [1]}}),
    "POST /api/v1/feedback/restore": (REVIEW, lambda: {"json": {"numbers": [1]}}),
    "POST /api/v1/views": (REVIEW, lambda: {"json": {"name": "x", "link": "/?run=toy"}}),
    "POST /api/v1/views/<number>": (REVIEW, lambda: {"json": {"name": "y"}}),
    "DELETE /api/v1/views/<number>": (REVIEW, lambda: {"json": {}}),
    "POST /api/v1/views/<number>/restore": (REVIEW, lambda: {"json": {}}),
    "POST /api/v1/uploads": (TRAIN, lambda: {"headers": UPLOAD}),
    "PATCH /api/v1/uploads/<staged_id>": (TRAIN, lambda: {"headers": UPLOAD, "content_type": PIECE, "data": b"x"}),
    "DELETE /api/v1/uploads/<staged_id>": (TRAIN, lambda: {"headers": UPLOAD}),
    "POST /api/v1/runs/added": (TRAIN, lambda: {"json": {"upload": "f" * 24, "data": "toys", "name": "x"}}),
    "POST /api/v1/runs/looked": (TRAIN, lambda: {"json": {"upload": "f" * 24, "data": "toys"}}),
    "POST /api/v1/runs": (TRAIN, lambda: {"data": {"file": (io.BytesIO(b"PK"), "run.zip")}}),
}
ASKING = {  # they change nothing, or everybody may
    "POST /api/v1/predict", "POST /api/v1/frame", "POST /api/v1/batch", "POST /api/v1/explain",
    "POST /api/v1/whatif", "POST /api/v1/feedback",
    f"POST {CALLBACK}",
}  # fmt: skip
ANYBODYS = ("prediction_log", "prediction_counts", "feedback", "happenings")  # what looking and feedback add to


@pytest.fixture
def app(home, no_artifacts):
    accounts = Accounts(home)
    for role in ROLES:
        accounts.add(role, role, WORD)
    return create_app(no_artifacts, home=home)


@pytest.fixture
def client(app):
    return app.server.test_client()


def signed(role: str) -> dict[str, str]:
    return {"Authorization": security.basic(WORD, role)} if role else {}


@pytest.fixture
def written() -> Iterator[list[str]]:
    """Every statement that changes a row, as it is executed."""
    seen: list[str] = []

    def look(_: object, __: object, statement: str, *more: object) -> None:
        changes = statement.split(None, 1)[0].upper() in ("INSERT", "UPDATE", "DELETE", "REPLACE")
        if changes and "INTO migrations" not in statement:  # whoever looks first opens the tables
            seen.append(statement)

    event.listen(Engine, "before_cursor_execute", look)
    yield seen
    event.remove(Engine, "before_cursor_execute", look)


def knock(client, door: str, sender: dict[str, str], **more: Any):
    method, path = door.split()
    path = path.replace("<number>", "1").replace("<staged_id>", "f" * 24)
    headers = {**sender, **more.pop("headers", {})}
    return client.open(path, method=method, base_url=HOST, headers=headers, **more)


def public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")} - ROWS


def test_all_that_keeps_rows_is_known_here():
    assert {*CHANGING, happenings.Happenings, prediction_log.Monitor} >= set(Rows.__subclasses__())


@pytest.mark.parametrize("kind", CHANGING, ids=lambda kind: kind.__name__)
def test_every_method_that_changes_something_asks_first(kind, home, no_artifacts, written):
    assert public(kind) == CHANGING[kind].keys() | LOOKING[kind], "a new one needs its least role, or to be one to look"
    opener = database.opener(home)
    records = runs.Records(opener)
    library = Library(no_artifacts, home)
    all_jobs = jobs.Jobs(home, artifacts=no_artifacts)
    special = {
        jobs.Jobs: lambda: all_jobs,
        feedback.Feedback: lambda: feedback.Feedback(opener, home / "feedback", lambda *_: None),
        registry.RunRegistry: lambda: registry.RunRegistry(library, all_jobs, records),
        datasets.DatasetRegistry: lambda: datasets.DatasetRegistry(library, all_jobs, records),
        staging.Staging: lambda: staging.Staging(home),
        imports.Imports: lambda: imports.Imports(staging.Staging(home), all_jobs),
        adding.Adding: lambda: adding.Adding(staging.Staging(home), all_jobs),
    }
    made = special.get(kind, lambda: kind(opener))()
    # what there must be for a refusal to be about the role
    if kind is slices.Slices:
        made.save("d", "x", {"test": [1]}, rule="", run="toy")
    if kind is views.Views:
        made.save("x", "", VIEW)
    if kind is registry.RunRegistry:
        shutil.copytree(home / "runs" / "toy", home / "runs" / "other")
        manifest = json.loads((home / "runs" / "other" / "manifest.json").read_text())
        (home / "runs" / "other" / "manifest.json").write_text(json.dumps({**manifest, "run_id": "other"}))
        made.delete("other")
    all_jobs.table()
    written.clear()
    for name, (least, call) in CHANGING[kind].items():
        for role in ROLES[: ROLES.index(least)]:
            acting.enter(acting.Person("ada", role, "account"))
            try:
                with pytest.raises((Declined, Refused)) as refused:
                    call(made)
            finally:
                acting.leave()
            assert f"ada has the role {role}: it takes the role {least}" in str(refused.value), (name, refused.value)
    assert written == []
    assert (home / "runs" / "toy").is_dir()


def test_every_route_that_takes_something_asks_who_sends_it(app, client, home, written):
    """With a password and with a token, which has the role of its account and opens no page."""
    tokens = {role: {"Authorization": f"Bearer {Accounts(home).make_token(role)}"} for role in ROLES}
    rules = app.server.url_map.iter_rules()
    posts = {f"{method} {rule.rule}" for rule in rules for method in (rule.methods or set()) - LOOKS}
    assert posts == POSTS.keys() | ASKING, "a new route needs its least role, or to be one that asks only"
    for door in (*POSTS, *ASKING):
        assert knock(client, door, {}).status_code == 401, door
    assert client.post(CALLBACK, base_url=HOST, headers=tokens["own"], json={}).status_code == 401
    written.clear()
    for door, (least, body) in POSTS.items():
        for role, headers in [*((role, signed(role)) for role in ROLES), *tokens.items()]:
            answer = knock(client, door, headers, **body())
            refused = answer.status_code == 403 and f"it takes the role {least}" in answer.get_json()["error"]
            assert refused == (ROLES.index(role) < ROLES.index(least)), (door, role, answer.text)
            if refused:
                assert written == [], (door, role)
            written.clear()


def test_no_callback_changes_anything_for_who_may_only_look(app, client, home, written):
    """Each callback that there is, fired as a click with values that would do."""
    headers, fired, told = signed("look"), 0, 0
    written.clear()
    for output, declared in list(app.callback_map.items()):
        if declared.get("background") or "callback" not in declared:
            continue
        body = envelope(app, output)
        for item in (*body["inputs"], *body["state"]):
            for one in item if isinstance(item, list) else [item]:
                one["value"] = plausible(one["id"], one["property"])
        for item in body["inputs"]:
            one = item[0] if isinstance(item, list) and item else item
            if isinstance(one, dict):
                name = one["id"] if isinstance(one["id"], str) else json.dumps(one["id"])
                sent = json.dumps({**body, "changedPropIds": [f"{name}.{one['property']}"]})
                answer = client.post(
                    CALLBACK, base_url=HOST, headers=headers, data=sent, content_type="application/json"
                )
                assert answer.status_code in (200, 204), (output, answer.text)
                changed = [line for line in written if not any(f" {table}" in line for table in ANYBODYS)]
                assert changed == [], (output, changed)
                told += "it takes the role" in answer.text
                fired += 1
    assert fired > 200
    assert told >= 3, "some of these are refused in words, or the values reach nothing"
    assert not [path for path in (home / "runs").iterdir() if path.name != "toy"]


def plausible(identity: object, name: str) -> object:
    """A value that the page might send: a click, the run, its address, a name."""
    words = identity if isinstance(identity, str) else json.dumps(identity)
    if name in ("n_clicks", "n_intervals", "n_submit", "n_blur"):
        return 1
    if name in ("search", "href"):
        return "?run=toy"
    if name == "pathname":
        return "/training"
    if name.endswith("Data"):  # of a chart
        return {"points": []}
    if name == "data":
        return {"run": "toy", "of": "toy", "key": "slice-1", "name": "x", "n": 1, "what": "delete"}
    if "run" in words or "picker" in words:
        return "toy"
    return "because"
