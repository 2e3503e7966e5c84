"""Forms as browsers and clients write them, read by cutting them at their boundary: in a tenth of a millisecond.

werkzeug reads every form there is, but compiles two patterns for each new boundary, and clients make one for every
request: half of what such a small form took. Whatever is not written plainly is werkzeug's.
"""

import io
import re
from typing import IO

from werkzeug.datastructures import FileStorage, MultiDict

MOST = 4 << 20  # bytes of a form that is read so, since it is in memory twice for a moment
HEAD = re.compile(
    rb'content-disposition: form-data; name="([\w.-]{1,64})"(?:; filename="([^"\\%;\x00-\x1f\x7f-\xff]{1,255})")?'
    rb"(?:\r\ncontent-type: [\w.+-]+/[\w.+-]+)?",
    re.IGNORECASE,
)
BOUNDARY = re.compile(r"""multipart/form-data; *boundary=("?)([\w'()+.-]{1,70})\1""", re.IGNORECASE | re.ASCII)

Form = tuple[dict[str, str], MultiDict[str, FileStorage]]


class UncutEnd:
    """A body that is never cut within its closing delimiter, after the first of its two dashes.

    werkzeug 3.1.9, which is handed 64 kB at a time, takes the line break before a delimiter that is cut there for
    content: the last file has a byte more (https://github.com/pallets/werkzeug/issues/3285).
    """

    def __init__(self, body: IO[bytes], boundary: bytes) -> None:
        self._body, self._cut = body, b"--" + boundary + b"-"

    def read(self, size: int = -1) -> bytes:
        """The next bytes, of which there may be one more than were asked for."""
        found: bytes = self._body.read(size)
        return found + self._body.read(1) if found.endswith(self._cut) else found


def boundary_of(content_type: str) -> bytes | None:
    """What the parts stand between; None where it is said in any other way than plainly."""
    found = BOUNDARY.fullmatch(content_type)
    return found[2].encode() if found else None


def plain(body: bytes, boundary: bytes, *, most: int, field_bytes: int) -> Form | None:
    """Text fields and files of a body; None where it is not written plainly, or has more parts, or longer fields."""
    delimiter = b"--" + boundary
    first, *rest = (b"\r\n" + body).split(b"\r\n" + delimiter)
    if first not in (b"", b"\r\n") or len(rest) - 1 > most or not rest or rest[-1] not in (b"--", b"--\r\n"):
        return None
    if body.count(delimiter) != len(rest):  # it begins a line in some other way
        return None
    text: dict[str, str] = {}
    files: list[tuple[str, FileStorage]] = []
    for part in rest[:-1]:
        head, blank, content = part[2:].partition(b"\r\n\r\n")
        about = HEAD.fullmatch(head)
        if not blank or about is None or not part.startswith(b"\r\n"):
            return None
        name = about[1].decode()
        if about[2] is not None:
            files.append((name, FileStorage(io.BytesIO(content), about[2].decode(), name)))
        elif len(content) > field_bytes:
            return None
        else:
            text.setdefault(name, content.decode("utf-8", "replace"))
    return text, MultiDict(files)
