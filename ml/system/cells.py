"""Text cells of tables that a spreadsheet will not run as formulas."""

import re

SIGNS = frozenset("=+-@\t\r\n＝＋－＠")  # with which a spreadsheet lets a formula begin, full width too
NUMBER = re.compile(r"[+-](\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


def safe_cell(value: object) -> object:
    """A text cell that a spreadsheet will not run as a formula (OWASP ASVS 5.0, 1.2.10). A number is none: -0.5."""
    if isinstance(value, str) and value[:1] in SIGNS and not NUMBER.fullmatch(value):
        return f"'{value}"
    return value
