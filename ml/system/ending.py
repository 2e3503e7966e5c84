"""The end of a process that works for as long as its input is open."""

import contextlib
import subprocess

PATIENCE = 5  # seconds


def end(process: "subprocess.Popen[bytes]") -> None:
    """It ends with its input; what hangs is killed."""
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            if pipe is not None:
                pipe.close()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
