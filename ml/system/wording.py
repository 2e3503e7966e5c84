"""Numbers with their noun, as a sentence has them."""


def quantity(n: int, noun: str) -> str:
    """'1 image', '55,000 images'. noun: one whose plural ends in s."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def are(n: int, one: str = "", several: str = "") -> str:
    """'is', 'are'; with what follows, 'is a copy', 'are copies'."""
    return f"is {one}".strip() if n == 1 else f"are {several}".strip()
