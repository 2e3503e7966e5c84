"""GET /health: whether the app can read runs, keep rows and write files; for platforms and people, without paths."""

from pathlib import Path
from typing import Any

from flask import Flask, jsonify
from flask.wrappers import Response

from dashboard.services.container import Services
from ml.system import disk

FULL_BYTES = 2**20
"""Below this hardly a row is kept: a file system that is full has some blocks left for its own."""
LOW_BYTES = 300 * 2**20
"""Below this much free space a training would only fill the disk."""


def register(server: Flask, services: Services) -> None:
    """Add GET /health to the server. It answers 200 as long as pages do: `status` says whether all is well."""

    @server.get("/health")
    def health() -> Response:
        return jsonify(state(services))


def state(services: Services) -> dict[str, Any]:
    """The answer: status ok|degraded, database ok|unavailable, worker running|stopped, disk, runs.

    disk: {"status": ok|low|full|unknown, "free_mb": int or null} of the folder that is written to; runs: the counts
    {"usable", "broken"}, and "pending" while some are still being checked. A read-only server needs neither database
    nor disk, so they do not degrade it. In a cluster also broker ok|unreachable, and a worker is needed.
    """
    jobs = services.jobs.health()
    space = free_space(services.jobs.home)
    runs = services.store.runs()
    usable, pending = sum(entry.ok for entry in runs), sum(entry.pending for entry in runs)
    clustered = jobs["broker"] != "none"
    trains = not clustered or (jobs["broker"], jobs["worker"]) == ("ok", "running")
    writes = jobs["database"] == "ok" and space["status"] == "ok" and trains
    well = bool(usable) and (writes or services.read_only)
    return {
        "status": "ok" if well else "degraded",
        "database": jobs["database"],
        "worker": jobs["worker"],
        **({"broker": jobs["broker"]} if clustered else {}),
        "disk": space,
        "runs": {
            "usable": usable, "broken": len(runs) - usable - pending, **({"pending": pending} if pending else {}),
        },
    }  # fmt: skip


def free_space(folder: Path) -> dict[str, Any]:
    """Free space where `folder` is, or will be."""
    free = disk.free(folder)
    if free is None:
        return {"status": "unknown", "free_mb": None}
    status = "full" if free < FULL_BYTES else "low" if free < LOW_BYTES else "ok"
    return {"status": status, "free_mb": free // 2**20}
