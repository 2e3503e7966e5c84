"""What the load of `make bench-load` asks about."""

import asyncio
import itertools
from concurrent.futures import ThreadPoolExecutor

from bench import load


class Server:
    """In place of a connection: it notes which pictures it is asked about, and answers."""

    pictures = tuple(f"picture {n}!".encode() for n in range(23))
    asked: list[bytes] = []  # noqa: RUF012

    def __init__(self, address: str) -> None:
        self.address = address

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        self.asked.extend(one for one in self.pictures if one in request)
        await asyncio.sleep(0.001)
        return 200, b"{}"

    def close(self) -> None:
        pass


def test_each_picture_is_asked_about_once_before_any_comes_again(monkeypatch):
    monkeypatch.setattr(load, "Client", Server)
    monkeypatch.setattr(Server, "asked", [])
    asked = load.crowd("http://nobody", list(Server.pictures), users=5, think=0.0, seconds=0.5)
    with ThreadPoolExecutor(1) as apart:  # the browser of other tests has an event loop in this thread
        seen = apart.submit(asyncio.run, asked).result()
    assert len(seen.answers) == len(Server.asked) >= 5
    assert Server.asked == list(itertools.islice(itertools.cycle(Server.pictures), len(Server.asked)))
