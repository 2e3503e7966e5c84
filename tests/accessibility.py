"""What axe finds wrong with a page."""

from collections.abc import Iterator

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

SERIOUS = ("serious", "critical")
# What passes is not reported node by node: it took most of the time. Nothing is fetched before: no rule needs it whose
# breach would count.
OPTIONS = {"resultTypes": ["violations"], "preload": False}
AXE = Axe()
# A colour on its way from one theme to the other is neither's: on a busy machine axe met buttons in between.
ARRIVED = """() => Promise.all(document.getAnimations().filter((one) => one instanceof CSSTransition)
    .map((one) => one.finished.catch(() => null))).then(() => null)"""
RUN = "([context, options]) => axe.run(context ?? document, options).then((results) => results.violations)"


def violations(
    page: Page, impacts: tuple[str, ...] = ("minor", "moderate", *SERIOUS), context: str | None = None
) -> list[tuple[str, list[str]]]:
    """(rule, HTML of the first few elements that break it); impacts: which rules count; context: a part of the page."""
    if not page.evaluate("'axe' in window"):  # what is compiled already is not compiled again
        page.evaluate(AXE.axe_script)
    page.evaluate(ARRIVED)
    broken = page.evaluate(RUN, [context, OPTIONS])
    return [
        (one["id"], [node["html"][:200] for node in one["nodes"]][:4]) for one in broken if one["impact"] in impacts
    ]


def both_themes(page: Page, idle: str) -> Iterator[str]:
    """Each theme in turn, of a page that is light and at rest: what a second load would show costs twice as much."""
    yield "light"
    page.evaluate("document.getElementById('app-theme-button').click()")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.wait_for_function(idle)
    yield "dark"
    page.evaluate("document.getElementById('app-theme-button').click()")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")
    page.wait_for_function(idle)
