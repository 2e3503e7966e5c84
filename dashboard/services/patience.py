"""Questions to a server that may be slow or silent, from threads that others wait for."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, TimeoutError
from typing import Any

log = logging.getLogger(__name__)

WAIT_SECONDS = 1.0  # for one answer; a page is to be there within two seconds
PAUSE_SECONDS = 5.0  # without a question, after one that was not answered in time
AT_ONCE = 4  # questions under way, those among them that nobody waits for any more


class Patience:
    """Asks in threads of its own, and gives up soon: how long a library tries on is not the asker's concern.

    Who gave up once does not ask again for a while, so that a page that asks five things waits for one of them.
    """

    def __init__(self, wait: float = WAIT_SECONDS, pause: float = PAUSE_SECONDS, at_once: int = AT_ONCE) -> None:
        self._wait, self._pause = wait, pause
        self._free = threading.BoundedSemaphore(at_once)
        self._threads = ThreadPoolExecutor(at_once, "patience")
        self._silent = float("-inf")  # until when nothing is asked

    def ask(self, question: Callable[[], Any], otherwise: Any = None) -> Any:
        """The answer; `otherwise` where there is none in time, or none was to be expected."""
        if time.monotonic() < self._silent or not self._free.acquire(blocking=False):
            return otherwise
        answer: Future[Any] = self._threads.submit(question)
        answer.add_done_callback(lambda _: self._free.release())
        try:
            return answer.result(self._wait)
        except TimeoutError:
            log.warning("no answer within %g s; none is asked for in the next %g s", self._wait, self._pause)
        except Exception as error:  # Redis, kombu and Celery have many names for it
            log.warning("no answer (%s); none is asked for in the next %g s", type(error).__name__, self._pause)
        self._silent = time.monotonic() + self._pause
        return otherwise
