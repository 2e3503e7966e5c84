"""The app beside Gradio and Renumics Spotlight, in one browser on one machine: `make bench-peers`.

    make bench-peers
    make bench-peers ARGS="--times 3"

Each has an environment of its own (.cache/peers) with what bench/peer_gradio.txt and bench/peer_spotlight.txt pin, and
a server as its maker ships it. All get the same: the test pictures of Fashion-MNIST, the default run's network (Gradio
by onnxruntime, which is lighter than the torch that the app answers with), its recorded predictions and its map. They
take turns, each beginning one turn after the other; medians count. Prints a table in Markdown and writes
bench/results/peers.json.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pandas as pd
import psutil
from PIL import Image
from playwright.sync_api import Browser, Page, TimeoutError, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench import web  # noqa: E402
from bench.browser import (  # noqa: E402
    FLAGS,
    IDLE,
    SEEN,
    app_server,
    carried,
    clocked,
    first_seen,
    free_port,
    fresh,
    load,
    memory,
    started,
    static_page,
    static_server,
    test_pictures,
    until_drawn,
)
from bench.lines import GRADIO, OURS, SPOTLIGHT, STATIC, Line, table, turns  # noqa: E402
from ml.system.processor import machine  # noqa: E402

PEERS = ROOT / ".cache" / "peers"
# Nothing leaves this machine: the browser finds no other, and servers send no word of themselves.
ALONE = [*FLAGS, "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
QUIET = {"GRADIO_ANALYTICS_ENABLED": "False", "SPOTLIGHT_OPT_OUT": "True"}
RESTS = 300  # ms that the pointer rests on a cell before the press
REST = 2000  # ms after which a page is taken to be at rest that does not say so itself

# Gradio's field for a picture and its button.
FORM = """() => some('button.upload-container').length
    && some('button').some(one => one.textContent.trim() === 'Classify')"""

# Spotlight's first rows and all hundred cells of its matrix.
ROWS = """() => some('[data-test-tag=datagrid] [data-rowindex="1"]').length
    && document.querySelectorAll('svg g[cursor=pointer] rect').length === 100
    && some('svg g[cursor=pointer] rect').length"""

# And the map beside them, which it draws into a canvas.
MAP = f"""() => {{
    const canvas = document.querySelector('canvas');
    if (!canvas?.width || !({ROWS})()) return false;
    return canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(level => level);
}}"""

# From a press: to the change of the page after which it shows another cell, and to the frame in which its pictures
# are there.
PRESS = """within => {
    window.changed = window.shown = null;
    const changed = CHANGED, shown = SHOWN;
    addEventListener('pointerdown', event => {
        const since = () => performance.now() - event.timeStamp;
        const watch = new MutationObserver(() => {
            if (!changed()) return;
            watch.disconnect();
            window.changed = since();
        });
        watch.observe(document.querySelector(within), {
            subtree: true, childList: true, attributes: true, characterData: true});
        const look = () => requestAnimationFrame(shown() ? () => { window.shown = since(); } : look);
        look();
    }, {once: true, capture: true});
}"""

# Other images stand in the app's gallery, and their sheet has come.
SHOWN = f"""() => {{
    if (!({web.OTHERS})()) return false;
    const tiles = [...document.querySelectorAll('#dashboard-gallery-grid [data-sample], #dashboard-gallery-grid .px')];
    const sheet = tiles.map(one => getComputedStyle(one).backgroundImage).find(image => image.includes('/sprites/'));
    const url = sheet?.match(/url\\("(.*?)"\\)/)?.[1];
    return Boolean(url) && performance.getEntriesByName(url).some(entry => entry.responseEnd > 0);
}}"""

# Spotlight counts other rows as selected; and its inspector shows other pictures, all that it has room for.
SELECTED = "document.querySelector('[data-test-tag=datagrid-selected-count]').textContent"
INSPECTED = "[...document.querySelectorAll('.cropper-canvas img')]"
RECOUNTED = f"() => {SELECTED} !== window.selectedBefore"
PICTURED = f"""() => {{
    const pictures = {INSPECTED};
    return pictures.length >= 4 && pictures.every(one => one.complete && one.naturalWidth
        && !window.picturesBefore.includes(one.src));
}}"""

# Gradio's label says something else than before, and so do the likeliest classes below it; its clock is left out.
LABEL = """[...document.querySelectorAll('[data-testid=label-output-value], [data-testid$=-confidence-set]')].map(
    one => one.innerText).join()"""
LABELLED = f"""() => Boolean(document.querySelector('[data-testid=label-output-value]'))
    && /%/.test({LABEL}) && {LABEL} !== window.answerBefore"""


def recorded(folder: Path) -> Path:
    """The default run's answers to the test pictures, as bench/peer_spotlight.py reads them, and each as a PNG."""
    from ml.artifacts.reader import Library
    from ml.system.paths import ARTIFACTS

    library = Library(ARTIFACTS, folder / "none")
    run = library.open(library.default())
    dataset = run.manifest["dataset"]
    rows, places = (run.table(noun).query("split == 'test'") for noun in ("predictions", "projection"))
    rows = rows.merge(places, on="example_id")
    pictures, names = library.pictures(dataset["name"], "test"), dataset["classes"]
    (folder / "pictures").mkdir(parents=True)
    paths = [folder / "pictures" / f"{example}.png" for example in rows["example_id"]]
    found = dict(zip(pictures.ids.tolist(), pictures.images, strict=True))
    for path, example in zip(paths, rows["example_id"], strict=True):
        Image.fromarray(found[example].squeeze()).save(path)
    shown = {
        "image": [str(path) for path in paths],
        "label": [names[label] for label in rows["label"]],
        "predicted": [names[label] for label in rows["predicted"]],
        "confidence": rows["confidence"].to_numpy(),
        "x": rows["map_x"].to_numpy(),
        "y": rows["map_y"].to_numpy(),
    }
    pd.DataFrame(shown).to_parquet(folder / "rows.parquet")
    return folder / "rows.parquet"


