"""Classifiers of scikit-learn that are others in ONNX, as skl2onnx 1.20.0 writes them without a word: known by their
operators, since nothing else in the file says it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

TWO = 2
ADVICE = "give the .skops of it, or what it predicts, with --predictions"
NEAREST = (
    "its probabilities were calibrated by isotonic regression, for which skl2onnx takes the nearest of the steps where "
    f"scikit-learn draws a line between two: probabilities are not the model's own, and some classes; {ADVICE}"
)
OF_CHANCES = (
    "its probabilities were calibrated around a pipeline that ends in a linear model, for which skl2onnx takes "
    f"probabilities where scikit-learn took margins: they are not the model's own, nor are some classes; {ADVICE}"
)
MARGINS = "a one-against-the-rest of support vector machines"
OTHER_SIGN = (
    "skl2onnx takes the margin of each with the other sign, so that it names a class that the model would not; make it "
    f"of SVC(probability=True), or {ADVICE}"
)


def is_rest_of_margins(model: "onnx.ModelProto") -> bool:
    """Whether it is a OneVsRestClassifier of SVC or NuSVC, of three classes or more: machines without probabilities, of
    each of which one column is taken."""
    makers = {name: node for node in model.graph.node for name in node.output}

    def machine(name: str) -> bool:
        for step in ("Slice", "Cast"):
            if (node := makers.get(name)) is not None and node.op_type == step:
                name = node.input[0]
        node = makers.get(name)
        return (
            node is not None
            and node.op_type == "SVMClassifier"
            and list(node.output).index(name) == 1
            and not any(one.name == "prob_a" and one.floats for one in node.attribute)
            and any(one.name == "vectors_per_class" and len(one.ints) == TWO for one in node.attribute)
        )

    return any(
        node.op_type == "Concat" and len(node.input) > TWO and all(map(machine, node.input))
        for node in model.graph.node
    )


def notes(model: "onnx.ModelProto") -> list[str]:
    """A sentence where the probabilities are not those of the model that it was made of."""
    makers = {name: node for node in model.graph.node for name in node.output}
    held = {one.name for one in model.graph.initializer}

    def behind(name: str, *steps: str) -> bool:
        """Whether a number comes by these operators, the last one first, each from the first input of the next."""
        for step in steps:
            node = makers.get(name)
            if node is None or node.op_type != step:
                return False
            name = node.input[0]
        return True

    for node in model.graph.node:
        one, other = (*node.input, "", "")[:2]
        if one not in held:
            continue
        if node.op_type == "ArrayFeatureExtractor" and behind(other, "ArgMin", "Abs", "Sub"):
            return [NEAREST]
        if node.op_type == "Mul" and behind(other, "ArrayFeatureExtractor", "Normalizer", "LinearClassifier"):
            return [OF_CHANCES]
    return []
