"""Which answer an error of the house is: the one place that turns exceptions into HTTP statuses."""

from dashboard.records.rows import Closed, Declined, NotAllowed, ReadOnly
from dashboard.services.explainer import NoExplanation
from dashboard.services.gathering import Crowded
from dashboard.services.runs import Busy
from dashboard.web.errors import RequestError
from ml.artifacts.reader import Broken, Missing
from ml.images.decoding import Refusal
from ml.jobs import queue
from ml.system import disk

# the first that fits; docs/api.md has the same in words
STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (Missing, 404),
    (NoExplanation, 404),
    (Broken, 409),
    (ReadOnly, 403),
    (NotAllowed, 403),
    (queue.NotAllowed, 403),
    (Closed, 503),
    (Busy, 503),
    (Crowded, 503),
    (Declined, 422),
)


def known(error: Exception) -> RequestError | None:
    """The answer to a request that failed with this error, None where it is one that nobody expected."""
    if isinstance(error, Refusal):  # of a picture: it knows whether it is too large, no picture, or damaged
        return RequestError(error.status, str(error))
    if isinstance(error, Declined) and error.free:
        return RequestError(409, str(error), error.field, more={"free": error.free})
    status = next((status for kind, status in STATUSES if isinstance(error, kind)), None)
    if status is None:
        return RequestError(503, disk.NOW) if disk.full(error) else None
    words = str(error)
    if isinstance(error, Missing) and error.command:
        words += f" Try: {error.command}"
    if isinstance(error, NoExplanation):
        words = f"There is no such picture: {error}."
    return RequestError(status, words, error.field or None if isinstance(error, Declined) else None)
