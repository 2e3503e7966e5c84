"""What is printed is UTF-8, whatever code page or locale the system has: names of classes and files are anybody's."""

import contextlib
import io
import sys


def print_utf8() -> None:
    """Let standard output and error take every letter; what cannot be encoded at all is spelled out."""
    for stream in (sys.stdout, sys.stderr):
        # streams that a caller put there, as tests and notebooks do, may be of another kind
        with contextlib.suppress(AttributeError, io.UnsupportedOperation, ValueError):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
