"""Optional: a finished run's settings, epochs and scores in MLflow, where MLFLOW_TRACKING_URI names a server.

Speaks MLflow's REST API, so no package of MLflow's is needed here. A server that is slow, gone or says no costs a
training nothing but a line in its log.
"""

import base64
import json
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from ml.artifacts import kinds
from ml.artifacts import scores as told
from ml.artifacts.reader import Broken, Library, Missing, Run
from ml.settings import Tracking

URI = "MLFLOW_TRACKING_URI"
EXPERIMENT = "fashion-forward"  # unless MLFLOW_EXPERIMENT_NAME names another
REQUEST_SECONDS = 5.0
SECONDS = 12.0  # for all of it
ANSWER_BYTES = 2**20
METRICS_PER_REQUEST = 500  # MLflow takes 1,000 things
TEXT = 500  # characters of a setting, as MLflow's older servers take them


class TrackingError(RuntimeError):
    """The server could not be told; the message says why, in one line."""


class NoRedirect(HTTPRedirectHandler):
    """A server that sends elsewhere would be given the password of this one."""

    def redirect_request(self, *_: Any) -> None:
        return None


def wanted() -> bool:
    """Whether runs shall be logged."""
    return bool(Tracking.read().uri)


def tell(library: Library, run_id: str) -> None:
    """Log a published run and print how it went; nothing without MLFLOW_TRACKING_URI. Never raises, ends in time."""
    uri = Tracking.read().uri
    if not uri:
        return
    messages: list[str] = []

    def work() -> None:
        try:
            messages.append(f"MLflow: logged as {log(library.open(run_id), uri)}")
        except TrackingError as error:
            messages.append(f"MLflow: not logged, {error}")
        except Exception as error:  # whatever it is, the run is published
            messages.append(f"MLflow: not logged ({type(error).__name__})")

    thread = threading.Thread(target=work, name="mlflow", daemon=True)  # dies with the process
    thread.start()
    thread.join(SECONDS)
    print(
        messages[0] if messages else f"MLflow: not logged, the server took more than {SECONDS:.0f} s", file=sys.stderr
    )


def log(run: Run, uri: str) -> str:
    """Log a published run on the server at `uri`; the id of MLflow's run. Raises TrackingError, Missing, Broken."""
    if urlsplit(uri).scheme not in ("http", "https"):
        raise TrackingError(f"{URI} must be the http address of a server")
    server = Server(uri)
    end = _milliseconds(run.manifest)
    start = end - round(1000 * run.manifest["seconds"])
    body = {
        "experiment_id": server.experiment(Tracking.read().experiment or EXPERIMENT),
        "run_name": run.run_id,
        "start_time": start,
        "tags": _pairs(tags(run)),
    }
    made = server.post("runs/create", body)
    run_id = str(made["run"]["info"]["run_id"])
    server.post("runs/log-batch", {"run_id": run_id, "params": _pairs(settings(run))[:100]})
    metrics = [*epochs(run, start), *({**one, "timestamp": end, "step": 0} for one in scores(run))]
    for first in range(0, len(metrics), METRICS_PER_REQUEST):
        server.post("runs/log-batch", {"run_id": run_id, "metrics": metrics[first : first + METRICS_PER_REQUEST]})
    server.post("runs/update", {"run_id": run_id, "status": "FINISHED", "end_time": end})
    return run_id


