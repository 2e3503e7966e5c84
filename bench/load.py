"""How many people the server answers at once: `make bench-load`.

    make bench-load
    make bench-load ARGS="--seconds 20 --engine int8"
    make bench-load ARGS="--seconds 20 --pictures 6000"

A server of its own, a client on the same machine that keeps its connections open. First 20 users who ask again as soon
as they are answered, then 200 who think for a second between an answer and the next question; each question is one test
picture for POST /api/v1/predict, the next of --pictures, so that none comes again before all others came: answers to a
hundred are soon known, of thousands none is. Meanwhile somebody opens the app's page twice a second. With --strict it
exits 1 where a limit is broken.
"""

import argparse
import asyncio
import itertools
import os
import random
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

PAGE_EVERY = 0.5  # s
SCENARIOS = ((20, 0.0), (200, 1.0))  # users, seconds each thinks
RATE, P95, PAGE = (
    100.0,
    0.400,
    0.200,
)  # of the first: predictions a second; of both: seconds, of answers and of the page


@dataclass
class Load:
    """What was seen. answers, pages: seconds each took; errors: what went wrong, in words; seconds: of it all."""

    answers: list[float] = field(default_factory=list)
    pages: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.answers) / self.seconds if self.seconds else 0.0

    def quantile(self, share: float, of: list[float] | None = None) -> float:
        """Seconds within which a share of the answers came; not a number without any."""
        took = sorted(self.answers if of is None else of)
        return took[min(int(share * len(took)), len(took) - 1)] if took else float("nan")


class Client:
    """One connection that stays open, as a browser's does."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 80
        self._lines: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Status and body of the answer to a whole request. Raises OSError where the connection breaks."""
        if self._lines is None:
            self._lines = await asyncio.open_connection(self.host, self.port)
        reader, writer = self._lines
        try:
            writer.write(request)
            await writer.drain()
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            status = int(head.split(b" ", 2)[1])
            length = next((int(one[15:]) for one in head.split(b"\r\n") if one.startswith(b"content-length:")), 0)
            body = await reader.readexactly(length)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as broken:
            self.close()
            raise OSError(f"the answer broke off ({type(broken).__name__})") from None
        except BaseException:
            self.close()
            raise
        if b"connection: close" in head:
            self.close()
        return status, body

    def close(self) -> None:
        """The next question opens another."""
        if self._lines is not None:
            self._lines[1].close()
            self._lines = None


def question(address: str, picture: bytes, path: str = "/api/v1/predict", **fields: str) -> bytes:
    """The whole request that asks about a picture, bytes of a file; its boundary is new each time, as
    clients make it: the server has to look for another one in every request.
    """
    boundary = secrets.token_hex(16)
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'.encode()
    body = b"".join([*parts, head, picture, f"\r\n--{boundary}--\r\n".encode()])
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {urlsplit(address).netloc}",
        f"Content-Type: multipart/form-data; boundary={boundary}",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def page(address: str, path: str = "/") -> bytes:
    """The whole request for a page."""
    return f"GET {path} HTTP/1.1\r\nHost: {urlsplit(address).netloc}\r\nAccept: text/html\r\n\r\n".encode()


async def crowd(
    address: str,
    pictures: list[bytes],
    *,
    users: int,
    think: float,
    seconds: float,
    fields: dict[str, str] | None = None,
) -> Load:
    """So many users ask for so long, whoever is next about the next picture; somebody opens the page meanwhile."""
    load, chance, order = Load(), random.Random(0), itertools.cycle(pictures)
    began = time.perf_counter()
    end = began + seconds

    async def timed(client: Client, request: bytes, took: list[float]) -> None:
        start = time.perf_counter()
        try:
            status, body = await client.ask(request)
        except OSError as error:
            load.errors.append(repr(error))
            return
        if status == 200 and body:
            took.append(time.perf_counter() - start)
        else:
            load.errors.append(f"{status} {body[:200]!r}")

    async def user(wait: float) -> None:
        client = Client(address)
        await asyncio.sleep(wait)
        while time.perf_counter() < end:
            await timed(client, question(address, next(order), **(fields or {})), load.answers)
            await asyncio.sleep(think)
        client.close()

    async def visitor() -> None:
        client, request = Client(address), page(address)
        while time.perf_counter() < end:
            await timed(client, request, load.pages)
            await asyncio.sleep(PAGE_EVERY)
        client.close()

    everybody: list[Awaitable[None]] = [user(chance.uniform(0, think)) for _ in range(users)]
    await asyncio.gather(visitor(), *everybody)
    load.seconds = time.perf_counter() - began
    return load


@dataclass
class Camera:
    """What five cameras saw. ages: seconds from a frame to its answer; taken, answered: how many frames."""

    ages: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    taken: int = 0
    answered: int = 0


