"""What onnxruntime says of a network that it does not take, as a sentence that says what to do."""

import re

ADVICE: tuple[tuple[str, str], ...] = (
    (r"IR version: (\d+), max supported IR version: (\d+)",
     "the file is of IR version {0}, and onnxruntime here reads at most {1}: export it with an older version of onnx, "
     "or with a lower opset"),
    (r"Opset (\d+) is under development.*till opset (\d+)",
     "the network is of opset {0}, and onnxruntime here knows at most {1}: export it with opset_version={1}"),
    (r"No Op registered for (\S+) with domain_version of (\d+)",
     "its operator {0} is not of opset {1}, which the file says it is: export it with another opset_version"),
    (r"tensor\(bfloat16\)",
     "the network computes in bfloat16, which onnxruntime has not on a processor: export it in float32, in torch after "
     "model.float()"),
    (r"Could not find an implementation for (\w+)\(",
     "onnxruntime has no {0} for numbers of the type that the network computes with: export it in float32, in torch "
     "after model.float()"),
    (r"Missing opset in the model",
     "the file names no opset: it is another tool's own graph, as pnnx writes NAME.pnnx.onnx, and no network in ONNX's "
     "operators: give the ONNX or TorchScript that it was made from"),
    (r"Protobuf parsing failed",
     "the file is damaged or cut off: copy it again"),
)  # fmt: skip
"""A pattern of its words, and the sentence, with the pattern's groups in it."""


def sentence(words: str) -> str:
    """'' where the words are none that are known."""
    for pattern, said in ADVICE:
        if found := re.search(pattern, words, re.DOTALL):
            return said.format(*found.groups())
    return ""
