"""The whole walk: data set → train → evaluate → artifacts."""

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import torch

from ml import models
from ml.artifacts import writer
from ml.artifacts.kinds import NETWORK, has, lacking_for, weights_file
from ml.artifacts.manifest import check_dataset
from ml.artifacts.reader import Library, Run
from ml.artifacts.schema import CORE
from ml.data import corrections, feedback, folder, load
from ml.data.base import UNLABELLED, Dataset, Split
from ml.data.intake.measures import measure
from ml.evaluation import AFTER_PUBLISHING, AT_TRAINING, EVALUATIONS, ON_DEMAND, given, unlabelled
from ml.evaluation.asking import Asking
from ml.evaluation.calibration import fold_temperature
from ml.evaluation.context import SPLITS, EvaluationContext
from ml.evaluation.epochs import Recorder
from ml.inference.classifier import Classifier
from ml.inference.engines import open_run
from ml.inference.teaching import Teacher, teachers
from ml.models.input_adapter import MIN_INPUT_SIDE
from ml.stats.calibration import cross_entropy
from ml.system.checkout import git_commit
from ml.system.paths import ARTIFACTS, home_dir
from ml.system.processor import cores, machine
from ml.system.shards import Share
from ml.training import parallel, published
from ml.training.checkpoint import merit
from ml.training.config import TrainConfig
from ml.training.loop import fit
from ml.training.meter import Epoch, Metrics

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Callbacks:
    """Who hears of a training. on_step: words for what follows it; on_epoch: of each finished epoch.

    on_batch(done, total): before each step, may raise loop.Cancelled; on_metrics: about twice a second.
    """

    on_batch: Callable[[int, int], None] = lambda done, total: None
    on_metrics: Callable[[Metrics], None] = lambda metrics: None
    on_epoch: Callable[[Epoch], None] = lambda epoch: None
    on_step: Callable[[str], None] = lambda words: None


NOBODY = Callbacks()


@dataclass(frozen=True)
class TrainingData:
    """given: what the run is judged on, and its reference part; learned: with other labels or feedback in its train."""

    given: Dataset
    learned: Dataset
    feedback: feedback.Feedback | None


