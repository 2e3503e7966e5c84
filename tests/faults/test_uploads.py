"""Faults and attacks by upload: U1-U4 of the reliability plan, on the whole app in a process of its own.

FASHION_FAULTS=full (`make test-faults`) runs them at full count.
"""

import io
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
import requests
from PIL import Image

from tests.promises import promised

pytestmark = pytest.mark.faults

ROOT = Path(__file__).resolve().parents[2]
TRACE = re.compile(r'Traceback|File "|site-packages|\.py\b|/usr/|/etc/|/tmp/|PIL')
MB = 10**6


class Server:
    """`python app.py` on the toy run."""

    def __init__(self, process: subprocess.Popen, port: int) -> None:
        self.process, self.port = psutil.Process(process.pid), port
        self.address = f"http://127.0.0.1:{port}"

    def predict(self, content: bytes, **fields: str) -> requests.Response:
        return requests.post(
            f"{self.address}/api/v1/predict", files={"image": ("a.png", content)}, data=fields, timeout=30
        )

    def memory(self) -> int:
        """Resident bytes."""
        return self.process.memory_info().rss


@pytest.fixture(scope="module")
def server(toy_home, tmp_path_factory) -> Iterator[Server]:
    """Answering, with the network loaded; after all tests it still runs and its log is clean."""
    place = tmp_path_factory.mktemp("uploads")
    shutil.copytree(toy_home, place / "home")
    (place / "artifacts" / "runs").mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    log = place / "log"
    command = [sys.executable, "app.py", "--port", str(port), "--artifacts", str(place / "artifacts")]
    with log.open("w") as out:
        environment = {**os.environ, "FASHION_HOME": str(place / "home")}
        child = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out)
    try:
        server = Server(child, port)
        limit = time.monotonic() + 40
        while True:
            try:
                requests.get(f"{server.address}/health", timeout=2)
                break
            except requests.RequestException:
                assert child.poll() is None, log.read_text()
                assert time.monotonic() < limit, "the app did not start in 40 s"
                time.sleep(0.1)
        assert server.predict(encoded(Image.new("L", (28, 28)), "PNG")).status_code == 200
        yield server
        assert child.poll() is None, "the server went on"
        assert not re.search(r"Traceback|error [0-9a-f]{12}", log.read_text()), log.read_text()
    finally:
        child.kill()
        child.wait()


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png_of(width: int, height: int, rows: bytes) -> bytes:
    """rows: the compressed image data."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def zeros(width: int, height: int) -> bytes:
    """Compressed rows of a black picture, made a row at a time."""
    squeeze = zlib.compressobj(1)
    row = bytes(width + 1)
    return b"".join(squeeze.compress(row) for _ in range(height)) + squeeze.flush()


def p95(seconds: list[float]) -> float:
    return sorted(seconds)[int(0.95 * (len(seconds) - 1))]


def shirt(width: int = 320, height: int = 240) -> Image.Image:
    """A dark shape on a light slope."""
    slope = np.linspace(210, 250, width)[None, :].repeat(height, 0)
    slope[height // 6 : -height // 6, width // 3 : width // 2] = 40
    slope[height // 6 : height // 3, width // 4 : -width // 3] = 60
    return Image.fromarray(slope.astype(np.uint8))


GOOD_PNG, GOOD_JPEG = encoded(shirt(), "PNG"), encoded(shirt().convert("RGB"), "JPEG")
GOOD_GIF, GOOD_WEBP = encoded(shirt(), "GIF"), encoded(shirt().convert("RGB"), "WEBP")


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """A picture whose middle was overwritten: not every decoder minds, so half of it is cut away too."""
    cut = bytearray(content[: len(content) // 2])
    for place in rng.integers(20, len(cut), 40):
        cut[place] = rng.integers(0, 256)
    return bytes(cut)


MALFORMED: dict[str, Callable[[np.random.Generator], bytes]] = {
    "empty": lambda rng: b"",
    "random bytes": lambda rng: rng.bytes(int(rng.integers(1, 5_000))),
    "text": lambda rng: b"garment " * int(rng.integers(1, 900)),
    "signature alone": lambda rng: [GOOD_PNG[:8], GOOD_JPEG[:3], GOOD_GIF[:6], GOOD_WEBP[:12]][rng.integers(4)],
    "truncated png": lambda rng: GOOD_PNG[: int(rng.integers(60, len(GOOD_PNG) - 60))],
    "truncated jpeg": lambda rng: GOOD_JPEG[: int(rng.integers(30, len(GOOD_JPEG) * 3 // 4))],
    "truncated webp": lambda rng: GOOD_WEBP[: int(rng.integers(30, len(GOOD_WEBP) * 3 // 4))],
    "damaged": lambda rng: damaged([GOOD_PNG, GOOD_JPEG, GOOD_WEBP][rng.integers(3)], rng),
    "lying header": lambda rng: png_of(int(rng.integers(6_000, 2**31)), 6_000, zlib.compress(bytes(100))),
    "other formats": lambda rng: encoded(shirt(), ["ICO", "PCX", "JPEG2000", "TGA", "SGI"][rng.integers(5)]),
    "markup": lambda rng: [b"<svg onload='alert(1)'/>", b"<!doctype html><p>1", b"<?xml?>"][rng.integers(3)],
    "archives": lambda rng: [b"PK\x03\x04", b"%PDF-1.7", b"\x1f\x8b\x08"][rng.integers(3)] + rng.bytes(500),
}  # fmt: skip


def test_u1_malformed_uploads_are_refused_in_words(server, count):
    rng = np.random.default_rng(1)
    seconds = []
    for turn in range(count(60, 504)):
        kind = list(MALFORMED)[turn % len(MALFORMED)]
        content = MALFORMED[kind](rng)
        start = time.perf_counter()
        answer = server.predict(content)
        seconds.append(time.perf_counter() - start)
        assert 400 <= answer.status_code < 500, (kind, answer.text)
        sentence = answer.json()["error"]
        assert "Allowed are PNG, JPEG, JPEG 2000, WebP, GIF" in sentence, kind
        assert not TRACE.search(answer.text), (kind, answer.text)
    assert p95(seconds) < promised(0.2)
    assert server.predict(GOOD_PNG).status_code == 200


def valid() -> dict[str, bytes]:
    """One file of every kind that must be read."""
    grey = shirt()
    colour = Image.merge("RGB", [grey, grey.point(lambda v: v // 2), grey])
    cover = grey.point(lambda v: 255 if v < 100 else 0)
    see_through = colour.convert("RGBA")
    see_through.putalpha(cover)
    half = grey.convert("LA")
    half.putalpha(cover)
    palette = colour.quantize(64)
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    return {
        "PNG 1": encoded(grey.convert("1"), "PNG"),
        "PNG L": encoded(grey, "PNG"),
        "PNG LA": encoded(half, "PNG"),
        "PNG RGB": encoded(colour, "PNG"),
        "PNG RGBA": encoded(see_through, "PNG"),
        "PNG P": encoded(palette, "PNG"),
        "PNG P with alpha": encoded(palette, "PNG", transparency=0),
        "PNG 16 bit": encoded(deep, "PNG"),
        "JPEG L": encoded(grey, "JPEG"),
        "JPEG RGB": encoded(colour, "JPEG"),
        "JPEG progressive": encoded(colour, "JPEG", progressive=True),
        "JPEG CMYK": encoded(colour.convert("CMYK"), "JPEG"),
        "WebP": encoded(colour, "WEBP"),
        "WebP lossless with alpha": encoded(see_through, "WEBP", lossless=True),
        "GIF": encoded(grey, "GIF"),
        "GIF animated": encoded(palette, "GIF", save_all=True, append_images=[grey.convert("P")]),
    }


TURNED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def test_u2_every_kind_of_picture_gets_a_prediction(server, count):
    for _ in range(count(1, 5)):
        for kind, content in valid().items():
            for prepare in ("auto", "none", "full"):
                answer = server.predict(content, prepare=prepare)
                assert answer.status_code == 200, (kind, answer.text)
                body = answer.json()
                assert body["label"] == body["top"][0]["label"], kind
                assert 0 < body["confidence"] <= 1, kind


def test_u2_the_eight_orientations_of_one_picture_agree(server):
    answers = []
    for orientation, turn in TURNED.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored = shirt() if turn is None else shirt().transpose(turn)
        answer = server.predict(encoded(stored.convert("RGB"), "JPEG", quality=95, subsampling=0, exif=exif), top="4")
        answers.append({entry["label"]: entry["probability"] for entry in answer.json()["top"]})
    first = max(answers[0], key=answers[0].__getitem__)
    for answer in answers[1:]:
        assert max(answer, key=answer.__getitem__) == first
        for label, probability in answer.items():
            assert probability == pytest.approx(answers[0][label], abs=0.02)


def announced(port: int, length: int, sent: bytes = b"") -> tuple[int, float]:
    """Status and seconds of the answer to a request that announces `length` bytes and sends a few."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        head = (
            f"POST /api/v1/predict HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n"
            f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {length}\r\n\r\n"
        )
        start = time.perf_counter()
        line.sendall(head.encode() + sent)
        answer = line.recv(65536)
        return int(answer.split(b" ", 2)[1]), time.perf_counter() - start


