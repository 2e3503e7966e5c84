"""Two commands at a time: `python tools/beside.py FIRST… --beside SECOND…`.

What the second says is shown once both have ended. The status is that of the first which is not 0.
"""

import contextlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence

MARK = "--beside"


def main(words: Sequence[str]) -> int:
    """Run both. Ctrl-C reaches both, as they are of one terminal; what they put away then is waited for.
    Whoever ends this one ends both."""
    at = words.index(MARK)
    signal.signal(signal.SIGINT, lambda number, frame: None)  # of this process alone: a handler is not inherited
    with tempfile.TemporaryFile() as said:
        second = subprocess.Popen(words[at + 1 :], stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT)
        first = subprocess.Popen(words[:at])
        signal.signal(signal.SIGTERM, lambda number, frame: (first.terminate(), second.terminate()))
        both = [first.wait(), second.wait()]
        said.seek(0)
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.flush()
            for block in iter(lambda: said.read(1 << 16), b""):
                sys.stdout.buffer.write(block)
            sys.stdout.flush()
    return abs(next(filter(None, both), 0))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
