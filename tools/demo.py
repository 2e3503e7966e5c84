"""Record docs/demo.webp from the running app: `python app.py` in one terminal, `python tools/demo.py` in another."""

import io
import os
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ADDRESS = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8050"
TARGET = Path(__file__).resolve().parents[1] / "docs" / "demo.webp"
SIZE = (1280, 800)
SHOWN = (960, 600)
FLAGS = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--enable-unsafe-swiftshader"]
IDLE = """() => {
    if (!window.store) return false;
    const {appLifecycle, callbacks: {stored, completed, ...waiting}} = window.store.getState();
    if (appLifecycle !== "HYDRATED" || document.documentElement.hasAttribute("data-first")) return false;
    return Object.values(waiting).flat().length === 0;
}"""


class Film:
    """Frames with the milliseconds each is shown."""

    def __init__(self, page: Page) -> None:
        self.page, self.frames, self.times = page, [], []

    def shoot(self, milliseconds: int) -> None:
        self.page.wait_for_function(IDLE)
        self.page.wait_for_timeout(350)
        picture = Image.open(io.BytesIO(self.page.screenshot()))
        self.frames.append(picture.convert("RGB").resize(SHOWN, Image.Resampling.LANCZOS))
        self.times.append(milliseconds)

    def save(self) -> None:
        first, *rest = self.frames
        first.save(TARGET, save_all=True, append_images=rest, duration=self.times, loop=0, quality=72, method=6)


def record(page: Page) -> None:
    """Dashboard → a cell → an image → the studio → Insights → Training."""
    film = Film(page)
    page.goto(ADDRESS)
    page.wait_for_selector("#dashboard-confusion-graph .hm", state="attached")
    film.shoot(2200)
    page.mouse.wheel(0, 330)
    film.shoot(900)
    box = page.locator("#dashboard-confusion-graph .nsewdrag").bounding_box()
    x, y = box["x"] + 0.05 * box["width"], box["y"] + 0.65 * box["height"]
    page.mouse.move(x, y)
    page.wait_for_selector(".hovertext", state="attached")
    film.shoot(1300)
    page.mouse.click(x, y)
    film.shoot(1600)
    page.mouse.wheel(0, 560)
    film.shoot(1500)
    page.locator("[data-sample]").nth(1).click()
    page.wait_for_function("() => document.querySelector('#sample-drawer-why-map-0-grad-cam').naturalWidth > 0")
    film.shoot(2600)
    page.get_by_role("button", name="Open in the studio").click()
    page.locator("#prediction-label:not(:empty)").wait_for()
    page.wait_for_timeout(1500)
    film.shoot(2600)
    page.get_by_role("link", name="Insights").click()
    page.wait_for_selector("#insights-projection-graph canvas", timeout=30_000)
    page.wait_for_timeout(2500)
    film.shoot(2600)
    page.get_by_role("link", name="Training").click()
    film.shoot(2200)
    film.save()
    print(TARGET, f"{TARGET.stat().st_size / 1e6:.1f} MB, {len(film.frames)} frames")


if __name__ == "__main__":
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or shutil.which("chromium"), args=FLAGS
        )
        record(browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]}, color_scheme="light"))
        browser.close()
