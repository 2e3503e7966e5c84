"""A run that ships without its pictures: what needs none lives, the rest says how they come, and then is there."""

import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from dashboard.data import datasets
from dashboard.data.store import Store
from dashboard.pages.data import sets
from dashboard.services.container import Services
from dashboard.services.jobs import Jobs
from dashboard.shell import create_app
from ml.artifacts.reader import Library, Missing
from ml.data.intake import fetching
from ml.jobs.queue import JobTable, NotAllowed, Refused
from ml.jobs.worker import arguments
from ml.people import acting
from ml.people.acting import Person
from tests.callbacks import ADDRESS, VIEW, answers, defaults_of, faces, fired_in_process
from tests.photos import NAME, RUN

FETCH = f"python -m ml data fetch {NAME}"
LACKING = (
    "insights-activations-face", "insights-picture-face", "insights-lesson-face", "insights-examples-face",
    "prediction-samples-face", "review-sample-face",
)  # fmt: skip
ALIVE = (
    "dashboard-confusion-face", "dashboard-accuracy-face", "dashboard-distribution-face", "dashboard-scores-face",
    "dashboard-calibration-face", "insights-projection-face", "insights-plane-face", "insights-history-face",
    "insights-datamap-face", "insights-filters-face", "insights-architecture-face",
)  # fmt: skip
PAGES = (
    "/", "/?outcome=right", "/insights", "/prediction", "/training", "/comparison", "/slices", "/review", "/robustness",
    "/feedback", "/monitoring", "/data", f"/data?dataset={NAME}",
)  # fmt: skip


@pytest.fixture(scope="module")
def app(photos, tmp_path_factory):
    return create_app(photos.artifacts, home=tmp_path_factory.mktemp("nobody") / "home")


@pytest.fixture(scope="module")
def client(app):
    return fired_in_process(app)


@pytest.fixture(scope="module")
def fetched(photos, tmp_path_factory):
    """A home into which all but two pictures were fetched."""
    import shutil

    home = tmp_path_factory.mktemp("fetched")
    folder = shutil.copytree(photos.photos, home / "photos")
    (folder / "train" / "hat" / "tr-07.jpg").unlink()
    (folder / "validation" / "hat" / "va-02.jpg").unlink()
    fetching.fetch(NAME, source=folder, home=home / "home", artifacts=photos.artifacts, known=photos.known(""))
    return home / "home"


def grid(client, search):
    _, drawn = client.fire_with("dashboard-gallery-title.children", ADDRESS, {ADDRESS: search})
    return drawn["dashboard-gallery-title"]["children"], json.dumps(drawn)


def test_no_callback_fails_and_what_lacks_pictures_names_the_command(client, app, caplog):
    defaults = defaults_of(app)
    for split in ("test", "validation"):
        texts, failed = answers(client, defaults, f"?run={RUN}&split={split}", caplog)
        assert not failed, "\n".join(failed)
        shown = faces(texts)
        for face in LACKING:
            assert FETCH in shown[face], face
            assert "Fetch them with" in shown[face]
            assert f"?dataset={NAME}" in shown[face], "and leads to the page where a button does it"
        for face in ALIVE:
            assert shown[face] == "", (face, shown[face])


def test_a_gallery_says_so_in_place_of_its_tiles_and_keeps_its_count_and_csv(client, app):
    title, drawn = grid(client, f"?run={RUN}&outcome=wrong&outcome=right")
    assert title == "9 images"
    assert FETCH in drawn
    assert "data-sample" not in drawn
    assert "sprites" not in drawn
    assert "/export/selection.csv" in drawn
    table = app.server.test_client().get(f"/export/selection.csv?run={RUN}&outcome=wrong&outcome=right").text
    assert len(table.splitlines()) == 1 + 9


def test_a_picture_that_is_uploaded_is_answered(app, photos):
    file = (photos.photos / "test" / "hat" / "te-00.jpg").read_bytes()
    sent = {"image": (io.BytesIO(file), "hat.jpg"), "run": RUN}
    answer = app.server.test_client().post("/api/v1/predict", data=sent)
    assert answer.status_code == 200, answer.text
    assert answer.get_json()["label"] in ("coat", "hat", "shoe")


def test_the_data_page_lists_it_as_to_be_fetched_and_offers_that(client, photos, app):
    _, drawn = client.fire_with(f"{sets.Ids.BODY}.tree", "data-changed-state.data", {})
    words = json.dumps(drawn)
    assert "to be fetched" in words
    assert '"data-set-act": "fetch"' in words
    assert "Train on" not in words
    _, drawn = client.fire_with("data-look-title.children", ADDRESS, {ADDRESS: f"?dataset={NAME}", VIEW: ""})
    words = json.dumps(drawn)
    assert "are not on this machine" in words
    assert FETCH in words
    csv = app.server.test_client().get(f"/export/datasets/{NAME}/classes.csv").text
    assert "coat" in csv


