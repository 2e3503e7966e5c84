"""The file that a table, or an export of another tool, speaks of: found within the source and never outside it."""

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from ml.data.importing import sources
from ml.data.importing.rows import split_in
from ml.data.importing.sources import Entry, Source, looks_like_a_picture
from ml.images.file_names import by_the_way, normal

UPLOADS = "/data/upload/"  # where Label Studio keeps what is sent to it, with eight digits before its name
OUTSIDE = "its path leaves the source"
ABSENT = "there is no such file in the source"
SEVERAL = "several files of the source are called like this"
ADDRESS = "it is an address on the web, which is not fetched"

TABLES = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".json", ".parquet", ".pq", ".arrow", ".feather")


class Finder:
    """Of a source. Where it is a single table, the folder it lies in is listed once a path is not found beside it."""

    def __init__(self, source: Source, lone: bool = False) -> None:
        self._root = source.root.resolve() if source.root is not None else None
        self._lone, self._top = lone, source.root
        self.used: set[str] = set()
        self._list(source.entries)

    def _list(self, entries: Iterable[Entry]) -> None:
        self._entries = {
            normal(one.name): one
            for one in entries
            if not one.is_folder and not by_the_way(one.name) and not one.name.casefold().endswith(TABLES)
        }
        self._called: dict[str, list[str]] = {}
        for name in self._entries:
            last = name.rpartition("/")[2]
            self._called.setdefault(last, []).append(name)
            if looks_like_a_picture(last):
                self._called.setdefault(last.rpartition(".")[0], []).append(name)

    def find(self, path: str, beside: str = "", split: str = "") -> Entry | str:
        """The file, or why there is none. beside: the folder of the table, within the source; split: of the row, which
        decides between files of one name in folders of several splits."""
        path, absolute = _plain(path)
        if bucket := re.match(r"(?:s3|gs)://[^/]+/(?=.)", path):  # of which a copy may lie here
            inside = self._relative(path[bucket.end() :], beside, split)
            if isinstance(inside, str):
                return ADDRESS
            path, absolute = inside.name, False
        if re.match(r"https?://|s3://|gs://", path):
            return ADDRESS
        found = self._absolute(path, beside, split) if absolute else self._relative(path, beside, split)
        if isinstance(found, Entry):
            if self._leaves(found):
                return OUTSIDE
            self.used.add(normal(found.name))
        return found

    def _absolute(self, path: str, beside: str, split: str) -> Entry | str:
        """One within the source, or of another machine, where what its path ends with is here."""
        if path.startswith(UPLOADS):
            name = path.rpartition("/")[2]
            for one in (name, re.sub(r"^[0-9a-f]{8}-", "", name)):
                if isinstance(found := self._ending(one, split), Entry):
                    return found
            return ABSENT
        if self._root is not None:
            for root in (self._root, self._top):
                if root is not None and PurePosixPath(path).is_relative_to(root.as_posix()):
                    return self._relative(PurePosixPath(path).relative_to(root.as_posix()).as_posix(), "", split)
        return self._shorter(path, beside) or OUTSIDE

    def _shorter(self, path: str, beside: str) -> Entry | None:
        """The file that is here, from the table or from the top, under this path without its first folders; one folder
        is left at least, lest a picture of this name be taken that is another one."""
        self._listed_anew()
        parts = [part for part in path.split("/") if part not in ("", ".")]
        for start in range(1, len(parts) - 1) if ".." not in parts else ():
            for folder in (beside, ""):
                name = _joined(folder, "/".join(parts[start:])) or ""
                if name in self._entries:
                    return self._entries[name]
        return None

    def _relative(self, path: str, beside: str, split: str) -> Entry | str:
        within = [inside for folder in (beside, "") if (inside := _joined(folder, path)) is not None]
        if not within:
            return OUTSIDE
        for name in within:
            if name in self._entries:
                return self._entries[name]
            if self._lone and self._top is not None and (self._top / name).is_file():
                return sources.entry(self._top / name, self._top)
        if self._listed_anew():
            return self._relative(path, beside, split)
        found = self._ending(within[-1], split)
        return self._shorter(path, beside) or ABSENT if found == ABSENT else found

    def _listed_anew(self) -> bool:
        """Whether what lies beside a single table was not known, and is now."""
        if not self._lone or self._top is None:
            return False
        self._lone = False
        self._list(sources.folder(self._top).entries)
        return True

    def _ending(self, path: str, split: str) -> Entry | str:
        """The one file whose name ends like this, with or without its suffix."""
        last = path.rpartition("/")[2]
        names = [name for name in self._called.get(last, ()) if _ends(name, path)]
        if len(names) > 1:
            whole = [name for name in names if name.endswith(last)]
            names = whole if len(whole) == 1 else names
        if len(names) > 1 and split:
            names = [name for name in names if any(split_in(part) == split for part in name.split("/")[:-1])] or names
        return self._entries[names[0]] if len(names) == 1 else SEVERAL if names else ABSENT

    def _leaves(self, entry: Entry) -> bool:
        """Whether a link on the disk leads elsewhere."""
        if self._root is None or self._top is None:
            return False
        return not (self._top / entry.name).resolve().is_relative_to(self._root)

    def unused(self) -> list[str]:
        """Pictures that nothing spoke of."""
        return [name for name in self._entries if name not in self.used and looks_like_a_picture(name)]

    def pictures(self) -> int:
        """How many files are pictures, as their names say."""
        return sum(map(looks_like_a_picture, self._entries))


def _plain(path: str) -> tuple[str, bool]:
    """A path as tools write it, slashes between folders, and whether it is absolute."""
    path = normal(path.strip())
    if path.startswith("file://"):
        path = unquote(urlsplit(path).path)
    if "/local-files/?" in path:  # Label Studio's
        path = parse_qs(urlsplit(path).query).get("d", [path])[0]
    path = path.replace("\\", "/")
    return path, path.startswith("/") or bool(re.match(r"[A-Za-z]:/", path))


def _joined(folder: str, path: str) -> str | None:
    """A path within a folder of the source; None where it leaves the source."""
    parts: list[str] = []
    for part in f"{folder}/{path}".split("/"):
        if part == ".." and not parts:
            return None
        if part == "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _ends(name: str, path: str) -> bool:
    return any(f"/{one}".endswith(f"/{path}") for one in (name, str(Path(name).with_suffix(""))))
