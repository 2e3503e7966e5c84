"""The glossary names modules that are there, its page is written from it, and a sentence finds its words."""

import importlib.util
import re
from pathlib import Path

import pytest

from dashboard.format import glossary

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_is_written_from_the_terms():
    assert (ROOT / "docs/glossary.md").read_text() == glossary.page()


@pytest.mark.parametrize("term", glossary.TERMS, ids=lambda term: term.slug)
def test_a_term_names_a_module_that_is_there_and_where_it_is_defined(term):
    assert importlib.util.find_spec(term.code) is not None
    assert re.search(r"(1[89]|20)\d\d|https://", term.source), "an author's year, or an address"


def test_no_two_terms_share_an_address_or_a_spelling():
    slugs = [term.slug for term in glossary.TERMS]
    spellings = [word.lower() for term in glossary.TERMS for word in (term.word, *term.also)]
    assert len(set(slugs)) == len(slugs)
    assert len(set(spellings)) == len(spellings)


@pytest.mark.parametrize(
    ("sentence", "slugs"),
    [
        (
            "Share of each true class predicted correctly (recall), with 95 % interval.",
            ["recall", "confidence-interval"],
        ),
        ("How well calibrated it is: the ECE of 15 bins.", ["calibration", "ece"]),
        ("Nothing of the kind, precisely recalled.", []),
        ("Slices, epochs and FGSM attacks", ["slice", "epoch", "adversarial-example"]),
    ],
)
def test_a_sentence_finds_its_words(sentence, slugs):
    assert [term.slug for term in glossary.used(sentence)] == slugs
