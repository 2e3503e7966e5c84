"""What benchmarks in a browser share: the app as its user starts it, fresh pages, the time until something is drawn."""

import functools
import http.server
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import plotly
import psutil
from PIL import Image
from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parent.parent
FLAGS = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--enable-unsafe-swiftshader"]
WAIT = 120_000

# Notes when each chart was first drawn with data: Plotly's promise is kept, and two frames later it is on screen.
WATCH = """
(() => {
    performance.setResourceTimingBufferSize(10000);
    const drawn = window.drawn = {};
    const frames = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    const name = gd => gd.id || gd.parentElement?.id;
    const wrap = draw => (gd, ...rest) => Promise.resolve(draw(gd, ...rest)).then(async made => {
        const element = typeof gd === 'string' ? document.getElementById(gd) : gd;
        if (element.data?.length && !(name(element) in drawn)) {
            await frames();
            drawn[name(element)] ??= performance.now();
        }
        return made;
    });
    let plotly;
    Object.defineProperty(window, 'Plotly', {
        configurable: true,
        get: () => plotly,
        set: value => {
            plotly = new Proxy(value, {get: (of, key) =>
                ['newPlot', 'react'].includes(key) ? wrap(of[key].bind(of)) : of[key]});
        },
    });
})();
"""

# Notes when a condition first held, and two frames later. `some(selector)`: what is visible of it.
NOTES = """
(() => {
    const visible = (one) => one.getClientRects().length > 0 && getComputedStyle(one).visibility === 'visible';
    const some = (selector) => [...document.querySelectorAll(selector)].filter(visible);
    const holds = CONDITION;
    const look = () => {
        if (!holds()) requestAnimationFrame(look);
        else requestAnimationFrame(() => requestAnimationFrame(() => { window.firstSeen = performance.now(); }));
    };
    look();
})();
"""

# Scores, matrix and the first pictures of the gallery are in sight, whoever drew them.
SEEN = """() => {
    const arrived = ([tile]) => {
        const url = tile && getComputedStyle(tile).backgroundImage.match(/url\\("(.*?)"\\)/)?.[1];
        return Boolean(url) && performance.getEntriesByName(url).some((entry) => entry.responseEnd > 0);
    };
    return some('.scores .hero-n').length && some('.cm .hm, .cm [data-x]').length && arrived(some('.tile .px'));
}"""

# What a chart shows, as JSON: typed arrays become lists, so that the static page needs nothing of Dash.
FIGURE = """ids => ids.map(id => {
    const element = document.getElementById(id), gd = element.classList.contains('js-plotly-plot')
        ? element : element.querySelector('.js-plotly-plot'), box = element.getBoundingClientRect();
    const plain = (_, value) => ArrayBuffer.isView(value) ? Array.from(value) : value;
    const figure = {id, data: gd.data, layout: gd.layout, width: box.width, height: box.height};
    return JSON.parse(JSON.stringify(figure, plain));
})"""

IDLE = """() => {
    if (!window.store) return false;
    const {appLifecycle, callbacks: {stored, completed, ...waiting}} = window.store.getState();
    if (appLifecycle !== "HYDRATED" || document.documentElement.hasAttribute("data-first")) return false;
    return Object.values(waiting).flat().length === 0;
}"""

# The time from the next event of a kind to the first frame in which a condition holds.
CLOCK = """kind => {
    window.took = null;
    const holds = CONDITION;
    addEventListener(kind, () => {
        const began = performance.now();
        const look = () => holds() ? requestAnimationFrame(() => { window.took = performance.now() - began; })
            : requestAnimationFrame(look);
        look();
    }, {once: true, capture: true});
}"""


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@contextmanager
def app_server(home: Path, *more: str) -> Iterator[tuple[str, psutil.Process, float]]:
    """The app as its user starts it, with more options: its address, its process, the seconds to its first answer."""
    port = free_port()
    with started([sys.executable, "app.py", *more], port, {"FASHION_HOME": str(home), "PORT": str(port)}) as running:
        yield running


