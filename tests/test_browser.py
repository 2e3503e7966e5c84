"""What people click, in a real browser, on the runs that ship. Console errors and answers of 400 and above fail."""

import io
import random
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from dashboard.data.store import Store
from tests.accessibility import SERIOUS, violations
from tests.charts import rest_on
from tests.conftest import COLOUR, COLOUR_RUN

PAGES = [
    "/", "/insights", "/prediction", "/training", "/comparison", "/slices", "/review", "/robustness", "/feedback",
    "/monitoring",
]  # fmt: skip


def opened(page: Page, address: str, idle: str) -> Page:
    page.goto(address)
    page.wait_for_selector("h1")
    page.wait_for_function(idle)
    return page


def cell(page: Page, i: int, j: int, n: int) -> None:
    """Click a cell of the matrix as a person would: hover, then press."""
    page.mouse.click(*rest_on(page, "#dashboard-confusion-graph", i, j, n))


def test_matrix_cells_open_exactly_their_images(shipped, page, new_page, idle, run):
    opened(page, shipped, idle)
    predictions = run.predictions("test")
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (predictions.labels, predictions.predicted), 1)
    assert counts.sum() == 10_000
    draw = random.Random(5)
    for i, j in [(6, 0), *((draw.randrange(10), draw.randrange(10)) for _ in range(4))]:
        cell(page, i, j, 10)
        expect(page.locator("#selection-count")).to_have_text(f"{counts[i, j]:,}")
        expect(page.locator("#dashboard-gallery-grid [data-sample]")).to_have_count(min(48, int(counts[i, j])))
        page.wait_for_function(idle)
        address = page.url
        page.locator("#selection-clear").get_by_text("Clear", exact=True).click()
        expect(page.locator("#selection-count")).to_have_text(f"{int((~predictions.right).sum()):,}")  # as it opens
        page.wait_for_function(idle)
    fresh = new_page()
    opened(fresh, address, idle)
    expect(fresh.locator("#selection-count")).to_have_text(f"{counts[i, j]:,}")
    shown = [int(e.get_attribute("data-sample")) for e in fresh.locator("[data-sample]").all()]
    expected = predictions.ids[(predictions.labels == i) & (predictions.predicted == j)]
    assert set(shown) <= set(expected.tolist())


def test_ctrl_adds_a_second_click_removes_and_back_undoes(shipped, page, idle, run):
    opened(page, shipped, idle)
    cell(page, 6, 0, 10)
    expect(page).to_have_url(f"{shipped}/?true=Shirt&pred=T-shirt%2Ftop")
    page.wait_for_function(idle)
    page.keyboard.down("Control")
    cell(page, 6, 2, 10)
    page.keyboard.up("Control")
    expect(page).to_have_url(f"{shipped}/?true=Shirt&pred=T-shirt%2Ftop&pred=Pullover")
    page.go_back()
    expect(page.get_by_role("button", name="Remove predicted T-shirt/top")).to_be_visible()
    expect(page.get_by_role("button", name="Remove predicted Pullover")).to_have_count(0)
    page.wait_for_function(idle)
    cell(page, 6, 0, 10)
    expect(page.get_by_role("button", name="Remove true Shirt")).to_have_count(0)
    mistakes = int((~run.predictions("test").right).sum())
    expect(page.locator("#selection-count")).to_have_text(f"{mistakes:,}")


def test_labels_bars_and_chips_by_keyboard(shipped, page, idle, run):
    opened(page, shipped, idle)
    page.get_by_role("button", name="Select all truly Bag").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#selection-count")).to_have_text("1,000")
    chip = page.get_by_role("button", name="Remove true Bag")
    chip.focus()
    page.keyboard.press("Enter")
    expect(chip).to_have_count(0)
    page.get_by_text("Table", exact=True).click()
    first = page.locator("#dashboard-confusion-table button").first
    first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    focused = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert focused.endswith("truly Trouser, predicted Trouser")
    page.keyboard.press("Enter")
    expect(page.locator("#selection-count")).to_have_text(focused.split()[0])


def test_the_filter_menu_adds_and_closes(shipped, page, idle, run):
    opened(page, shipped, idle)
    menu = page.locator(".addfilter .menu")
    page.get_by_text("Add filter").click()
    expect(menu).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    page.get_by_text("Add filter").click()
    page.get_by_role("button", name="Add predicted Coat").click()
    guessed = int((run.predictions("test").predicted == run.classes.index("Coat")).sum())
    expect(page.locator("#selection-count")).to_have_text(f"{guessed:,}")
    page.locator("h1").click()
    expect(menu).to_be_hidden()


