"""JSON as tools write tables into it: a list of objects, an object a line, or a table turned over."""

import re
from collections.abc import Mapping
from typing import Any

ID, VALUES, ANSWER, TOP = "id", "probabilities", "predicted", "top"
PICTURE = re.compile(r"^\d+$|/|\\|\.[A-Za-z]\w{1,4}$|^[0-9a-f]{32,64}$")
TURNED = 2  # entries at least, of an object that is a table


def rows_of(whole: Any) -> list[Any]:
    """The rows of what a JSON file holds as a whole; of another shape, itself as the only one."""
    if isinstance(whole, list):
        return [*map(_of_list, whole)]
    if not isinstance(whole, dict) or not whole:
        return [whole]
    if (split := _split(whole)) is not None:
        return split
    for one in whole.values():
        if isinstance(one, list) and one and isinstance(one[0], dict):
            return one
    return _by_column(whole) or _by_picture(whole) or [whole]


def _of_list(row: Any) -> Any:
    """An entry of a list that is a list itself: a number for each class, or the likeliest as Hugging Face's pipelines
    say them."""
    if isinstance(row, list) and row:
        return {TOP if all(isinstance(one, dict) for one in row) else VALUES: row}
    return row


def _split(whole: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """pandas' orient="split": columns and rows apart."""
    head, body = whole.get("columns"), whole.get("data")
    if not (isinstance(head, list) and isinstance(body, list) and set(whole) <= {"columns", "data", "index"}):
        return None
    if not all(isinstance(row, list) and len(row) == len(head) for row in body):
        return None
    rows = [dict(zip(map(str, head), row, strict=True)) for row in body]
    names = whole.get("index")
    if not isinstance(names, list) or len(names) != len(rows) or ID in map(str, head):
        return rows
    named = all(isinstance(one, str) and PICTURE.search(one) for one in names)  # and not the rows' own numbers
    return [{ID: name, **row} for name, row in zip(names, rows, strict=True)] if named else rows


def _by_column(whole: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A list or an object for each column, all of the same rows, as pandas' to_json and a dictionary of lists are.
    Columns go by rows that are numbered from 0; others may be pictures with a number for each class."""
    columns = list(whole.values())
    if all(isinstance(one, list) for one in columns):
        lengths = {len(one) for one in columns}
        if len(lengths) == 1 and lengths.pop() >= TURNED and not _pictures(whole):
            return [dict(zip(whole, row, strict=True)) for row in zip(*columns, strict=True)]
        return []
    if not all(isinstance(one, dict) for one in columns):
        return []
    keys = list(columns[0])
    if len(keys) < TURNED or keys != [str(i) for i in range(len(keys))] or any(list(one) != keys for one in columns):
        return []
    return [{name: one[key] for name, one in whole.items()} for key in keys]


def _by_picture(whole: Mapping[str, Any]) -> list[dict[str, Any]]:
    """An entry for each picture, under its name: numbers, a label, or an object of both."""
    if len(whole) < TURNED:
        return []
    kinds = {type(one) for one in whole.values()}
    if kinds == {dict}:
        return [{ID: name, **one} for name, one in whole.items()]
    if kinds == {list}:
        return [{ID: name, VALUES: one} for name, one in whole.items()]
    if kinds <= {str, int} and _pictures(whole):
        return [{ID: name, ANSWER: one} for name, one in whole.items()]
    return []


def _pictures(whole: Mapping[str, Any]) -> bool:
    """Whether these are names of pictures rather than of columns: numbers, paths or names of files, digests."""
    return all(PICTURE.search(name) for name in whole)
