"""Why a job ended, in one sentence for people: from the error it raised, or from how its process died."""

import errno
import signal
from pathlib import Path

from ml.settings import Trainer
from ml.system import disk

OUT_OF_MEMORY = "Out of memory: try a smaller batch or fewer training images."
DISK_FULL = f"{disk.FULL}: free some space, then resume."
STALLED = "No progress for a long time, so it was stopped."
# how Python, PyTorch, the dynamic linker and the system say that memory ran out
NO_MEMORY = (
    "memoryerror", "not enough memory", "can't allocate memory", "cannot allocate memory", "failed to map segment",
    "can't start new thread",
)  # fmt: skip
FROM_OUTSIDE = (1, 2, 9, 15)  # SIGHUP, SIGINT, SIGKILL, SIGTERM: somebody wanted it; not all have names on Windows
CAUSE = 600  # characters of a sentence that is kept
LOST = 75  # a trainer's exit status when another attempt owns the job: nothing to report (EX_TEMPFAIL)


def of_exit(
    kind: str,
    status: int,
    printed: str = "",
    *,
    stalled: bool = False,
    killed_for_memory: bool = False,
    starved: bool = False,
) -> tuple[str, str]:
    """State and cause of a job whose process ended without saying how.

    kind: of the job; status: as Popen.returncode; printed: what it wrote into its log; stalled: whether it was killed
    for want of progress; killed_for_memory: whether the kernel has killed for memory while it ran; starved: whether it
    died at its limit of memory, where libraries crash, hang or fail as they like.
    """
    if kind != "train" and status == 0:
        return "done", ""
    if kind == "data":
        return "failed", "The pictures could not be fetched; the log says what to do."
    if starved and status not in (0, LOST):
        return "failed", OUT_OF_MEMORY
    if stalled:
        return "failed", STALLED
    if status == -9 and killed_for_memory:
        return "failed", OUT_OF_MEMORY
    if -status in FROM_OUTSIDE:
        return "interrupted", f"Its process was ended from outside ({signal.Signals(-status).name})."
    if kind == "train" and out_of_memory(printed[-4000:]):  # too little even to write that into the row
        return "failed", OUT_OF_MEMORY
    if status > 0 and status != LOST and disk.named(printed[-4000:]):
        return "failed", DISK_FULL if kind == "train" else f"{disk.FULL}: free some space, then try again."
    if kind in ("import", "add") and status > 0 and status != LOST and (words := last_words(printed)):
        return "failed", words
    if status < 0:
        return "failed", f"Its process crashed ({signal.Signals(-status).name}); the log may say more."
    if status == LOST:
        return "interrupted", "It lost its place in the job table."
    return "failed", "It stopped with an error; the log says more."


def last_words(printed: str) -> str:
    """The sentence that a command ended with; '' where it ended with an error that nobody expected."""
    lines = [line.strip() for line in printed[-4000:].splitlines() if line.strip()]
    if not lines or any(line.startswith("Traceback ") for line in lines):
        return ""
    if lines[-1].startswith("Try: "):  # the command that would help, after the sentence
        lines[-2:] = [" ".join(lines[-2:])]
    return lines[-1][:CAUSE]


def of_error(error: BaseException) -> str:
    """Why a training failed, in one sentence without paths or code."""
    words = str(error)
    if isinstance(error, MemoryError) or out_of_memory(words) or at_limit():
        return OUT_OF_MEMORY
    if disk.full(error):
        return DISK_FULL
    if isinstance(error, OSError) and error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return "The app's data folder cannot be written to."
    if type(error).__name__ == "DataMissing":
        return "The training pictures are not on this machine: fetch the data set, then resume."
    if type(error).__name__ in ("WeightsMissing", "NotInstalled", "Gone", "Missing", "Broken"):
        return words
    if isinstance(error, FileExistsError):
        return "A run of this name exists already."
    if isinstance(error, KeyError):
        return f"Not known here: {words.strip(chr(34))}"
    if isinstance(error, ImportError):
        return "PyTorch cannot be loaded on this machine; the log says why."
    return f"The training stopped with an error ({type(error).__name__}); the log says more."


def out_of_memory(words: str) -> bool:
    """Whether an error message or the end of a log speaks of too little memory."""
    return any(sign in words.lower() for sign in NO_MEMORY)


def at_limit(process: int | str = "self") -> bool:
    """Whether a process's address space has reached its limit: libraries then fail in any way they like."""
    megabytes = Trainer.read().memory
    if not megabytes:
        return False
    try:
        words = Path(f"/proc/{process}/status").read_text(encoding="utf-8", errors="replace").split()
    except OSError:  # another system, or it is gone
        return False
    return "VmPeak:" in words and int(words[words.index("VmPeak:") + 1]) * 1024 > 0.9 * megabytes * 2**20
