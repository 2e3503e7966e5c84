"""`python -m ml data plan SOURCE --to FILE`: what an import would make of it, as JSON, with first pictures.

The Data page asks this of a process of its own.
"""

import argparse
import base64
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.commands import json_of
from ml.system import atomic, memory

if TYPE_CHECKING:
    import numpy as np

    from ml.data import Plan

SAMPLED, EACH = 60, 4  # classes whose first pictures are shown, and how many of each


def add(actions: argparse._SubParsersAction) -> None:
    plan = actions.add_parser("plan", help="say as JSON what an import would make of a source, and write nothing of it")
    plan.add_argument("source", type=Path)
    plan.add_argument(
        "--choices", default="{}", metavar="JSON", help="what was chosen, - for standard input; docs/datasets.md"
    )
    plan.add_argument("--to", type=Path, metavar="FILE", help="(default: standard output)")
    plan.set_defaults(command=say)


def say(options: argparse.Namespace) -> int:
    """A source that is no data set is an answer too: {"refused": why}, with `tables` where columns are to be chosen."""
    from ml import data

    memory.leave_some()
    said: dict[str, Any]
    try:
        choices = data.Choices.from_json(json_of(options.choices))
        plan = data.plan(options.source, choices)
        said = {"plan": {**plan.to_json(), "samples": _samples(plan)}}
    except (ValueError, OSError) as problem:
        said = {"refused": str(problem)}
        if isinstance(problem, data.Unclear):
            said["tables"] = [asdict(one) for one in problem.tables]
    except MemoryError:
        said = {"refused": f"{options.source.name} takes {memory.TOO_LITTLE}."}
    text = json.dumps(said, ensure_ascii=False)
    if options.to is None:
        print(text)
    else:
        atomic.write(options.to, text)
    return 1 if "refused" in said else 0


def _samples(plan: "Plan") -> dict[str, list[str]]:
    found = plan.samples(EACH)
    shown = list(plan.classes)[:SAMPLED]
    return {name: [_url(image) for image in found[name]] for name in shown if name in found}


def _url(image: "np.ndarray") -> str:
    from PIL import Image

    picture, file = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image), io.BytesIO()
    picture.thumbnail((96, 96))
    picture.save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
