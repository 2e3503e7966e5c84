"""Numbers with their noun, as a sentence has them, and what of a text can be seen."""

import re
import unicodedata

# Persian and scripts of India join or part letters with them, families and flags are pictograms joined; anywhere else,
# as between letters of this alphabet, they are not to be seen, and two names would look the same
JOINED = re.compile("(?<=[\u0590-\u1dff\u2190-\U0010ffff])[\u200c\u200d](?=[\u0590-\u1dff\u2190-\U0010ffff])")


def hidden(text: str) -> str:
    """The first letter of a text that cannot be seen or shown, '' where there is none."""
    return "" if text.isprintable() else next((one for one in JOINED.sub("", text) if not one.isprintable()), "")


def shows(text: str) -> bool:
    """Whether all of a text can be seen; it is in one line then."""
    return not hidden(text)


def bare(text: str) -> str:
    """A text without what joins or marks its letters, for patterns: to `\\w` no vowel sign of Hindi is a letter."""
    return "".join(one for one in JOINED.sub("", text) if not unicodedata.category(one).startswith("M"))


def quantity(n: int, noun: str) -> str:
    """'1 image', '55,000 images'. noun: one whose plural ends in s."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def are(n: int, one: str = "", several: str = "") -> str:
    """'is', 'are'; with what follows, 'is a copy', 'are copies'."""
    return f"is {one}".strip() if n == 1 else f"are {several}".strip()