@contextmanager
def started(
    command: list[str], port: int, environment: dict[str, str] | None = None, seconds: float = 60
) -> Iterator[tuple[str, psutil.Process, float]]:
    """A web server of this machine: its address, its process, the seconds to its first answer; ends this process
    with what the server printed where none came in time."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **(environment or {})}, stdout=log, stderr=log)
        address = f"http://127.0.0.1:{port}"
        try:
            while True:
                try:
                    urlopen(address, timeout=30).close()
                    break
                except OSError:
                    if child.poll() is not None or time.monotonic() - began > seconds:
                        log.seek(0)
                        sys.exit(f"{command[1]} did not start:\n{log.read().decode(errors='replace')}")
                    time.sleep(0.05)
            yield address, psutil.Process(child.pid), time.monotonic() - began
        finally:
            all_of_it = family(psutil.Process(child.pid)) if child.poll() is None else []
            child.terminate()
            child.wait(20)
            for left in psutil.wait_procs([one for one in all_of_it if one.pid != child.pid], timeout=5)[1]:
                left.kill()


@contextmanager
def static_server(folder: Path) -> Iterator[str]:
    """A folder of plain files over HTTP."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def static_page(folder: Path, name: str, figures: list[dict[str, Any]]) -> None:
    """Write an HTML page that draws `figures` in the same sizes with the plotly package's own plotly.js."""
    script = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    shutil.copy(script, folder / "plotly.min.js")
    divs = "".join(
        f'<div id="{one["id"]}" style="width:{one["width"]}px;height:{one["height"]}px"></div>' for one in figures
    )
    draw = "".join(
        f"Plotly.newPlot({json.dumps(one['id'])}, {json.dumps(one['data'])}, {json.dumps(one['layout'])});"
        for one in figures
    )
    head = '<!doctype html><meta charset="utf-8"><script src="plotly.min.js"></script>'
    (folder / name).write_text(f"{head}<body>{divs}<script>{draw}</script></body>")


