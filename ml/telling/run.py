"""A run as a script sees it: begun, told of, and published at its end."""

import atexit
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import TypeAdapter, ValidationError

from ml import data as datasets
from ml.artifacts import writer
from ml.artifacts.identity import run_id_of
from ml.artifacts.manifest import check_dataset
from ml.data.base import Dataset
from ml.data.fashion_mnist import DataMissing
from ml.system.paths import ROOT, home_dir
from ml.telling import border
from ml.telling.answers import Understanding
from ml.telling.border import Wrong
from ml.telling.kept import FINAL, Busy, Kept
from ml.telling.live import Live, Taken, Unseen
from ml.telling.meaning import Numbers
from ml.telling.settings import command as told_command
from ml.telling.settings import settings as plain_settings

MOST_EPOCHS = 30_000
EPOCHS = f"epochs count from 1 to {MOST_EPOCHS:,}"
BUSY = (
    "is being published already, by another script or by a run here that was never closed: give this one another name, "
    "or end that one with close() or leave()"
)
KEPT = "What it told is kept."


def silently(words: str) -> None:
    """Tell nobody."""


def aloud(words: str) -> None:
    """Beside what the script prints itself."""
    print(f"fashion_forward: {words}", file=sys.stderr)


class Run:
    """What `fashion_forward.publish` gives; see there. Of one thread at a time.

    run_id: as addresses have it; last_epoch: the last one that was told, also by an earlier process, 0 for none;
    result: after the end, what was made, as `python -m ml runs add --json` says it; notes: sentences on how the answers
    were understood.
    """

    def __init__(
        self, name: str, data: str, *, epochs: int = 0, resume: bool = False, anew: bool = False,
        classes: Sequence[str] | None = None, values: str = "", positive: str | int | None = None,
        keep: str | int = "last", tell: Callable[[str], None] = aloud, live: bool = True, settings: Any = None,
    ) -> None:  # fmt: skip
        self._home, self._tell = home_dir().absolute(), tell
        self.run_id, self.result = _id_of(name), {}  # type: str, dict[str, Any]
        if keep not in ("last", "best") and not (isinstance(keep, int) and keep > 0):
            raise Wrong(f"keep is 'last', 'best' or the number of an epoch; it is {keep!r}")
        if (self._home / "runs" / self.run_id).exists():
            raise Wrong(f"there is a run {self.run_id!r} already: give this one another name")
        trained_with = plain_settings(settings) if settings is not None else {}
        self._dataset = _dataset(data, self._home)
        numbers = Numbers(self._dataset, classes=classes, values=values, positive=positive)
        self._understanding = Understanding(self._dataset, self._home / "datasets" / self._dataset.name, numbers)
        self._kept, self._open, self._said = Kept(self._home, self.run_id), False, 0
        self._remembered = False
        try:
            self._kept.take()
        except Busy:
            raise Wrong(f"the run {self.run_id!r} {BUSY}") from None
        try:
            self._begin(epochs, resume, anew, keep, live)
        except BaseException:
            self._kept.give_back()
            if not self._kept.there:
                self._kept.remove()
            raise
        self._open = True
        atexit.register(self._left)
        self.settings(trained_with)

    def _begin(self, epochs: int, resume: bool, anew: bool, keep: str | int, live: bool) -> None:
        kept, before = self._kept, self._kept.settings()
        told = {} if anew else kept.epochs()
        if before and anew:
            kept.clear()
            before = {}
        _may_go_on(self.run_id, before, self._dataset.digest, len(told), resume)
        meaning = before.get("meaning")
        if meaning:
            self._understanding.numbers.resume(meaning)
        spec = {"dataset": self._dataset.name, "script": _script()}
        shown = border.shares(told, border.percent(told))
        try:
            self._live: Live | Unseen = Unseen()
            if live:
                job = before.get("job", "")
                self._live = Live(self._home, self.run_id, spec, epochs=epochs, job_id=job, told=shown)
        except Taken as taken:
            raise Wrong(str(taken)) from None
        if self._live.trouble:
            self._tell(f"{self._live.trouble}: the run is not shown while it learns, and published all the same")
        self.last_epoch, self._percent = max(told, default=0), border.percent(told)
        kept.settle(
            data=self._dataset.name, digest=self._dataset.digest, job=self._live.job_id, keep=keep,
            command=told_command(sys.argv)[:1000], script=spec["script"], host=socket.gethostname(),
            began=before.get("began") or writer.now(), attempts=before.get("attempts", 0) + 1,
        )  # fmt: skip

    # ---- what a script tells

    def epoch(self, number: int, **measures: Any) -> None:
        """An epoch is over. number: from 1, after those before; one that was told already replaces itself and all after
        it. measures: numbers, or tensors of one number: `loss` and `accuracy` of the training pictures,
        `validation_loss`, `validation_accuracy`, `learning_rate`, `seconds`, `images_per_second`, under the names that
        frameworks have for them too (val_acc, eval_loss, lr …); any other is kept beside them. Accuracies are shares or
        per cent. What is None or no finite number is left out. Raises ValueError.
        """
        self._alive()
        if isinstance(number, bool) or not 1 <= int(number) <= MOST_EPOCHS or int(number) != number:
            raise Wrong(f"{EPOCHS}; {number!r} is none: run.epoch(epoch + 1, …)?")
        told = border.measures(measures)
        self._kept.add_epoch(int(number), told)
        self.last_epoch = int(number)
        everything = self._kept.epochs() if told else {}
        percent = border.percent(everything)
        if percent != self._percent:  # what looked like shares was per cent
            self._percent = percent
            self._live.replace(border.shares(everything, percent))
        self._live.epoch(int(number), border.shares({int(number): told}, percent)[int(number)])

    def step(self, done: int, total: int) -> None:
        """So many steps of the whole training are done: how far it is, between epochs. May be called as often as one
        likes."""
        self._live.step(done, total)

    def predictions(
        self, split: str | None, ids: Any, probabilities: Any, *, epoch: int | None = None, features: Any = None,
        labels: Any = None,
    ) -> None:  # fmt: skip
        """What the network says of pictures, all of a split at once or batch after batch; written to the disk at once.

        split: train, validation or test; None where the ids tell. ids: numbers, paths, names or digests of n pictures;
        None for all of the split in the order of their ids, in one call or several. probabilities: [n, classes] in the
        order of the data set's classes (or of publish's `classes`), also logits, logarithms or per cent, which are told
        by their numbers or publish's `values`; of two classes also one number a picture; or n class names or numbers.
        epoch: after which of them; None for the finished network. features: [n, d]; labels: n class names or numbers,
        to be held against the data set's. Tensors of any library, lists, data frames. Raises ValueError.
        """
        self._alive()
        if epoch is not None and (isinstance(epoch, bool) or not 1 <= int(epoch) <= MOST_EPOCHS):
            raise Wrong(f"{EPOCHS}; {epoch!r} is none")
        at = FINAL if epoch is None else int(epoch)
        before = len(self._understanding.numbers.meaning.notes)
        told = self._understanding.told(split, ids, probabilities, epoch=at, features=features, labels=labels)
        for note in self._understanding.numbers.meaning.notes[before:]:
            self._tell(note)
        self._report()
        for name, (rows, said, vectors) in told.parts.items():
            self._kept.add_answers(name, at, rows, said, vectors)
        if not self._remembered:
            self._remember()

    def network(self, file: str | os.PathLike[str], **wishes: Any) -> None:
        """The finished network in a file, which must stay until the run is published: the run then answers uploads too.

        wishes: how it is asked, where that is not told right by itself: layout, range, mean, std, channels, output,
        numbers, classes, match, as the flags of `python -m ml runs add`. Raises ValueError.
        """
        self._alive()
        place = Path(file).absolute()
        if not place.exists():
            raise Wrong(f"there is no file {os.fspath(file)!r}")
        checked = _wishes(wishes)
        self._kept.settle(network=str(place), wishes=checked)

    def settings(self, given: Any = None, /, **more: Any) -> None:
        """What it is trained with, so that runs can be compared by it. given: a mapping, a dataclass or what argparse
        returns; more: names with values, learning_rate=0.1. A name that was told before is replaced; values are kept
        as text, numbers and lists of them, without those whose names say they are secret. Raises ValueError."""
        self._alive()
        told = plain_settings({} if given is None else given) | plain_settings(more)
        if told:
            self._kept.settle(settings=plain_settings({**self._kept.settings().get("settings", {}), **told}))

    # ---- the end

    def close(self) -> dict[str, Any]:
        """Publish: what was made. Raises ValueError in words; then what was told stays, and can be published with
        `python -m ml runs finish NAME` or by this script again with resume=True."""
        self._alive()
        self._remember()
        for split, told in self._understanding.counted():
            self._understanding.whole(split, told)
        self._live.stage("making the run")
        self._shut()
        status, lines = self._finish()
        if status == 0:
            self.result = json.loads(lines[-1])
            self._live.end("done")
            self._kept.remove()
            return self.result
        words = lines[-1] if lines else f"its process ended with {status}"
        self._live.end("failed", f"The run could not be made: {words}"[:600])
        raise Wrong(f"the run {self.run_id!r} could not be made: {words}. {KEPT}")

    def leave(self, cause: str = "Its script left it.") -> None:
        """End without publishing; what was told stays, to go on with by resume=True."""
        self._stop("interrupted", f"{cause} {KEPT}")

    def discard(self) -> None:
        """End without publishing, and forget all that was told."""
        if self._open:
            self._shut()
            self._live.end("cancelled")
        self._kept.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._open:
            return
        if kind is None:
            try:
                self.close()
            except Wrong as wrong:
                self._stop("failed", f"The run could not be made: {wrong}")
                raise
        elif issubclass(kind, KeyboardInterrupt | SystemExit | GeneratorExit):
            self.leave("The script was stopped.")
        else:
            words = str(error).strip().splitlines()
            why = f"{kind.__name__}{f': {words[0][:200]}' if words else ''}"
            self._stop("failed", f"The script ended with an error, {why}. {KEPT}")

    def _stop(self, state: str, cause: str) -> None:
        if self._open:
            with contextlib.suppress(OSError):
                self._remember()
            self._shut()
            self._live.end(state, cause[:600])

    def __repr__(self) -> str:
        state = "open" if self._open else "published" if self.result else "not published"
        return f"<fashion_forward run {self.run_id!r} on {self._dataset.name!r}, {state}>"

    # ---- within

    def _alive(self) -> None:
        if not self._open:
            raise Wrong(f"the run {self.run_id!r} is closed: nothing more can be told of it")

    def _shut(self) -> None:
        self._open = False
        self._kept.give_back()
        atexit.unregister(self._left)

    def _left(self) -> None:
        """The script has come to its end, and nobody closed the run."""
        self.leave("The script came to its end without run.close().")

    def _remember(self) -> None:
        """What the answers mean, for the process that makes the run and for one that goes on."""
        one, meaning, self._remembered = self._understanding, self._understanding.numbers.meaning, True
        self._kept.settle(
            meaning=asdict(meaning), known=meaning.known, notes=meaning.notes, left_out=one.left_out,
            labels=[one.labelled, one.agreeing], job=self._live.job_id,
        )  # fmt: skip

    @property
    def open(self) -> bool:
        """Whether something can still be told."""
        return self._open

    @property
    def notes(self) -> list[str]:
        return [*self._understanding.numbers.meaning.notes]

    def _report(self) -> None:
        """Say once that pictures were not found, and again when there are ten times as many."""
        lost = sum(map(len, self._understanding.left_out.values()))
        if lost and (not self._said or lost >= 10 * self._said):
            self._said = lost
            reason, names = next(iter(self._understanding.left_out.items()))
            self._tell(f"left out so far, {lost:,}: {reason}: {', '.join(names[:3])}{' …' if len(names) > 3 else ''}")

    def _finish(self) -> tuple[int, list[str]]:
        return _made(self._home, self.run_id, self._live.stage)