def test_a_bar_narrows_the_selection(shipped, page, idle, run):
    opened(page, shipped, idle)
    box = page.locator("#dashboard-accuracy-graph .nsewdrag").bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + box["height"] * 0.95)
    page.wait_for_selector("#dashboard-accuracy-graph .hovertext", state="attached")
    page.mouse.click(box["x"] + 20, box["y"] + box["height"] * 0.95)
    predictions = run.predictions("test")
    share = [predictions.right[predictions.labels == c].mean() for c in range(10)]
    worst = int(np.argmin(share))
    expect(page.get_by_role("button", name=f"Remove true {run.classes[worst]}")).to_be_visible()
    wrong = int((~predictions.right[predictions.labels == worst]).sum())
    expect(page.locator("#selection-count")).to_have_text(f"{wrong:,}")


def test_an_image_opens_the_drawer_and_explains_itself(shipped, page, idle, run):
    opened(page, shipped, idle)
    tile = page.locator("[data-sample]").nth(2)
    example = tile.get_attribute("data-sample")
    tile.click()
    drawer = page.locator("#sample-drawer")
    expect(drawer).to_be_visible()
    expect(drawer.locator("#sample-drawer-title")).to_contain_text(f"#{example} 3 of")
    expect(drawer.locator(".pbar")).to_have_count(10)
    expect(drawer.locator(".nbs li")).to_have_count(10)
    maps = """() => {
        const maps = [...document.querySelectorAll('#sample-drawer-why-grid img.over')];
        return maps.length === 6 && maps.every((map) => map.getAttribute('src') && map.complete && map.naturalWidth);
    }"""
    page.wait_for_function(maps, timeout=60_000)
    drawer.get_by_label("Grad-CAM layer").select_option(index=3)
    first = drawer.locator("#sample-drawer-why-map-0-grad-cam")
    expect(first).to_have_attribute("src", re.compile("layer=body"))
    drawer.get_by_role("button", name="Walk through the network").click()
    pixels = drawer.locator("[data-pixels]")
    expect(pixels).to_be_visible(timeout=30_000)
    pixels.hover(position={"x": 3, "y": 3})
    expect(drawer.locator("#sample-drawer-layers-pair")).to_contain_text("row 1, column 1")
    pixels.focus()
    page.keyboard.press("ArrowDown")
    expect(drawer.locator("#sample-drawer-layers-pair")).to_contain_text("row 2, column 1")
    parts = drawer.locator(".walk-parts li:not(.total) > span:last-child").all_inner_texts()
    total = drawer.locator(".walk-parts .total b").last.inner_text()
    number = lambda text: float(text.replace("−", "-"))  # noqa: E731
    assert sum(map(number, parts)) == pytest.approx(number(total), abs=0.001 * len(parts))
    drawer.get_by_role("button", name="Next sample").click()
    expect(drawer.locator("#sample-drawer-title")).to_contain_text("4 of")
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()


def test_the_drawer_leads_to_the_studio(shipped, page, idle, run):
    opened(page, f"{shipped}/?sample=0", idle)
    page.get_by_role("button", name="Open in the studio").click()
    expect(page).to_have_url(f"{shipped}/prediction?sample=0")
    row = run.predictions("test").row(0)
    expect(page.locator("#prediction-label")).to_have_text(
        run.classes[run.predictions("test").predicted[row]], timeout=60_000
    )


def test_run_picker_split_and_order(shipped, page, idle, run):
    opened(page, shipped, idle)
    page.locator("#run-picker").select_option("compact_cnn")
    expect(page).to_have_url(f"{shipped}/?run=compact_cnn")
    expect(page.locator("#dashboard-about")).to_contain_text("compact_cnn on Fashion-MNIST, test")
    page.get_by_role("button", name="Validation").click()
    expect(page.locator("#dashboard-about")).to_contain_text("validation split, 5,000")
    page.locator("#dashboard-gallery-select").select_option("id")
    page.wait_for_function(idle)
    ids = [int(e.get_attribute("data-sample")) for e in page.locator("[data-sample]").all()]
    assert ids == sorted(ids)
    assert len(ids) == 48
    page.get_by_role("link", name="Insights").click()
    expect(page).to_have_url(f"{shipped}/insights?run=compact_cnn&split=validation&sort=id")


