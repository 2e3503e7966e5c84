"""Numbers with their noun; and that no sentence on the screen counts to one in the plural."""

import pytest

from ml.system.wording import are, hidden, quantity, shows


def test_one_is_singular():
    assert [quantity(n, "thread") for n in (0, 1, 2, 55_000)] == [
        "0 threads",
        "1 thread",
        "2 threads",
        "55,000 threads",
    ]
    assert [are(n, "a copy", "copies") for n in (1, 2)] == ["is a copy", "are copies"]
    assert [are(n) for n in (0, 1)] == ["are", "is"]


@pytest.mark.parametrize(
    "text", ["", "a b", "می\u200cخواهم", "👩\u200d🔬 lab", "🏳\ufe0f\u200d🌈", "क\u094d\u200dष", "Café", "漢字"]
)
def test_what_can_be_seen_is_shown(text):
    assert shows(text)


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("a\u200db", "\u200d"), ("\u200cمی", "\u200c"), ("می\u200c", "\u200c"), ("می\u200c\u200cخ", "\u200c"),
        ("é\u200dé", "\u200d"),
        ("👩\u200da", "\u200d"), ("a\u202eb", "\u202e"), ("a\nb", "\n"), ("\ud800", "\ud800"), ("a\u00a0b", "\u00a0"),
    ],
)  # fmt: skip
def test_what_cannot_be_seen_is_named(text, letter):
    """A joiner where it joins nothing makes two names that look the same."""
    assert hidden(text) == letter
    assert not shows(text)
