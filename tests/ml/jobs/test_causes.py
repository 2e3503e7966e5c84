"""Why a job ended, in one sentence."""

import errno
import signal

import pytest
from safetensors import SafetensorError

from ml.jobs.causes import LOST, OUT_OF_MEMORY, of_error, of_exit


class DataMissing(RuntimeError):
    """Named like the one in ml.data."""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), OUT_OF_MEMORY),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), OUT_OF_MEMORY),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), OUT_OF_MEMORY),
        (OSError(errno.ENOSPC, "No space left on device", "/secret/place"), "disk is full"),
        (SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"), "disk is full"),
        (PermissionError(errno.EACCES, "denied", "/secret/place"), "cannot be written"),
        (DataMissing("look in /secret/place"), "fetch the data set"),
        (KeyError("unknown model 'x'; known: a, b"), "unknown model 'x'"),
        (FileExistsError(errno.EEXIST, "exists", "/secret/place"), "exists already"),
        (ZeroDivisionError("secret"), "ZeroDivisionError"),
    ],
)
def test_causes_are_sentences_without_paths(error, words, monkeypatch):
    monkeypatch.delenv("FASHION_TRAIN_MEMORY_MB", raising=False)
    assert words in of_error(error)
    assert "secret" not in of_error(error)


@pytest.mark.parametrize(
    ("status", "printed", "expected"),
    [
        (-signal.SIGKILL, "", ("interrupted", "SIGKILL")),
        (-signal.SIGTERM, "", ("interrupted", "SIGTERM")),
        (-signal.SIGSEGV, "", ("failed", "crashed (SIGSEGV)")),
        (-signal.SIGABRT, "RuntimeError: can't start new thread\n", ("failed", OUT_OF_MEMORY)),
        (LOST, "", ("interrupted", "job table")),
        (1, "Traceback\nValueError: x", ("failed", "the log says more")),
        (1, "Traceback\nMemoryError", ("failed", OUT_OF_MEMORY)),
    ],
)
def test_how_a_training_ended(status, printed, expected):
    state, cause = of_exit("train", status, printed)
    assert state == expected[0]
    assert expected[1] in cause


def test_a_kill_by_the_kernel_for_memory_is_told_from_one_by_a_person():
    assert of_exit("train", -9, killed_for_memory=True) == ("failed", OUT_OF_MEMORY)
    assert of_exit("train", -9)[0] == "interrupted"


def test_other_kinds_and_stalls():
    assert of_exit("data", 0) == ("done", "")
    assert of_exit("data", 1)[0] == "failed"
    assert of_exit("evaluate", 0) == ("done", "")
    assert of_exit("train", -9, stalled=True)[0] == "failed"


@pytest.mark.parametrize("status", [-6, -11, -7, -9, 1])
def test_however_a_process_ends_at_its_limit_of_memory_memory_is_the_cause(status):
    assert of_exit("train", status, starved=True) == ("failed", OUT_OF_MEMORY)


def test_who_was_stopped_at_the_limit_was_stopped():
    assert of_exit("train", LOST, starved=True)[0] == "interrupted"
    assert of_exit("train", 0, starved=True)[1] != OUT_OF_MEMORY
