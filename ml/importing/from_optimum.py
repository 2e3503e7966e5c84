"""A folder of Hugging Face whose network is ONNX already, as optimum exports one and transformers.js wants it: asked
with onnxruntime, named and prepared as what lies beside it says.
"""

import tempfile
from pathlib import Path

from ml.importing import from_hugging_face as hugging_face
from ml.importing.conversion import Opened, Slot, Task, one_line
from ml.importing.graph import Unusable, read
from ml.importing.sources import ABOUT, config_of, source_of
from ml.inference.imported import session_of

load = hugging_face.load


def opened(task: Task) -> Opened:
    """Raises Unusable, in a sentence, and Missing without transformers."""
    load()
    import onnxruntime
    import transformers

    transformers.logging.set_verbosity_error()
    name, files = task.path.name, source_of(task.path).files
    config = config_of(task.path / ABOUT[0])
    hugging_face.refuse(config, task)
    graph = next(one for one in files if one.suffix == ".onnx")
    content = read(graph).content  # of known operators alone, and whole in itself
    session = session_of(content)
    given = session.get_inputs()
    if len(given) != 1 or len(given[0].shape) != 4:
        raise Unusable(f"{graph.name} in {name} takes other than pictures: give the ONNX of a classifier")
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        for one in files:
            if one.name in ABOUT:
                (folder / one.name).symlink_to(one.resolve())
        try:
            about = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        except Exception as error:  # of whatever stands in it
            why = one_line(error).replace(str(folder), name)
            raise Unusable(f"the config.json of {name} cannot be read ({why}): give {graph.name} alone") from None
        processor, words = hugging_face.processor_of(folder)
    where = graph.relative_to(task.path).as_posix()
    lines = [f"its network is {where}, named and prepared as what lies beside it says", *words]
    made = hugging_face.shown(processor, task.pictures, hugging_face.channels_of(about)) if processor else None
    if isinstance(made, str):
        lines.append(made)
        made = None
    found = hugging_face.told(processor, made, task.pictures, lines) if made is not None else None
    height, width, deep = hugging_face.size_of(found, about, task, lines)
    stated, said = hugging_face.stated_of(found, task)
    names, more = hugging_face.names_of(about, config, task.classes)
    fixed = [side if isinstance(side, int) and side > 0 else 0 for side in given[0].shape]
    shape = (fixed[0], fixed[1] or deep, fixed[2] or height, fixed[3] or width)
    outputs = tuple(one.name for one in session.get_outputs())
    return Opened(
        framework=f"onnxruntime {onnxruntime.__version__}",
        input=Slot(given[0].name, given[0].type, shape),
        outputs=outputs,
        answer=lambda values: list(session.run([*outputs], {given[0].name: values})),
        write=lambda target: written(content, shape, target),
        names=names,
        lines=(*lines, *said, *more),
        stated=stated,
    )


def written(content: bytes, shape: tuple[int, ...], target: Path) -> None:
    """The ONNX with what its input leaves open said: how large pictures are that it is given."""
    import onnx

    model = onnx.load_model_from_string(content)
    held = {one.name for one in model.graph.initializer}
    one = next(one for one in model.graph.input if one.name not in held)
    for side, length in zip(one.type.tensor_type.shape.dim, shape, strict=True):
        if length:
            side.dim_value = length
    onnx.save(model, target)
