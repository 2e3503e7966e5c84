"""Gradio's form for an image classifier, as bench/peers.py measures it; run by an environment that has Gradio.

    python bench/peer_gradio.py NETWORK.onnx PORT

One field for a picture, one button, one label with the three likeliest classes; it answers as soon as a picture is
there, and when the button is pressed. The network is the shipped run's own, written by `python -m ml export`.
"""

import json
import sys

import gradio  # type: ignore[import-not-found]
import numpy as np
import onnxruntime
from PIL import Image


def main() -> None:
    """Serve until the process is ended."""
    network, port = sys.argv[1:]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(network, options)
    classes = json.loads(session.get_modelmeta().custom_metadata_map["classes"])

    def answer(picture: Image.Image | None) -> dict[str, float]:
        """The probability of each class."""
        if picture is None:
            return {}
        pixels = np.asarray(picture.convert("L").resize((28, 28)), np.uint8)[None, :, :, None]
        logits = session.run(["logits"], {"images": pixels})[0][0]
        weights = np.exp(logits - logits.max())
        return dict(zip(classes, (weights / weights.sum()).tolist(), strict=True))

    with gradio.Blocks(title="Fashion-MNIST") as form:
        picture = gradio.Image(type="pil", label="Picture")
        button = gradio.Button("Classify")
        label = gradio.Label(num_top_classes=3, label="Answer")
        for event in (picture.upload, button.click):
            event(answer, picture, label)
    form.launch(server_name="127.0.0.1", server_port=int(port), quiet=True)


if __name__ == "__main__":
    main()