class Server:
    """MLflow's REST API at an address."""

    def __init__(self, uri: str) -> None:
        parts = urlsplit(uri)
        self._base = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}/api/2.0/mlflow/"
        self._headers = {"Content-Type": "application/json", **_credentials(parts.username, parts.password)}
        self._opener = build_opener(NoRedirect)

    def experiment(self, name: str) -> str:
        """The id of an experiment, made where there is none. Raises TrackingError."""
        try:
            response = self._ask("GET", f"experiments/get-by-name?experiment_name={quote(name, safe='')}")
            return str(response["experiment"]["experiment_id"])
        except Absent:
            try:
                return str(self.post("experiments/create", {"name": name})["experiment_id"])
            except TrackingError:  # another trainer may have made it just now
                response = self._ask("GET", f"experiments/get-by-name?experiment_name={quote(name, safe='')}")
                return str(response["experiment"]["experiment_id"])

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Raises TrackingError."""
        return self._ask("POST", path, json.dumps(body).encode())

    def _ask(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        request = Request(self._base + path, body, self._headers, method=method)
        try:
            with self._opener.open(request, timeout=REQUEST_SECONDS) as response:
                content = json.loads(response.read(ANSWER_BYTES))
        except HTTPError as error:
            error.close()
            raise (Absent if error.code == 404 else TrackingError)(
                f"the server said {error.code} to {path[:40]}"
            ) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise TrackingError(f"{type(reason).__name__} at {path.partition('?')[0]}") from None
        if not isinstance(content, dict):
            raise TrackingError(f"the server's answer to {path[:40]} cannot be read")
        return content


class Absent(TrackingError):
    """The server does not have it."""


def tags(run: Run) -> dict[str, str]:
    """What the run is, by name."""
    manifest = run.manifest
    return {
        "run_id": run.run_id,
        "weights_sha256": (manifest.get("weights") or {}).get("sha256", ""),
        "dataset": manifest["dataset"]["name"],
        "git": manifest.get("git", ""),
        "machine": manifest["machine"]["processor"],
        "torch": manifest.get("torch", ""),
    }


def settings(run: Run) -> dict[str, str]:
    """How the run was made."""
    manifest = run.manifest
    told: dict[str, Any] = dict(kinds.settings(manifest) or {})
    for name in ("parameters", "train_images", "best_epoch"):
        if name in manifest:
            told[name] = manifest[name]
    return {name: _text(value) for name, value in told.items()}


def epochs(run: Run, start: int) -> Iterator[dict[str, Any]]:
    """Every measure of every epoch. start: of the training, milliseconds since 1970."""
    passed = 0.0
    for row in run.table("history").to_dict("records") if "history" in run.nouns else ():
        passed += row["seconds"] if row.get("seconds", 0.0) > 0 else 0.0
        for name, value in row.items():
            if name != "epoch" and value == value:  # of a run from elsewhere, some may never have been told
                at = start + round(1000 * passed)
                yield {"key": str(name), "value": float(value), "timestamp": at, "step": int(row["epoch"])}


def scores(run: Run) -> Iterator[dict[str, Any]]:
    """The final numbers."""
    manifest = run.manifest
    for split, result in manifest["results"].items():
        yield {"key": f"{split}_final_accuracy", "value": result["correct"] / result["n"]}
        if result.get("loss") is not None:
            yield {"key": f"{split}_final_loss", "value": result["loss"]}
    for name in ("training_seconds", "latency_ms", "bytes"):
        if isinstance(manifest.get(name), int | float):
            yield {"key": name, "value": float(manifest[name])}
    try:
        table = told.scores(run)
    except (Missing, Broken):
        return
    for row in table[table["class"].isna()].itertuples():
        if row.metric in ("macro_f1", "calibration_error"):
            yield {"key": f"{row.split}_{row.metric}", "value": float(row.value)}


def _pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def _text(value: Any) -> str:
    return ("" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value))[:TEXT]


def _milliseconds(manifest: Mapping[str, Any]) -> int:
    try:
        return round(1000 * datetime.fromisoformat(manifest["created"]).timestamp())
    except ValueError:
        return round(1000 * time.time())


def _credentials(user: str | None, password: str | None) -> dict[str, str]:
    """From the variables that MLflow's own clients read, else from the address."""
    own = Tracking.read()
    if own.token:
        return {"Authorization": f"Bearer {own.token}"}
    user = user if own.user is None else own.user
    password = password if own.password is None else own.password
    if not user:
        return {}
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password or ''}".encode()).decode()}
