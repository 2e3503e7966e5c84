"""How fast the app is in a browser: `make bench-web`.

Chromium in a fresh context each time, a warm server, medians of 5. Drawing times are compared with a static HTML page
that holds the very same charts (data and layout are read from the app, plotly.js is the package's own), in turns with
it. Prints a table, writes bench/results/web.json, and with --strict exits 1 where a limit is broken.
"""

import argparse
import functools
import http.server
import io
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import plotly
import psutil
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
FLAGS = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--enable-unsafe-swiftshader"]
DASHBOARD = ["dashboard-confusion-graph", "dashboard-accuracy-graph", "dashboard-distribution-graph"]
INSIGHTS = ["insights-projection-graph"]
PAGES = ["/", "/insights", "/prediction", "/training"]
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
    if (appLifecycle !== "HYDRATED") return false;
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

# The gallery shows as many pictures as it should, the count has changed, and their sheet has arrived.
GALLERY = """() => {
    const count = document.getElementById('selection-count')?.textContent;
    if (!count || count === window.countBefore) return false;
    const tiles = document.querySelectorAll('#dashboard-gallery-grid [data-sample]');
    if (tiles.length !== Math.min(48, Number(count))) return false;
    const sheet = [...tiles].map(tile => [tile, ...tile.querySelectorAll('*')].map(
        one => getComputedStyle(one).backgroundImage).find(image => image.includes('/sprites/'))).find(Boolean);
    const url = sheet?.match(/url\\("(.*?)"\\)/)?.[1];
    return Boolean(url) && performance.getEntriesByName(url).some(entry => entry.responseEnd > 0);
}"""

ANSWER = """() => {
    const label = document.getElementById('prediction-label')?.textContent;
    const confidence = document.getElementById('prediction-confidence')?.textContent;
    return Boolean(label) && /%/.test(confidence || '') && label + confidence !== window.answerBefore;
}"""

# A page has moved when its own heading stands, and a panel that shows something instead of waiting.
MOVED = """() => {
    const heading = document.querySelector('#app-page h1')?.textContent;
    if (location.pathname !== '%s' || !heading || heading === window.headingBefore) return false;
    const panels = [...document.querySelectorAll('#app-page .ff-card')];
    return panels.some(panel => !panel.querySelector('.face.wait') && panel.innerText.length > 20);
}"""


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@contextmanager
def app_server(home: Path, *more: str) -> Iterator[tuple[str, psutil.Process, float]]:
    """The app as its user starts it, with more options: its address, its process, the seconds to its first answer."""
    port, began = free_port(), time.monotonic()
    environment = {**os.environ, "FASHION_HOME": str(home), "PORT": str(port)}
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen([sys.executable, "app.py", *more], cwd=ROOT, env=environment, stdout=log, stderr=log)
        address = f"http://127.0.0.1:{port}"
        try:
            while True:
                try:
                    urlopen(address, timeout=30).close()
                    break
                except OSError:
                    if child.poll() is not None or time.monotonic() - began > 60:
                        log.seek(0)
                        sys.exit(f"The app did not start:\n{log.read().decode(errors='replace')}")
                    time.sleep(0.05)
            yield address, psutil.Process(child.pid), time.monotonic() - began
        finally:
            child.terminate()
            child.wait(20)


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


def to_page(page: Page, path: str) -> float:
    """Milliseconds from a click in the navigation to the first panel that shows something."""
    page.evaluate("window.headingBefore = document.querySelector('#app-page h1').textContent")
    link = page.locator(f'nav a[data-page="{path}"]')
    took = clocked(page, "click", MOVED.replace("%s", path), link.click)
    page.wait_for_function(IDLE)
    return took


def click_cell(page: Page, n: int) -> float:
    """Milliseconds from a click on a cell of the confusion matrix until the gallery shows its pictures."""
    page.evaluate("window.countBefore = document.getElementById('selection-count').textContent")
    page.locator("#dashboard-confusion-graph .hm").first.wait_for(state="attached")
    page.wait_for_timeout(500)  # a chart that is still being drawn hears no click
    area = page.locator("#dashboard-confusion-graph .nsewdrag").first
    area.evaluate("element => element.scrollIntoView({block: 'center', behavior: 'instant'})")
    page.wait_for_timeout(300)
    box = area.bounding_box()
    assert box is not None
    classes = 10
    row, column = (n * 3) % classes, (n * 3) % classes  # the diagonal is never empty
    x, y = box["x"] + (column + 0.5) / classes * box["width"], box["y"] + (row + 0.5) / classes * box["height"]
    page.mouse.move(x - 2, y)
    page.mouse.move(x, y)
    page.locator("#dashboard-confusion-graph .hovertext").first.wait_for(state="attached")

    def click() -> None:
        page.mouse.down()
        page.mouse.up()

    took = clocked(page, "mouseup", GALLERY, click)
    page.wait_for_function(IDLE)
    return took