def exported(folder: Path) -> Path:
    """The default run's network as ONNX."""
    target = folder / "network.onnx"
    run = json.loads((ROOT / "artifacts" / "index.json").read_text("utf-8"))["default"]
    command = [sys.executable, "-m", "ml", "export", run, "--as", "onnx", "--to", str(target)]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "FASHION_HOME": str(folder / "export")}, check=True)
    return target


def versions() -> dict[str, str]:
    """Of both peers, as their environments have them."""
    found = {}
    for column, folder, package in ((GRADIO, "gradio", "gradio"), (SPOTLIGHT, "spotlight", "renumics-spotlight")):
        said = f"from importlib.metadata import version; print(version({package!r}))"
        command = [str(PEERS / folder / "bin" / "python"), "-c", said]
        found[column] = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return found


def pause(page: Page) -> None:
    """Until a page that does not say so itself is at rest."""
    page.wait_for_timeout(REST)


def settled(page: Page) -> None:
    """Until the app's page is at rest, its charts drawn."""
    until_drawn(page, web.DASHBOARD)
    page.wait_for_function(IDLE)
    page.wait_for_timeout(500)


def both(page: Page, within: str, changed: str, shown: str) -> tuple[float, float] | None:
    """Milliseconds from a press where the pointer is to the change of the page, and until the pictures are there.

    None, and a word about it, where half a minute later neither had come.
    """
    page.evaluate(PRESS.replace("CHANGED", changed).replace("SHOWN", shown), within)
    web.click(page)
    try:
        page.wait_for_function("() => window.changed !== null && window.shown !== null", timeout=30_000)
    except TimeoutError:
        print(f"a press came to nothing: {page.evaluate('[changed, shown, location.href]')}", file=sys.stderr)
        return None
    return page.evaluate("[window.changed, window.shown]")


def second(click: Callable[[int], tuple[float, float] | None], turn: int) -> tuple[float, float]:
    """Of clicks on one cell after another the second that was answered; the first warms up."""
    took = [found for n in range(turn, turn + 4) if (found := click(n))][:2]
    if len(took) < 2:
        sys.exit("Three presses on cells came to nothing.")
    return took[1]