def test_bad_addresses_are_read_with_a_note(shipped, page, idle):
    for path in ("/", "/training"):
        opened(page, f"{shipped}{path}?colour=red&page=-1&true=Hat", idle)
        note = page.locator("#app-dropped")
        for words in ("colour", "page=-1", "Hat"):
            expect(note).to_contain_text(words)


def test_a_run_that_is_not_here_is_named_and_the_default_shown(shipped, page, idle, run):
    opened(page, f"{shipped}/?run=nothing", idle)
    expect(page.locator("#app-dropped")).to_contain_text(f"run nothing, which is not here (any more); {run.run_id}")
    expect(page.locator("#run-picker")).to_have_value(run.run_id)
    expect(page.locator("#dashboard-gallery-grid [data-sample]").first).to_be_visible()


def test_a_lasso_on_the_map_becomes_the_selection(shipped, page, idle, run):
    opened(page, f"{shipped}/insights", idle)
    plot = page.locator("#insights-plane-graph")
    plot.scroll_into_view_if_needed()
    plot.locator(".nsewdrag").first.wait_for(state="attached", timeout=60_000)
    page.wait_for_function(idle)
    box = plot.locator(".nsewdrag").first.bounding_box()
    middle_x, middle_y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    corners = [(-0.2, -0.2), (0.2, -0.2), (0.2, 0.2), (-0.2, 0.2), (-0.2, -0.19)]
    page.mouse.move(middle_x - 0.2 * box["width"], middle_y - 0.2 * box["height"])
    page.mouse.down()
    for x, y in corners:
        page.mouse.move(middle_x + x * box["width"], middle_y + y * box["height"], steps=8)
    page.mouse.up()
    chip = page.get_by_role("button", name="Remove lasso")
    expect(chip).to_be_visible(timeout=20_000)
    expect(page).to_have_url(re.compile(r"lasso=map:"))  # a moment after the bar
    page.wait_for_function(idle)
    from dashboard.state.selection import Selection

    selection = Selection.parse("?" + page.url.split("?")[1])
    expected = int(run.mask(selection).sum())
    expect(page.locator("#selection-count")).to_have_text(f"{expected:,}")
    assert 0 < expected < 10_000
    assert len(selection.lasso.vertices) <= 100
    expect(plot.locator(".shapelayer path")).to_have_count(1)
    chip.click()
    expect(plot.locator(".shapelayer path")).to_have_count(0)


def test_uploading_a_test_picture_gives_the_recorded_answer(shipped, page, idle, run, tmp_path):
    opened(page, f"{shipped}/prediction", idle)
    pictures, predictions = run.pictures("test"), run.predictions("test")
    path = tmp_path / "garment.png"
    Image.fromarray(pictures.images[11, ..., 0]).save(path)
    with page.expect_file_chooser() as chooser:
        page.locator("#prediction-upload").get_by_text("Browse", exact=True).click()
    chooser.value.set_files(str(path))
    expect(page.locator("#prediction-label")).to_have_text(run.classes[predictions.predicted[11]], timeout=60_000)
    expect(page.locator("#prediction-confidence")).to_have_text(f"{100 * predictions.confidence[11]:.1f} %")


@pytest.mark.parametrize(
    ("name", "content"), [("empty.png", b""), ("words.png", b"these are words"), ("vector.svg", b"<svg/>")]
)
def test_what_is_no_picture_is_refused_in_words(shipped, page, idle, tmp_path, name, content):
    opened(page, f"{shipped}/prediction", idle)
    path = tmp_path / name
    path.write_bytes(content)
    with page.expect_file_chooser() as chooser:
        page.locator("#prediction-upload").get_by_text("Browse", exact=True).click()
    chooser.value.set_files(str(path))
    expect(page.locator("#prediction-error")).to_contain_text("PNG")


# Insights has a test of its own on fewer points: in software its 3D chart takes seconds to draw again
WIDE = {"/review": "/review?split=validation&true=Shirt&pred=Coat"}  # with all that its line of tools can hold


