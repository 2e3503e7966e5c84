"""The door KEEP and the routes behind it: delete and bring back, pack up and take in, promote under load."""

import io
import json
import shutil
import threading
import zipfile
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.exc import OperationalError

from dashboard.data.store import Store
from dashboard.records import runs as records_module
from dashboard.records.rows import Declined
from dashboard.records.runs import Records
from dashboard.services import runs as module
from dashboard.services.container import Services
from dashboard.services.jobs import Jobs
from dashboard.services.training_request import Invalid, check
from ml.artifacts.reader import Missing
from ml.jobs import start
from ml.jobs.queue import JobTable
from ml.system import database, trash
from ml.system.content_addressed import Gone


@pytest.fixture(autouse=True)
def no_worker(monkeypatch):
    monkeypatch.setattr(start, "start_worker", lambda home: None)


def copy_run(home, name, source="toy"):
    """A second run with the same content under another id."""
    folder = home / "runs" / name
    shutil.copytree(home / "runs" / source, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "run_id": name}))


def open_doors(artifacts, home, read_only=False) -> Services:
    jobs = Jobs(home, artifacts=artifacts, read_only=read_only)
    records = Records(database.opener(jobs.home), read_only=read_only)
    store = Store(artifacts, home, records)
    return Services(store, jobs, read_only, records)


@pytest.fixture
def services(home, no_artifacts):
    copy_run(home, "second")
    return open_doors(no_artifacts, home)


def listed(services):
    return [entry.run_id for entry in services.store.runs()]


# ---- delete and bring back


def test_a_deleted_run_is_gone_and_comes_back_whole(services, home):
    before = {path.name: path.read_bytes() for path in (home / "runs" / "second").iterdir()}
    folder = services.registry.delete("second")
    assert listed(services) == ["toy"]
    assert [(one.run_id, one.folder) for one in services.registry.deleted()] == [("second", folder)]
    assert services.records.marks().of("second").deleted == folder
    assert services.registry.restore(folder) == "second"
    assert sorted(listed(services)) == ["second", "toy"]
    assert {path.name: path.read_bytes() for path in (home / "runs" / "second").iterdir()} == before
    assert services.records.marks().of("second").deleted == ""
    assert [change.what for change in services.records.changes("second")] == ["deleted", "deleted"]
    with pytest.raises(Declined, match="not in the trash"):
        services.registry.restore(folder)


def test_deleting_is_undone_like_any_other_change(services):
    services.registry.delete("second")
    (change,) = services.records.changes("second")
    assert services.registry.undo(change) == "second"
    named = services.records.rename("second", "Other")
    assert services.registry.undo(named) == "second"
    assert services.records.marks().title("second") == "second"


def test_what_ships_what_is_default_and_what_is_not_there_is_not_deleted(home, services, tmp_path):
    services.records.promote("second", "it is better", "toy")
    with pytest.raises(Declined, match="promote another"):
        services.registry.delete("second")
    for unknown in ("nothing", "../toy", "", None):
        with pytest.raises(Declined, match="not here any more"):
            services.registry.delete(unknown)
    shipping = open_doors(home, tmp_path / "own")
    with pytest.raises(Declined, match="archived, not deleted"):
        shipping.registry.delete("toy")
    assert sorted(listed(services)) == ["second", "toy"]


@pytest.mark.parametrize(("kind", "what"), [("train", "training"), ("evaluate", "evaluation")])
def test_a_run_that_is_being_worked_on_is_not_deleted_and_the_job_is_named(services, home, kind, what):
    table = JobTable(home)
    table.submit({"nouns": ["projection"]}, "second", epochs=0, kind=kind)
    with pytest.raises(Declined, match=f"^Its {what} waits in the queue just now: let it end, or cancel it first"):
        services.registry.delete("second")
    assert services.records.marks().runs.get("second") is None
    job = table.claim(kind)
    with pytest.raises(Declined, match=f"^Its {what} runs just now"):
        services.registry.delete("second")
    table.finish(job, "done")
    services.registry.delete("second")
    assert listed(services) == ["toy"]


def test_a_broken_run_can_be_deleted(services, home):
    (home / "runs" / "second" / "weights.safetensors").unlink()
    assert [entry.ok for entry in services.store.runs() if entry.run_id == "second"] == [False]
    services.registry.delete("second")
    assert listed(services) == ["toy"]


def test_the_name_of_a_deleted_run_stays_taken(services, home):
    services.registry.delete("second")
    values = {"model": "compact_cnn", "dataset": "fashion-mnist", "epochs": 1, "name": "second"}
    with pytest.raises(Invalid, match="second is taken"):
        check(values, services.jobs.options, services.registry.names())
    for days in (31, 32):
        trash.purge(home, datetime.now(UTC) + timedelta(days=days))
    assert services.registry.deleted() == []
    assert "second" in services.registry.names()
    assert services.registry.free_name("second") == "second-2"


