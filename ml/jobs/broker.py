"""The broker of a cluster: where CELERY_BROKER_URL says it is, how patient one is with it, what its queues are called.

Imports no Celery.
"""

import importlib.util
from typing import Any

from ml.settings import Cluster

TASK, TRAIN, OBSERVE = "fashion.work", "train", "observe"


def broker() -> str:
    """CELERY_BROKER_URL, or '' where trainings are this machine's own. Raises ValueError, in words."""
    url = Cluster.read().broker
    if url and any(importlib.util.find_spec(name) is None for name in ("celery", "redis")):
        raise ValueError(
            "CELERY_BROKER_URL is set, but Celery is not installed: pip install -r requirements-cluster.txt"
        )
    return url


def sockets() -> dict[str, Any]:
    """How every connection to Redis is opened, by whatever library: nothing waits for it for ever. Raises ValueError.

    A connection can be open and dead: behind a firewall that forgot it, or with half of its way gone.
    """
    seconds = Cluster.read().seconds
    return {"socket_timeout": seconds, "socket_connect_timeout": seconds, "socket_keepalive": True}