async def cameras(address: str, frames: list[bytes], *, clients: int, pace: float, seconds: float) -> Camera:
    """Clients that take `pace` frames a second and always send the newest: one that is older is never sent."""
    seen = Camera()
    end = time.perf_counter() + seconds

    async def one(number: int) -> None:
        client, newest, ready = Client(address), [0.0, number], asyncio.Event()

        async def take() -> None:
            while time.perf_counter() < end:
                newest[:] = [time.perf_counter(), newest[1] + 1]
                seen.taken += 1
                ready.set()
                await asyncio.sleep(1 / pace)

        async def send() -> None:
            while time.perf_counter() < end:
                try:
                    await asyncio.wait_for(ready.wait(), 1)
                except TimeoutError:
                    continue
                ready.clear()
                when, which = newest
                try:
                    frame = frames[int(which) % len(frames)]
                    status, body = await client.ask(question(address, frame, "/api/v1/frame", overlay="1"))
                except OSError as error:
                    seen.errors.append(repr(error))
                    continue
                if status == 200:
                    seen.answered += 1
                    seen.ages.append(time.perf_counter() - when)
                else:
                    seen.errors.append(f"{status} {body[:200]!r}")

        await asyncio.gather(take(), send())
        client.close()

    await asyncio.gather(*(one(i) for i in range(clients)))
    return seen


def told(load: Load, users: int, think: float) -> str:
    """A line of what was seen."""
    pause = f"thinking {think:g} s" if think else "without a pause"
    pages = f"page p50 {1000 * statistics.median(load.pages):.0f}, p95 {1000 * load.quantile(0.95, load.pages):.0f} ms"
    return (
        f"{users:>4} users {pause:<18} {load.rate:7.1f} predictions/s   p50 {1000 * load.quantile(0.5):.0f}, "
        f"p95 {1000 * load.quantile(0.95):.0f}, p99 {1000 * load.quantile(0.99):.0f} ms   {len(load.errors)} errors   "
        f"{pages if load.pages else 'no page'}"
    )


def kept(load: Load, think: float) -> list[str]:
    """The limits that were broken, in words."""
    checks: list[tuple[bool, str]] = [
        (not load.errors, f"errors, the first {load.errors[:1]}"),
        (load.quantile(0.95) < P95, f"p95 of {1000 * P95:.0f} ms"),
        (bool(think) or load.rate >= RATE, f"{RATE:.0f} predictions/s"),
        (not think or load.quantile(0.95, load.pages) < PAGE, f"page within {1000 * PAGE:.0f} ms"),
    ]
    return [words for good, words in checks if not good]


def main() -> int:
    """0 when every limit is kept, else 1 with --strict."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each scenario")
    parser.add_argument("--run", help="which run answers (default: the default)")
    parser.add_argument("--engine", default="torch", choices=("torch", "onnx", "int8"))
    parser.add_argument("--address", help="of a server that runs already (default: one is started)")
    parser.add_argument("--pictures", type=int, default=100, help="how many are asked about in turn (default 100)")
    parser.add_argument("--strict", action="store_true")
    options = parser.parse_args()
    from bench.browser import app_server, test_pictures

    fields = {"engine": options.engine, **({"run": options.run} if options.run else {})}
    if not 10 <= options.pictures <= 10_000:
        parser.error("--pictures must be from 10 to 10,000: there are no more of the test split")
    pictures = test_pictures(options.pictures)
    broken: list[str] = []

    def measure(address: str) -> None:
        asyncio.run(crowd(address, pictures[:10], users=4, think=0.0, seconds=2.0, fields=fields))  # the first are slow
        for users, think in SCENARIOS:
            load = asyncio.run(
                crowd(address, pictures, users=users, think=think, seconds=options.seconds, fields=fields)
            )
            print(told(load, users, think), flush=True)
            broken.extend(f"{users} users: {words}" for words in kept(load, think))

    about = f"engine {options.engine}, {options.pictures:,} pictures"
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {about}", flush=True)
    if options.address:
        measure(options.address)
    else:
        with tempfile.TemporaryDirectory() as home:
            if options.engine != "torch":
                prepare(Path(home), options.run, options.engine)
            with app_server(Path(home)) as (address, _, _):
                measure(address)
    print("\n".join(f"MISSED {words}" for words in broken) or "every limit kept")
    return int(options.strict and bool(broken))


def prepare(home: Path, run: str | None, engine: str) -> None:
    """Make the engine's file, which a new home lacks."""
    from ml import pipeline
    from ml.artifacts.reader import Library
    from ml.system.paths import ARTIFACTS

    library = Library(ARTIFACTS, home)
    make: Callable[..., object] = pipeline.evaluate
    make(library, run or library.default(), [engine])


if __name__ == "__main__":
    sys.exit(main())