def test_a_folder_that_took_the_name_keeps_it(services, home):
    folder = services.registry.delete("second")
    copy_run(home, "second")
    with pytest.raises(Declined, match="another run named second"):
        services.registry.restore(folder)
    assert len(services.registry.deleted()) == 1


def test_a_move_that_fails_leaves_run_and_row(services, home, monkeypatch):
    def fail(*_):
        raise PermissionError("no")

    monkeypatch.setattr(module.trash, "put", fail)
    with pytest.raises(Declined, match="cannot be written to"):
        services.registry.delete("second")
    assert sorted(listed(services)) == ["second", "toy"]
    assert services.records.marks().deleted() == frozenset()


def test_a_row_that_cannot_be_written_brings_the_folder_back(home, no_artifacts):
    copy_run(home, "second")
    jobs = Jobs(home, artifacts=no_artifacts)
    failing = False

    def rows(owner, steps):
        engine, write = database.opener(jobs.home)(owner, steps)

        class Write:
            def __enter__(self):
                self.open = write()
                return self.open.__enter__()

            def __exit__(self, *error):
                if failing and error[0] is None:
                    self.open.__exit__(ValueError, ValueError(), None)
                    raise OperationalError("COMMIT", {}, Exception("disk full"))
                return self.open.__exit__(*error)

        return engine, Write

    records = Records(rows)
    store = Store(no_artifacts, home, records)
    services = Services(store, jobs, False, records)
    failing = True
    with pytest.raises(Declined, match="cannot be used"):
        services.registry.delete("second")
    assert sorted(listed(services)) == ["second", "toy"]
    failing = False
    folder = services.registry.delete("second")
    failing = True
    with pytest.raises(Declined, match="cannot be used"):
        services.registry.restore(folder)
    assert [one.folder for one in services.registry.deleted()] == [folder]


def test_a_clock_that_is_ahead_for_once_costs_nothing(home):
    now, folder = datetime.now(UTC), trash.name("toy")
    (home / "trash" / folder).mkdir(parents=True)
    assert trash.purge(home, now + timedelta(days=3_650)) == [], "before it is set right"
    assert trash.purge(home, now) == []
    assert trash.purge(home, now + timedelta(days=31)) == [], "what was found then counts for nothing"
    assert trash.purge(home, now + timedelta(days=31, hours=23)) == []
    (home / "trash" / trash.OVERDUE).write_text("[", encoding="utf-8")
    assert trash.purge(home, now + timedelta(days=33)) == [], "nor does what nobody can read"
    assert trash.purge(home, now + timedelta(days=34)) == ["toy"]


def test_the_trash_is_emptied_after_thirty_days(home):
    runs = home / "runs"
    old, young = trash.name("toy", datetime.now(UTC) - timedelta(days=31)), trash.name("toy")
    for folder in (old, young, "notes", "toy-2026"):
        (home / "trash" / folder).mkdir(parents=True)
    assert trash.purge(home) == [], "so the clock says, once"
    assert trash.purge(home, datetime.now(UTC) + timedelta(hours=25)) == ["toy"]
    assert sorted(path.name for path in (home / "trash").iterdir()) == sorted([young, "notes", "toy-2026"])
    assert (runs / "toy").is_dir()
    for bad in ("../../x", "x/y", "toy", ""):
        with pytest.raises(ValueError, match="trash"):
            trash.put(home, "toy", bad)
        with pytest.raises(Gone):
            trash.restore(home, bad)


def test_a_server_that_starts_empties_the_trash(home, no_artifacts):
    from dashboard.shell import create_app

    old = trash.name("gone", datetime.now(UTC) - timedelta(days=40))
    (home / "trash" / old).mkdir(parents=True)
    trash.purge(home, datetime.now(UTC) - timedelta(days=2))
    create_app(no_artifacts, home=home, read_only=True)
    assert (home / "trash" / old).is_dir()
    create_app(no_artifacts, home=home)
    assert not (home / "trash" / old).exists()


# ---- routes


@pytest.fixture
def client(app):
    return app.server.test_client()


def send(client, content, field="file", **fields):
    data = {**fields, field: (io.BytesIO(content), "run.zip")}
    return client.post("/api/v1/runs", data=data, content_type="multipart/form-data")


def test_a_run_goes_out_and_comes_back_over_http(client):
    parcel = client.get("/export/runs/toy.zip")
    assert parcel.headers["Content-Disposition"] == 'attachment; filename="toy.zip"'
    assert parcel.mimetype == "application/zip"
    assert "manifest.json" in zipfile.ZipFile(io.BytesIO(parcel.data)).namelist()
    taken = send(client, parcel.data)
    assert taken.status_code == 409
    assert taken.get_json() == {
        "error": "The name toy is taken: give the run another one.", "field": "name", "free": "toy-2",
    }  # fmt: skip
    taken = send(client, parcel.data, name="toy-2")
    assert (taken.status_code, taken.get_json()) == (201, {"run": "toy-2", "was": "toy", "needs": ""})
    runs = client.get("/api/v1/runs").get_json()["runs"]
    assert {run["run"] for run in runs} == {"toy", "toy-2"}


