"""Parts of a chart as plain dicts, as plotly.js reads them.

plotly's own classes hold the same and check every value against a list of all that is allowed: 4 ms a chart, 15 MB in
the server. The tests make them of every chart, which checks it once.
"""

import base64
from typing import Any

import numpy as np


def trace(kind: str, **properties: Any) -> dict[str, Any]:
    """kind: plotly.js's name of the type (bar, scatter, scatter3d)."""
    return {"type": kind, **properties}


def packed(values: np.ndarray) -> dict[str, str] | list:
    """float32 or uint16 [n] as plotly.js unpacks it: bytes in base64, a third as long as digits; [] for none."""
    if not len(values):
        return []
    kind = {"float32": "f4", "uint16": "u2"}[values.dtype.name]
    return {"dtype": kind, "bdata": base64.b64encode(values.astype(f"<{kind}").tobytes()).decode()}
