"""A folder with pictures that nobody has labelled: imported, learned from, labelled in a browser, learned again."""

import csv
import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from dashboard.shell import create_app
from ml import data, pipeline
from ml.artifacts.reader import Library
from ml.data.corrections import read
from ml.training.config import TrainConfig
from tests.accessibility import SERIOUS, violations

pytestmark = pytest.mark.browser
PAGES = ("", "insights", "prediction", "training", "comparison", "slices", "review", "robustness", "monitoring", "data")
TINY = TrainConfig(model="compact_cnn", dataset="mixed", epochs=1, batch_size=16, threads=1)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A home with an imported folder of two classes and `unlabelled/`, and a run on it. Do not write to it."""
    source, home = tmp_path_factory.mktemp("source") / "mixed", tmp_path_factory.mktemp("mixed")
    rng = np.random.default_rng(0)
    for folder, n in (("bright", 40), ("dark", 40), ("unlabelled", 9)):
        (source / folder).mkdir(parents=True)
        for i in range(n):
            level = {"bright": 150, "dark": 20}.get(folder, 150 if i % 2 else 20)
            pixels = rng.integers(0, 100, (28, 28)).astype(np.uint8) + np.uint8(level)
            Image.fromarray(pixels).save(source / folder / f"{i}.png")
    data.import_dataset(source, "mixed", home=home)
    pipeline.train(TINY, run_id="first", home=home)
    return home


@pytest.fixture
def home(mixed, tmp_path):
    return shutil.copytree(mixed, tmp_path / "home")


def test_three_labels_one_taken_back_and_two_are_learned(home, no_artifacts, no_worker, serving, page, idle):
    address = serving(create_app(no_artifacts, home=home))
    page.goto(f"{address}/review")
    page.locator("#review-split").get_by_text("Unlabelled").click()
    tiles = page.locator("#review-queue-grid [data-sample]")
    expect(tiles).to_have_count(9)
    expect(page.locator("#review-queue-title")).to_have_text("What to label next: 9 without a label")
    expect(page.locator("#review-sample-title")).to_have_text("What is this?")
    expect(page.locator("#review-scores-body")).to_contain_text("No labels: not scored")
    expect(page.locator("#review-retrain-what")).to_contain_text("label what is Unlabelled")
    page.wait_for_function(idle)
    assert not violations(page, SERIOUS)
    order = tiles.evaluate_all("all => all.map(one => Number(one.dataset.sample))")
    page.get_by_role("button", name="Most unlike training").click()
    page.wait_for_url("**sort=unlike*")
    page.wait_for_function(idle)
    assert sorted(tiles.evaluate_all("all => all.map(one => Number(one.dataset.sample))")) == sorted(order)
    page.get_by_role("button", name="Most uncertain").click()
    page.wait_for_function(idle)
    expect(page.locator("#review-sample-body .mono")).to_have_text(f"#{order[0]}")
    guess = page.locator("#review-sample-pad [data-press=keep]").inner_text().split("It is ")[1]

    page.keyboard.press(" ")  # what is predicted
    expect(page.locator("#review-sample-body .mono")).to_have_text(f"#{order[1]}")
    page.keyboard.press("0")
    expect(page.locator("#review-sample-body .mono")).to_have_text(f"#{order[2]}")
    page.keyboard.press("1")
    expect(page.locator("#review-decided")).to_have_text("3")
    page.keyboard.press("u")
    expect(page.locator("#review-decided")).to_have_text("2")
    expect(page.locator("#review-retrain-what")).to_contain_text("2 images that came without a label are learned from")
    log = list(csv.DictReader(io.StringIO(page.request.get(f"{address}/export/decisions.csv").text())))
    assert [(int(one["example_id"]), one["before"], one["after"]) for one in log] == [
        (order[0], "(no label)", guess),
        (order[1], "(no label)", "bright"),
    ]

    page.get_by_text("Train the twin without").click()
    page.get_by_role("button", name="Retrain with my decisions").click()
    expect(page.locator("#review-retrain-live")).not_to_be_empty()
    name = next(file.stem for file in (home / "labels").glob("*.json"))
    assert set(read(home, name).labelled) == set(order[:2])
    pipeline.train(TINY.model_copy(update={"labels": name}), run_id="second", home=home)
    library = Library(home, home)
    first, second = library.open("first"), library.open("second")
    assert second.manifest["train_images"] == first.manifest["train_images"] + 2
    assert second.manifest["results"]["test"]["n"] == first.manifest["results"]["test"]["n"]
    assert set(first.table("unlabelled")["example_id"]) - set(second.table("unlabelled")["example_id"]) == set(
        order[:2]
    )


def test_every_page_opens_with_it(home, no_artifacts, no_worker, serving, page, idle):
    address = serving(create_app(no_artifacts, home=home))
    for path in PAGES:
        page.goto(f"{address}/{path}?run=first&split=unlabelled")
        page.locator("#app-page h1").wait_for()
        page.wait_for_function(idle)
        words = page.locator("main, body").first.inner_text()
        for wrong in ("could not be drawn", "NaN", "undefined", "class -1", "Traceback"):
            assert wrong not in words, (path, wrong)
    page.goto(f"{address}/?run=first&split=unlabelled")
    expect(page.locator("#dashboard-scores-face")).to_contain_text("No labels: not scored")
    expect(page.locator("#dashboard-gallery-grid [data-sample]")).to_have_count(9)
    expect(page.locator("#dashboard-gallery-grid")).to_contain_text("no label")
    page.select_option("#dashboard-gallery-select", "diverse")
    page.wait_for_url("**sort=diverse*")
    page.locator("#dashboard-gallery-grid [data-sample]").first.click()
    drawer = page.locator("#sample-drawer")
    expect(drawer).to_contain_text("no label")
    expect(drawer).to_contain_text("Label it in Review")
    page.goto(f"{address}/?run=first&split=test")
    expect(page.locator("#dashboard-scores-body")).to_contain_text("images named right")
    options = page.locator("#dashboard-gallery-select option").all_inner_texts()
    assert "Diverse sample" not in options
    assert json.loads((home / "datasets" / "mixed" / "dataset.json").read_text())["splits"]["unlabelled"] == 9