def upload(page: Page, picture: bytes, n: int) -> float:
    """Milliseconds from choosing a file until its answer stands on the page."""
    page.evaluate(
        "window.answerBefore = (document.getElementById('prediction-label')?.textContent || '')"
        " + (document.getElementById('prediction-confidence')?.textContent || '')"
    )
    file = {"name": f"picture-{n}.png", "mimeType": "image/png", "buffer": picture}
    chooser = page.locator("#prediction-upload input[type=file]")
    took = clocked(page, "change", ANSWER, lambda: chooser.set_input_files([file]))  # type: ignore[list-item]
    page.wait_for_function(IDLE)
    return took


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
    with fresh(browser) as page:
        session, total = page.context.new_cdp_session(page), 0

        def count(event: dict[str, Any]) -> None:
            nonlocal total
            total += int(event["encodedDataLength"])

        session.send("Network.enable")
        session.on("Network.loadingFinished", count)
        page.goto(url)
        until_drawn(page, ids)
        page.wait_for_function(IDLE)
        page.wait_for_timeout(500)
        return total


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


def median(measure: Callable[[int], float], times: int) -> float:
    """The median of `times` measurements."""
    return statistics.median(measure(i) for i in range(times))


def measure(times: int) -> list[dict[str, Any]]:
    """Every line of the table: what, value, unit, limit."""
    lines: list[dict[str, Any]] = []

    def line(what: str, value: float, unit: str, limit: float | None = None) -> None:
        lines.append({"what": what, "value": round(value, 2), "unit": unit, "limit": limit})
        bound = "" if limit is None else f"  limit {limit:g} {unit}  {'ok' if value <= limit else 'OVER'}"
        print(f"{what:<58} {value:>9.2f} {unit:<5}{bound}", flush=True)

    scratch = Path(tempfile.mkdtemp(prefix="fashion-forward-bench-"))
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    try:
        (scratch / "static").mkdir()
        with (
            app_server(scratch / "home") as (address, process, start),
            static_server(scratch / "static") as still,
            sync_playwright() as playwright,
        ):
            browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
            line("start to first answer", start, "s", 15)
            line("torch loaded at the start (0 no, 1 yes)", has_torch(process), "", 0)
            for name, path, ids, limit in (
                ("Dashboard", "/", DASHBOARD, 2.0),
                ("Insights", "/insights", INSIGHTS, 1.5),
            ):
                static_page(scratch / "static", f"{name}.html", figures_of(browser, address + path, ids))
                turns = [
                    (load(browser, f"{still}/{name}.html", ids), load(browser, address + path, ids))
                    for _ in range(times)
                ]
                plain, ours = (statistics.median(column) for column in zip(*turns, strict=True))
                line(f"static page with the charts of {name}, drawn", plain, "ms")
                line(f"{name}, drawn", ours, "ms")
                line(f"{name} / static page", ours / plain, "×", limit)
                if path == "/":
                    line("torch loaded after the Dashboard (0 no, 1 yes)", has_torch(process), "", 0)
            line("first load over the wire", wire(browser, address, DASHBOARD) / 1e6, "MB", 2)
            with fresh(browser) as page:
                page.goto(address)
                until_drawn(page, DASHBOARD)
                page.wait_for_function(IDLE)
                taken: dict[str, list[float]] = {path: [] for path in PAGES}
                for turn in range(times + 1):  # the first turn fetches the chunks of each page
                    for path in (*PAGES[1:], PAGES[0]):
                        took = to_page(page, path)
                        if turn:
                            taken[path].append(took)
                for path, all_taken in taken.items():
                    line(f"to {path} by the navigation, first panel", statistics.median(all_taken), "ms", 1500)
                click_cell(page, 0)
                line("matrix click, gallery drawn", median(lambda i: click_cell(page, i + 1), times), "ms", 400)
                to_page(page, "/prediction")
                pictures = test_pictures(times + 1)
                line("first upload after the tour, answer", upload(page, pictures[-1], times), "ms")
                line("upload, answer", median(lambda i: upload(page, pictures[i], i), times), "ms", 450)
            line("server memory after a tour", process.memory_info().rss / 1e6, "MB", 600)
            line("browser at rest on the Dashboard", idle_share(browser, address, DASHBOARD), "%", 3)
            line("browser at rest on Insights", idle_share(browser, address + "/insights", INSIGHTS), "%", 3)
            browser.close()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return lines


def main() -> int:
    """Measure, print, write; 1 with --strict where a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5, help="measurements of each kind; their median counts")
    parser.add_argument("--strict", action="store_true", help="exit 1 where a limit is broken")
    chosen = parser.parse_args()
    lines = measure(chosen.times)
    machine = {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()}
    target = ROOT / "bench" / "results" / "web.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps({"machine": machine, "times": chosen.times, "lines": lines}, indent=1))
    over = [one["what"] for one in lines if one["limit"] is not None and one["value"] > one["limit"]]
    print(f"{len(over)} over their limit{': ' + ', '.join(over) if over else ''}")
    return 1 if over and chosen.strict else 0


if __name__ == "__main__":
    sys.exit(main())