def our_cells(page: Page, address: str, turn: int) -> tuple[float, float]:
    """The second of two clicks on cells of the app's matrix."""
    page.goto(address)
    settled(page)

    def click(n: int) -> tuple[float, float] | None:
        web.aim_at_cell(page, n)
        page.wait_for_timeout(RESTS)
        took = both(page, "#dashboard-gallery-grid", web.OTHERS, SHOWN)
        page.wait_for_function(IDLE)
        page.wait_for_timeout(500)
        return took

    return second(click, turn)


def their_cells(page: Page, address: str, turn: int) -> tuple[float, float]:
    """The second of two clicks on cells of Spotlight's matrix."""
    page.goto(address)
    rows_there(page)
    cells = page.locator("svg g[cursor=pointer]")

    def click(n: int) -> tuple[float, float] | None:
        page.evaluate(f"window.selectedBefore = {SELECTED}; window.picturesBefore = {INSPECTED}.map(one => one.src)")
        cells.nth((n * 3) % 10 * 11).hover()
        page.wait_for_timeout(RESTS)  # what a page does while the pointer rests is not the click's
        took = both(page, "body", RECOUNTED, PICTURED)
        pause(page)
        return took

    return second(click, turn)


def our_answer(page: Page, address: str, pictures: list[bytes]) -> float:
    """The second of two pictures given to the app's studio."""
    page.goto(f"{address}/prediction")
    page.wait_for_function(IDLE)
    for n, picture in enumerate(pictures):
        took = web.upload(page, picture, n)
        page.wait_for_timeout(500)
    return took


def their_answer(page: Page, address: str, pictures: list[bytes]) -> float:
    """The second of two pictures given to Gradio's form."""
    page.goto(address)
    chooser = page.locator("[data-testid=file-upload]")
    for n, picture in enumerate(pictures):
        form_there(page)
        page.evaluate(f"window.answerBefore = {LABEL}")
        file = {"name": f"picture-{n}.png", "mimeType": "image/png", "buffer": picture}
        took = clocked(page, "change", LABELLED, lambda: chooser.set_input_files([file]))  # type: ignore[list-item]  # noqa: B023
        if n == 0:
            pause(page)
            page.get_by_role("button", name="Remove Image").click()
    return took


def openings(browser: Browser, at: dict[str, str], still: str, times: int) -> list[Line]:
    """How soon each stands, in a fresh browser on a warm server. at: column to address."""
    first, drawn = Line("first screen, or the empty form", "ms"), Line("everything drawn", "ms")

    def idle(page: Page) -> None:
        page.wait_for_function(IDLE)

    opens: dict[str, list[tuple[Line, Callable[[], float]]]] = {
        OURS: [
            (first, lambda: first_seen(browser, at[OURS], SEEN, idle)),
            (drawn, lambda: load(browser, at[OURS], web.DASHBOARD)),
        ],
        GRADIO: [(first, lambda: first_seen(browser, at[GRADIO], FORM, pause))],
        SPOTLIGHT: [
            (first, lambda: first_seen(browser, at[SPOTLIGHT], ROWS, pause)),
            (drawn, lambda: first_seen(browser, at[SPOTLIGHT], MAP, pause)),
        ],
        STATIC: [(drawn, lambda: load(browser, f"{still}/Dashboard.html", web.DASHBOARD))],
    }
    for column in opens:  # warm servers
        opens[column][0][1]()
    for order in turns(list(opens), times):
        for column in order:
            for line, opened in opens[column]:
                line.add(column, opened())
    return [first, drawn]


def cells(browser: Browser, at: dict[str, str], _: str, times: int) -> list[Line]:
    """What a click on a cell of the matrix takes; the first turn warms up."""
    changed, shown = Line("press on a cell → the page shows it", "ms"), Line("… → its pictures are there", "ms")
    for turn, order in enumerate(turns((OURS, SPOTLIGHT), times + 1)):
        for column in order:
            with fresh(browser) as page:
                clicks = our_cells if column == OURS else their_cells
                for line, took in zip((changed, shown), clicks(page, at[column], turn), strict=True):
                    line.add(column, took, kept=turn > 0)
    return [changed, shown]


