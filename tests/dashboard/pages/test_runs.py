"""The table of runs and the drawer of one run, callback by callback, without a browser."""

import csv
import json
import re
import shutil
from datetime import datetime
from pathlib import Path

import pytest

from dashboard.analysis import run_table
from dashboard.pages.training import run_changes, run_rows
from dashboard.records.runs import Mark, Records
from ml.artifacts.reader import RunEntry
from ml.jobs import start
from ml.jobs.queue import JobTable
from ml.publishing import run_archive
from ml.system import database
from tests.callbacks import Client

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def no_worker(monkeypatch):
    monkeypatch.setattr(start, "start_worker", lambda home: None)


@pytest.fixture
def two(home):
    """A home with the runs `toy` and `second`."""
    folder = home / "runs" / "second"
    shutil.copytree(home / "runs" / "toy", folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    changed = {"run_id": "second", "created": "2026-01-02T03:04:05Z", "latency_ms": 1.5, "bytes": 2_500_000}
    (folder / "manifest.json").write_text(json.dumps({**manifest, **changed}))
    return home


def make(home, artifacts, read_only=False):
    from dashboard.shell import create_app

    app = create_app(artifacts, home=home, read_only=read_only)
    browser = app.server.test_client()

    def send(path, data):
        answer = browser.post(path, data=data, content_type="application/json")
        return answer.status_code, answer.get_data(as_text=True)

    client = Client(send, lambda path: browser.get(path).get_data(as_text=True))
    client.browser = browser
    return client


@pytest.fixture
def client(two, no_artifacts):
    return make(two, no_artifacts)


@pytest.fixture
def records(two, no_artifacts):
    return Records(database.opener(two))


def table(client, **values):
    """Every text of the table, and the rest of what the callback gives."""
    named = {"url.search": "", **{f"training-runs-{name}.value": value for name, value in values.items()}}
    sort = named.pop("training-runs-sort.value", None)
    status, made = client.fire_with(
        "training-runs-help.children", "training-runs-state.data", {**named, "training-runs-sort-state.data": sort}
    )
    assert status == 200
    return made


def names(made) -> list[str]:
    """The runs in the order of their rows."""
    text = json.dumps(made["training-runs-table"]["tree"])
    return list(dict.fromkeys(re.findall(r'"data-of": "([^"]+)"', text)))


def act(client, button, opened="second", last=None, search="", request=None, **typed):
    """Press a button of the drawer; what the page is told."""
    values = {
        f"training-run-{button}.n_clicks": 1,
        "training-run-state.data": opened,
        "training-run-last.data": last,
        "url.search": search,
        **{f"training-run-{name}-input.value": value for name, value in typed.items()},
    }
    changed = f"training-run-{button}.n_clicks"
    if request is not None:
        values["training-asked-state.data"], changed = request, "training-asked-state.data"
    if button == "runs-undo":
        values["training-runs-undo.n_clicks"], changed = 1, "training-runs-undo.n_clicks"
    status, made = client.fire_with("training-run-last.data", changed, values)
    assert status == 200
    return made


# ---- the table


def test_every_run_has_a_row_with_its_numbers(client, two):
    made = table(client)
    text = json.dumps(made["training-runs-table"]["tree"], ensure_ascii=False)
    assert names(made) == ["toy", "second"]
    for words in ("in use", "Use second", "2.5 MB", "1.50 ms", "default", "Macro-F1", "ECE"):
        assert words in text
    assert "Accuracy (of 400 test images" in made["training-runs-help"]["children"]
    result = json.loads((two / "runs" / "toy" / "manifest.json").read_text())["results"]["test"]
    assert f"{100 * result['correct'] / result['n']:.1f}" in text


def test_what_people_say_is_in_the_row(client, records):
    records.rename("second", "My <b>net</b>")
    records.tag("second", "keep, small")
    records.annotate("second", "for the talk")
    records.archive("toy")
    client = client_again(client)
    made = table(client)
    text = json.dumps(made["training-runs-table"]["tree"])
    assert set(names(made)) == {"second", "toy"}  # toy is in use: never hidden
    for words in ("My <b>net</b>", '"second"', "keep", "for the talk", "archived"):
        assert words in text
    assert made["training-runs-tags"]["options"] == [
        {"value": "keep", "label": "keep"}, {"value": "small", "label": "small"},
    ]  # fmt: skip
    assert made["training-runs-archived"]["options"][0]["label"] == "Show archived (1)"


def client_again(client):
    """The same app, after its records are old enough to be read again."""
    import time

    time.sleep(0.6)
    return client


ENTRY = {"results": {"test": {"correct": 90, "n": 100, "loss": 0.1}}, "dataset": {"name": "x"}, "config": {}}


def made_row(name, model="mlp", f1=None, created="", **mark):
    entry = RunEntry(name, Path(name), False, manifest={**ENTRY, "model": model, "created": created})
    scores = {"accuracy": run_table.Score(0.9, 0.8, 0.95)}
    if f1 is not None:
        scores["macro_f1"] = run_table.Score(f1)
    return run_table.Row(entry, Mark(**mark), scores)


def test_rows_are_sorted_with_unknown_values_last():
    rows = [made_row("b", f1=0.5), made_row("c"), made_row("a", f1=0.7), made_row("d", f1=0.6)]

    def order(sort):
        return "".join(row.run_id for row in run_rows.ordered(rows, sort))

    assert order(None) == "bcad"
    assert order({"by": "f1", "down": True}) == "adbc"
    assert order({"by": "f1", "down": False}) == "bdac"
    assert order({"by": "run", "down": False}) == "abcd"
    for wrong in ({"by": "magic"}, {"by": ["run"]}, {}, "run", 7, {"by": None, "down": "x"}):
        assert order(wrong) == "bcad"


def test_dates_are_sorted_as_dates():
    rows = [made_row("a", created="2026-11-02T00:00:00Z"), made_row("b", created="2025-12-30T00:00:00Z"), made_row("c")]
    assert [row.run_id for row in run_rows.ordered(rows, {"by": "made", "down": True})] == ["a", "b", "c"]
    assert rows[2].made is None


def test_rows_are_filtered_by_words_tags_and_archive():
    rows = [
        made_row("one", "mlp", title="Straße", tags=("a", "b"), note="Talk"),
        made_row("two", "small_resnet", tags=("a",)),
        made_row("three", archived=True, tags=("b",)),
    ]

    def kept(words="", tags=None, archived=None, used=None):
        return [row.run_id for row in run_rows.chosen(rows, words, tags, archived, used)]

    assert kept() == ["one", "two"]
    assert kept(archived=["yes"]) == ["one", "two", "three"]
    assert kept(used="three") == ["one", "two", "three"]
    assert kept("RESNET") == ["two"]
    assert kept("strasse talk") == ["one"]
    assert kept("talk resnet") == []
    assert kept(tags=["a"]) == ["one", "two"]
    assert kept(tags=["a", "b"]) == ["one"]
    for wrong in (7, {"a": 1}, ["x"]):
        assert kept(wrong) == ["one", "two"]
    for wrong in ("a", 7, [7], [None]):
        assert kept(tags=wrong) == ["one", "two"]


def test_the_header_says_what_it_is_sorted_by(client):
    made = table(client, sort={"by": "bytes", "down": True})
    assert names(made) == ["second", "toy"]
    text = json.dumps(made["training-runs-table"]["tree"])
    assert text.count('"aria-sort": "descending"') == 1
    assert text.count('"data-sort"') == len(run_rows.COLUMNS)


def test_nothing_that_matches_is_said(client):
    made = table(client, find="no such thing")
    assert names(made) == []
    assert "No run is like this" in json.dumps(made["training-runs-table"]["tree"])
    assert made["training-runs-help"]["children"].startswith("0 of 2 runs.")


def test_broken_runs_have_a_row_with_their_reason(client, two):
    (two / "runs" / "second" / "weights.safetensors").write_bytes(b"x")
    made = table(client)
    text = json.dumps(made["training-runs-table"]["tree"])
    assert "does not match its checksum" in text
    assert "Use second" not in text
    _, made = client.fire_with(
        "training-run-links.children", "training-run-state.data", {"training-run-state.data": "second"}
    )
    assert "cannot be used" in json.dumps(made["training-run-facts"]["tree"])
    assert made["training-run-links"]["children"] == []
    assert made["training-run-delete"]["hidden"] is False


def test_a_broken_run_in_the_address_leaves_the_table(client, two):
    (two / "runs" / "second" / "weights.safetensors").write_bytes(b"x")
    _, made = client.fire_with("training-runs-help.children", "training-runs-state.data", {"url.search": "?run=second"})
    assert set(names(made)) == {"toy", "second"}
    assert drawer(client, "toy", "?run=second")["training-run-links"]["children"]


def test_a_home_without_runs_has_a_face(tmp_path, no_artifacts):
    client = make(tmp_path / "empty", no_artifacts)
    _, made = client.fire_with("training-runs-help.children", "training-runs-state.data", {"url.search": ""})
    assert "There is no run yet" in json.dumps(made["training-runs-face"])


def test_runs_are_exported_with_all_that_is_said(client, records):
    records.rename("second", "=cmd()")
    records.tag("second", "a, b")
    client = client_again(client)
    text = client.browser.get("/export/runs.csv").get_data(as_text=True)
    first, second = csv.DictReader(text.splitlines())
    assert (first["run"], first["state"], first["model"], first["n"]) == ("toy", "usable", "compact_cnn", "400")
    assert float(first["low"]) < int(first["correct"]) / 400 < float(first["high"])
    assert float(first["ece_low"]) <= float(first["ece_high"])
    assert (second["title"], second["tags"], second["latency_ms"]) == ("'=cmd()", "a, b", "1.5")


def test_the_tabs_are_told_when_something_was_said(records):
    entry = RunEntry("toy", Path("toy"), False, manifest={"nouns": {}})
    before = run_rows.state(None, [entry], records.marks())
    records.tag("toy", "a")
    assert run_rows.state(None, [entry], records.marks()) != before
    assert run_rows.state(None, [entry], records.marks())[0] == before[0]
    records.rename("toy", "x")
    assert run_rows.state(None, [entry], records.marks())[0] != before[0]  # what makes the run picker read again


# ---- the drawer


def drawer(client, opened="second", search=""):
    status, made = client.fire_with(
        "training-run-links.children",
        "training-run-state.data",
        {"training-run-state.data": opened, "url.search": search},
    )
    return made if status == 200 else {}


def test_the_drawer_tells_all_of_one_run(client):
    made = drawer(client)
    text = json.dumps(made["training-run-facts"]["tree"], ensure_ascii=False)
    for words in ("Accuracy, test", "Accuracy, validation", "ECE, test", "n 400", "37,764 parameters", "1.50 ms"):
        assert words in text
    links = json.dumps(made["training-run-links"]["children"])
    assert "/export/runs/second.zip" in links
    assert "?run=second&against=toy" in links
    assert made["training-run-card-file"]["href"] == "/export/runs/second.md"
    assert made["training-run-promote-box"]["hidden"] is False
    assert drawer(client, "toy")["training-run-promote-box"]["hidden"] is True  # the default already


@pytest.mark.parametrize("opened", [None, 7, ["x"], {}, "", "nothing", "../toy"])
def test_a_run_that_is_not_there_is_a_face_or_nothing(client, opened):
    made = drawer(client, opened)
    assert made == {} or "not here any more" in json.dumps(made["training-run-face"])


def test_the_fields_show_what_is_kept_and_the_card_on_demand(client):
    values = {"training-run-state.data": "second", "training-run-card.hidden": True}
    _, made = client.fire_with("training-run-card.hidden", "training-run-state.data", values)
    assert made["training-run-title-input"]["value"] == "second"
    assert made["training-run-card"] == {"hidden": True, "children": None}
    values["training-run-card-button.n_clicks"] = 1
    _, made = client.fire_with("training-run-card.hidden", "training-run-card-button.n_clicks", values)
    text = json.dumps(made["training-run-card"]["children"])
    assert made["training-run-card"]["hidden"] is False
    assert "### second" in text
    assert "Domain shift" in text
    assert '"dangerously_allow_html"' not in text
    values["training-run-card.hidden"] = False
    _, made = client.fire_with("training-run-card.hidden", "training-run-card-button.n_clicks", values)
    assert made["training-run-card"]["hidden"] is True


def test_saving_keeps_what_changed_and_undo_takes_it_back(client):
    made = act(client, "save", title="My net", tags="a, b", note="hello")
    assert made["training-run-status"]["children"] == "Saved."
    assert made["training-run-undo"]["hidden"] is False
    assert len(made["training-run-last"]["data"]) == 3
    shown = drawer(client)
    assert "My net" in json.dumps(shown["training-run-head"])
    undone = act(client, "undo", last=made["training-run-last"]["data"])
    assert undone["training-run-status"]["children"] == "Undone."
    assert "My net" not in json.dumps(drawer(client)["training-run-head"])
    again = act(client, "save", title="second", tags="", note="")
    assert again["training-run-status"]["children"] == "Nothing has changed."


def test_what_is_wrong_is_said_beside_its_field_and_the_rest_is_kept(client):
    made = act(client, "save", title="x" * 81, tags="<b>", note="fine")
    assert "at most 80" in made["training-run-title-error"]["children"]
    assert "letters" in made["training-run-tags-error"]["children"]
    assert made["training-run-note-error"]["children"] is None
    assert len(made["training-run-last"]["data"]) == 1
    assert made["training-run-status"]["children"] == "Saved, but for what is marked."
    assert "training-run-saved" not in made  # what was typed stays
    for wrong in (7, ["a"], {"a": 1}):
        assert act(client, "save", title=wrong, tags="", note="")["training-run-title-error"]["children"]
    made = act(client, "save", title="toy", tags="", note="")
    assert "another run" in made["training-run-title-error"]["children"]


def test_a_run_is_promoted_with_a_reason(client):
    made = act(client, "promote", reason=" ")
    assert "3 to 500" in made["training-run-reason-error"]["children"]
    made = act(client, "promote", reason="half the errors on shirts")
    assert made["training-run-status"]["children"] == "second is the default now."
    text = json.dumps(drawer(client)["training-run-default"]["tree"])
    assert "half the errors on shirts" in text
    assert "Every default until now" in text
    assert json.loads(client.browser.get("/api/v1/runs").get_data())["default"] == "second"
    for refused in ("archive", "delete"):
        assert "promote another" in act(client, refused)["training-run-status"]["children"]
    act(client, "undo", last=made["training-run-last"]["data"])
    assert json.loads(client.browser.get("/api/v1/runs").get_data())["default"] == "toy"


def test_an_archived_run_leaves_the_lists_and_comes_back(client):
    made = act(client, "archive")
    assert "leaves it out" in made["training-run-status"]["children"]
    _, listed = client.fire_with("run-picker.options", "url.pathname", {"url.pathname": "/"})
    assert [option["value"] for option in listed["run-picker"]["options"]] == ["toy"]
    assert names(table(client)) == ["toy"]
    assert set(names(table(client, archived=["yes"]))) == {"toy", "second"}
    assert drawer(client)["training-run-archive"]["children"] == "Bring back"
    assert "archived: bring it back" in act(client, "promote", reason="because")["training-run-status"]["children"]
    act(client, "archive")
    assert set(names(table(client))) == {"toy", "second"}


def test_a_deleted_run_is_let_go_of_and_can_be_brought_back_in_place(client, two):
    made = act(client, "delete", search="?run=second&split=validation")
    assert made["training-runs-notice"]["children"] == "second was deleted."
    assert made["training-runs-undo"]["hidden"] is False
    assert made["training-run-state"]["data"] is None
    assert made["url"]["search"] == "?split=validation"
    assert names(table(client)) == ["toy"]
    _, gone = client.fire_with("training-runs-gone.tree", "training-runs-state.data", {})
    folder = re.search(r'"data-of": "(second-[^"]+)"', json.dumps(gone))[1]
    undone = act(client, "runs-undo", last=made["training-run-last"]["data"])
    assert undone["training-runs-notice"]["children"] == "Undone."
    assert set(names(table(client))) == {"toy", "second"}
    act(client, "delete")
    _, gone = client.fire_with("training-runs-gone.tree", "training-runs-state.data", {})
    assert folder not in json.dumps(gone)
    folder = re.search(r'"data-of": "(second-[^"]+)"', json.dumps(gone))[1]
    back = act(client, "save", request={"act": "restore", "of": folder})
    assert back["training-runs-notice"]["children"] == "second is back."
    assert set(names(table(client))) == {"toy", "second"}


def test_a_run_at_work_is_not_deleted(client, two):
    JobTable(two).submit({}, "second", epochs=1)
    assert "Its training waits in the queue just now" in act(client, "delete")["training-run-status"]["children"]
    assert set(names(table(client))) == {"toy", "second"}


@pytest.mark.parametrize("last", [None, [], "x", [None], ["1"], [10**30], [-1], {"a": 1}, [999_999], [True, []]])
def test_forged_wishes_are_answered_in_words(client, last):
    status = act(client, "undo", last=last)["training-run-status"]["children"]
    assert "nothing to undo" in status
    for opened in (None, 7, ["second"], "../second", "nothing"):
        for button in ("save", "promote", "archive", "delete"):
            made = act(client, button, opened=opened, title="x", tags="", note="", reason="because")
            assert "not here any more" in made["training-run-status"]["children"]


def test_other_acts_are_not_this_callback_s(client):
    values = {"training-asked-state.data": {"act": "cancel", "of": "x"}}
    assert client.fire_with("training-run-last.data", "training-asked-state.data", values)[0] == 204
    made = act(client, "save", request={"act": "restore", "of": "../../etc"})
    assert "not in the trash" in made["training-runs-notice"]["children"]


def test_a_read_only_server_shows_all_and_changes_nothing(two, no_artifacts):
    client = make(two, no_artifacts, read_only=True)
    made = drawer(client)
    assert (made["training-run-archive"]["hidden"], made["training-run-delete"]["hidden"]) == (True, True)
    assert made["training-run-promote-box"]["hidden"] is True
    for button in ("archive", "delete", "promote"):
        status = act(client, button, reason="because")["training-run-status"]["children"]
        assert "read-only" in status
    assert "read-only" in act(client, "save", title="x", tags="", note="")["training-run-status"]["children"]
    assert set(names(table(client))) == {"toy", "second"}


def test_without_a_database_runs_are_shown_and_changes_are_declined(two, no_artifacts, monkeypatch, tmp_path):
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    monkeypatch.setenv("FASHION_DB", str(blocked / "x.db"))
    client = make(two, no_artifacts)
    assert set(names(table(client))) == {"toy", "second"}
    for button in ("archive", "delete", "promote"):
        status = act(client, button, reason="because")["training-run-status"]["children"]
        assert "cannot be used" in status
    assert "cannot be used" in act(client, "save", title="x", tags="", note="")["training-run-status"]["children"]
    assert (two / "runs" / "second").is_dir()


@pytest.mark.parametrize(
    ("report", "words", "naming"),
    [
        ({"words": "Taking in x.zip …"}, "Taking in", True),
        ({"error": "Not a zip."}, "Not a zip.", True),
        ({"error": "taken", "field": "name", "free": "toy-2"}, "taken", False),
        ({"run": "toy-2", "was": "toy", "needs": ""}, "toy-2 is here now.", True),
        ({"run": "toy-2", "was": "toy", "needs": "pets"}, "data set pets", True),
        ({"run": ["x"], "needs": {"a": 1}}, "is here now", True),
    ],
)
def test_what_the_server_said_of_a_file_is_shown(client, report, words, naming):
    _, made = client.fire_with(
        "training-import-naming.hidden", "training-import-state.data", {"training-import-state.data": report}
    )
    assert words in made["training-runs-notice"]["children"]
    assert made["training-import-naming"]["hidden"] is naming


def test_the_script_knows_the_same_limit():
    script = (ROOT / "assets" / "runs.js").read_text()
    assert int(re.search(r"MOST = (\d+)", script)[1]) == run_archive.UPLOAD_BYTES


def test_words():
    assert [run_rows.mass(n) for n in (None, 152_400, 3_588_408)] == ["–", "152 kB", "3.6 MB"]
    now = datetime.now()
    assert run_rows.day(now.replace(month=3, day=9)) == "9 Mar"
    assert run_rows.day(datetime(2019, 12, 31)) == "31 Dec 2019"
    assert run_table.Score(0.5, 0.4, 0.6).half == pytest.approx(0.1)
    assert run_table.Score(0.5).half is None
    assert run_changes.FIELDS["note"] == "training-run-note-input"