@pytest.mark.parametrize("path", [*(WIDE.get(path, path) for path in PAGES if path != "/insights"), "/?sample=0"])
def test_pages_fit_every_width_and_axe_finds_nothing_serious(shipped, page, idle, path):
    """One load a page: widths and themes change under it, as they do on a desk and in a hand."""
    opened(page, f"{shipped}{path}", idle)
    page.wait_for_timeout(1_000)
    assert violations(page, SERIOUS) == []
    assert page.locator("#app-links").evaluate("(links) => links.scrollWidth <= links.clientWidth"), "all are in sight"
    for width in (1024, 768, 390, 320):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_timeout(300)
        page.wait_for_function(idle)
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), width
    page.evaluate("document.getElementById('app-theme-button').click()")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.wait_for_function(idle)
    page.set_viewport_size({"width": 390, "height": 800})
    page.wait_for_timeout(500)
    assert violations(page, SERIOUS) == []


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.allow_problems("404 .*/nowhere", "status of 404")
def test_an_address_that_leads_nowhere_is_readable(shipped, new_page, mode):
    page = new_page(color_scheme=mode)
    page.goto(f"{shipped}/nowhere")
    assert violations(page, SERIOUS) == []


def test_the_theme_is_the_systems_until_it_is_chosen_and_then_remembered(shipped, page, new_page, idle):
    opened(page, shipped, idle)
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")
    expect(opened(new_page(color_scheme="dark"), shipped, idle).locator("html")).to_have_attribute(
        "data-bs-theme", "dark"
    )
    page.locator("#app-theme-button").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")


@pytest.fixture(scope="module")
def odd_home(colour_home, tmp_path_factory):
    """Two runs on 13 classes, 40 × 32, RGB; one with every table, one before its optional ones were made."""
    from ml.pipeline import train
    from ml.training.config import TrainConfig

    home = Path(shutil.copytree(colour_home, tmp_path_factory.mktemp("odd-home"), dirs_exist_ok=True))
    config = TrainConfig(model="compact_cnn", dataset=COLOUR, epochs=1, batch_size=64, threads=1)
    train(config, run_id="bare", home=home, slow=False)
    return home


def test_thirteen_classes_in_colour_open_on_every_page(odd_home, no_artifacts, serving, page, idle):
    from dashboard.shell import create_app

    address = serving(create_app(no_artifacts, home=odd_home))
    opened(page, f"{address}/?run={COLOUR_RUN}", idle)
    cell(page, 12, 12, 13)
    p = Store(no_artifacts, odd_home).open(COLOUR_RUN).predictions("test")
    n = int(((p.labels == 12) & (p.predicted == 12)).sum())
    expect(page.locator("#selection-count")).to_have_text(f"{n:,}")
    for run_id, paths in ((COLOUR_RUN, PAGES), ("bare", ("/", "/insights", "/slices", "/review"))):
        opened(page, f"{address}{paths[0]}?run={run_id}", idle)
        for path in paths:
            page.locator(f"#app-links a[data-page='{path}']").click()
            expect(page).to_have_url(re.compile(rf"{path}\?.*run={run_id}"))
            expect(page.locator("#app-links [aria-current]")).to_have_attribute("data-page", path)
            page.wait_for_function(idle)
            expect(page.locator("#app-dropped")).to_be_empty()
            assert page.locator(".face.bad").count() == 0, (run_id, path)


def test_no_runs_at_all(no_artifacts, tmp_path, serving, page, idle):
    from dashboard.shell import create_app

    address = serving(create_app(no_artifacts, home=tmp_path / "empty"))
    for path in ("/insights", "/training", "/review", "/"):
        opened(page, f"{address}{path}", idle)
        assert page.locator(".face.bad").count() == 0
    expect(page.get_by_text("python -m ml train").first).to_be_visible()


def test_api_gives_what_was_recorded(shipped, run):
    import requests

    pictures, predictions = run.pictures("test"), run.predictions("test")
    for i in random.Random(1).sample(range(10_000), 40):
        buffer = io.BytesIO()
        Image.fromarray(pictures.images[i, ..., 0]).save(buffer, "PNG")
        answer = requests.post(
            f"{shipped}/api/v1/predict", files={"image": ("x.png", buffer.getvalue())}, data={"top": "10"}, timeout=60
        ).json()
        assert answer["label"] == run.classes[predictions.predicted[i]]
        for entry in answer["top"]:
            recorded = predictions.probabilities[i, run.classes.index(entry["label"])]
            assert abs(entry["probability"] - recorded) < 1e-4