def train(
    config: TrainConfig,
    *,
    run_id: str,
    home: Path,
    callbacks: Callbacks = NOBODY,
    command: str = "",
    resume: bool = True,
    slow: bool = True,
    record: bool = True,
    half: bool = False,
    calibrate: bool = False,
    twin: Mapping[str, Any] | None = None,
) -> Path:
    """Train, evaluate and publish one run under home/runs; its folder.

    home: FASHION_HOME, or the artifacts folder itself. slow: also make the nouns that take longer, after the run is
    published. record: also keep what is said of validation and test after every epoch (the noun epochs), outside the
    clock of training. calibrate: divide the last layer by the temperature fitted on validation. half: keep the weights
    as float16, rounded before anything is asked of them. twin: what the manifest says of it as one of several
    (`ml.jobs.twins`). Under torchrun all processes train and the first one does the rest.
    Raises KeyError (unknown model or data set), DataMissing, Gone, models.WeightsMissing, Diverged, FileExistsError;
    Missing or Broken where feedback starts from a run that cannot be read, ValueError where a teacher cannot teach.
    """
    team = parallel.join()
    partial = writer.partial(home / "runs", run_id)
    if not resume:
        (partial / CHECKPOINT).unlink(missing_ok=True)
    own = home_dir() if home == ARTIFACTS else home
    with writer.beginning(partial):
        data = _read(config, own)
        tutors = _admitted(config, data.given, own)
        torch.set_num_threads(config.threads or parallel.threads(cores()))
        module, model_config = _build(config, data, own, begun=(partial / CHECKPOINT).exists(), callbacks=callbacks)
    hears = callbacks if team.leads else NOBODY
    history, recorder = _learn(module, data.learned, config, partial, tutors, hears, record)
    parallel.leave()
    if not team.leads:
        return home / "runs" / run_id

    trained = time.perf_counter()
    description = {**writer.describe(data.learned), "counts": writer.describe(data.given)["counts"]}
    finished = _finish(module, description, data.given, calibrate, half)
    callbacks.on_step("evaluating")
    images = len(data.learned.subset(config.train_images, config.seed))
    context = EvaluationContext(
        Classifier(module, description),
        data.given.judged(),
        config.seed,
        dataset=lambda: data.given,
        brief=True,
        learned=images * len(history),
        unlabelled=data.learned.splits.get(UNLABELLED),  # without those that it learned from by a decision
    )
    best = max(history, key=merit).epoch
    nouns, empty = _evaluate(context, history, recorder.arrays(len(history), best) if record else {}, partial)
    training_seconds = math.fsum(epoch.seconds for epoch in history)  # of every attempt, when it was resumed
    manifest = {
        "run_id": run_id,
        "model": config.model,
        "model_config": model_config,
        "dataset": description,
        "config": config.model_dump(mode="json"),
        "train_images": images,
        "parameters": models.parameter_count(module),
        "layers": context.classifier.layers(),
        "best_epoch": best,
        **({"start": data.feedback.against} if data.feedback else {}),
        "results": results(context),
        "seconds": round(training_seconds + time.perf_counter() - trained, 1),
        "training_seconds": round(training_seconds, 1),
        "machine": _machine(team.size),
        "torch": torch.__version__,
        "git": git_commit(),
        "command": command,
        "created": writer.now(),
        "nouns": nouns,
        **({"empty": empty} if empty else {}),
        **finished,
        **({"twin": dict(twin)} if twin else {}),
    }
    if home != ARTIFACTS and not any((root / "datasets" / data.given.name).is_dir() for root in (ARTIFACTS, home)):
        writer.write_pictures(home, data.given)
        measure(home, data.given)
    return _publish(partial, manifest, context, callbacks.on_step if slow else None, half)


def _read(config: TrainConfig, own: Path) -> TrainingData:
    """The pictures. own: this user's folder."""
    given = load(config.dataset, home=own)
    learned = corrections.read(own, config.labels).apply(given) if config.labels else given
    mixed = feedback.read(own, config.feedback) if config.feedback else None
    return TrainingData(given, mixed.mix(learned) if mixed else learned, mixed)


def _admitted(config: TrainConfig, dataset: Dataset, own: Path) -> list[Teacher]:
    """Whom it learns from. Raises ValueError, in words, for what would only be found out when all work is done."""
    check_dataset(described := writer.describe(dataset))
    if words := models.too_small(config.model, *dataset.shape[:2]):
        raise ValueError(words)
    return teachers(Library(ARTIFACTS, own), config.teacher or "", described)


def _build(
    config: TrainConfig, data: TrainingData, own: Path, *, begun: bool, callbacks: Callbacks
) -> tuple[torch.nn.Module, dict[str, Any]]:
    """The network with the weights it starts from, and what `models.build` needs to build it again.

    begun: a checkpoint is there, whose weights replace any others.
    """
    height, width, channels = data.given.shape
    sizes = {"channels": channels, "height": height, "width": width}
    model_config: dict[str, Any] = {**sizes, "classes": len(data.given.classes)}
    if config.dropout is not None:
        model_config["dropout"] = config.dropout
    if not config.batch_norm:
        model_config["batch_norm"] = False
    if config.flip_test:
        model_config["mirrored"] = True
    if config.pretrained:
        model_config["pretrained"] = True
        if min(height, width) > MIN_INPUT_SIDE:
            model_config["side"] = min(height, width)  # whole pictures; runs from before it made them smaller
    torch.manual_seed(config.seed)
    module = models.build(config.model, **model_config)
    if data.feedback is not None and not begun:
        library = Library(ARTIFACTS, own)
        start = library.open(data.feedback.against)
        library.check_pictures(start.manifest["dataset"])
        module.load_state_dict(Classifier.open(start).module.state_dict())
    elif config.pretrained and not begun:
        mean, std = data.learned.statistics()
        published.load(module, config.model, mean, std, on_chunk=lambda: callbacks.on_batch(0, config.epochs))
    return module, model_config


