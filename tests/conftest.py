"""What tests share: a toy run in a folder of its own, the app on it, a real server, a browser that hears everything.

No test reads or writes the user's own folders: FASHION_HOME points into a temporary folder from the first import on.
"""

import contextlib
import gc
import json
import os
import re
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tests.promises import FULL

TESTS = Path(__file__).parent
SCRATCH = Path(tempfile.mkdtemp(prefix="ff-tests-"))  # short: the paths of sockets in it may have 104 letters
os.environ["FASHION_HOME"] = str(SCRATCH / "home")
if "PYTEST_XDIST_WORKER" not in os.environ:  # workers have it of the process that starts them
    os.environ["FASHION_CACHE"] = str(SCRATCH / "cache")
    # The temporary folder of all processes of the tests: what is killed, and libraries, leave theirs there. Not of
    # `tmp_path`, which outlives the tests for who looks for the cause of a failure.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
    os.environ["TMPDIR"] = tempfile.tempdir = str(SCRATCH)
SETTINGS = ("DB", "HOSTS", "PASSWORD", "READ_ONLY", "FRAMES", "WORKERS", "LEASE", "PREFIX", "PROXIES",
            "USER_HEADER", "USER_PROXIES", "USER_ROLE")  # fmt: skip
for name in (*(f"FASHION_{one}" for one in SETTINGS), "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "HOST", "PORT"):
    os.environ.pop(name, None)
# Small networks gain nothing from a second thread, and beside other work threads that wait for each other take several
# times the processor's time; where a test asks for more of them, they sleep instead of spinning.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

TOY = "synthetic-4-28x28x1"
TOY_RUN = "toy"
COLOUR = "synthetic-13-40x32x3"
COLOUR_RUN = "colour"

# A dash page is at rest once it has its layout and no callback waits, runs or is about to.
IDLE = """() => {
    if (!window.store) return false;
    const {appLifecycle, callbacks: {stored, completed, ...waiting}} = window.store.getState();
    if (appLifecycle !== "HYDRATED" || document.documentElement.hasAttribute("data-first")) return false;
    return Object.values(waiting).flat().length === 0;
}"""


def pytest_configure(config: pytest.Config) -> None:
    config.add_cleanup(lambda: shutil.rmtree(SCRATCH, ignore_errors=True))


ONLY_FAULTS = re.compile(r"^pytestmark = .*mark\.faults", re.MULTILINE)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Of a run for faults, or for all but faults, other files are not even read: importing all of them takes long."""
    wanted = config.option.markexpr
    if collection_path.suffix != ".py" or " or " in wanted or "faults" not in wanted:
        return None
    text = collection_path.read_text(encoding="utf-8")
    folder = "faults" in collection_path.relative_to(TESTS).parts
    if "not faults" in wanted:
        return folder or bool(ONLY_FAULTS.search(text)) or None
    return None if folder or "mark.faults" in text else True


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is imported for all tests stays: nobody looks through a million and more of its objects for garbage, neither
    while it comes (a fifth of the time that reading the tests takes) nor again and again while they run."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


# What takes longest, longest first: `make test` hands out whole files, and begins with these, so that none ends late.
LONG = (
    "cluster/test_cluster.py", "faults/test_jobs.py", "faults/test_trainers.py", "faults/test_web.py",
    "faults/test_feedback.py", "cluster/test_shards.py", "cluster/test_link.py", "faults/test_imports.py",
    "faults/test_uploads.py", "faults/test_load.py", "cluster/test_web.py",
    "test_browser.py", "dashboard/pages/test_adding_browser.py", "ml/importing/test_weights.py",
    "dashboard/pages/test_workbench_browser.py", "dashboard/pages/test_training_browser.py",
    "dashboard/pages/test_comparison_browser.py", "test_package.py", "dashboard/test_any_sets_browser.py",
    "dashboard/web/test_proxy_browser.py", "dashboard/pages/test_camera_browser.py",
    "dashboard/pages/test_insights_browser.py", "dashboard/test_views_browser.py", "ml/importing/test_skops.py",
    "ml/importing/test_families.py", "dashboard/pages/test_without_pictures.py", "ml/importing/test_doctor.py",
    "dashboard/pages/test_prediction.py", "test_extending.py", "test_architecture.py",
)  # fmt: skip


def turn(item: pytest.Item) -> int:
    """Which of LONG it is in; then come other browser tests, then the rest."""
    file = item.path.relative_to(TESTS).as_posix()
    return LONG.index(file) if file in LONG else len(LONG) + (not file.endswith("_browser.py"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; marks what drives a browser and what kills processes, for `make test-unit` to leave out."""
    items.sort(key=turn)
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
            if "faults" not in item.path.relative_to(TESTS).parts:
                # a busy machine can starve Chromium: once more in a fresh page, and the summary names it (RERUN)
                item.add_marker(pytest.mark.flaky(reruns=1))
        if "faults" in item.path.relative_to(TESTS).parts:
            item.add_marker("faults")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Of a run of many files, which ten took longest, for who wants to make it shorter (docs/extending.md)."""
    seconds: Counter[str] = Counter()
    for report in (one for kind in terminalreporter.stats.values() for one in kind if hasattr(one, "duration")):
        seconds[report.nodeid.partition("::")[0]] += report.duration
    if len(seconds) > 20:
        terminalreporter.section(f"slowest 10 of {len(seconds)} files, which took {sum(seconds.values()):,.0f} s")
        for file, took in seconds.most_common(10):
            terminalreporter.write_line(f"{took:7.1f} s  {file}")


@pytest.fixture(scope="session", autouse=True)
def together() -> Iterator[None]:
    """Networks from elsewhere are tried each in a process of its own; torch is loaded once for all of them."""
    from ml.importing import forks

    with forks.together():
        yield


@pytest.fixture(scope="session")
def count() -> Callable[[int, int], int]:
    """How many times a fault scenario is tried: (usually, at full count)."""
    return lambda usually, full: full if FULL else usually


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """tell("worst of 10: 1.2 s") → the words stand beside the test in the report of `make test-faults`."""
    return lambda words: record_property("fact", words)


@pytest.fixture(scope="session")
def toy_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A FASHION_HOME with one run, `toy`, really trained for an epoch on synthetic pictures. Do not write to it."""
    return trained_once(tmp_path_factory, TOY_RUN, model="compact_cnn", dataset=TOY, epochs=2)


@pytest.fixture(scope="session")
def colour_home(toy_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`toy_home` with one run more: `colour`, of 13 classes at 40 × 32 in colour. Do not write to it."""
    home = trained_once(tmp_path_factory, COLOUR_RUN, model="fashion_cnn", dataset=COLOUR, epochs=1)
    return Path(shutil.copytree(toy_home, home, dirs_exist_ok=True))


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """tests.photos.Photos: a run that ships without its pictures, made once for all of xdist's workers. Do not write to
    it."""
    from tests import photos

    return photos.found(made_once(tmp_path_factory, "photos", photos.make))


@pytest.fixture(scope="module")
def without_and_with_unlabelled(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two homes of a file's own with the same training (tests.unlabelled): without and with images that nobody has
    labelled. Made once for all of xdist's workers."""
    from tests import unlabelled

    def make(folder: Path) -> None:
        for number, dataset in enumerate(unlabelled.given()):
            unlabelled.made(folder / str(number), dataset)

    trained, own = made_once(tmp_path_factory, "unlabelled", make), tmp_path_factory.mktemp("unlabelled")
    return [Path(shutil.copytree(trained / str(number), own / str(number))) for number in range(2)]


def made_once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The folder in which one of xdist's workers makes something for all of them: nobody may write to it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with FileLock(f"{folder}.lock"):
        if not (folder / "complete").exists():
            folder.mkdir()
            make(folder)
            (folder / "complete").touch()
    return folder


def trained_once(tmp_path_factory: pytest.TempPathFactory, run_id: str, **config: Any) -> Path:
    """A home with one trained run. One of xdist's workers trains it for all of them; each has a copy."""
    from ml.pipeline import train
    from ml.training.config import TrainConfig

    def make(folder: Path) -> None:
        how = TrainConfig(batch_size=64, augment=(), threads=1, **config)
        train(how, run_id=run_id, home=folder / "home", slow=True)

    trained = made_once(tmp_path_factory, f"trained-{run_id}", make)
    return Path(shutil.copytree(trained / "home", tmp_path_factory.mktemp(f"{run_id}-home"), dirs_exist_ok=True))


@pytest.fixture
def home(toy_home: Path, tmp_path: Path) -> Path:
    """A FASHION_HOME of the test's own, with the toy run in it."""
    return Path(shutil.copytree(toy_home, tmp_path / "home"))


@pytest.fixture
def every_step(home: Path) -> None:
    """The toy run takes every step for photographs, as if each was measured to help."""
    from ml.artifacts import writer
    from ml.images.preparation import PHOTOGRAPH_STEPS

    folder = home / "runs" / TOY_RUN
    manifest = json.loads((folder / "manifest.json").read_text())
    writer.write_manifest(folder, {**manifest, "preparation": list(PHOTOGRAPH_STEPS)})


def nothing_shipped(folder: Path) -> Path:
    """An artifacts folder, in this one, that ships nothing."""
    made = folder / "artifacts"
    (made / "runs").mkdir(parents=True)
    (made / "index.json").write_text('{"default": null, "runs": []}')
    return made


@pytest.fixture
def no_artifacts(tmp_path: Path) -> Path:
    """An artifacts folder that ships nothing."""
    return nothing_shipped(tmp_path)


@pytest.fixture
def app(home: Path, no_artifacts: Path):
    """The whole Dash app on the toy run alone."""
    from dashboard.shell import create_app

    return create_app(no_artifacts, home=home)


@contextlib.contextmanager
def served(app) -> Iterator[str]:
    """The address of the app behind the real server, on a port of this machine, for as long as it is needed.

    Ports are used again, so that to the browser it is the address it knows, whose scripts it has compiled.
    """
    from dashboard.web import server as serve

    server = serve.warm(app)
    web = serve.listen(server, serve.take("127.0.0.1", free_ports.pop() if free_ports else 0))
    end = serve.Stop()
    thread = threading.Thread(target=serve.until, args=(web, end), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{web.effective_port}"
    end.set()
    thread.join(15)
    free_ports.append(web.effective_port)


free_ports: list[int] = []
"""Where apps of this process were served before; the last is the next."""


@pytest.fixture
def serving() -> Iterator[Callable]:
    """serving(app) → the address of the app, served until the test ends."""
    with contextlib.ExitStack() as stack:
        yield lambda app: stack.enter_context(served(app))


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the app as it ships, on a home that is empty at first."""
    from dashboard.shell import create_app

    home = tmp_path_factory.mktemp("shipped-home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASHION_HOME", str(home))
        with served(create_app(home=home)) as address:
            yield address


@pytest.fixture(scope="module")
def run():
    """The default run that ships."""
    from dashboard.data.store import Store
    from ml.system.paths import ARTIFACTS

    return Store(ARTIFACTS, ARTIFACTS).open(None)


@pytest.fixture
def live_server(app, serving) -> str:
    """The address of the whole app on the toy run."""
    return serving(app)


WHOLE = ("chromium", "chromium-browser", "google-chrome")


def chromium(names: Sequence[str] = ("chromium-headless-shell", *WHOLE)) -> str | None:
    """The first of these browsers that is installed, CHROMIUM before all; None means Playwright's own build.

    The headless shell is the same engine without the windows and menus that nobody sees: a page costs a sixth less.
    """
    found = (shutil.which(name) for name in names)
    return os.environ.get("CHROMIUM") or next(filter(None, found), None)


CHROMIUM_FLAGS = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--enable-unsafe-swiftshader"]
WINDOW = {"width": 1440, "height": 900}
WAIT = 45_000  # milliseconds, for what a page is to do: machines are busy, some of them slow
# Tabs of one site in one process, which keeps what it has compiled: half of what a page costs here.
SHARED_PROCESS = "--process-per-site"


@pytest.fixture(scope="session")
def browser():
    """One Chromium for all tests."""
    from playwright.sync_api import Error, expect, sync_playwright

    expect.set_options(timeout=WAIT)
    with sync_playwright() as playwright:
        try:
            launched = playwright.chromium.launch(executable_path=chromium(), args=[*CHROMIUM_FLAGS, SHARED_PROCESS])
        except Error as error:
            pytest.fail(f"No browser: apt-get install chromium, or playwright install chromium.\n{error.message[:300]}")
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def tabs(browser):
    """One browser context for the `page` of every test, and a tab in it that keeps the site's process alive."""
    context = browser.new_context(viewport=WINDOW)
    keeper = context.new_page()
    keeper.route("**/*", lambda route: route.fulfill(body="kept"))
    keeper.goto("http://127.0.0.1/")  # a site is a host, whatever the port
    yield context
    context.close()


def taken_over(page, go: Callable) -> Callable:
    """go, and wait until the page has taken the place of the first screen: until then most of it is there twice."""

    def gone(*where, **how):
        answer = go(*where, **how)
        if how.get("wait_until") != "commit":
            page.wait_for_selector("html[data-first]", state="detached")
        return answer

    return gone


@pytest.fixture
def heard(request: pytest.FixtureRequest) -> Iterator[Callable]:
    """heard(page): console errors, uncaught exceptions, failed requests and answers of 400 and above fail the test.

    Unless `@pytest.mark.allow_problems("pattern", …)` expects them.
    """
    marker = request.node.get_closest_marker("allow_problems")
    allowed = [re.compile(pattern) for pattern in (marker.args if marker else ())]
    problems: list[str] = []

    def hear(problem: str) -> None:
        if not any(pattern.search(problem) for pattern in allowed):
            problems.append(problem)

    def listen(page):
        page.set_default_timeout(WAIT)
        if not request.node.get_closest_marker("first_screen"):
            page.goto, page.reload = taken_over(page, page.goto), taken_over(page, page.reload)
        page.on("console", lambda message: hear(f"console: {message.text}") if message.type == "error" else None)
        page.on("pageerror", lambda error: hear(f"exception: {error}"))
        page.on("response", lambda answer: hear(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
        return page

    yield listen
    assert not problems, "\n".join(problems)


@pytest.fixture
def new_page(browser, serving, heard) -> Iterator[Callable]:
    """new_page(**context options) → a page in a fresh browser context: another person's, or a telephone's.

    Servers end after pages (`serving`): what a page still asks meets an answer.
    """
    contexts = []

    def open_page(**options):
        contexts.append(browser.new_context(**{"viewport": WINDOW, **options}))
        return heard(contexts[-1].new_page())

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def page(tabs, serving, heard):
    """A page of 1440 × 900 without cookies, at rest (IDLE) once page.wait_for_function(idle) returns; see `heard`."""
    yield heard(tabs.new_page())
    for tab in tabs.pages[1:]:  # the first keeps the process
        tab.close()
    tabs.clear_cookies()


@pytest.fixture
def idle() -> str:
    """JavaScript that is true when Dash has nothing left to do: page.wait_for_function(idle)."""
    return IDLE
