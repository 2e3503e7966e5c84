"""Git's protocol and objects without git, by dulwich, which is loaded late.

`python -m ml.system.git_by_dulwich ADDRESS COMMIT FOLDER` fetches one commit without its past into an empty folder.
"""

import contextlib
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any


def fetch(address: str, commit: str, folder: Path) -> None:
    """Raises whatever dulwich raises: this runs in a process of its own, whose last words are read."""
    from dulwich.client import get_transport_and_path
    from dulwich.config import ConfigFile
    from dulwich.objects import ObjectID
    from dulwich.repo import Repo

    client, path = get_transport_and_path(address, config=ConfigFile())
    with Repo.init_bare(str(folder)) as here:
        wanted = [ObjectID(commit.encode())]
        client.fetch(path, here, determine_wants=lambda refs, depth=None: wanted, depth=1)


def is_commit(folder: Path, commit: str) -> bool:
    """Whether it is here, as what its id says."""
    from dulwich.objects import Commit

    with _opened(folder) as repo:
        try:
            found = repo[commit.encode()]
        except KeyError:
            return False
        return isinstance(found, Commit) and found.sha().hexdigest() == commit


def listed(folder: Path, commit: str) -> dict[str, str]:
    """path → object of every plain file whose name is text."""
    from dulwich.object_store import iter_tree_contents

    found = {}
    with _opened(folder) as repo:
        for entry in iter_tree_contents(repo.object_store, repo[commit.encode()].tree):
            if stat.S_ISREG(entry.mode):
                with contextlib.suppress(UnicodeDecodeError):
                    found[entry.path.decode()] = entry.sha.decode()
    return found


def contents(folder: Path, objects: Sequence[str], most: int) -> Iterator[bytes]:
    """Of some objects, in order; b'' for what has more bytes than `most`."""
    with _opened(folder) as repo:
        for one in objects:
            content = repo[one.encode()].data
            yield content if len(content) <= most else b""


def _opened(folder: Path) -> Any:
    from dulwich.repo import Repo

    return Repo(str(folder))


if __name__ == "__main__":
    try:
        fetch(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)