def _learn(
    module: torch.nn.Module,
    dataset: Dataset,
    config: TrainConfig,
    partial: Path,
    taught_by: list[Teacher],
    callbacks: Callbacks,
    record: bool,
) -> tuple[list[Epoch], Recorder]:
    """Train in place; every epoch, and what was recorded of them."""
    reached = (0, 0)

    def on_batch(done: int, total: int) -> None:
        nonlocal reached
        reached = (done, total)
        callbacks.on_batch(done, total)

    recorder = Recorder(partial, dataset, on_chunk=lambda: callbacks.on_batch(*reached))
    history = []
    for epoch in fit(
        module,
        dataset,
        config,
        checkpoint=partial / CHECKPOINT,
        teachers=taught_by,
        on_batch=on_batch,
        on_metrics=callbacks.on_metrics,
        on_weights=recorder if record else lambda *_: None,
    ):
        history.append(epoch)
        callbacks.on_epoch(epoch)
    return history, recorder


def _finish(module: torch.nn.Module, described: dict[str, Any], data: Dataset, calibrate: bool, half: bool) -> dict:
    """What is done to the weights once they are learned, see `train`, in place; what the manifest says of it."""
    folded = fold_temperature(Classifier(module, described), data["validation"]) if calibrate else None
    if half:
        module.half().float()
    return {"temperature": round(folded, 6)} if folded else {}


def _evaluate(
    context: EvaluationContext, history: list[Epoch], recorded: dict[str, np.ndarray], partial: Path
) -> tuple[dict[str, Any], list[str]]:
    """Write the nouns that a run has from the start; their entries of the manifest, and those that came to nothing.

    recorded: the noun epochs.
    """
    empty = []
    nouns = {"history": writer.write_noun(partial, "history", pd.DataFrame([asdict(epoch) for epoch in history]))}
    for noun in ("predictions", *AT_TRAINING):
        data, began = _make(noun, context)
        if len(data):
            nouns[noun] = writer.write_noun(partial, noun, data, started=began)
        else:
            empty.append(noun)
    if recorded:
        nouns["epochs"] = writer.write_noun(partial, "epochs", recorded, started=time.perf_counter())
    return nouns, empty


def _publish(
    partial: Path,
    manifest: dict[str, Any],
    context: EvaluationContext,
    on_step: Callable[[str], None] | None,
    half: bool,
) -> Path:
    """Write the weights and put the run in its place; with on_step, also make the nouns that take longer."""
    classifier = context.classifier
    state = classifier.module.state_dict().items()
    weights = {name: (value.half() if half and value.is_floating_point() else value).numpy() for name, value in state}
    manifest = {
        **manifest,
        "weights": writer.write_weights(partial, weights),
        "bytes": (partial / "weights.safetensors").stat().st_size,
        "latency_ms": classifier.latency(),
    }
    folder = writer.publish(partial, manifest)
    if on_step is not None:
        for noun in unlabelled.suited(AFTER_PUBLISHING, context):
            on_step(f"computing {noun}")
            manifest = _add(folder, manifest, context, noun)
    return folder


