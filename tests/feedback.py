"""Answers to judge, as the Prediction page gets them: for tests that send feedback."""

import base64
import io
import json
import secrets
from typing import Any

import numpy as np
from PIL import Image

from tests.callbacks import Client


def data_url(pixels: np.ndarray) -> str:
    """uint8 [h, w] or [h, w, 3] as the browser keeps a picture."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def picture(seed: int, side: int = 28) -> np.ndarray:
    """A picture of noise, uint8 [side, side]."""
    return np.random.default_rng(seed).integers(0, 256, (side, side), np.uint8)


def answered(
    page: Client, *, src: str = "", search: str = "", run: str = "toy", touched: str = "prediction-address-asked.data"
) -> dict[str, Any]:
    """What the page needs to judge the answer to a picture of one's own (src), or of the data set (search)."""
    address = search or f"?run={run}"
    values = {"url.search": address, "prediction-picture-state.data": {"src": src, "name": "a.png"} if src else None}
    status, changed = page.fire_with("prediction-answer-state.data", touched, values)
    assert status == 200, changed
    return changed["prediction-answer-state"]["data"]


def judgement(state: dict[str, Any], label: str, *, sent: str = "", note: str = "", key: str = "") -> dict[str, Any]:
    """The body that assets/feedback.js sends."""
    names = ("run", "prediction", "said", "confidence", "origin", "image")
    return {
        **{name: state[name] for name in names}, "sent": sent, "label": label, "note": note,
        "key": key or secrets.token_hex(16),
    }  # fmt: skip


def sent(web: Any, body: dict[str, Any], path: str = "/api/v1/feedback") -> Any:
    """The server's answer to a body, by Flask's own client."""
    return web.post(path, data=json.dumps(body), content_type="application/json")
