"""What a photograph of one's own takes in a browser: `python bench/uploads.py FOLDER`, a folder for each class.

Chromium, a warm server, the first two pictures of each kind warm up. Each kind is made of the same photographs: as they
are; enlarged to 12 megapixels as a telephone saves them, lying on their side by their EXIF (`--megapixels`); the same
as HEIC, which this browser cannot read and sends as it is; and, for comparison, a test picture of 28 × 28. Measured is
the time from choosing the file until word and confidence stand on the page, until no panel waits, and, with the grid of
explanations in sight, until that stands. Prints medians, ranges and what travels meanwhile.
"""

import argparse
import io
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.browser import FLAGS, IDLE, app_server, clocked, fresh, test_pictures  # noqa: E402
from bench.web import ANSWER, REST  # noqa: E402
from ml.system.processor import machine  # noqa: E402

# The six maps have arrived, each of another picture than before.
GRID = """() => {
    const maps = [...document.querySelectorAll('#prediction-explained-grid img')].filter(one => one.src);
    const before = window.mapsBefore.split(',');
    return maps.length >= 6 && maps.every((one, i) => one.src.length + one.src.slice(-64) !== before[i]);
}"""
BEFORE = """() => {
    const text = (id) => document.getElementById(id)?.textContent || '';
    window.answerBefore = text('prediction-label') + text('prediction-confidence');
    window.mapsBefore = [...document.querySelectorAll('#prediction-explained-grid img')].filter(one => one.src)
        .map(one => one.src.length + one.src.slice(-64)).join();
    performance.clearResourceTimings();
    addEventListener('change', () => { window.chosen = performance.now(); }, {once: true, capture: true});
}"""
# Of each question to the server: when it left, in ms since the file was chosen, and how long it took.
ASKED = """() => performance.getEntriesByType('resource').filter(one => one.name.includes('_dash-update')).map(
    one => [Math.round(one.startTime - window.chosen), Math.round(one.duration)])"""


def pictures(folder: Path, n: int) -> list[Path]:
    """n photographs, of every class in turn."""
    classes = [sorted(one.iterdir()) for one in sorted(folder.iterdir()) if one.is_dir()]
    turns = (files[turn] for turn in range(max(map(len, classes))) for files in classes if turn < len(files))
    return [path for path, _ in zip(turns, range(n), strict=False)]


def enlarged(path: Path, pixels: float, kind: str) -> bytes:
    """A file of that many pixels: JPEG that lies on its side by its EXIF, or HEIC."""
    with Image.open(path) as file:
        image = ImageOps.exif_transpose(file).convert("RGB")
    scale = (pixels / (image.width * image.height)) ** 0.5
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    if kind == "heic":
        from pillow_heif import register_heif_opener

        register_heif_opener(thumbnails=False)
        image.save(buffer, "HEIF", quality=70)
    else:
        exif = Image.Exif()
        exif[0x0112] = 6
        image.transpose(Image.Transpose.ROTATE_90).save(buffer, "JPEG", quality=90, exif=exif)
    return buffer.getvalue()


def kinds(folder: Path, n: int, pixels: float) -> Iterator[tuple[str, str, list[bytes]]]:
    """Name, media type, files."""
    chosen = pictures(folder, n)
    yield "28 × 28", "image/png", test_pictures(n)
    yield "as they are", "image/jpeg", [path.read_bytes() for path in chosen]
    for kind, media in (("jpeg", "image/jpeg"), ("heic", "image/heic")):
        yield f"{pixels / 1e6:g} megapixels, {kind}", media, [enlarged(path, pixels, kind) for path in chosen]


def chosen(page: Page, name: str, media: str, content: bytes, condition: str) -> tuple[float, list[Any]]:
    """Milliseconds from choosing a file until a condition holds, and what was asked meanwhile."""
    page.evaluate(BEFORE)
    file = {"name": name, "mimeType": media, "buffer": content}
    chooser = page.locator("#prediction-upload input[type=file]")
    took = clocked(page, "change", condition, lambda: chooser.set_input_files([file]))  # type: ignore[list-item]
    page.wait_for_function(IDLE)
    return took, page.evaluate(ASKED)


def measure(page: Page, address: str, folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """A row a kind and a moment: what, n, median, least, most, in milliseconds."""
    rows, n, query, only = [], options.n, options.query, options.only
    for kind, media, files in kinds(folder, n + 2, options.megapixels * 1e6):
        for moment, condition in (("answer", ANSWER), ("at rest", REST), ("grid", GRID)):
            if only and not all(any(word in f"{kind}, {moment}" for word in one.split("|")) for one in only):
                continue
            page.goto(f"{address}/prediction{query}")
            page.wait_for_function(IDLE)
            took, asked = [], []
            for turn, content in enumerate(files):
                if moment == "grid" and turn == 1:  # the first has drawn the card, which asks when it is looked at
                    page.locator("#prediction-explained-card").evaluate("one => one.scrollIntoView()")
                    page.wait_for_function(f"() => ({GRID})() && ({IDLE})()")
                answer = ANSWER if moment == "grid" and turn == 0 else condition
                one, sent = chosen(page, f"p{turn}.{media.split('/')[1]}", media, content, answer)
                took.append(one)
                asked = sent
                page.wait_for_timeout(300)
            took = took[2:]
            row = {"kind": kind, "until": moment, "n": len(took), "median": statistics.median(took)}
            rows.append({**row, "least": min(took), "most": max(took), "asked": asked})
            print(f"{kind:<24}{moment:<9}n {len(took):<4}{row['median']:>7.0f} ms ({min(took):.0f} to {max(took):.0f})"
                  f"  asked {asked}", flush=True)  # fmt: skip
    return rows


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-n", type=int, default=9, help="photographs of each kind")
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument(
        "--only", nargs="*", default=[], help="kinds and moments, such as jpeg answer or 'as they are|28' grid"
    )
    parser.add_argument("--query", default="", help="of the page, such as ?ask=clothing_photos")
    parser.add_argument("--address", default="", help="of a server that runs already")
    options = parser.parse_args()
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    print(f"{machine()}, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        with fresh(browser) as page:
            if options.address:
                rows = measure(page, options.address, options.folder, options)
            else:
                with app_server(Path(home)) as (address, _, _):
                    rows = measure(page, address, options.folder, options)
        browser.close()
    print(json.dumps([{key: value for key, value in row.items() if key != "asked"} for row in rows]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
