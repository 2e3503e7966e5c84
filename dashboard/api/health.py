"""GET /health: whether the app can read runs, keep rows and write files; for platforms and people, without paths."""

import shutil
from pathlib import Path
from typing import Any

from flask import Flask, jsonify
from flask.wrappers import Response

from dashboard.services.container import Services

LOW_BYTES = 300 * 2**20
"""Below this much free space a training would only fill the disk."""


def register(server: Flask, services: Services) -> None:
    """Add GET /health to the server. It answers 200 as long as pages do: `status` says whether all is well."""

    @server.get("/health")
    def health() -> Response:
        return jsonify(state(services))


def state(services: Services) -> dict[str, Any]:
    """The answer: status ok|degraded, database ok|unavailable, worker running|stopped, disk, runs.

    disk: {"status": ok|low|unknown, "free_mb": int or null} of the folder that is written to; runs: the counts
    {"usable", "broken"}. A read-only server needs neither database nor disk, so they do not degrade it. In a cluster
    also broker ok|unreachable, and a worker is needed.
    """
    jobs = services.jobs.health()
    disk = free_space(services.jobs.home)
    runs = [entry.ok for entry in services.store.runs()]
    clustered = jobs["broker"] != "none"
    trains = not clustered or (jobs["broker"], jobs["worker"]) == ("ok", "running")
    writes = jobs["database"] == "ok" and disk["status"] == "ok" and trains
    well = any(runs) and (writes or services.read_only)
    return {
        "status": "ok" if well else "degraded",
        "database": jobs["database"],
        "worker": jobs["worker"],
        **({"broker": jobs["broker"]} if clustered else {}),
        "disk": disk,
        "runs": {"usable": sum(runs), "broken": len(runs) - sum(runs)},
    }


def free_space(folder: Path) -> dict[str, Any]:
    """Free space where `folder` is, or will be."""
    try:
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        free = shutil.disk_usage(there).free
    except (OSError, StopIteration):
        return {"status": "unknown", "free_mb": None}
    return {"status": "ok" if free >= LOW_BYTES else "low", "free_mb": free // 2**20}
