"""The network of a run that comes as a zip, tried before the run is published: in a process of its own, with limits of
memory and time, it must be what the run's manifest says of it.

`checked` starts it; `python -m ml.importing.retrial FOLDER` is the process.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from ml.artifacts.reader import Missing
from ml.importing import apart, inside, trial
from ml.importing.graph import Unusable, read
from ml.inference.imported import Interface, session_of

PICTURES = 8


def checked(path: Path, manifest: Mapping[str, Any], scratch: Path, seconds: float = trial.SECONDS) -> None:
    """path: the ONNX file, whole in itself; scratch: an empty folder. Raises Unusable, Missing without the packages."""
    data = manifest["dataset"]
    request = {
        "path": str(path.resolve()),
        "interface": manifest.get("interface"),
        "capabilities": manifest.get("capabilities", []),
        "classes": data["classes"],
        "shape": [data["height"], data["width"], data["channels"]],
        "seconds": seconds,
        "memory": trial.MEMORY + trial.SHARE * path.stat().st_size,
    }
    apart.run("ml.importing.retrial", scratch, request, path.name, "tried through")


def tried(request: Mapping[str, Any]) -> None:
    """Raises Unusable, Broken, Missing."""
    path = Path(request["path"])
    if read(path).data:
        raise Unusable(f"{path.name} keeps its weights in another file, which no run does")
    try:
        how = Interface.model_validate(request["interface"])
    except ValidationError as wrong:
        raise Unusable(f"the manifest does not say how it is asked: {wrong.errors()[0]['msg'][:120]}") from None
    classes, shape = request["classes"], tuple(request["shape"])
    if len(how.order) != len(classes):
        raise Unusable("it is of other classes than the run")
    if how.channels not in (shape[2], 3 if shape[2] == 1 else shape[2]):
        raise Unusable("it takes pictures of other channels than the run has")
    content = path.read_bytes()
    pictures = np.random.default_rng(0).integers(0, 256, (PICTURES, *shape), np.uint8)
    trial.believed(session_of(content), how, pictures)
    able = {"probabilities", *(["features"] if how.features else [])}
    if {*request["capabilities"]} - {"gradients"} != able:
        raise Unusable("it can do something else than the manifest says")
    if how.features and not inside.width(content, how, how.features, pictures):
        raise Unusable("it gives no features, and the manifest says that it does")
    if "gradients" in request["capabilities"]:
        try:
            why, _ = inside.gradients(content, how, pictures, classes)
        except Missing:
            return  # whoever asks for them is told what to install
        if why:
            raise Unusable(f"it has no gradients, and the manifest says that it does: {why}")


def main(scratch: Path) -> int:
    """In the process of its own."""

    def work(request: dict[str, Any]) -> dict[str, Any]:
        tried(request)
        return {"checked": True}

    return apart.answer(scratch, work, "the run cannot be taken in")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