def test_u3_bodies_over_the_limit_are_refused_before_they_arrive(server, count):
    before = server.memory()
    seconds = []
    for _ in range(count(10, 50)):
        status, took = announced(server.port, 10 * 10**9, bytes(1_000))
        assert status == 413
        seconds.append(took)
    assert max(seconds) < promised(0.2)
    for _ in range(count(3, 50)):
        answer = server.predict(bytes(31 * MB))
        assert answer.status_code == 413
        assert "30 MB" in answer.json()["error"]
    assert server.memory() - before < 50 * MB
    assert server.predict(GOOD_PNG).status_code == 200


def test_u4_pixel_floods_are_refused_while_pages_go_on(server, count):
    flood = png_of(20_000, 20_000, zeros(20_000, 20_000))
    assert server.predict(flood).status_code == 413
    before, pages, over = server.memory(), [], threading.Event()

    def visit() -> None:
        while not over.is_set():
            start = time.perf_counter()
            assert requests.get(f"{server.address}/_dash-layout", timeout=10).status_code == 200
            pages.append(time.perf_counter() - start)

    def send(_: int) -> tuple[int, float]:
        start = time.perf_counter()
        answer = server.predict(flood)
        return answer.status_code, time.perf_counter() - start

    visitor = threading.Thread(target=visit)
    visitor.start()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(send, range(count(8, 20))))
    over.set()
    visitor.join()
    assert {status for status, _ in answers} == {413}
    assert max(took for _, took in answers) < promised(0.3)
    assert p95(pages) < promised(0.5)
    assert server.memory() - before < 50 * MB
