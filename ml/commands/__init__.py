"""The verbs of the command line, one file each: `add` puts its options in, its function returns the exit status."""

from ml.artifacts.identity import run_id_of
from ml.artifacts.schema import RUN_ID


def named(called: str) -> str:
    """The run or data set that people call so: My Net 2 is my-net-2. What makes no such name is told as it is."""
    return called if RUN_ID.fullmatch(called) else run_id_of(called) or called
