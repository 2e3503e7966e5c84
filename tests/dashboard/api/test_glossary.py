"""/glossary: every term with an address; every page's help texts lead to those that they use."""

import re
from pathlib import Path

import pytest
from dash import html
from playwright.sync_api import Page, expect

from dashboard.components import badge, column_head, help_line, stat, term_mark
from dashboard.figures.sketches import SKETCHES
from dashboard.format import glossary
from dashboard.format.keys import KEYS
from dashboard.pages import PAGES
from tests.accessibility import SERIOUS, violations

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    from dashboard.shell import create_app

    return create_app(home=tmp_path_factory.mktemp("glossary-home"))


def help_texts(layout) -> list[html.P]:
    """The paragraphs beside the titles of cards; one with an id is some callback's."""
    heads = (part for part in layout._traverse() if getattr(part, "className", None) == "card-h")
    return [part for head in heads for part in head._traverse() if isinstance(part, html.P) and not hasattr(part, "id")]


def links_of(paragraph) -> list[str]:
    return [part.href for part in paragraph._traverse() if isinstance(part, html.A)]


def text_of(paragraph: html.P) -> str:
    pieces = paragraph.children if isinstance(paragraph.children, list) else [paragraph.children]
    return "".join(piece if isinstance(piece, str) else piece.children for piece in pieces)


def test_the_terms_of_a_sentence_are_links_where_they_stand():
    assert links_of(help_line("Nothing of the field.")) == []
    shown = help_line("Recall, with 95 % interval; recall again.\n\nMore, of calibration.")
    assert links_of(shown) == ["/glossary#recall", "/glossary#confidence-interval"]
    assert text_of(shown) == "Recall, with 95 % interval; recall again."
    assert links_of(help_line("Macro F1 beside F1.")) == ["/glossary#f1"]
    assert [piece for piece, _ in glossary.linked("Accuracy")] == ["Accuracy"]


def test_every_term_has_an_address_and_the_page_follows_the_theme(app):
    client = app.server.test_client()
    answer = client.get("/glossary")
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert 'data-bs-theme="light"' in answer.text
    assert sorted(re.findall(r'<section id="([^"]+)"', answer.text)) == sorted(term.slug for term in glossary.TERMS)
    assert "<em>Coverage</em>" in answer.text
    drawn = re.findall(r'<svg class="sketch"[^>]*role="img" aria-label="([^"]+)"', answer.text)
    assert sorted(drawn) == sorted(one.words for one in SKETCHES.values()), "each picture says what it shows"
    assert set(SKETCHES) <= {term.slug for term in glossary.TERMS}
    assert "style=" not in "".join(one.svg for one in SKETCHES.values()), "the page's policy refuses it"
    assert not re.search(r'(?:href|src)="/', answer.text), "an address that a proxy's prefix would break"
    for style in re.findall(r'href="(assets/[^"]+)"', answer.text):
        with client.get(f"/{style}") as asset:
            assert asset.status_code == 200, style
    client.set_cookie("theme", "dark")
    assert 'data-bs-theme="dark"' in client.get("/glossary").text


@pytest.mark.parametrize("place", range(len(PAGES)), ids=[page.path for page in PAGES])
def test_help_texts_link_the_terms_that_they_use(app, place):
    slugs = {term.slug for term in glossary.TERMS}
    texts = help_texts(app.whole().children[1 + place])
    assert texts
    for text in texts:
        if any(hasattr(part, "id") for part in text._traverse()):
            continue  # some callback's
        used = [term.slug for term in glossary.used(text_of(text))]
        assert links_of(text) == [f"/glossary#{slug}" for slug in used], text_of(text)
        assert slugs >= set(used)


def test_tiles_heads_and_badges_lead_to_the_words_that_they_use():
    tile = stat("Calibration (ECE)", "1.0", "%", None, "")
    assert links_of(tile) == ["/glossary#calibration", "/glossary#ece"]
    assert links_of(column_head("Drift (PSI): classes", className="r")) == ["/glossary#drift"]
    assert links_of(badge("Near-duplicate", "warn")) == ["/glossary#near-duplicate"]
    assert links_of(badge("right", "good")) == []
    # a class may be called like a word of the field; the name of a number that is made of parts stays as it is
    assert links_of(stat([html.I(), "Best, Filter"], "99", "%", None, "")) == []
    mark = term_mark("Macro-F1")
    assert mark is not None
    assert (mark.href, mark.to_plotly_json()["props"]["aria-label"]) == ("/glossary#f1", "What is Macro-F1?")
    assert term_mark("Size") is None


def test_no_column_head_is_written_past_the_help():
    """Only heads without a word of their own, and those that hold a run's name or a button, are made elsewhere."""
    pages = ROOT / "dashboard" / "pages"
    past = [
        f"{file.relative_to(pages)}: {match}"
        for file in sorted(pages.rglob("*.py"))
        for match in re.findall(r'html\.Th\((?!html\.Span)[^\n]*scope="col"', file.read_text())
    ]
    assert [line for line in past if ".title" not in line and "axis" not in line] == []


def test_keys_stand_with_the_words_and_name_pages_that_are_there(app):
    text = app.server.test_client().get("/glossary").text
    paths = {page.path: page.title for page in PAGES}
    assert {key.page for key in KEYS} <= {"", *paths}
    assert all(key.where == paths[key.page] for key in KEYS if key.page)
    assert re.findall(r'<div data-page="([^"]*)"><dt>', text) == [key.page for key in KEYS]
    spelled = re.findall(r'data-spelled="([^"]+)"', text)
    assert len(spelled) == len(glossary.TERMS)


def test_a_question_mark_shows_keys_and_words_of_the_page_and_gives_the_focus_back(shipped, new_page):
    page: Page = new_page()
    page.goto(f"{shipped}/review")
    expect(page.locator("#review-queue-grid [data-sample]").first).to_be_visible()
    first = page.locator("#review-queue-grid [data-sample]").first
    first.focus()
    page.keyboard.press("?")
    shown = page.get_by_role("dialog", name="Help")
    expect(shown.get_by_role("heading", name="Keys of this page")).to_be_visible()
    expect(shown.locator("dl")).to_contain_text("Leaves the image in front out.")
    expect(shown.locator("dl")).not_to_contain_text("Rejects the chosen pictures")
    expect(shown.get_by_role("heading", name="Label issue", exact=True)).to_be_attached()
    expect(shown.get_by_role("heading", name="Quantization", exact=True)).not_to_be_attached()
    page.keyboard.press("x")  # a key of the page beneath does nothing
    assert violations(page, SERIOUS) == []
    page.keyboard.press("Escape")
    expect(shown).not_to_be_visible()
    expect(first).to_be_focused()
    expect(page.locator("#review-log-card, main")).not_to_contain_text("Excluded")
    page.locator("main a.term").first.click()
    expect(shown.locator("section.asked h4")).to_be_visible()
    expect(page).to_have_url(re.compile("/review"))


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_page_reads_in_both_themes(shipped, new_page, mode):
    page: Page = new_page()
    page.context.add_cookies([{"name": "theme", "value": mode, "url": shipped}])
    page.goto(f"{shipped}/glossary#recall")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", mode)
    expect(page.locator("#recall")).to_be_in_viewport()
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert violations(page, SERIOUS) == []
    page.get_by_role("link", name="Back to the app").click()
    expect(page).to_have_url(f"{shipped}/")
