"""The broker of a cluster: where CELERY_BROKER_URL says it is, and what its queues are called. Imports no Celery."""

import importlib.util

from ml.settings import Cluster

TIMEOUT_SECONDS = 1.5
TASK, TRAIN, OBSERVE = "fashion.work", "train", "observe"


def broker() -> str:
    """CELERY_BROKER_URL, or '' where trainings are this machine's own. Raises ValueError, in words."""
    url = Cluster.read().broker
    if url and any(importlib.util.find_spec(name) is None for name in ("celery", "redis")):
        raise ValueError(
            "CELERY_BROKER_URL is set, but Celery is not installed: pip install -r requirements-cluster.txt"
        )
    return url
