"""How fast the app is in a browser: `make bench-web`.

Chromium in a fresh context each time, a warm server, medians of 5. Drawing times are compared with a static HTML page
that holds the very same charts, in turns with it: plotly.js is the package's own, data and layout of the Dashboard's
are those of bench/frozen/dashboard.json, which stays as it is, and of others read from the app. Prints a table, writes
bench/results/web.json, and with --strict exits 1 where a limit is broken.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.browser import (  # noqa: E402
    FLAGS,
    IDLE,
    app_server,
    clocked,
    figures_of,
    first_screen,
    fresh,
    has_torch,
    idle_share,
    load,
    pressed,
    static_page,
    static_server,
    test_pictures,
    until_drawn,
    wire,
)
from ml.system.processor import machine  # noqa: E402

FROZEN = ROOT / "bench" / "frozen"
DASHBOARD = ["dashboard-confusion-graph", "dashboard-accuracy-graph", "dashboard-distribution-graph"]
INSIGHTS = ["insights-projection-graph"]
PAGES = ["/", "/insights", "/prediction", "/training"]

# The gallery shows as many pictures as it should, the count has changed, and their sheet has arrived.
GALLERY = """() => {
    const count = document.getElementById('selection-count')?.textContent;
    if (!count || count === window.countBefore) return false;
    const tiles = document.querySelectorAll('#dashboard-gallery-grid [data-sample]');
    if (tiles.length !== Math.min(48, Number(count.replaceAll(',', '')))) return false;
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

# The answer stands, and no panel waits for its own any more.
REST = f"() => ({ANSWER})() && ({IDLE})()"

# Brings every card of a page near the window, so that those which ask when looked at do.
LOOK = """async () => {
    for (let y = 0; y < document.body.scrollHeight; y += 300) {
        scrollTo(0, y);
        await new Promise(done => setTimeout(done, 60));
    }
    scrollTo(0, 0);
}"""

# A page has moved when its own heading stands, and a panel that shows something instead of waiting.
MOVED = """() => {
    const heading = document.querySelector('#app-page h1')?.textContent;
    if (location.pathname !== '%s' || !heading || heading === window.headingBefore) return false;
    const panels = [...document.querySelectorAll('#app-page .ff-card')];
    return panels.some(panel => !panel.querySelector('.face.wait') && panel.innerText.length > 20);
}"""


# Other images stand in the gallery.
OTHERS = """() => {
    const tiles = [...document.querySelectorAll('#dashboard-gallery-grid [data-sample]')];
    return tiles.length > 0 && tiles.map(tile => tile.dataset.sample).join() !== window.tilesBefore;
}"""
TILES = """() => {
    const tiles = [...document.querySelectorAll('#dashboard-gallery-grid [data-sample]')];
    window.tilesBefore = tiles.map(tile => tile.dataset.sample).join();
}"""

# The selection bar counts other images.
RECOUNTED = "() => document.getElementById('selection-count').textContent !== window.countBefore"
COUNTED = "window.countBefore = document.getElementById('selection-count').textContent"

# The chart in 3D shows its points in other colours: plotly says so once it has drawn.
RECOLOURED = """() => {
    const chart = document.querySelector('#insights-projection-graph .js-plotly-plot');
    window.took = null;
    addEventListener('pointerdown', event => {
        const before = JSON.stringify(chart.data[0].marker.colorscale);
        const drawn = () => {
            if (JSON.stringify(chart.data[0].marker.colorscale) === before) return;
            chart.removeListener('plotly_afterplot', drawn);
            window.took = performance.now() - event.timeStamp;
        };
        chart.on('plotly_afterplot', drawn);
    }, {once: true, capture: true});
}"""


def to_page(page: Page, path: str, *, press: bool = False) -> float:
    """Milliseconds from a click in the navigation to the first panel that shows something.

    press: from the press of the pointer instead, to the change of the page.
    """
    page.evaluate("window.headingBefore = document.querySelector('#app-page h1').textContent")
    link, moved = page.locator(f'nav a[data-page="{path}"]'), MOVED.replace("%s", path)
    took = pressed(page, "#main", moved, link.click) if press else clocked(page, "click", moved, link.click)
    page.wait_for_function(IDLE)
    return took


def aim_at_cell(page: Page, n: int) -> None:
    """Rest the pointer on a cell of the confusion matrix's diagonal, which is never empty, once the chart hears it."""
    page.evaluate(COUNTED)
    page.evaluate(TILES)
    page.locator("#dashboard-confusion-graph .hm").first.wait_for(state="attached")
    page.wait_for_timeout(500)  # a chart that is still being drawn hears no click
    area = page.locator("#dashboard-confusion-graph .nsewdrag").first
    area.evaluate("element => element.scrollIntoView({block: 'center', behavior: 'instant'})")
    page.wait_for_timeout(300)
    box = area.bounding_box()
    assert box is not None
    classes = 10
    row, column = (n * 3) % classes, (n * 3) % classes
    x, y = box["x"] + (column + 0.5) / classes * box["width"], box["y"] + (row + 0.5) / classes * box["height"]
    page.mouse.move(x - 2, y)
    page.mouse.move(x, y)
    page.locator("#dashboard-confusion-graph .hovertext").first.wait_for(state="attached")


def click(page: Page) -> None:
    """Press and let go where the pointer is."""
    page.mouse.down()
    page.mouse.up()


def click_cell(page: Page, n: int, *, press: bool = False) -> float:
    """Milliseconds from a click on a cell of the confusion matrix until the gallery shows its pictures.

    press: from the press of the pointer instead, to the change of the gallery; both frames later are not counted.
    """
    aim_at_cell(page, n)
    took = (
        pressed(page, "#dashboard-gallery-grid", OTHERS, lambda: click(page))
        if press
        else clocked(page, "mouseup", GALLERY, lambda: click(page))
    )
    page.wait_for_function(IDLE)
    return took


def lasso(page: Page, n: int) -> float:
    """Milliseconds from letting go of a lasso around some 3,000 points of the map until the bar counts them."""
    page.evaluate(COUNTED)
    area = page.locator("#insights-plane-graph .nsewdrag").first
    area.evaluate("element => element.scrollIntoView({block: 'center', behavior: 'instant'})")
    page.wait_for_timeout(300)
    box = area.bounding_box()
    assert box is not None
    x, y, width, height = box["x"], box["y"], box["width"], box["height"]
    left, right = 0.02 + 0.01 * n, 0.36 + 0.01 * n
    page.mouse.move(x + left * width, y + 0.1 * height)
    page.mouse.down()
    for across, up in ((right, 0.1), (right, 0.9), (left, 0.9), (left, 0.12)):
        page.mouse.move(x + across * width, y + up * height, steps=4)
    took = clocked(page, "mouseup", RECOUNTED, page.mouse.up)
    page.wait_for_function(IDLE)
    return took


def recolour(page: Page, n: int) -> float:
    """Milliseconds from the press of a way to colour until the chart in 3D is drawn in it."""
    choice = page.locator("#insights-projection-colour label").nth(2 if n % 2 else 0)
    choice.scroll_into_view_if_needed()
    page.evaluate(RECOLOURED)
    choice.click()
    page.wait_for_function("() => window.took !== null")
    took = page.evaluate("window.took")
    page.wait_for_function(IDLE)
    return took


def upload(page: Page, picture: bytes, n: int, until: str = ANSWER) -> float:
    """Milliseconds from choosing a file until its answer stands on the page, or until the condition `until` holds."""
    page.evaluate(
        "window.answerBefore = (document.getElementById('prediction-label')?.textContent || '')"
        " + (document.getElementById('prediction-confidence')?.textContent || '')"
    )
    file = {"name": f"picture-{n}.png", "mimeType": "image/png", "buffer": picture}
    chooser = page.locator("#prediction-upload input[type=file]")
    took = clocked(page, "change", until, lambda: chooser.set_input_files([file]))  # type: ignore[list-item]
    page.wait_for_function(IDLE)
    return took


def at_rest(page: Page, address: str, pictures: list[bytes], *, looked: bool) -> float:
    """Median milliseconds from choosing a file until no panel of the studio waits; the first two warm up.

    looked: whether every card was looked at before, so that all of them ask.
    """
    page.goto(f"{address}/prediction")
    page.wait_for_function(IDLE)
    took = []
    for n, picture in enumerate(pictures):
        took.append(upload(page, picture, n, REST))
        if looked and n == 0:
            page.evaluate(LOOK)
        page.wait_for_timeout(500)
        page.wait_for_function(IDLE)
    return statistics.median(took[2:])


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
                ("Dashboard", "/", DASHBOARD, 1.0),
                ("Insights", "/insights", INSIGHTS, 1.5),
            ):
                frozen = FROZEN / f"{name.lower()}.json"
                figures = json.loads(frozen.read_text("utf-8")) if frozen.exists() else None
                static_page(scratch / "static", f"{name}.html", figures or figures_of(browser, address + path, ids))
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
            seen = median(lambda _: first_screen(browser, address), times)
            line("first screen: scores, matrix, pictures in sight", seen, "ms", 1000)
            line("first load over the wire", wire(browser, address, DASHBOARD) / 1e6, "MB", 0.8)
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
                from_press = median(lambda i: click_cell(page, times + i + 1, press=True), times)
                line("press on a cell, the gallery has changed", from_press, "ms", 120)
                page.goto(f"{address}/insights")
                until_drawn(page, [*INSIGHTS, "insights-plane-graph"])
                page.wait_for_function(IDLE)
                recolour(page, 1)
                line("recolour 10,000 points in 3D", median(lambda i: recolour(page, i), times), "ms", 300)
                lasso(page, 0)
                line("lasso of some 3,000, counted", median(lambda i: lasso(page, i + 1), times), "ms", 200)
                to_page(page, "/prediction")
                pictures = test_pictures(times + 1)
                line("first upload after the tour, answer", upload(page, pictures[-1], times), "ms")
                line("upload, answer", median(lambda i: upload(page, pictures[i], i), times), "ms", 450)
            for what, looked in (("upload, last panel at rest", False), ("upload, all cards looked at, at rest", True)):
                with fresh(browser) as page:
                    line(what, at_rest(page, address, test_pictures(times + 2), looked=looked), "ms")
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
    before = os.getloadavg()[0]
    lines = measure(chosen.times)
    loads = [round(before, 1), round(os.getloadavg()[0], 1)]
    target = ROOT / "bench" / "results" / "web.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(
        json.dumps({"machine": machine(), "load": loads, "times": chosen.times, "lines": lines}, indent=1)
    )
    over = [one["what"] for one in lines if one["limit"] is not None and one["value"] > one["limit"]]
    print(f"{len(over)} over their limit{': ' + ', '.join(over) if over else ''}")
    return 1 if over and chosen.strict else 0


if __name__ == "__main__":
    sys.exit(main())
