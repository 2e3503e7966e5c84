"""What may be said of a file or a run that cannot be opened, and a table opened after everything in it was checked."""

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from ml.artifacts import inspection, kinds
from ml.artifacts.checking import UNREADABLE
from ml.artifacts.inspection import Bounds
from ml.artifacts.schema import Mismatch, Table


class Missing(LookupError):
    """A noun, run or split that is not there; `command` makes it."""

    def __init__(self, sentence: str, command: str = "") -> None:
        super().__init__(sentence)
        self.command = command


class Incapable(Missing):
    """What a run of this kind cannot do; `gives` says what would bring it."""

    def __init__(self, need: str, kind: str = kinds.RECORDED) -> None:
        super().__init__(kinds.lacks(need, kind))
        self.need, self.gives = need, kinds.gives(need, kind)


class Broken(ValueError):
    """A file or folder that is there and does not check out."""


def table(path: Path, declared: Table, whose: str, most: Bounds | None = None) -> pd.DataFrame:
    """A parquet file, checked. Raises Broken."""
    try:
        inspection.table(path, declared, most)
        with pq.ParquetFile(path) as file:  # pandas.read_parquet opens it as a data set of many, which loads 5 MB more
            frame = file.read().to_pandas()
        declared.check(frame)
    except UNREADABLE as error:
        raise Broken(f"{path.name} of {whose} cannot be read: {first_line(error)}") from error
    return frame


def first_line(error: Exception) -> str:
    """The first line of an error without any path in it."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text if isinstance(error, Mismatch) else text.split(":")[0][:120]
