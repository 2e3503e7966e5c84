"""Tables that panels offer as CSV."""

from dashboard.pages import PAGES, TABLES


def test_each_table_belongs_to_the_page_that_declares_its_panel():
    assert {noun for page in PAGES for noun in page.tables} == set(TABLES)
    named = {page.name: set(page.tables) for page in PAGES}
    assert "confusion" in named["dashboard"]
    assert "engines" in named["training"], "a panel within another counts too"
