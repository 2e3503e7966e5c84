"""The report of a view: one file that needs no network, with the numbers that the pages show."""

import re

import pytest
from dash import dcc, html

from dashboard.data.store import Store
from dashboard.exports import report
from dashboard.pages import PAGES
from dashboard.services.container import Services
from dashboard.services.jobs import Jobs
from dashboard.state.selection import Selection


@pytest.fixture
def services(home, no_artifacts):
    return Services(Store(no_artifacts, home), Jobs(home))


def test_it_holds_what_the_pages_show(services):
    run = services.store.open("toy")
    selection = Selection.parse("?true=Bar%201&outcome=right&outcome=wrong&sort=id")
    rows, predictions = run.ordered(selection), run.predictions("test")
    page = report.html(services, selection, "?true=Bar%201")
    assert f"{len(rows)} of {len(predictions.ids)}" in page
    assert f"{int(predictions.right.sum())} of {len(predictions.ids)}" in page
    assert page.count("<img") >= min(48, len(rows))
    for cells, row in zip(run.confusion(selection), re.findall(r'<tr><th scope="row">Bar.*?</tr>', page), strict=True):
        shown = [int(n or 0) for n in re.findall(r'class="c"[^>]*>(\d*)<', row)]
        assert shown == cells.tolist()
    for name, digest in report.files(run):
        assert name in page
        assert digest in page
    assert run.manifest["weights"]["sha256"] in page


def test_nothing_in_it_is_fetched_or_run(services):
    page = report.html(services, Selection(), "/")
    assert "<script" not in page
    assert "<link" not in page
    leads = re.findall(r'(?:src|href|srcset|action)="([^"]*)|url\(([^)]*)', page)
    assert leads
    assert all(first.startswith("data:image/png;base64,") and not second for first, second in leads)


def test_what_an_address_says_is_text(app):
    client = app.server.test_client()
    answer = client.get("/export/report.html?true=%3Cscript%3Ealert(1)%3C/script%3E")
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"] == 'attachment; filename="toy-test-report.html"'
    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert client.get("/export/report.html?run=toy&split=train").status_code == 200, "what cannot be read is left out"


def test_a_page_whose_table_is_not_made_yet_names_the_command(app):
    answer = app.server.test_client().get("/export/review-report.html?run=toy&true=Bar%201")
    assert answer.status_code == 200
    assert "python -m ml evaluate toy --only label_issues" in answer.text
    assert "<h2>Confusion</h2>" in answer.text


def test_an_empty_selection_is_said(services):
    page = report.html(services, Selection.parse("?true=Bar%201&pred=Bar%202&conf=0.00-0.01"), "/")
    assert "The first 0 of 0" in page


def test_every_chart_stands_in_a_card_that_saves_it(services):
    def below(part, kind):
        return [one for one in part._traverse() if isinstance(one, kind)]

    charts, unsaved = 0, []
    for page in PAGES:
        layout = page.layout(services, Selection())
        cards = [one for one in below(layout, html.Article | html.Section) if below(one, dcc.Graph)]
        held = [graph for card in cards for graph in below(card, dcc.Graph)]
        charts += len(held)
        assert {graph.id for graph in below(layout, dcc.Graph)} == {graph.id for graph in held}
        for card in cards:
            if not any(getattr(one, "className", "") == "save" for one in below(card, html.Details)):
                unsaved += [graph.id for graph in below(card, dcc.Graph)]
    assert charts > 25
    assert unsaved == []
