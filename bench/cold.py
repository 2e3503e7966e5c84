"""What the first explanation and the first visit of /robustness take: `make bench-cold`.

A server in a new home and a new process each time, a fresh browser. The first explanation of a process that has not
loaded torch: from the press on an image of the gallery, on which the pointer rested for REST_MS before (which announces
it), to all six maps of the image's drawer; then the same of other images, where torch is there. Of a second process:
/robustness from the navigation until nothing waits. Writes bench/results/cold.json.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.browser import FLAGS, IDLE, app_server, clocked, first_seen, fresh, has_torch  # noqa: E402
from ml.system.processor import machine  # noqa: E402

REST_MS = 300
MAPS = """() => {
    const maps = [...document.querySelectorAll('#sample-drawer-why-grid img.over')];
    const there = (map) => map.getAttribute('src') && map.complete && map.naturalWidth > 0;
    return maps.length === 6 && maps.every(map => there(map) && !window.mapsBefore.includes(map.src));
}"""
BEFORE = "window.mapsBefore = [...document.querySelectorAll('#sample-drawer-why-grid img.over')].map(map => map.src)"


def explained(page: Page, n: int) -> float:
    """Milliseconds from the press on the n-th image of the gallery until its six maps stand."""
    tile = page.locator("#dashboard-gallery-grid [data-sample]").nth(n)
    tile.scroll_into_view_if_needed()
    tile.hover()
    page.wait_for_timeout(REST_MS)
    page.evaluate(BEFORE)
    took = clocked(page, "mousedown", MAPS, lambda: tile.click())
    page.wait_for_function(IDLE)
    page.keyboard.press("Escape")
    page.wait_for_function("() => !document.querySelector('.drawer.open')")
    return took


def turn(browser: Browser, scratch: Path, images: int) -> dict[str, list[float]]:
    """Of one process for explanations and one for /robustness."""
    with app_server(scratch / "one") as (address, process, _), fresh(browser) as page:
        page.goto(address)
        page.wait_for_function(IDLE)
        assert not has_torch(process)
        first, *more = (explained(page, n) for n in range(images + 1))
    with app_server(scratch / "two") as (address, _, _):
        rest = first_seen(browser, f"{address}/robustness", IDLE, lambda page: None)
    return {"the first explanation": [first], "an explanation after that": more, "/robustness, all at rest": [rest]}


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5, help="processes of each kind; medians count")
    times = parser.parse_args().times
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    before, taken = os.getloadavg()[0], {}  # type: float, dict[str, list[float]]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        for _ in range(times):
            with tempfile.TemporaryDirectory(prefix="fashion-forward-bench-") as scratch:
                for what, values in turn(browser, Path(scratch), 4).items():
                    taken.setdefault(what, []).extend(values)
        browser.close()
    lines = [
        {
            "what": what,
            "unit": "ms",
            "value": round(statistics.median(values), 1),
            "values": [round(v, 1) for v in values],
        }
        for what, values in taken.items()
    ]
    for line in lines:
        print(f"{line['what']:<30} {line['value']:>8.1f} ms  {line['values']}")
    result = {
        "machine": machine(),
        "load": [round(before, 1), round(os.getloadavg()[0], 1)],
        "times": times,
        "lines": lines,
    }
    (ROOT / "bench" / "results" / "cold.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
