"""How long something may take."""

import os

FULL = os.environ.get("FASHION_FAULTS") == "full"  # `make test-faults`: every scenario at full count


def promised(seconds: float) -> float:
    """So many seconds at full count; four times as many where other tests and other people share the machine."""
    return seconds if FULL else 4 * seconds