def test_the_card_is_a_file_with_what_people_say(client, home, no_artifacts, monkeypatch):
    monkeypatch.setattr(records_module, "FRESH_SECONDS", 0.0)
    Records(database.opener(home)).rename("toy", "My *net*")
    answer = client.get("/export/runs/toy.md")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="toy.md"'
    assert answer.get_data(as_text=True).startswith("# My \\*net\\*\n")


@pytest.mark.parametrize("run_id", ["nothing", "..", "%2e%2e%2ftoy", "toy%00", "x" * 300, "toy.zip"])
@pytest.mark.parametrize("ending", ["zip", "md"])
def test_runs_that_are_not_there_are_not_exported(client, run_id, ending):
    answer = client.get(f"/export/runs/{run_id}.{ending}")
    assert answer.status_code == 404
    assert "Content-Disposition" not in answer.headers


def test_a_broken_run_is_not_exported(client, home):
    (home / "runs" / "toy" / "filters.npz").write_bytes(b"")
    answer = client.get("/export/runs/toy.zip")
    assert (answer.status_code, "checksum" in answer.get_json()["error"]) == (409, True)


def test_uploads_that_are_no_runs_are_refused_in_words(client, home):
    for content, status, words in (
        (b"hello", 422, "not a zip archive"),
        (b"\x80\x04x", 422, "Unsafe format"),
        (b"", 422, "not a zip archive"),
    ):
        answer = send(client, content)
        assert answer.status_code == status
        assert words in answer.get_json()["error"]
    assert client.post("/api/v1/runs", data=b"x").status_code == 415
    assert "field file" in send(client, b"x", field="image").get_json()["error"]
    assert "no field 'more'" in send(client, b"x", more="1").get_json()["error"]
    assert send(client, b"x", name="../up").status_code == 422
    assert client.post("/api/v1/runs", headers={"Origin": "http://evil.example"}).status_code == 403
    assert sorted(path.name for path in (home / "runs").iterdir()) == ["toy"]


def test_an_import_waits_for_its_turn_and_then_gives_up(client, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.01)
    with module.ONE_AT_A_TIME:
        assert send(client, b"x").status_code == 503
    assert send(client, b"x").status_code == 422


def test_a_full_disk_takes_nothing_in(client, monkeypatch):
    monkeypatch.setattr(module, "FREE_BYTES", 2**80)
    assert "disk is almost full" in send(client, b"x").get_json()["error"]


def test_a_read_only_server_takes_nothing_in(home, no_artifacts):
    from dashboard.shell import create_app

    client = create_app(no_artifacts, home=home, read_only=True).server.test_client()
    parcel = client.get("/export/runs/toy.zip")
    assert parcel.status_code == 200
    assert send(client, parcel.data, name="again").status_code == 403


# ---- the promoted default


def test_the_promoted_run_is_the_default_until_it_is_gone(services, home):
    first = services.store.default_run()
    other = next(name for name in listed(services) if name != first)
    services.records.promote(other, "better on validation", first)
    assert services.store.default_run() == other
    assert services.predictor.predict(None, services.store.open(None).picture("test", 0)).run == other
    shutil.rmtree(home / "runs" / other)
    assert services.store.default_run() == first
    assert services.predictor.predict(None, services.store.open(None).picture("test", 0)).run == first


def test_a_page_whose_run_is_gone_shows_the_default(services):
    assert services.store.shown("nothing").run_id == services.store.default_run()
    with pytest.raises(Missing, match="nothing"):
        services.store.open("nothing")


@pytest.mark.faults
def test_r4_every_answer_names_the_run_whose_weights_gave_it(home, no_artifacts, count):
    """The default changes under many who ask: each answer matches the weights of the run it names."""
    from ml.pipeline import train
    from ml.training.config import TrainConfig

    config = TrainConfig(
        model="compact_cnn", dataset="synthetic-4-28x28x1", epochs=1, batch_size=64, seed=8, threads=1, train_images=100
    )
    train(config, run_id="second", home=home, slow=False)
    services = open_doors(no_artifacts, home)
    image = services.store.open("toy").picture("test", 3)
    expected = {name: services.predictor.predict(name, image).probabilities for name in ("toy", "second")}
    assert abs(expected["toy"] - expected["second"]).max() > 1e-3
    wrong, seen, stop = [], set(), threading.Event()

    def ask():
        while not stop.is_set():
            answer = services.predictor.predict(None, image)
            seen.add(answer.run)
            if abs(answer.probabilities - expected[answer.run]).max() > 1e-5:
                wrong.append(answer.run)

    threads = [threading.Thread(target=ask) for _ in range(count(10, 50))]
    for thread in threads:
        thread.start()
    for turn in range(count(10, 60)):
        name = ("second", "toy")[turn % 2]
        services.records.promote(name, f"turn {turn}", None)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert seen == {"toy", "second"}