@contextmanager
def fresh(browser: Browser) -> Iterator[Page]:
    """A page in a context that has cached nothing."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(WAIT)
    context.add_init_script(WATCH)
    try:
        yield context.new_page()
    finally:
        context.close()


def until_drawn(page: Page, ids: list[str]) -> float:
    """Milliseconds from the navigation until the last of the charts was drawn."""
    page.wait_for_function("ids => ids.every(id => id in window.drawn)", arg=ids)
    return page.evaluate("ids => Math.max(...ids.map(id => window.drawn[id]))", ids)


def load(browser: Browser, url: str, ids: list[str]) -> float:
    """Milliseconds to drawn charts of a page in a fresh context."""
    with fresh(browser) as page:
        page.goto(url, wait_until="commit")
        return until_drawn(page, ids)


def first_screen(browser: Browser, url: str) -> float:
    """Milliseconds until scores, matrix and the first pictures of the Dashboard are in sight, in a fresh context."""
    return first_seen(browser, url, SEEN, lambda page: page.wait_for_function(IDLE))


def first_seen(browser: Browser, url: str, condition: str, rest: Callable[[Page], Any]) -> float:
    """Milliseconds until a condition first holds on a page in a fresh context.

    rest: waits until nothing happens any more, or the next page shares the processor with what is left of this one.
    """
    with fresh(browser) as page:
        page.add_init_script(NOTES.replace("CONDITION", condition))
        page.goto(url, wait_until="commit")
        page.wait_for_function("() => window.firstSeen")
        seen = page.evaluate("window.firstSeen")
        rest(page)
        return seen


def figures_of(browser: Browser, url: str, ids: list[str]) -> list[dict[str, Any]]:
    """The charts of a page, as they are when nothing happens any more."""
    with fresh(browser) as page:
        page.goto(url)
        until_drawn(page, ids)
        page.wait_for_function(IDLE)
        return page.evaluate(FIGURE, ids)


def clocked(page: Page, kind: str, condition: str, act: Callable[[], Any]) -> float:
    """Milliseconds from the event that `act` causes to the frame in which `condition` holds."""
    page.evaluate(CLOCK.replace("CONDITION", condition), kind)
    act()
    page.wait_for_function("() => window.took !== null")
    return page.evaluate("window.took")


# The time from the press of the pointer to the change of a part of the page after which a condition holds.
PRESSED = """within => {
    window.took = null;
    const holds = CONDITION, part = document.querySelector(within);
    addEventListener('pointerdown', event => {
        const watch = new MutationObserver(() => {
            if (!holds()) return;
            watch.disconnect();
            window.took = performance.now() - event.timeStamp;
        });
        watch.observe(part, {subtree: true, childList: true, attributes: true, characterData: true});
    }, {once: true, capture: true});
}"""


def pressed(page: Page, within: str, condition: str, act: Callable[[], Any]) -> float:
    """Milliseconds from the press that `act` makes to the change of the part `within` after which `condition` holds."""
    page.evaluate(PRESSED.replace("CONDITION", condition), within)
    act()
    page.wait_for_function("() => window.took !== null")
    return page.evaluate("window.took")


def test_pictures(count: int) -> list[bytes]:
    """Pictures of the shipped test split as PNG, of different classes."""
    with np.load(ROOT / "artifacts" / "datasets" / "fashion-mnist" / "test.npz") as stored:
        images, labels = stored["images"], stored["labels"]
    found = []
    for label in range(count):
        buffer = io.BytesIO()
        Image.fromarray(images[np.flatnonzero(labels == label % 10)[label // 10]].squeeze()).save(buffer, "PNG")
        found.append(buffer.getvalue())
    return found


def wire(browser: Browser, url: str, ids: list[str]) -> int:
    """Bytes over the network, headers included, of a first visit."""

    def rest(page: Page) -> None:
        until_drawn(page, ids)
        page.wait_for_function(IDLE)
        page.wait_for_timeout(500)

    return carried(browser, url, rest)[0]


def carried(browser: Browser, url: str, rest: Callable[[Page], Any]) -> tuple[int, int]:
    """Bytes over the network, headers included, and requests of a page in a fresh context until `rest` has returned.

    What a WebSocket brings is counted as it reads, without its frames' own bytes.
    """
    with fresh(browser) as page:
        session, sizes = page.context.new_cdp_session(page), []
        session.send("Network.enable")
        session.on("Network.loadingFinished", lambda event: sizes.append(int(event["encodedDataLength"])))
        messages: list[int] = []
        session.on(
            "Network.webSocketFrameReceived", lambda event: messages.append(len(event["response"]["payloadData"]))
        )
        page.goto(url)
        rest(page)
        return sum(sizes) + sum(messages), len(sizes)


def family(process: psutil.Process) -> list[psutil.Process]:
    """A process and all that came of it."""
    return [process, *process.children(recursive=True)]


def memory(process: psutil.Process) -> tuple[float, float]:
    """MB that a process and all that came of it hold: resident, and of it what no file on a disk backs (RssAnon).

    What processes share is counted in each of them.
    """
    resident = anonymous = 0.0
    for one in family(process):
        with suppress(psutil.Error, OSError):
            lines = dict(line.split(":", 1) for line in Path(f"/proc/{one.pid}/status").read_text("utf-8").splitlines())
            if "VmRSS" in lines:
                resident += int(lines["VmRSS"].split()[0]) * 1024 / 1e6
                anonymous += int(lines["RssAnon"].split()[0]) * 1024 / 1e6
    return resident, anonymous


def browser_seconds() -> float:
    """Processor seconds that the browser's processes, children of this one, have used so far."""
    used = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            if "chrom" in process.name().lower() or "headless" in process.name().lower():
                times = process.cpu_times()
                used += times.user + times.system
        except psutil.Error:
            continue
    return used


def idle_share(browser: Browser, url: str, ids: list[str]) -> float:
    """Percent of one core that the browser uses in 10 s in which nothing happens."""
    with fresh(browser) as page:
        page.goto(url)
        until_drawn(page, ids)
        page.wait_for_function(IDLE)
        page.wait_for_timeout(3000)
        before = browser_seconds()
        time.sleep(10)
        return 100 * (browser_seconds() - before) / 10


def has_torch(process: psutil.Process) -> bool:
    """Whether torch is in the memory of the process."""
    return any("libtorch" in one.path for one in process.memory_maps())
