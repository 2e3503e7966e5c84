"""Two runs side by side in a real browser, on the runs that ship: pick, click, count, and the same from a permalink."""

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from dashboard.analysis.comparison import verdict
from dashboard.data.store import Store
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import BUCKETS
from ml.system.paths import ARTIFACTS
from tests.charts import rest_on

pytestmark = pytest.mark.browser
RUN, AGAINST = "compact_cnn", "fashion_cnn"
COUNT, TILES = "#selection-count", "#comparison-gallery-grid [data-sample]"


@pytest.fixture(scope="module")
def pair():
    return Store(ARTIFACTS, ARTIFACTS).compare(Selection(run=RUN, against=AGAINST))


def opened(page: Page, address: str, idle: str) -> Page:
    page.goto(address)
    page.wait_for_selector("h1")
    page.wait_for_function(idle)
    return page


def cell(page: Page, i: int, j: int) -> None:
    """Click a cell of the matrix as a person would: hover, then press."""
    page.mouse.click(*rest_on(page, "#comparison-delta-graph", i, j))


def samples(page: Page) -> list[int]:
    return [int(tile.get_attribute("data-sample")) for tile in page.locator(TILES).all()]


def test_pick_two_runs_then_a_bucket_then_a_cell_then_send_the_link(shipped, page, new_page, idle, pair):
    opened(page, f"{shipped}/comparison", idle)
    page.locator("#run-picker").select_option(RUN)
    expect(page).to_have_url(f"{shipped}/comparison?run={RUN}")
    page.wait_for_function(idle)
    page.locator("#comparison-against").select_option(AGAINST)
    expect(page).to_have_url(f"{shipped}/comparison?run={RUN}&against={AGAINST}")
    expect(page.locator("#comparison-verdict-body h2")).to_have_text(verdict(pair).sentence())
    counts = pair.buckets().tolist()
    assert sum(counts) == 10_000
    expect(page.locator(COUNT)).to_have_text(f"{counts[1] + counts[2]:,}")
    for bucket, count in zip(BUCKETS, counts, strict=True):
        button = page.locator(f"[data-bucket={bucket}]")
        expect(button.locator("b")).to_have_text(f"{count:,}")
        button.click()
        expect(page.locator(COUNT)).to_have_text(f"{count:,}")
        expect(page.locator("#comparison-gallery-title")).to_have_text(f"{count:,} images")
        expect(button).to_have_attribute("aria-pressed", "true")
        page.wait_for_function(idle)
    page.locator("[data-bucket=neither]").click()  # a second click lets go
    expect(page).to_have_url(f"{shipped}/comparison?run={RUN}&against={AGAINST}")
    page.wait_for_function(idle)

    first, second = pair.confusions(Selection())
    i, j = np.unravel_index(np.argmax((first + second) * ~np.eye(10, dtype=bool)), (10, 10))
    cell(page, int(i), int(j))
    expected = int(first[i, j] + second[i, j])
    expect(page.locator(COUNT)).to_have_text(f"{expected:,}")
    expect(page.locator(TILES)).to_have_count(min(48, expected))
    page.wait_for_function(idle)

    fresh = opened(new_page(), page.url, idle)
    expect(fresh.locator(COUNT)).to_have_text(f"{expected:,}")
    assert samples(fresh) == samples(page)
    says, labels = (pair.answers.a == j) != (pair.answers.b == j), pair.answers.labels
    assert set(samples(fresh)) <= set(pair.ids[says & (labels == i)].tolist())


def test_a_tile_opens_the_drawer_and_the_other_side(shipped, page, idle, pair):
    opened(page, f"{shipped}/comparison?run={RUN}&against={AGAINST}&bucket=only-b", idle)
    ids = pair.ids[pair.ordered(Selection(bucket=("only-b",)))].tolist()
    page.locator(TILES).nth(1).click()
    drawer = page.locator("#sample-drawer")
    expect(drawer.locator("#sample-drawer-title")).to_contain_text(f"#{ids[1]} 2 of {len(ids):,}")
    expect(drawer).to_contain_text(f"{AGAINST} says")
    drawer.get_by_role("button", name="Next sample").click()
    expect(drawer.locator("#sample-drawer-title")).to_contain_text(f"#{ids[2]} 3 of")
    drawer.get_by_role("button", name="Its side").click()
    expect(drawer).to_contain_text(f"Predicted by {AGAINST}")
    expect(page).to_have_url(f"{shipped}/comparison?run={AGAINST}&against={RUN}&bucket=only-a&sample={ids[2]}")
    expect(page.locator(COUNT)).to_have_text(f"{len(ids):,}")


def test_by_keyboard_and_from_the_other_side(shipped, page, idle, pair):
    opened(page, f"{shipped}/comparison?run={RUN}&against={AGAINST}", idle)
    page.locator("#comparison-delta-view").get_by_text("Table").click()
    button = page.locator("#comparison-delta-table button").first
    expect(button).to_be_visible()
    button.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    first, second = (int(counts[1, 1]) for counts in pair.confusions(Selection()))
    label = f"{{:+d}}, truly {pair.a.classes[1]}, predicted {pair.a.classes[1]}: {{}} by A alone, {{}} by B alone"
    focused = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert focused == label.format(first - second, first, second)
    page.keyboard.press("Enter")
    expect(page.locator(COUNT)).to_have_text(f"{first + second:,}")
    page.wait_for_function(idle)
    page.get_by_role("button", name="Swap").click()
    pressed = page.locator("#comparison-delta-table button[aria-pressed=true]")
    expect(pressed).to_have_attribute("aria-label", label.format(second - first, second, first))
    expect(page.locator(COUNT)).to_have_text(f"{first + second:,}")


def test_a_run_chosen_against_itself_trades_places(shipped, page, idle):
    opened(page, f"{shipped}/comparison?run={RUN}&against={AGAINST}&split=validation", idle)
    page.locator("#run-picker").select_option(AGAINST)
    expect(page.locator("#comparison-against")).to_have_value(RUN)
    expect(page.locator("#comparison-about")).to_contain_text("validation split")
    expect(page.locator("#app-dropped")).to_be_empty()


def test_curves_by_time(shipped, page, idle):
    opened(page, f"{shipped}/comparison", idle)
    axis = page.locator("#comparison-pace-loss-graph .xaxislayer-above")
    expect(axis).to_contain_text("epoch 1")
    page.get_by_text("By time").click()
    expect(axis).to_contain_text("0 min")


def test_one_run_alone_says_how_to_make_another(live_server, page, idle):
    opened(page, f"{live_server}/comparison", idle)
    face = page.locator("#comparison-face")
    expect(face).to_contain_text("a comparison needs two")
    expect(face.locator("code")).to_contain_text("python -m ml train")
    expect(page.locator("#comparison-body")).to_be_hidden()
    face.get_by_role("button", name="Train another run").click()
    expect(page).to_have_url(f"{live_server}/training")
