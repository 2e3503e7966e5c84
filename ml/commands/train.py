"""`python -m ml train`: every choice of TrainConfig as an option; a bar and a line per epoch while it trains."""

import argparse
import os
import shlex
import sys
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from ml.artifacts.identity import run_id_of
from ml.commands import named
from ml.system.paths import ARTIFACTS, home_dir
from ml.training.config import AUGMENTATIONS, TrainConfig
from ml.training.fields import FIELDS, allowed
from ml.training.presets import PRESETS


def add(commands: argparse._SubParsersAction) -> None:
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
    train.add_argument("--half", action="store_true", help="keep the weights as float16, in half the bytes")
    train.add_argument(
        "--calibrate", action="store_true", help="divide the last layer by the temperature fitted on validation"
    )
    train.set_defaults(command=run)


def _add_field(command: argparse.ArgumentParser, name: str, info: FieldInfo) -> None:
    """One choice of TrainConfig as an option; what is not given is not in the answer."""
    flag, words = _flag(name), f"{info.description}{_limits(name)} (default {info.default})"
    if name == "augment":
        command.add_argument(flag, nargs="*", choices=AUGMENTATIONS, default=argparse.SUPPRESS, help=info.description)
    elif FIELDS[name].kind == "choice":
        command.add_argument(flag, choices=FIELDS[name].choices, default=argparse.SUPPRESS, help=words)
    elif name == "dataset":
        command.add_argument(flag, type=named, default=argparse.SUPPRESS, help=words)
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
            own = error["type"] == "value_error"  # a sentence of TrainConfig's; what pydantic says is for programs
            lines.append(f"{_flag(name)}: {error['ctx']['error'] if own else allowed(name)}")
        raise ValueError("\n".join(lines)) from None


def run(options: argparse.Namespace) -> int:
    if options.job:
        from ml.jobs.trainer import run_job

        return run_job(options.job)
    given = {name: value for name, value in vars(options).items() if name in TrainConfig.model_fields}
    config = _configured({**PRESETS.get(options.preset, {}), **given})
    processes = os.environ.get("WORLD_SIZE", "1")  # set by torchrun
    if processes != "1" and not options.run:
        raise ValueError("name the run with --name: the processes of a training must agree on it")
    usual = f"{config.model.replace(':', '-')}-{datetime.now():%y%m%d-%H%M%S}"
    run_id = _run_id(_typed(options.run)) if options.run else usual
    program = "python" if processes == "1" else f"torchrun --nproc-per-node {processes}"
    command = f"{program} -m ml " + shlex.join(map(_typed, sys.argv[1:]))
    how = {name: getattr(options, name) for name in ("record", "calibrate", "half")}
    folder = train(config, run_id, ARTIFACTS if options.shipped else home_dir(), command, **how)
    if os.environ.get("RANK", "0") == "0":
        print(folder)
    return 0


def _typed(argument: str) -> str:
    """As it was typed, in UTF-8, whatever Python took it to be: what a manifest can hold, though bytes be lost."""
    return os.fsencode(argument).decode("utf-8", "replace")


def _run_id(name: str) -> str:
    """The id of a run that is to be called so; said where it differs. Raises ValueError."""
    run_id = run_id_of(name)
    if not run_id:
        raise ValueError(f"--run {name!r}: a run needs a name with a letter of a to z or a digit in it")
    if run_id != name:
        print(f"the run is called {run_id}", file=sys.stderr)
    return run_id


def train(
    config: TrainConfig,
    run_id: str,
    home: Path,
    command: str,
    *,
    record: bool = True,
    calibrate: bool = False,
    half: bool = False,
) -> Path:
    """Train with a progress bar per epoch and a line of results after it; the run's folder.

    home: FASHION_HOME or the artifacts folder. command: the line that the manifest keeps. record, calibrate,
    half: see `pipeline.train`.
    """
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
        callbacks=pipeline.Callbacks(on_batch, on_epoch=on_epoch, on_step=on_step),
        command=command,
        record=record,
        calibrate=calibrate,
        half=half,
    )
    if not leads:
        return folder
    library = pipeline.default_library()
    result = library.open(run_id).manifest["results"]["test"]
    print(f"test: {result['correct']} / {result['n']}")
    mlflow.tell(library, run_id)
    return folder
