"""What Keras before 3 wrote of a network (TensorFlow up to 2.15), put into the words of Keras 3.

Both write .keras and HDF5 files under the same names. Keras 3 opens the simplest of them as they are: it knows no
functional network by its old place, counts the uses of a network within another from 0 and not from 1, has no layer
for arithmetic, and takes none of the arguments that were of no use.
"""

from typing import Any

FUNCTIONAL = ("Functional", "Model")
NETWORKS = (*FUNCTIONAL, "Sequential")
USELESS = ("groups", "filters", "kernel_initializer", "kernel_regularizer", "kernel_constraint")
SEPARABLE = ("DepthwiseConv2D", "SeparableConv2D", "DepthwiseConv1D", "SeparableConv1D")
"""Layers that were written with USELESS; filters count in those that are called separable."""
ARITHMETIC = {
    "math.truediv": lambda y: (1 / y, 0.0), "math.divide": lambda y: (1 / y, 0.0), "math.multiply": lambda y: (y, 0.0),
    "math.subtract": lambda y: (1.0, -y), "math.add": lambda y: (1.0, y), "__operators__.add": lambda y: (1.0, y),
}  # fmt: skip
"""Function of TensorFlow with one number → what Rescaling multiplies by and adds."""


def older(version: object) -> bool:
    """Whether the file's own word on its version says so; files without one are older still."""
    return not str(version or "").startswith(tuple("3456789"))


def in_new_words(config: dict[str, Any]) -> dict[str, Any]:
    """The same network as Keras 3 describes it; what is not known here stays as it is."""
    made: dict[str, Any] = _new(config)
    return made


def _new(value: Any) -> Any:
    if isinstance(value, list):
        return [_new(one) for one in value]
    if not isinstance(value, dict):
        return value
    made = {key: _new(one) for key, one in value.items()}
    name, config = made.get("class_name"), made.get("config")
    if not isinstance(name, str) or not isinstance(config, dict):
        return made
    if name in FUNCTIONAL and isinstance(config.get("layers"), list):
        made |= {"class_name": "Functional", "module": "keras.src.models.functional", "registered_name": None}
        _uses(config)
    elif name == "TFOpLambda":
        _arithmetic(made, config)
    elif name in SEPARABLE:
        useless = [one for one in USELESS if one != "filters" or name.startswith("Depthwise")]
        made["config"] = config = {key: one for key, one in config.items() if key not in useless}
    if isinstance(axis := config.get("axis"), list) and len(axis) == 1:
        config["axis"] = axis[0]
    if name not in ("InputLayer", *NETWORKS):
        config.pop("batch_input_shape", None)
    return made


def _uses(config: dict[str, Any]) -> None:
    """Count the uses of networks within this one from 0, as those of all other layers."""
    within = {one.get("name") for one in config["layers"] if isinstance(one, dict) and _network(one)}
    waiting = [one.get("inbound_nodes") for one in config["layers"] if isinstance(one, dict)]
    waiting += [config.get("input_layers"), config.get("output_layers")]
    while waiting:
        one = waiting.pop()
        if not isinstance(one, list):
            continue
        if len(one) > 2 and isinstance(one[0], str) and isinstance(one[1], int):
            one[1] -= 1 if one[0] in within and one[1] > 0 else 0
        else:
            waiting += one


def _network(one: dict[str, Any]) -> bool:
    return one.get("class_name") in NETWORKS


def _arithmetic(made: dict[str, Any], config: dict[str, Any]) -> None:
    """Pixels that are divided, or less a number, as Rescaling does it: `x / 127.5 - 1` and preprocess_input."""
    calls = made.get("inbound_nodes")
    call = calls[0] if isinstance(calls, list) and len(calls) == 1 and isinstance(calls[0], list) else []
    call = call[0] if call and isinstance(call[0], list) and len(call) == 1 else call
    known = ARITHMETIC.get(str(config.get("function")))
    given = call[3] if len(call) == 4 and isinstance(call[3], dict) else {}
    number = given.get("y")
    if known is None or not isinstance(number, int | float) or number == 0 or {*given} - {"y", "name"}:
        return
    scale, offset = known(float(number))
    made |= {"class_name": "Rescaling", "module": "keras.layers", "registered_name": None, "inbound_nodes": [[call]]}
    made["config"] = {"name": config.get("name"), "dtype": "float32", "scale": scale, "offset": offset}
    call[3] = {}
