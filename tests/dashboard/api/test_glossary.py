"""/glossary: every term with an address; every page's help texts lead to those that they use."""

import re

import pytest
from dash import html
from playwright.sync_api import Page, expect

from dashboard.components import help_line
from dashboard.format import glossary
from dashboard.pages import PAGES
from tests.accessibility import SERIOUS, violations


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    from dashboard.shell import create_app

    return create_app(home=tmp_path_factory.mktemp("glossary-home"))


def help_texts(layout) -> list[html.P]:
    """The paragraphs beside the titles of cards; one with an id is some callback's."""
    heads = (part for part in layout._traverse() if getattr(part, "className", None) == "card-h")
    return [part for head in heads for part in head._traverse() if isinstance(part, html.P) and not hasattr(part, "id")]


def links_of(paragraph: html.P) -> list[str]:
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