def _may_go_on(run_id: str, before: dict[str, Any], digest: str, told: int, resume: bool) -> None:
    """before: what is kept of an earlier process, of `told` epochs. Raises Wrong."""
    if before and not resume:
        raise Wrong(
            f"a run {run_id!r} was begun and not finished, {told} epochs of it are told: say "
            "resume=True to go on with it, or anew=True to begin again"
        )
    if before and before.get("digest") != digest:
        raise Wrong(f"the run {run_id!r} was begun on other pictures: say anew=True, or take another name")


def _id_of(name: str) -> str:
    run_id = run_id_of(name) if isinstance(name, str) else ""
    if not run_id:
        raise Wrong(f"{name!r} cannot be a run's name, which needs a letter of a to z or a digit")
    return run_id


def _dataset(name: str, home: Path) -> Dataset:
    """Raises Wrong, with the names that there are."""
    try:
        found = datasets.load(name, home=home)
    except (KeyError, DataMissing) as error:
        raise Wrong(str(error.args[0])) from None
    check_dataset(writer.describe(found))
    return found


def _script() -> str:
    """What people call the program that tells: its file, or what runs it."""
    main = sys.modules.get("__main__")
    file = getattr(main, "__file__", None)
    if "ipykernel" in sys.modules:
        return "a notebook"
    return Path(file).name[:120] if file else "an interpreter"


