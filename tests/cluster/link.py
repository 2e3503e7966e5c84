"""A link to a server that can be made bad: a TCP proxy on loopback whose connections are slow, torn, deaf or cut."""

import asyncio
import contextlib
import socket
import struct
import threading

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST
CHUNK = 2**16


class Link:
    """From a port of its own to another one of this machine.

    mode: `open`; `slow`, each chunk waits `delay` seconds; `torn`, a connection is reset after `few` bytes; `deaf`, it
    is accepted and nothing is ever passed on; `mute` and `lost`, answers or requests fall away; `gone`, new connections
    are reset at once. It holds for connections that are open as well as for new ones.
    """

    def __init__(self, target: int, delay: float = 0.4, few: int = 200) -> None:
        self.mode, self.delay, self.few = "open", delay, few
        self.open = self.most = self.accepted = 0
        self._target = target
        self._loop, self._over = asyncio.new_event_loop(), asyncio.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)

    def _run(self) -> None:
        self._loop.run_until_complete(self._until_over())
        self._loop.close()

    async def _until_over(self) -> None:
        server = await asyncio.start_server(self._serve, sock=self._listener)
        await self._over.wait()
        server.close()
        ending = asyncio.all_tasks() - {asyncio.current_task()}
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        await asyncio.sleep(0.1)  # transports close their sockets a turn later

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self.open += 1
        self.most = max(self.most, self.open)
        others: asyncio.StreamWriter | None = None
        try:
            if self.mode == "gone":
                _reset(writer)
                return
            answers, others = await asyncio.open_connection("127.0.0.1", self._target)
            ways = (self._pass(reader, others, "lost"), self._pass(answers, writer, "mute"))
            passing = [asyncio.ensure_future(way) for way in ways]
            with contextlib.suppress(asyncio.CancelledError):  # asyncio would write of it as of a mistake
                await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
            for way in passing:
                way.cancel()
            await asyncio.gather(*passing, return_exceptions=True)
            if self.mode in ("torn", "gone"):
                _reset(writer)
        except OSError:
            _reset(writer)
        finally:
            self.open -= 1
            for end in filter(None, (writer, others)):
                end.close()
                with contextlib.suppress(OSError, asyncio.CancelledError):
                    await end.wait_closed()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, falls: str) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                if self.mode in (falls, "deaf"):
                    continue
                if self.mode == "slow":
                    await asyncio.sleep(self.delay)
                passed += len(data)
                if self.mode == "gone" or (self.mode == "torn" and passed > self.few):
                    return
                writer.write(data)
                await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
