"""What the processor of this machine is called, and how much of it may be used."""

import os
import platform


def processor() -> str:
    """As Linux names it, else as Python does."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def cores() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine() -> dict[str, str | int]:
    """What a run was made on whose network learned elsewhere, as its manifest has it."""
    return {
        "system": platform.system(), "processor": processor(), "cores": os.cpu_count() or 1, "threads": 1,
        "python": platform.python_version(),
    }  # fmt: skip