def _made(home: Path, run_id: str, stage: Callable[[str], None]) -> tuple[int, list[str]]:
    """Make the run in a process of its own; its status and lines. Each line is a stage that people see."""
    environment = {**os.environ, "FASHION_HOME": str(home), "PYTHONUNBUFFERED": "1"}
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):  # of a team that it is none of
        environment.pop(name, None)
    command = [sys.executable, "-m", "ml", "runs", "finish", run_id, "--json"]
    lines: list[str] = []
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace",
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if words := line.strip():
                    lines.append(words)
                    if re.match(r"[a-z]", words):
                        stage(words)
        except BaseException:
            process.kill()
            raise
    return process.returncode, lines


def _wishes(wishes: dict[str, Any]) -> dict[str, Any]:
    """How a network is asked, as ml.importing.understanding has it. Raises Wrong."""
    from ml.importing.understanding import Wishes

    if "std" in wishes:
        wishes["deviation"] = wishes.pop("std")
    try:
        checked = TypeAdapter(Wishes).validate_python(wishes)
    except ValidationError as wrong:
        first = wrong.errors()[0]
        known = ", ".join(sorted({*Wishes.__dataclass_fields__, "std"} - {"deviation"}))
        raise Wrong(f"{'.'.join(map(str, first['loc']))}: {first['msg']}; known are {known}") from None
    unknown = wishes.keys() - Wishes.__dataclass_fields__.keys()
    if unknown:
        raise Wrong(f"{min(unknown)!r} is no wish that a network can be asked with")
    return {name: value for name, value in asdict(checked).items() if value}
