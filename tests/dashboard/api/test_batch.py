"""Many pictures at once on the prediction page: the matrix of what came back, and the panel in a browser."""

import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from dashboard.pages.prediction import batch
from dashboard.web import security
from ml.images import file_names
from ml.images.decoding import FILE_BYTES
from ml.images.upload_archives import FILES
from tests.callbacks import fired_in_process
from tests.dashboard.pages.test_prediction import png, words

CLASSES = ["Bag", "Coat", "Shirt"]
ASSETS = Path(__file__).parents[3] / "assets"
SCRIPT, DROPPED = ((ASSETS / name).read_text() for name in ("batch.js", "01-dropped.js"))


def test_counts_are_those_that_the_browser_says():
    counts = batch.counted([["Bag", "Bag", 4], ["Bag", "Shirt", 1], ["Coat", "Bag", 2]], CLASSES)
    np.testing.assert_array_equal(counts, [[4, 0, 1], [2, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize(
    "pairs",
    [None, 7, "x", {}, [7], [[]], [["Bag", "Bag"]], [["Bag", "Hat", 1]], [["Bag", "Bag", -1]], [["Bag", "Bag", 10**9]],
     [["Bag", "Bag", True]], [["Bag", "Bag", 1.5]], [[["Bag"], "Bag", 1]], [[{}, None, 1]]],
)  # fmt: skip
def test_what_no_browser_says_is_left_out(pairs):
    assert batch.counted(pairs, CLASSES).sum() == 0


def test_the_matrix_tells_n_and_intervals_and_every_cell_leads_to_its_pictures():
    counts = np.array([[4, 0, 1], [2, 0, 0], [0, 0, 3]])
    title, sentence, view, twin = batch.drawn(counts, CLASSES, "light")
    assert "confusion matrix" in words(title)
    assert "70.0 % named right (accuracy; 39.7 – 89.2, 7 of 10" in words(sentence)
    labels = batch.labels(counts, CLASSES)
    assert "recall 80.0 % (37.6 – 96.4, 4 of 5)" in json.dumps(labels, ensure_ascii=False)
    cells = [one for one in twin._traverse() if getattr(one, "data-batch-pred", None)]
    assert len(cells) == 9
    assert [words(one) for one in cells] == ["4", "0", "1", "2", "0", "0", "0", "0", "3"]
    assert batch.drawn(np.zeros((3, 3), int), CLASSES, "dark") == []
    listed = [one for one in view._traverse() if getattr(one, "data-batch-pred", None) and hasattr(one, "type")]
    pairs = [
        (words(one.children[0]), *(getattr(one, f"data-batch-{end}") for end in ("true", "pred"))) for one in listed
    ]
    assert pairs == [("2", "Coat", "Bag"), ("1", "Bag", "Shirt")]
    assert "20.0 % of 5 (3.6 – 62.4)" in words(listed[1])
    assert batch.mistakes(np.eye(3, dtype=int), CLASSES) is None


def test_the_callback_draws_for_the_run_that_answered_and_says_what_is_missing(app):
    client = fired_in_process(app)
    output, changed = "prediction-batch-matrix.children", "prediction-batch-state.data"
    status, answer = client.fire(
        output, changed, prediction_batch_state__data={"run": "toy", "pairs": []}, app_theme_state__data="light"
    )
    assert status == 200
    status, answer = client.fire(
        output, changed, prediction_batch_state__data={"run": "nowhere", "pairs": []}, app_theme_state__data="light"
    )
    assert "no run" in json.dumps(answer["prediction-batch-face"])
    for hostile in (None, [], 7, "x", {"run": 7}, {"run": ["toy"]}, {"run": "toy", "pairs": {"a": 1}}):
        status, _ = client.fire(output, changed, prediction_batch_state__data=hostile)
        assert status in (200, 204)


def test_the_browser_is_told_the_same_limits():
    for name, value in (("MOST", FILES), ("MOST_BYTES", security.BATCH_BYTES), ("FILE_BYTES", FILE_BYTES)):
        assert int(re.search(rf"\b{name} = (\d+)", SCRIPT)[1]) == value


def test_the_browser_leaves_out_what_systems_leave():
    for name, known in (("LEFT_FILES", file_names.LEFT_BY_SYSTEMS), ("LEFT_FOLDERS", file_names.FOLDERS_OF_SYSTEMS)):
        said = re.search(rf"\b{name} = /\^\((.*)\)\$/;", DROPPED)[1].replace("\\r", "\r").replace("\\", "")
        assert set(said.split("|")) == set(known)


@pytest.mark.browser
def test_files_and_a_zip_become_a_gallery_and_a_matrix(page, live_server, app, idle):
    from playwright.sync_api import expect

    run = app.store.open("toy")
    recorded, pictures = run.predictions("test"), run.pictures("test")
    classes = run.classes
    names = [classes[label] for label in recorded.labels]
    parcel = io.BytesIO()
    with zipfile.ZipFile(parcel, "w") as archive:
        for row in range(30):
            archive.writestr(f"mine/{names[row].upper()}/{row}.png", png(pictures.images[row]))
        archive.writestr("mine/notes.txt", "hello")
    loose = [(f"{row}.png", png(pictures.images[row])) for row in range(30, 60)]
    page.goto(f"{live_server}/prediction")
    page.wait_for_function(idle)
    with page.expect_file_chooser() as chooser:
        page.click("[data-batch=files]")
    given = [("mine.zip", "application/zip", parcel.getvalue()), *((name, "image/png", body) for name, body in loose)]
    chooser.value.set_files([{"name": name, "mimeType": kind, "buffer": body} for name, kind, body in given])
    status = page.locator("#prediction-batch-said")
    expect(status).to_contain_text("60 answered, 1 could not be read")
    expect(status.locator("details")).to_contain_text("mine/notes.txt")
    right = int(recorded.right[:30].sum())
    matrix = page.locator("#prediction-batch-matrix")
    expect(matrix).to_contain_text(f"{right} of 30 whose folder")
    page.wait_for_function("() => document.querySelector('#prediction-batch-graph .js-plotly-plot .hm')")
    tiles = page.locator("#prediction-batch-grid .tile")
    expect(tiles).to_have_count(48)
    page.click("[data-batch-more]")
    expect(tiles).to_have_count(60)
    page.click("[data-batch-sort=unsure]")
    expect(tiles).to_have_count(48)
    shown = [int(text) for text in tiles.locator(".l1 b").all_inner_texts()]
    assert shown == sorted(shown)
    assert shown[0] == int(100 * recorded.confidence[:60].min())
    row = 0
    guess = run.classes[recorded.predicted[row]]
    matrix.locator("summary").click()
    matrix.locator(f'.batch-table [data-batch-true="{names[row]}"][data-batch-pred="{guess}"]').click()
    same = (recorded.labels[:30] == recorded.labels[row]) & (recorded.predicted[:30] == recorded.predicted[row])
    expect(tiles).to_have_count(int(same.sum()))
    matrix.locator("summary").click()
    mistaken = matrix.locator(".batch-wrong button")
    wrong = (recorded.labels[:30] != recorded.predicted[:30]).any()
    expect(mistaken.first).to_be_visible() if wrong else expect(mistaken).to_have_count(0)
    page.click("[data-batch-all]")
    expect(tiles).to_have_count(48)
    cell = page.locator("#prediction-batch-graph .nsewdrag").first.bounding_box()
    across, down = (classes.index(name) + 0.5 for name in (guess, names[row]))
    place = (cell["x"] + cell["width"] * across / len(classes), cell["y"] + cell["height"] * down / len(classes))
    page.mouse.move(*place)
    page.wait_for_selector("#prediction-batch-graph .hovertext", state="attached")
    page.mouse.click(*place)
    expect(tiles).to_have_count(int(same.sum()))
    with page.expect_download() as download:
        status.get_by_text("CSV").click()
    text = Path(download.value.path()).read_text()
    assert len(text.splitlines()) == 62
    assert text.startswith("file,true,label,confidence,error")
    tiles.first.click()
    expect(page.locator("#prediction-label")).to_have_text(guess)
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("() => document.documentElement.scrollWidth <= 390")  # charts follow a moment later
    status.get_by_text("Clear").click()
    expect(tiles).to_have_count(0)
    expect(matrix.locator("h3")).to_have_count(0)
    noise = np.random.default_rng(0).integers(0, 256, (28, 28, 1)).astype(np.uint8)
    with page.expect_file_chooser() as chooser:
        page.click("[data-batch=files]")
    mixed = [("noise.png", png(noise)), loose[0]]
    chooser.value.set_files([{"name": name, "mimeType": "image/png", "buffer": body} for name, body in mixed])
    expect(status).to_contain_text("2 answered")
    expect(status).to_contain_text("1 of 2 is unlike anything the run was trained on: what it says of them is a guess")
    strange, usual = (tiles.filter(has=page.locator(".l1.unlike")), tiles.filter(has_not=page.locator(".l1.unlike")))
    expect(strange).to_have_count(1)
    expect(strange.locator(".l1")).to_have_text("Unlike")  # no label in the largest type
    expect(strange.locator(".l2").first).to_have_text(re.compile(r"^.+ \d+\?$"))
    expect(strange).to_have_attribute(
        "aria-label", re.compile("^noise.png: unlike anything it was trained on, a guess: ")
    )
    expect(usual.locator(".l1")).not_to_contain_text("Unlike")
    status.get_by_text("Clear").click()
    page.wait_for_function(idle)
