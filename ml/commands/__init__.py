"""The verbs of the command line, one file each: `add` puts its options in, its function returns the exit status."""

import contextlib
import json
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.artifacts.identity import run_id_of
from ml.artifacts.schema import RUN_ID
from ml.settings import Attempt

if TYPE_CHECKING:
    from ml.jobs.shards import Sharing


def named(called: str) -> str:
    """The run or data set that people call so: My Net 2 is my-net-2. What makes no such name is told as it is."""
    return called if RUN_ID.fullmatch(called) else run_id_of(called) or called


def json_of(text: str) -> Any:
    """What an option of JSON says; of - what standard input does, for an argument has at most 128 kB on Linux. Raises
    ValueError."""
    return json.loads(sys.stdin.buffer.read() if text == "-" else text)


def sharing(home: Path) -> "AbstractContextManager[Sharing | None]":
    """What has the job of this process done by several, where it does one of a cluster; None for what people start."""
    if not Attempt.read().lease:
        return contextlib.nullcontext()
    from ml.jobs import shards  # which loads the database's library

    return shards.sharing(home)
