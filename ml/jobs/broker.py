"""The broker of a cluster: where CELERY_BROKER_URL says it is, and what its queues are called. Imports no Celery."""

import importlib.util
import os

BROKER = "CELERY_BROKER_URL"
BACKEND = "CELERY_RESULT_BACKEND"  # where background callbacks leave their answers; the broker itself when unset
TIMEOUT_SECONDS = 1.5
TASK, TRAIN, OBSERVE = "fashion.work", "train", "observe"


def broker() -> str:
    """CELERY_BROKER_URL, or '' where trainings are this machine's own. Raises ValueError, in words."""
    url = os.environ.get(BROKER, "").strip()
    if url and not url.startswith(("redis://", "rediss://")):
        raise ValueError(f"{BROKER} must begin with redis:// or rediss://.")
    if url and any(importlib.util.find_spec(name) is None for name in ("celery", "redis")):
        raise ValueError(f"{BROKER} is set, but Celery is not installed: pip install -r requirements-cluster.txt")
    return url