def answers(browser: Browser, at: dict[str, str], _: str, times: int) -> list[Line]:
    """What an answer to a picture takes; the first turn warms up."""
    answer, pictures = Line("picture chosen → answer", "ms"), test_pictures(times + 2)
    for turn, order in enumerate(turns((OURS, GRADIO), times + 1)):
        for column in order:
            with fresh(browser) as page:
                ask = our_answer if column == OURS else their_answer
                answer.add(column, ask(page, at[column], pictures[turn : turn + 2]), kept=turn > 0)
    return [answer]


def wires(browser: Browser, at: dict[str, str], *_: object) -> list[Line]:
    """What a first visit carries, until the page is at rest."""
    carries, asks = Line("first load over the wire", "MB"), Line("requests of it", "")
    for column, rest in ((OURS, settled), (GRADIO, form_there), (SPOTLIGHT, rows_there)):
        size, requests = carried(browser, at[column], rest)
        carries.add(column, size / 1e6)
        asks.add(column, requests)
    return [carries, asks]


def form_there(page: Page) -> None:
    """Until Gradio's form is there and at rest."""
    page.locator("button.upload-container").wait_for()
    pause(page)


def rows_there(page: Page) -> None:
    """Until Spotlight's matrix is there and the page at rest."""
    page.locator("svg g[cursor=pointer]").nth(99).wait_for()
    pause(page)


def memories(processes: dict[str, psutil.Process]) -> list[Line]:
    """What each server holds now, all its processes together."""
    resident, anonymous = Line("server's memory after that, resident", "MB"), Line("… of it anonymous", "MB")
    for column, process in processes.items():
        for line, value in zip((resident, anonymous), memory(process), strict=True):
            line.add(column, value)
    return [resident, anonymous]


def compare(times: int, scratch: Path, keep: Callable[[list[Line]], None]) -> None:
    """Start all servers, measure, ask for their memory; each part is kept as it comes. scratch: an empty folder."""
    (scratch / "static").mkdir()
    figures = json.loads((web.FROZEN / "dashboard.json").read_text("utf-8"))
    static_page(scratch / "static", "Dashboard.html", figures)
    given = {"gradio": exported(scratch), "spotlight": recorded(scratch / "rows")}
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with ExitStack() as stack:
        running = {OURS: stack.enter_context(app_server(scratch / "home"))}
        for column, (name, what) in zip((GRADIO, SPOTLIGHT), given.items(), strict=True):
            port, python = free_port(), str(PEERS / name / "bin" / "python")
            command = [python, f"bench/peer_{name}.py", str(what), str(port)]
            running[column] = stack.enter_context(started(command, port, QUIET, seconds=300))
        still = stack.enter_context(static_server(scratch / "static"))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=executable, args=ALONE)
        at = {column: address for column, (address, _, _) in running.items()}
        for part in (openings, cells, answers, wires):
            keep(part(browser, at, still, times))
        browser.close()
        keep(memories({column: process for column, (_, process, _) in running.items()}))


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5, help="turns of each kind; the median counts")
    chosen = parser.parse_args()
    scratch, before, found = Path(tempfile.mkdtemp(prefix="fashion-forward-peers-")), os.getloadavg()[0], versions()
    target, lines = ROOT / "bench" / "results" / "peers.json", []
    target.parent.mkdir(exist_ok=True)

    def keep(more: list[Line]) -> None:
        lines.extend(more)
        loads = [round(before, 1), round(os.getloadavg()[0], 1)]
        kept = [{"what": one.what, "unit": one.unit, "values": one.values} for one in lines]
        result = {"machine": machine(), "load": loads, "times": chosen.times, "versions": found, "lines": kept}
        target.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    try:
        compare(chosen.times, scratch, keep)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        print(table(lines, found))
    print(f"\nMedians of {chosen.times} turns (least–most); {os.cpu_count()} cores, load {before:.1f} before, "
          f"{os.getloadavg()[0]:.1f} after.")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
