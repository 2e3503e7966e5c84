"""The Training page's form as a browser sends it when nobody has touched it."""

from typing import Any

from dashboard.pages.training.form_fields import CONTROLS
from ml.training.fields import FIELDS


def untouched() -> dict[str, Any]:
    """The id of each control → its value."""
    values: dict[str, Any] = {"name": ""}
    for name, field in FIELDS.items():
        values[name] = "" if field.default is None else field.default
    return {CONTROLS[name]: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
