"""`python -m ml predict`: what a run says that files, folders and zips of pictures show."""

import argparse
import csv
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ml.artifacts.reader import Library, Missing
from ml.commands import named
from ml.system.cells import safe_cell

if TYPE_CHECKING:
    from ml.inference import routing


def add(commands: argparse._SubParsersAction) -> None:
    predict = commands.add_parser("predict", help="say what pictures show: files, folders, zips")
    predict.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a picture, a folder of them, or a zip")
    predict.add_argument(
        "--run",
        type=named,
        help="which run answers (default: the one that ships as default); auto: the one that knows the picture's kind",
    )
    predict.add_argument("--prepare", choices=("auto", "none", "full"), default="auto", help="(default: auto)")
    predict.add_argument("--engine", choices=("torch", "onnx", "int8"), default="torch", help="(default: torch)")
    predict.add_argument("--top", type=int, help="classes a line of JSON names (default 3, or all of fewer)")
    predict.add_argument("--zip-names", metavar="CODEPAGE", help="of names in old zips, as in cp866 (default: a guess)")
    predict.add_argument("--json", action="store_true", help="JSON lines, as the API's batch has them, instead of CSV")
    predict.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """CSV or JSON lines on stdout, progress and a count on stderr; 1 where no file has an answer."""
    from ml import pipeline
    from ml.images import file_names, upload_archives, zip_names
    from ml.inference import batch, familiarity, prediction_sets, routing
    from ml.inference.classifier import Classifier
    from ml.inference.engines import open_run
    from ml.inference.imported import ImportedClassifier

    library = pipeline.default_library()
    name = library.default() if options.run in (None, routing.AUTO) else options.run
    if name is None:
        raise Missing("There is no run yet.", "python -m ml train --model fashion_cnn")
    if options.run == routing.AUTO and len(ids := routing.representatives(library.runs(), name)) > 1:
        return _routed(options, library, ids)
    chosen = library.open(name)
    network = open_run(chosen, options.engine)
    top = min(batch.TOP_CLASSES, len(network.classes)) if options.top is None else options.top
    if not 1 <= top <= len(network.classes):
        raise ValueError(f"--top must be from 1 to {len(network.classes)}")
    files, problems = _files(options.files)
    items = upload_archives.items(
        ((shown, path.open("rb")) for shown, path in files),
        upload_archives.Limits(files=10**6, unpacked=10**12),
        known=network.classes,
        code_page=zip_names.code_page(options.zip_names),
        tell=lambda note: print(note, file=sys.stderr),
    )
    own = isinstance(network, Classifier | ImportedClassifier) and "features" in network.capabilities
    unlike = familiarity.of_run(chosen, cast(Any, network)) if own else None
    answers = batch.answers(
        items,
        batch.form_of(library, chosen),
        network.classes,
        network.probabilities,
        mode=options.prepare,
        unlike=unlike,
    )
    refused = [batch.BatchAnswer(file_names.clean(file), problem=problem) for file, problem in problems]
    sets = prediction_sets.of_run(chosen)
    lines = (one.line(network.classes, top, sets) for one in itertools.chain(refused, answers))
    return _told(lines, options.json, by=chosen.run_id)


def _routed(options: argparse.Namespace, library: Library, ids: list[str]) -> int:
    """The same, each picture asked of the run that knows its kind."""
    from ml.images import file_names, upload_archives, zip_names
    from ml.inference import batch, prediction_sets, routing

    candidates = [candidate(library, run_id, options.engine) for run_id in ids]
    classes = tuple(dict.fromkeys(name for one in candidates for name in one.classes))
    top = batch.TOP_CLASSES if options.top is None else options.top
    if not 1 <= top <= max(len(one.classes) for one in candidates):
        raise ValueError(f"--top must be from 1 to {max(len(one.classes) for one in candidates)}")
    files, problems = _files(options.files)
    items = upload_archives.items(
        ((shown, path.open("rb")) for shown, path in files),
        upload_archives.Limits(files=10**6, unpacked=10**12),
        known=classes,
        code_page=zip_names.code_page(options.zip_names),
        tell=lambda note: print(note, file=sys.stderr),
    )
    refused = (batch.BatchAnswer(file_names.clean(file), problem=why).line((), top) for file, why in problems)
    answers = routing.answers(items, candidates, mode=options.prepare)
    sets = {run_id: prediction_sets.of_run(library.open(run_id)) for run_id in ids}
    lines = itertools.chain(refused, (one.line(top, sets.__getitem__) for one in answers))
    return _told(lines, options.json, by=" or ".join(ids), run=True)


def candidate(library: Library, run_id: str, engine: str) -> "routing.Candidate":
    """A run of those that are asked; one of all layers is asked by torch, whatever engine answers."""
    from ml.inference import batch, familiarity, routing
    from ml.inference.engines import open_run

    run = library.open(run_id)
    network = open_run(run, engine)
    looked = network if engine == "torch" else open_run(run)
    tell: Callable[[Any], Any] | None = familiarity.told_by(run, cast(Any, looked))
    dataset = run.manifest["dataset"]
    return routing.Candidate(
        run_id, run_id, str(dataset.get("title") or dataset["name"]), tuple(network.classes),
        batch.form_of(library, run), network.probabilities, tell or (lambda images: None), routing.likeness_of(run),
    )  # fmt: skip


def _told(lines: Iterator[dict[str, Any]], as_json: bool, *, by: str, run: bool = False) -> int:
    """Writes them. by: who answered; run: whether each line names its own."""
    from tqdm import tqdm

    table = csv.writer(sys.stdout, lineterminator="\n")
    if not as_json:
        table.writerow(["file", "true", "label", "confidence", "error", "unlike", *(["run"] if run else [])])
    answered = strange = 0
    for line in tqdm(lines, unit="file", file=sys.stderr, disable=None):
        answered += "label" in line
        strange += line.get("familiarity", {}).get("unlike", False)
        if as_json:
            print(json.dumps(line, ensure_ascii=False), flush=True)
        else:
            sure = f"{line['confidence']:.6f}" if "label" in line else ""
            cells = [line["file"], line.get("true", ""), line.get("label", ""), sure, line.get("error", "")]
            cells.append({True: "yes", False: "no"}.get(line.get("familiarity", {}).get("unlike"), ""))
            table.writerow(map(safe_cell, [*cells, *([line.get("run", "")] if run else [])]))
    print(f"{answered} answered by {by}", file=sys.stderr)
    if strange:
        print(
            f"{strange} of them unlike anything it was trained on: their labels are guesses (column unlike)",
            file=sys.stderr,
        )
    return 0 if answered else 1


def _files(given: list[Path]) -> tuple[list[tuple[str, Path]], list[tuple[str, str]]]:
    """(name as shown, file) of files and of what is in folders; and (name, why) of what cannot be read."""
    from ml.images.file_names import by_the_way, spelled

    files: list[tuple[str, Path]] = []
    problems: list[tuple[str, str]] = []
    for path in given:
        if path.is_dir():
            inside = sorted(
                one for one in path.rglob("*") if one.is_file() and not by_the_way(spelled(one.relative_to(path)))
            )
            files += [(spelled(one), one) for one in inside]
            if not inside:
                problems.append((spelled(path), "There is no file in this folder."))
        elif path.is_file():
            files.append((spelled(path), path))
        else:
            problems.append((spelled(path), "There is no such file."))
    return files, problems