def evaluate(
    library: Library,
    run_id: str,
    nouns: Iterable[str] | None = None,
    on_step: Callable[[str], None] = lambda words: None,
    share: Share | None = None,
) -> list[str]:
    """Make a published run's optional nouns from the pictures that are here; the nouns made, without the empty ones.

    nouns: None for all but those of ON_DEMAND; share: who asks about large splits too (docs/cluster.md). Size and
    latency come with them where the run has none.

    Results for a shipped run go to home/runs/<run_id>, laid over it. Raises Missing, Broken, KeyError.
    """
    run = library.open(run_id)
    chosen = list(nouns) if nouns is not None else [n for n in EVALUATIONS if n not in (*CORE, *ON_DEMAND)]
    unknown = [noun for noun in chosen if noun not in EVALUATIONS or noun in CORE]
    if unknown:
        known = (*AT_TRAINING, *AFTER_PUBLISHING, *ON_DEMAND)
        raise KeyError(f"{', '.join(unknown)} cannot be made; choose from {', '.join(known)}")
    manifest = run.manifest
    if nouns is None:
        chosen = [noun for noun in chosen if not lacking_for(manifest, noun)]
    run.need(*filter(None, (lacking_for(manifest, noun) for noun in chosen)))
    context = context_of(library, run)
    context.tell = on_step
    if share is not None and context.asks and context.described:
        context.shared = Asking(share, run_id, manifest["weights"]["sha256"])
    chosen = chosen if nouns is not None else unlabelled.suited(chosen, context)
    folder = library.home / "runs" / run_id
    measured = manifest.get("latency_ms") is not None and manifest.get("bytes") is not None
    if context.asks and not measured:  # a run from before they were
        size = run.files(())[weights_file(manifest)].stat().st_size
        manifest = {**manifest, "bytes": size, "latency_ms": context.classifier.latency()}
    for noun in chosen:
        on_step(f"computing {noun}")
        manifest = _add(folder, manifest, context, noun)
        if noun in manifest.get("empty", ()):
            on_step(f"looked for {noun}, found none")
    return [noun for noun in chosen if noun not in manifest.get("empty", ())]


def context_of(library: Library, run: Run) -> EvaluationContext:
    """A published run ready to be evaluated."""
    if not has(run.manifest, NETWORK):
        return given.of_run(library, run)
    learned = run.manifest["dataset"]
    splits = {}
    for split in SPLITS:
        pictures = library.learned_pictures(run, split)
        splits[split] = Split(pictures.images, pictures.labels, pictures.ids)
    return EvaluationContext(
        cast(Classifier, open_run(run)),
        splits,
        (run.manifest.get("config") or {}).get("seed", 0),
        dataset=lambda: learned_from(library, learned),
        recorded=lambda: run.table("predictions"),
        unlabelled=unlabelled.unlearned(library, run),
        placed=lambda: run.table("projection") if "projection" in run.nouns else None,
    )


def learned_from(library: Library, learned: Mapping[str, Any]) -> Dataset:
    """The data set that a manifest describes, in the version that it means. Raises Missing, KeyError, DataMissing."""
    version = library.version_of(learned)
    return folder.load(library.folder_of(learned)) if version else load(learned["name"], home=library.home)


def results(context: EvaluationContext) -> dict[str, dict[str, float]]:
    """split → right answers, n and mean cross-entropy in nats."""
    scores = {}
    for split in SPLITS:
        probabilities, labels = context.probabilities(split), context.splits[split].labels
        correct = int((probabilities.argmax(1) == labels).sum())
        loss = float(cross_entropy(probabilities, labels).mean())
        scores[split] = {"correct": correct, "n": len(labels), "loss": round(loss, 6)}
    return scores


def _machine(processes: int) -> dict[str, Any]:
    """What the run was made on."""
    own = {"cores": cores(), "threads": torch.get_num_threads()}
    return machine() | own | ({"processes": processes} if processes > 1 else {})


def _make(noun: str, context: EvaluationContext) -> tuple[Any, float]:
    began = time.perf_counter()
    return EVALUATIONS[noun](context), began


def _add(folder: Path, manifest: dict[str, Any], context: EvaluationContext, noun: str) -> dict[str, Any]:
    """Make a noun and add it, or write down that it is empty; the manifest as it is then."""
    data, began = _make(noun, context)
    if noun == "projection":
        context.placed = lambda: data
    manifest = {**manifest, **context.notes}
    also, context.also = {name: (more, began) for name, more in context.also.items()}, {}
    if not len(data):
        return writer.add_empty(folder, manifest, noun)
    return writer.add_nouns(folder, manifest, {noun: (data, began), **also})


def default_library() -> Library:
    """Shipped runs and this user's."""
    return Library(ARTIFACTS, home_dir())
