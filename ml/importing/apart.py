"""A process of its own with limits of memory and time, for a file that was made elsewhere: it reads request.json in a
folder and leaves result.json there. Within `forks.together` it is forked by one that has loaded what it needs.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ml.artifacts.reader import Broken, Missing
from ml.importing import forks
from ml.importing.graph import Unusable
from ml.system import atomic
from ml.system.paths import ROOT

GIGABYTE = 2**30


def run(
    module: str, scratch: Path, request: dict[str, Any], name: str, doing: str, load: Sequence[str] = ()
) -> dict[str, Any]:
    """What the process said. request: `seconds` and `memory` (bytes of address space) among it; name: of the file, and
    doing: what is done with it, both for sentences; load: modules that it will ask. Raises Unusable, Missing."""
    atomic.write(scratch / "request.json", json.dumps(request))
    (scratch / "result.json").unlink(missing_ok=True)
    temporary = scratch / "temporary"
    temporary.mkdir(exist_ok=True)
    try:
        status = _status(module, scratch, load, request["seconds"], temporary)
    finally:  # it is killed, or ends at once: what libraries would remove at the end of a process is still there
        shutil.rmtree(temporary, ignore_errors=True)
    if status is None and not (scratch / "result.json").is_file():  # else what it would have added took longer
        raise Unusable(f"{name} was not {doing} in {request['seconds']:,.0f} s: give a smaller network")
    try:
        result: dict[str, Any] = json.loads((scratch / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise Unusable(
            f"{name} ended the process that tried it (status {status}), which has "
            f"{request['memory'] / GIGABYTE:.1f} GiB of memory: it is damaged, or larger than can be taken"
        ) from None
    if "missing" in result:
        raise Missing(*result["missing"])
    if "refused" in result:
        raise Unusable(result["refused"], result.get("classes", {}))
    return result


def _status(module: str, scratch: Path, load: Sequence[str], seconds: float, temporary: Path) -> int | None:
    """That it ended with; None where that took longer. temporary: what is in place of the system's temporary folder."""
    environ = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "TMPDIR": str(temporary)}
    if together := forks.current():
        with contextlib.suppress(forks.Lost):  # by itself, then
            return together.run(module, scratch, load, environ, seconds)
    process = subprocess.Popen(
        [sys.executable, "-m", module, str(scratch)], cwd=ROOT, env=environ,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        process.kill()
        process.wait()


def answer(
    scratch: Path, work: Callable[[dict[str, Any]], dict[str, Any]], advice: str,
    more: Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]] | None = None,
) -> int:  # fmt: skip
    """In that process: limit it, do the work on its request, and leave what came of it. advice: after what broke; more:
    of request and result, what is added to one that is good: where the process ends before, the result stays."""
    request = json.loads((scratch / "request.json").read_text(encoding="utf-8"))
    _limit(request["memory"] + _loaded(), request["seconds"])
    try:
        result = work(request)
    except Missing as missing:
        result = {"missing": [str(missing), missing.command]}
    except Unusable as refused:
        result = {"refused": str(refused), "classes": refused.classes}
    except Broken as broken:
        result = {"refused": f"{broken}: {advice}"}
    except OSError as error:
        result = {"refused": f"{Path(request['path']).name} cannot be read: {error.strerror or error}"}
    except MemoryError:
        result = {
            "refused": f"the network needs more than the {request['memory'] / GIGABYTE:.1f} GiB it may be tried with"
        }
    except Exception as error:  # of whatever the file holds
        words = " ".join(str(error).split())[:300]
        result = {"refused": f"{Path(request['path']).name} fails ({type(error).__name__}: {words}): {advice}"}
    atomic.write(scratch / "result.json", json.dumps(result))
    if more is not None and not result.keys() & {"missing", "refused"}:
        atomic.write(scratch / "result.json", json.dumps(result | more(request, result)))
    return 0


def _loaded() -> int:
    """Bytes of address space that libraries take before anything is done: they are not counted against a network."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _limit(memory: int, seconds: float) -> None:
    """Of address space, processor time and what is written, where the system can do it."""
    if sys.platform == "win32":
        return
    import resource

    cores = os.cpu_count() or 1
    limits = {
        resource.RLIMIT_AS: memory, resource.RLIMIT_CPU: int(seconds) * cores, resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 2 * GIGABYTE,
    }  # fmt: skip
    for what, most in limits.items():
        with contextlib.suppress(ValueError, OSError):  # a lower limit holds already
            resource.setrlimit(what, (most, most))
