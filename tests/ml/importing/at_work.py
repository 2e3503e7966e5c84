"""What test_forks.py has done in processes of their own: `main` does what request.json asks for."""

import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from ml.importing import apart

begun: list[int] = []


def load() -> None:
    """Seen by those that are forked afterwards."""
    os.environ["LOADED_BY"] = str(os.getpid())
    sys.modules.setdefault("loaded_at_work", sys)


def main(scratch: Path) -> int:
    asked = json.loads((scratch / "request.json").read_text())
    begun.append(os.getpid())
    kept = tempfile.mkdtemp(prefix="left-at-work-")
    (scratch / "kept").write_text(kept)
    if asked["do"] == "hang":
        (scratch / "pid").write_text(str(os.getpid()))
        time.sleep(60)
    if asked["do"] == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if asked["do"] == "exit":
        return int(asked["status"])

    def work(request):
        if request["do"] == "fill":
            return {"bytes": len(bytes(300_000_000))}
        return {
            "kept": kept,
            "pid": os.getpid(), "parent": os.getppid(), "begun": len(begun), "loaded": "loaded_at_work" in sys.modules,
            "environ": {name: value for name, value in os.environ.items() if name in ("LOADED_BY", "ASKED")},
            "open": sorted(os.readlink(f"/proc/self/fd/{number}") for number in (0, 1, 2)),
        }  # fmt: skip

    return apart.answer(scratch, work, "ask again")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