def test_who_may_fetch_and_what_the_job_does(photos, tmp_path, monkeypatch):
    from dashboard.services import imports

    home = tmp_path / "home"
    services = Services(Store(photos.artifacts, home), Jobs(home, artifacts=photos.artifacts))
    monkeypatch.setattr(imports, "FETCHABLE", photos.known(""))
    monkeypatch.setattr(services.jobs, "wake", lambda: None)
    for role, allowed in (("look", False), ("review", False), ("train", True)):
        acting.enter(Person("ada", role, "account"))
        try:
            if allowed:
                job = services.imports.fetch(NAME, "once")
            else:
                with pytest.raises(NotAllowed, match="takes the role train"):
                    services.imports.fetch(NAME, "once")
        finally:
            acting.leave()
    assert services.imports.fetch(NAME, "again").id == job.id, "one at a time"
    assert arguments(JobTable(tmp_path / "home").get(job.id)) == ["data", "fetch", NAME, "--progress", "--json"]
    with pytest.raises(Refused, match="no such data set"):
        services.imports.fetch("unknown")


def test_once_fetched_all_of_it_is_there_but_what_was_left_out(photos, fetched, caplog):
    app = create_app(photos.artifacts, home=fetched)
    client = fired_in_process(app)
    texts, failed = answers(client, defaults_of(app), f"?run={RUN}&split=test", caplog)
    assert not failed, "\n".join(failed)
    shown = faces(texts)
    assert [face for face in (*LACKING, *ALIVE) if shown[face]] == []
    _, drawn = grid(client, f"?run={RUN}&outcome=wrong&outcome=right")
    assert "data-sample" in drawn
    browser = app.server.test_client()
    address = re.search(r"/sprites/[^)\"]+", drawn)[0]
    assert browser.get(address).status_code == 200
    # of validation one is not here: black in its sheet, and the others as they are
    _, drawn = grid(client, f"?run={RUN}&split=validation&outcome=wrong&outcome=right&sort=id")
    sheet = browser.get(re.search(r"/sprites/[^)\"]+", drawn)[0])
    with Image.open(io.BytesIO(sheet.data)) as image:
        pixels = np.asarray(image.convert("L"))
    tiles = [pixels[r : r + 24, c : c + 24].mean() for r in (1, 27) for c in range(1, 12 * 26, 26)][:18]
    assert sum(one == 0 for one in tiles) == 1
    (one,) = datasets.listing(Library(photos.artifacts, fetched), [])
    assert (one.here, one.shipped, one.described["absent"]) == (True, False, 2)
    _, drawn = client.fire_with("data-look-title.children", ADDRESS, {ADDRESS: f"?dataset={NAME}"})
    assert "2 pictures of its list are not here" in json.dumps(drawn)
    first = re.search(r"test/(\d+)", address)[1]
    assert browser.get(f"/originals/{NAME}/{first}.png").status_code == 200


def test_suspects_of_a_run_without_pictures_show_those_that_were_fetched(photos, fetched):
    for home, status in ((fetched.with_name("nobody"), 404), (fetched, 200)):
        browser = create_app(photos.artifacts, home=home).server.test_client()
        with np.load(photos.artifacts / "runs" / RUN / "suspects.npz") as kept:
            ids = kept["example_id"].tolist()
        assert browser.get(f"/suspects/{RUN}/{ids[0]}.png").status_code == status
        assert browser.get(f"/suspects/{RUN}/sheet/{'-'.join(map(str, ids))}.png").status_code == status


def test_nothing_is_counted_over_pictures_of_which_some_are_missing(photos, fetched):
    library = Library(photos.artifacts, fetched)
    with pytest.raises(Missing, match=f"2 pictures of {NAME} are not here") as missing:
        library.learned_pictures(library.open(RUN), "test")
    assert missing.value.command == FETCH


def test_every_page_in_a_browser(photos, tmp_path, page, idle, serving):
    address = serving(create_app(photos.artifacts, home=tmp_path / "home"))
    for path in PAGES:
        page.set_viewport_size({"width": 1440, "height": 900})
        page.goto(f"{address}{path}{'&' if '?' in path else '?'}run={RUN}")
        for width in (1440, 390):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_function(idle)
            for part in (1, 2):
                page.evaluate(f"scrollTo(0, document.body.scrollHeight * {part} / 2 - innerHeight)")
                page.wait_for_function(idle)
            assert page.locator(".face.bad").count() == 0, path
            page.wait_for_function("() => document.documentElement.scrollWidth <= innerWidth")  # charts follow later
    page.goto(f"{address}/?run={RUN}&outcome=right")
    page.locator("#dashboard-gallery-grid").get_by_role("button", name="Go to Data").click()
    page.locator("#data-look").get_by_text(FETCH).wait_for()
    page.get_by_role("button", name="Fetch the pictures of Toy photos").first.click()
    page.get_by_text("There is no such data set to fetch.").wait_for()  # as this registry has no toy
