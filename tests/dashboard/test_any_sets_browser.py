"""Every page with data sets unlike the one that ships: 2 to 1,000 classes, 8 to 224 pixels (tests/any_sets.py)."""

import re

import pytest
from playwright.sync_api import expect

from tests import any_sets

MAIN = ("/", "/insights", "/prediction?sample={first}", "/slices", "/robustness", "/review")
PAGES = (*MAIN, "/comparison", "/monitoring", "/training", "/feedback")
# where the number of classes is what matters
LARGE_PAGES = ("/insights", "/prediction?sample={first}", "/")
TALLEST = 8_400  # pixels of a page at most, whatever the data: Insights of Fashion-MNIST has 7,300

STILL_WAITING = """() => [...document.querySelectorAll('[aria-busy=true]')].filter((one) => one.checkVisibility())
    .map((one) => `${one.id} ${one.className}`)"""

SAID = """() => document.body.innerText + [...document.querySelectorAll('[aria-label], [alt]')]
    .map((one) => `\\n${one.getAttribute('aria-label') || one.getAttribute('alt')}`).join('')"""
# one in the plural, a value that is none, a power of ten
MISSPOKEN = re.compile(
    r"(?<![\d.,#@:–-])1 (?:[a-z]+ )?(?:images|pictures|runs|epochs|threads)\b"
    r"|(?<![\d.,#@:–-])1 (?:labels|mistakes|decisions|groups|steps|times|files|seeds)\b"
    r"|\bnan\b|\bundefined\b|\de[+-]\d"
)


@pytest.fixture
def address(request, tmp_path, no_artifacts, serving):
    """The app on one of the four sets."""
    from dashboard.shell import create_app

    any_sets.make(request.param, tmp_path / "home")
    return f"{serving(create_app(no_artifacts, home=tmp_path / 'home'))}", request.param


def walk(page, idle, address, run, paths):
    """Open each page, scroll to its end, look at its size."""
    counts = any_sets.SETS[run].counts
    first = sum(sum(counts[split]) for split in ("train", "validation"))
    for path in paths:
        page.goto(f"{address}{path.format(first=first)}{'&' if '?' in path else '?'}run={run}")
        page.wait_for_function(idle)
        for part in (1, 2, 3, 4):
            page.evaluate(f"scrollTo(0, document.body.scrollHeight * {part} / 4 - innerHeight / 2)")
            page.wait_for_function(idle)
        expect(page.locator(".face.error")).to_have_count(0)
        page.wait_for_function(f"() => !({STILL_WAITING})().length")
        said = page.evaluate(SAID).splitlines()
        assert [line for line in said if MISSPOKEN.search(line)] == [], path
        height, over = page.evaluate("[document.body.scrollHeight, document.documentElement.scrollWidth - innerWidth]")
        assert height < TALLEST, path
        assert over <= 0, path


@pytest.mark.parametrize(("address", "paths"), [("two", PAGES), ("large", MAIN)], indirect=["address"])
def test_every_page(address, paths, page, idle):
    walk(page, idle, *address, paths)


@pytest.mark.parametrize(("address", "paths"), [("many", MAIN), ("thousand", LARGE_PAGES)], indirect=["address"])
def test_pages_of_many_classes(address, paths, page, idle):
    answers = []
    page.on("response", lambda one: answers.append(one) if "_dash-update" in one.url else None)
    walk(page, idle, *address, paths)
    assert max(int(one.headers.get("content-length", 0)) for one in answers) < 400_000, "packed"
    server, run = address
    page.goto(f"{server}/?run={run}")
    classes = len(any_sets.SETS[run].classes)
    panel = page.locator("#dashboard-accuracy-card")
    expect(panel.locator(".names button")).to_have_count(12)
    expect(panel.locator("#dashboard-accuracy-part")).to_have_text(re.compile(f"first and last 6 of {classes:,}"))
    panel.locator("#dashboard-accuracy-on").click()
    expect(panel.locator("#dashboard-accuracy-part")).to_have_text(f"1 – 12 of {classes:,}")
    panel.get_by_label("Find a class").fill("BOLETE 1")
    expect(panel.locator(".names button").first).to_have_text(re.compile("bolete 1"))
    # a filter that is typed: the class is none of those whose buttons are there
    page.get_by_text("Add filter", exact=True).click()
    field = page.get_by_label("Find a class: Add true")
    field.fill("leaf curl 235")
    field.press("Enter")
    expect(page.locator(".chip").filter(has_text="leaf curl 235").first).to_be_visible()
    expect(page).to_have_url(re.compile("true=leaf"))  # the chip is drawn ahead of the address
    page.go_back()
    expect(page).not_to_have_url(re.compile("true=leaf"))
    page.wait_for_function(idle)
    page.locator("#dashboard-confusion-top button").first.click()
    expect(page.locator(".tile").first).to_be_visible()
    expect(page).to_have_url(re.compile(r"true=.+pred="))
