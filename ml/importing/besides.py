"""What a checkpoint holds beside the part whose names its weights have: the last layer of a network whose body is
another module of it, or what nobody knows the use of."""

from collections.abc import Mapping

from torch import Tensor

from ml.importing.graph import Unusable

TOLD = 5


def in_floats(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: one.float() if one.is_floating_point() else one for key, one in state.items()}


def layers(beside: Mapping[str, Tensor]) -> list[str]:
    """Names of what may be layers; a loss's weights of classes, counts and means are none."""
    return [key for key, one in beside.items() if key.endswith(".weight") and one.ndim > 1]


def joined(state: dict[str, Tensor], beside: Mapping[str, Tensor], last: str) -> dict[str, Tensor]:
    """With the only layer beside it as its last one, where it has none of its own."""
    own = layers(beside)
    if not last or f"{last}.weight" in state or len(own) != 1 or beside[own[0]].ndim != 2:
        return state
    name = own[0].removesuffix(".weight")
    parts = {end: beside[f"{name}.{end}"] for end in ("weight", "bias") if f"{name}.{end}" in beside}
    return {**state, **{f"{last}.{end}": one for end, one in parts.items()}}


def told(
    beside: Mapping[str, Tensor], state: Mapping[str, Tensor], last: str, file: str, architecture: str
) -> list[str]:
    """Sentences on them. Raises Unusable where a layer goes on from what the network gives."""
    if not beside:
        return []
    own, answers = layers(beside), state.get(f"{last}.weight")
    if last and answers is None and len(own) == 1 and beside[own[0]].ndim == 2:
        rest = [key for key in beside if not key.startswith(f"{own[0].removesuffix('.weight')}.")]
        words = (
            f"last layer: {own[0]} beside it, {' × '.join(map(str, beside[own[0]].shape))} (assumed: it reads what the "
            "rest gives, as it is; where more lies between, give an ONNX of the whole)"
        )
        return [words, *([left(rest)] if rest else [])]
    after = [key for key in own if answers is not None and beside[key].shape[1:] == answers.shape[:1]]
    if after:
        raise Unusable(
            f"{file} holds {architecture}, which gives {len(answers if answers is not None else ()):,} numbers, and "
            f"{after[0]} beside it, which reads as many: the network is more than {architecture}, so that its whole is "
            "to be exported as ONNX"
        )
    return [left([*beside])]


def left(names: list[str]) -> str:
    more = " …" if len(names) > TOLD else ""
    return f"weights left alone, {len(names)} beside those of the network: {', '.join(names[:TOLD])}{more}"


def listed(beside: Mapping[str, Tensor]) -> str:
    """The end of a refusal."""
    if not beside:
        return ""
    more = " …" if len(beside) > TOLD else ""
    return (
        f"; beside these are {', '.join([*beside][:TOLD])}{more}: where they are a part of the network, export its "
        "whole as ONNX"
    )
