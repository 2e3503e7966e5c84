"""Tables that panels offer as CSV."""

from dashboard.pages import PAGES, TABLES


def test_a_run_that_is_not_here_gives_the_table_of_the_one_that_the_page_shows(app):
    client = app.server.test_client()
    for noun in ("selection", "confusion", "scores", "history"):
        shown, gone = (client.get(f"/export/{noun}.csv{query}") for query in ("", "?run=gone"))
        assert (gone.status_code, gone.text) == (200, shown.text), noun
        assert gone.headers["Content-Disposition"] == shown.headers["Content-Disposition"]


def test_each_table_belongs_to_the_page_that_declares_its_panel():
    assert {noun for page in PAGES for noun in page.tables} == set(TABLES)
    named = {page.name: set(page.tables) for page in PAGES}
    assert "confusion" in named["dashboard"]
    assert "engines" in named["training"], "a panel within another counts too"
