"""What axe finds wrong with a page."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

SERIOUS = ("serious", "critical")
# What passes is not reported node by node: it took most of the time.
OPTIONS = {"resultTypes": ["violations"]}


def violations(
    page: Page, impacts: tuple[str, ...] = ("minor", "moderate", *SERIOUS), context: str | None = None
) -> list[tuple[str, list[str]]]:
    """(rule, HTML of the first few elements that break it); impacts: which rules count; context: a part of the page."""
    broken = Axe().run(page, context=context, options=OPTIONS).response["violations"]
    return [
        (one["id"], [node["html"][:200] for node in one["nodes"]][:4]) for one in broken if one["impact"] in impacts
    ]
