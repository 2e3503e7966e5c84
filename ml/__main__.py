"""`python -m ml data | train | work | evaluate | predict | card | export | import | …`: see --help of each."""

import argparse
import csv
import itertools
import json
import os
import re
import shlex
import sys
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from ml.artifacts.reader import Broken, Missing
from ml.artifacts.schema import RUN_ID
from ml.data.fashion_mnist import DataMissing
from ml.models import WeightsMissing
from ml.system.content_addressed import Gone
from ml.system.paths import ARTIFACTS, home_dir
from ml.training.config import AUGMENTATIONS, TrainConfig
from ml.training.fields import FIELDS
from ml.training.presets import PRESETS

# Threads that wait for each other sleep instead of spinning: beside other work, spinning takes 20 times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status."""
    options = parser().parse_args(arguments)
    try:
        return options.command(options)
    except (Missing, Broken, DataMissing, WeightsMissing, Gone, FileExistsError, KeyError, ValueError) as error:
        words = error.args[0] if error.args else error
        hint = f"\nTry: {error.command}" if isinstance(error, Missing) and error.command else ""
        print(f"{words}{hint}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last finished epoch", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    """Every command and option."""
    top = argparse.ArgumentParser("python -m ml", description="Data, training, evaluation and artifacts.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    data = commands.add_parser("data", help="find, fetch and check Fashion-MNIST, or import a folder of pictures")
    data.set_defaults(command=find_data)
    actions = data.add_subparsers(metavar="import | measure")
    folder = actions.add_parser("import", help="FOLDER/<class>/<picture> becomes a data set of your own")
    folder.add_argument("folder", type=Path)
    folder.add_argument("--name", help="lower case letters, digits, - and _; the folder's name when left out")
    folder.add_argument("--size", default="28x28", metavar="HxW", help="pictures are fitted to it (default 28x28)")
    folder.add_argument("--colour", action="store_true", help="keep three channels instead of one")
    folder.add_argument("--seed", type=int, default=0, help="of the split into train, validation and test")
    folder.set_defaults(command=import_data)
    known = actions.add_parser("measure", help="measure a data set's pictures and look for near-duplicates among them")
    known.add_argument("name")
    known.set_defaults(command=measure_data)

    train = commands.add_parser("train", help="train a run")
    train.add_argument("--preset", choices=PRESETS, help="a recipe to start from; other options change it")
    for name, info in TrainConfig.model_fields.items():
        _add_field(train, name, info)
    # torchrun takes --run for one of its own options, wherever it stands
    train.add_argument("--run", "--name", help="the run's name; made from model and time when left out")
    train.add_argument("--shipped", action="store_true", help="write into artifacts/ instead of your own folder")
    train.add_argument("--job", metavar="ID", help="do the training of a queued job")
    train.add_argument(
        "--record",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="keep what is said of validation and test after every epoch (default: yes)",
    )
    train.set_defaults(command=train_run)

    work = commands.add_parser("work", help="do queued trainings, one after the other, until there are none")
    work.set_defaults(command=do_work)

    evaluate = commands.add_parser("evaluate", help="score a run again, or make its optional tables")
    evaluate.add_argument("run")
    evaluate.add_argument("--split", choices=("test", "validation", "reference"), help="print right / n and compare")
    evaluate.add_argument("--only", nargs="+", metavar="NOUN", help="make these tables only")
    evaluate.set_defaults(command=evaluate_run)

    artifacts = commands.add_parser("artifacts", help="rebuild what ships: pictures, the trained runs, index, README")
    artifacts.add_argument("--pictures", action="store_true", help="only the pictures")
    artifacts.add_argument("--runs", nargs="+", metavar="RUN", help="only these of the shipped runs")
    artifacts.set_defaults(command=build_artifacts)

    predict = commands.add_parser("predict", help="say what pictures show: files, folders, zips")
    predict.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a picture, a folder of them, or a zip")
    predict.add_argument("--run", help="which run answers (default: the one that ships as default)")
    predict.add_argument("--prepare", choices=("auto", "none", "full"), default="auto", help="(default: auto)")
    predict.add_argument("--engine", choices=("torch", "onnx", "int8"), default="torch", help="(default: torch)")
    predict.add_argument("--top", type=int, default=3, help="classes a line of JSON names (default 3)")
    predict.add_argument("--json", action="store_true", help="JSON lines, as the API's batch has them, instead of CSV")
    predict.set_defaults(command=predict_files)

    report = commands.add_parser("report", help="write a run's figures and numbers into a folder")
    report.add_argument("run")
    report.add_argument("--to", type=Path, help="the folder (default report-RUN)")
    report.set_defaults(command=write_report)

    card = commands.add_parser("card", help="print a run's model card as Markdown")
    card.add_argument("run")
    card.set_defaults(command=print_card)

    export = commands.add_parser("export", help="pack a run into one zip, or write its network as ONNX")
    export.add_argument("run")
    export.add_argument("--as", dest="form", choices=("zip", "onnx", "int8"), default="zip", help="(default: zip)")
    export.add_argument("--to", type=Path, help="the file (default RUN.zip, RUN.onnx or RUN-int8.onnx)")
    export.set_defaults(command=export_run)

    take = commands.add_parser("import", help="take in a run's zip, after checking everything in it")
    take.add_argument("file", type=Path)
    take.add_argument("--name", help="what the run shall be called here; its own name when left out")
    take.set_defaults(command=import_run)

    demo = commands.add_parser("demo", help="the whole walk on made-up pictures in under a minute")
    demo.set_defaults(command=run_demo)
    return top


def _add_field(command: argparse.ArgumentParser, name: str, info: FieldInfo) -> None:
    """One choice of TrainConfig as an option; what is not given is not in the answer."""
    flag, words = _flag(name), f"{info.description}{_limits(name)} (default {info.default})"
    if name == "augment":
        command.add_argument(flag, nargs="*", choices=AUGMENTATIONS, default=argparse.SUPPRESS, help=info.description)
    elif FIELDS[name].kind == "choice":
        command.add_argument(flag, choices=FIELDS[name].choices, default=argparse.SUPPRESS, help=words)
    elif info.annotation is bool:
        command.add_argument(flag, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=words)
    else:
        kinds = [kind for kind in (int, float) if kind in (info.annotation, *get_args(info.annotation))]
        command.add_argument(flag, type=kinds[0] if kinds else str, default=argparse.SUPPRESS, help=words)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _limits(name: str) -> str:
    """'; 1 to 200' where a choice is a number."""
    low, high = FIELDS[name].low, FIELDS[name].high
    return "" if low is None or high is None else f"; {low:.10g} to {high:.10g}"


def _configured(values: dict[str, Any]) -> TrainConfig:
    """Raises ValueError with a sentence for each choice that is not allowed."""
    try:
        return TrainConfig(**values)
    except ValidationError as wrong:
        lines = []
        for error in wrong.errors(include_url=False):
            name = str(error["loc"][0])
            lines.append(f"{_flag(name)}: {error['msg'].removeprefix('Value error, ')}{_limits(name)}")
        raise ValueError("\n".join(lines)) from None


def find_data(options: argparse.Namespace) -> int:
    from ml.data import fashion_mnist

    dataset = fashion_mnist.load()
    counts = ", ".join(f"{name} {len(split):,}" for name, split in dataset.splits.items())
    print(f"{dataset.title} in {fashion_mnist.find()}: {counts}; checksums match")
    return 0


def measure_data(options: argparse.Namespace) -> int:
    from ml import pipeline
    from ml.data import load

    dataset = load(options.name, home=home_dir())
    folder = pipeline.measure(home_dir(), dataset)
    searched = f"{len(dataset['train']):,}{'' if dataset.complete else ' shipped'} training pictures"
    print(f"{folder}: properties, and near-duplicates of {searched}")
    return 0


def import_data(options: argparse.Namespace) -> int:
    from ml import pipeline
    from ml.artifacts.writer import write_pictures
    from ml.data import DATASETS, folder, synthetic

    name = options.name or re.sub(r"[^a-z0-9_-]+", "-", options.folder.resolve().name.lower()).strip("-_")
    if not RUN_ID.fullmatch(name) or name in DATASETS or synthetic.PATTERN.fullmatch(name):
        raise ValueError(f"{name!r} cannot be a data set's name; choose another with --name")
    size = re.fullmatch(r"(\d{2,3})x(\d{2,3})", options.size)
    if not size:
        raise ValueError("--size must be HEIGHTxWIDTH, each 10 to 999")
    if not options.folder.is_dir():
        raise ValueError(f"{options.folder} is not a folder")
    height, width = map(int, size.groups())
    channels = 3 if options.colour else 1
    dataset, refused = folder.read(
        options.folder, name, height=height, width=width, channels=channels, seed=options.seed
    )
    write_pictures(home_dir(), dataset, complete=True)
    pipeline.measure(home_dir(), dataset)
    for line in refused:
        print(f"left out {line}", file=sys.stderr)
    counts = ", ".join(f"{split} {len(rows):,}" for split, rows in dataset.splits.items())
    print(f"{name}: {len(dataset.classes)} classes; {counts}")
    print(f"Train on it with: python -m ml train --dataset {name}")
    return 0


def train_run(options: argparse.Namespace) -> int:
    if options.job:
        from ml.jobs.trainer import run_job

        return run_job(options.job)
    given = {name: value for name, value in vars(options).items() if name in TrainConfig.model_fields}
    config = _configured({**PRESETS.get(options.preset, {}), **given})
    processes = os.environ.get("WORLD_SIZE", "1")  # set by torchrun
    if processes != "1" and not options.run:
        raise ValueError("name the run with --name: the processes of a training must agree on it")
    run_id = options.run or f"{config.model}-{datetime.now():%y%m%d-%H%M%S}"
    program = "python" if processes == "1" else f"torchrun --nproc-per-node {processes}"
    command = f"{program} -m ml " + shlex.join(sys.argv[1:])
    folder = _train(config, run_id, ARTIFACTS if options.shipped else home_dir(), command, record=options.record)
    if os.environ.get("RANK", "0") == "0":
        print(folder)
    return 0


def _train(config: TrainConfig, run_id: str, home: Path, command: str, *, record: bool = True) -> Path:
    """Train with a progress bar per epoch and a line of results after it."""
    from tqdm import tqdm

    from ml import pipeline
    from ml.publishing import mlflow

    leads = os.environ.get("RANK", "0") == "0"  # of torchrun's processes one reports
    bar = tqdm(unit="batch", dynamic_ncols=True, disable=None if leads else True)

    def on_batch(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    def on_epoch(epoch) -> None:
        tqdm.write(
            f"epoch {epoch.epoch}/{config.epochs}  loss {epoch.train_loss:.4f}  validation loss "
            f"{epoch.validation_loss:.4f}  accuracy {epoch.validation_accuracy:.2%}  {epoch.seconds:.1f} s"
        )

    def on_step(words: str) -> None:
        bar.close()
        print(words, file=sys.stderr)

    if leads and not pipeline.load(config.dataset).complete:
        print("The full training set is not here: training on the 10,000 pictures that ship.", file=sys.stderr)
    folder = pipeline.train(
        config,
        run_id=run_id,
        home=home,
        on_batch=on_batch,
        on_epoch=on_epoch,
        on_step=on_step,
        command=command,
        record=record,
    )
    if not leads:
        return folder
    library = pipeline.default_library()
    result = library.open(run_id).manifest["results"]["test"]
    print(f"test: {result['correct']} / {result['n']}")
    mlflow.tell(library, run_id)
    return folder


def do_work(options: argparse.Namespace) -> int:
    from ml.jobs.worker import work

    return work()


def evaluate_run(options: argparse.Namespace) -> int:
    from ml import pipeline
    from ml.jobs.trainer import LEASE

    if os.environ.get(LEASE) and hasattr(os, "nice"):
        os.nice(10)  # as a job, it gives way to the web server
    library = pipeline.default_library()
    if options.split:
        right, n, changed = pipeline.rescore(library, options.run, options.split)
        recorded = library.open(options.run).manifest["results"][options.split]["correct"]
        print(f"{right} / {n}")
        if changed > 2 or abs(right - recorded) > 2:
            print(f"not as recorded ({recorded} / {n}): {changed} answers differ", file=sys.stderr)
            return 1
    if options.only or not options.split:
        made = pipeline.evaluate(library, options.run, options.only, lambda words: print(words, file=sys.stderr))
        print(f"made {', '.join(made)}")
    return 0


def build_artifacts(options: argparse.Namespace) -> int:
    from ml import pipeline
    from ml.artifacts import schema, writer
    from ml.data import fashion_mnist
    from ml.publishing.shipped import DEFAULT, SHIPPED

    writer.write_pictures(ARTIFACTS, fashion_mnist.load())
    pipeline.measure(ARTIFACTS, fashion_mnist.load())
    (ARTIFACTS / "README.md").write_text(schema.readme())
    if not options.pictures:
        for run_id, config in SHIPPED.items():
            if options.runs and run_id not in options.runs:
                continue
            finished = ARTIFACTS / "runs" / run_id
            if finished.exists():
                print(f"{run_id} is there already; delete {finished} to train it again", file=sys.stderr)
                continue
            # recordings are large: the default run alone ships with one
            _train(config, run_id, ARTIFACTS, f"python -m ml artifacts --runs {run_id}", record=run_id == DEFAULT)
        writer.write_index(ARTIFACTS, DEFAULT, [r for r in SHIPPED if (ARTIFACTS / "runs" / r).is_dir()])
    return 0


def predict_files(options: argparse.Namespace) -> int:
    """CSV or JSON lines on stdout, progress and a count on stderr; 1 where no file has an answer."""
    from tqdm import tqdm

    from ml import pipeline
    from ml.images import upload_archives
    from ml.inference import batch
    from ml.inference.engines import open_run

    library = pipeline.default_library()
    name = options.run or library.default()
    if name is None:
        raise Missing("There is no run yet.", "python -m ml train --model fashion_cnn")
    run = library.open(name)
    network = open_run(run, options.engine)
    if not 1 <= options.top <= len(network.classes):
        raise ValueError(f"--top must be from 1 to {len(network.classes)}")
    found, problems = _found(options.files)
    items = upload_archives.items(
        ((shown, path.open("rb")) for shown, path in found), upload_archives.Limits(files=10**6, unpacked=10**12)
    )
    said = batch.answers(
        items, batch.form_of(library, run), network.classes, network.probabilities, mode=options.prepare
    )
    table = csv.writer(sys.stdout, lineterminator="\n")
    if not options.json:
        table.writerow(["file", "true", "label", "confidence", "error"])
    answered = 0
    refused = [batch.BatchAnswer(upload_archives.clean(file), problem=problem) for file, problem in problems]
    for one in tqdm(itertools.chain(refused, said), unit="file", file=sys.stderr, disable=None):
        line = one.line(network.classes, options.top)
        answered += "label" in line
        if options.json:
            print(json.dumps(line, ensure_ascii=False), flush=True)
        else:
            sure = f"{line['confidence']:.6f}" if "label" in line else ""
            cells = [line["file"], line.get("true", ""), line.get("label", ""), sure, line.get("error", "")]
            # a spreadsheet would run what begins like a formula
            table.writerow([f"'{cell}" if cell[:1] in tuple("=+-@") else cell for cell in cells])
    print(f"{answered} answered by {run.run_id}", file=sys.stderr)
    return 0 if answered else 1


def _found(given: list[Path]) -> tuple[list[tuple[str, Path]], list[tuple[str, str]]]:
    """(name as shown, file) of files and of what is in folders; and (name, why) of what cannot be read."""
    from ml.images.upload_archives import by_the_way

    files: list[tuple[str, Path]] = []
    problems: list[tuple[str, str]] = []
    for path in given:
        if path.is_dir():
            inside = sorted(one for one in path.rglob("*") if one.is_file() and not by_the_way(one.name))
            files += [(str(one), one) for one in inside]
            if not inside:
                problems.append((str(path), "There is no file in this folder."))
        elif path.is_file():
            files.append((str(path), path))
        else:
            problems.append((str(path), "There is no such file."))
    return files, problems


def write_report(options: argparse.Namespace) -> int:
    from ml import pipeline
    from ml.publishing import report

    folder = options.to or Path(f"report-{options.run}")
    for path in report.write(pipeline.default_library(), options.run, folder):
        print(path)
    return 0


def print_card(options: argparse.Namespace) -> int:
    from ml import pipeline
    from ml.publishing import model_card as card

    print(card.markdown(pipeline.default_library().open(options.run)), end="")
    return 0


def export_run(options: argparse.Namespace) -> int:
    from ml import pipeline
    from ml.publishing import model_card as card
    from ml.publishing import run_archive

    library = pipeline.default_library()
    run = library.open(options.run)
    if options.form != "zip" and options.form not in run.nouns:
        pipeline.evaluate(library, run.run_id, [options.form])
        run = library.open(run.run_id)
    ending = {"zip": ".zip", "onnx": ".onnx", "int8": "-int8.onnx"}[options.form]
    target = options.to or Path(f"{run.run_id}{ending}")
    parcel = run_archive.pack(run, card.markdown(run)) if options.form == "zip" else run.graph(options.form)
    target.write_bytes(parcel)
    print(f"{target}: {len(parcel) / 1e6:.1f} MB")
    return 0


def import_run(options: argparse.Namespace) -> int:
    from ml import pipeline
    from ml.artifacts import trash
    from ml.publishing import run_archive

    library = pipeline.default_library()
    gone = {one.run_id for one in trash.listing(library.home)}
    try:
        with options.file.open("rb") as file:
            taken = run_archive.unpack(file, library, name=options.name, taken=gone)
    except run_archive.Unfit as unfit:
        print(f"{unfit}{' Try: --name NAME' if unfit.taken else ''}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{options.file}: {error.strerror or error}", file=sys.stderr)
        return 1
    print(taken.folder)
    if taken.needs:
        print(f"Its pictures, the data set {taken.needs}, are not on this machine.", file=sys.stderr)
    return 0


def run_demo(options: argparse.Namespace) -> int:
    run_id = f"demo-{datetime.now():%y%m%d-%H%M%S}"
    config = TrainConfig(model="compact_cnn", dataset="synthetic-10-28x28x1", epochs=5, batch_size=32)
    print(_train(config, run_id, home_dir(), "python -m ml demo"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
