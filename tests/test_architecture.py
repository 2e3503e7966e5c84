"""The shape of the house: who may import whom, what a start may load, what may never be unpickled, what ships."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Collection
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import LONG

ROOT = Path(__file__).resolve().parent.parent
OURS = ("app", "dashboard", "fashion_forward", "ml")


def sources(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert found, folders
    return found


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


@cache
def imports(path: Path) -> set[str]:
    """Every module that the file names in an import, wherever in the file; `from a import b` names a.b."""
    names: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def own(path: Path) -> set[str]:
    """Imports of our own code, the file's own package left out."""
    module = module_of(path)
    return {name for name in imports(path) if within(name, OURS) and not within(name, (module,))}


def test_ml_never_looks_at_the_screen():
    for path in sources("ml"):
        named = {name for name in imports(path) if within(name, ("dash", "dashboard", "flask", "app"))}
        assert not named, f"{path} imports {named}"


# What never loads torch: any room of the dashboard above the records may name it. What does load it is named by
# services alone, and late.
TORCHLESS = (
    "ml.artifacts", "ml.data.feedback", "ml.data.images", "ml.images", "ml.inference.batch",
    "ml.inference.contract",
    "ml.inference.engines", "ml.inference.imported", "ml.inference.onnx", "ml.inference.prediction_sets",
    "ml.inference.routing",
    "ml.jobs.broker", "ml.jobs.queue",
    "ml.jobs.tables", "ml.people",
    "ml.publishing.run_archive",
    "ml.robustness.catalogue", "ml.settings", "ml.stats", "ml.system", "ml.training.config", "ml.training.fields",
    "ml.training.wording",
)  # fmt: skip
# room: (what it may import of our own code besides itself, what it is for). A room is a folder, or a module that stands
# alone; the longest name that fits a module is its room. docs/architecture.md's table is written from this.
LAW: dict[str, tuple[tuple[str, ...], str]] = {
    "app": (
        ("dashboard.shell", "dashboard.web", "ml.system"),
        "the app and its `server`, for `python app.py` and WSGI servers",
    ),
    "fashion_forward": (
        ("dashboard.shell", "dashboard.web", "ml.__main__", "ml.artifacts", "ml.settings", "ml.system", "ml.telling"),
        "the one public import: `publish`, `show` and callbacks; and the command: verbs of `python -m ml`, `serve`",
    ),
    "dashboard.shell": (
        ("dashboard.first", "dashboard.pages", "dashboard.components", "dashboard.api", "dashboard.exports",
         "dashboard.services",
         "dashboard.analysis", "dashboard.data", "dashboard.records", "dashboard.format", "dashboard.state",
         "dashboard.web", "dashboard.theme", *TORCHLESS),
        "`create_app`, and the frame every page stands in: navigation, run picker, notes about the address",
    ),
    "dashboard.first": (
        ("dashboard.data", "dashboard.theme", "dashboard.web", "ml.people", "ml.system"),
        "the document and the first screen in it: a page after its first callbacks, drawn on the server",
    ),
    "dashboard.observe": (
        ("dashboard.shell", "dashboard.services", "dashboard.web", "ml.jobs.broker"),
        "a Celery worker for background callbacks: `python -m dashboard.observe`",
    ),
    "dashboard.theme": ((), "palette, class colours, the plotly template"),
    "dashboard.state": (TORCHLESS, "what the person is looking at: values, and their text in the URL"),
    "dashboard.format": (
        ("dashboard.state", "dashboard.data", *TORCHLESS),
        "how numbers, tables and pictures are written",
    ),
    "dashboard.figures": (
        ("dashboard.theme", "dashboard.format", "ml.system.wording"),
        "data in, a plotly figure as a plain dict, or pixels, out; no Dash",
    ),
    "dashboard.records": (
        ("dashboard.state", "ml.artifacts", "ml.people", "ml.system"),
        "tables of what people do and ask, in the database",
    ),
    "dashboard.data": (
        ("dashboard.records", "dashboard.state", *TORCHLESS),
        "READ: runs and data sets as typed arrays, cached",
    ),
    "dashboard.services": (
        ("dashboard.data", "dashboard.records", "dashboard.format", "dashboard.state", "ml"),
        "DO: ask a network, train, keep; what loads torch is named here alone, and late",
    ),
    "dashboard.analysis": (
        ("dashboard.data", "dashboard.services", "dashboard.records", "dashboard.format", "dashboard.state",
         "dashboard.figures", *TORCHLESS),
        "numbers and words of a page, made from data and services",
    ),
    "dashboard.components": (
        ("dashboard.analysis", "dashboard.services", "dashboard.data", "dashboard.figures", "dashboard.format",
         "dashboard.exports", "dashboard.state", "dashboard.theme", *TORCHLESS),
        "builders that more than one page uses, and the sample drawer",
    ),
    "dashboard.exports": (
        ("dashboard.analysis", "dashboard.services", "dashboard.data", "dashboard.records", "dashboard.figures",
         "dashboard.format", "dashboard.state", "dashboard.theme", *TORCHLESS),
        "what leaves a page as a file: tables and reports",
    ),
    "dashboard.api": (
        ("dashboard.exports", "dashboard.analysis", "dashboard.services", "dashboard.data", "dashboard.records",
         "dashboard.figures", "dashboard.format", "dashboard.state", "dashboard.theme", "dashboard.web", *TORCHLESS,
         "ml.inference.batch", "ml.inference.engines"),
        "HTTP for programs and files: one file a group of routes, one table of errors",
    ),
    "dashboard.pages": (
        ("dashboard.components", "dashboard.exports", "dashboard.analysis", "dashboard.services", "dashboard.data",
         "dashboard.records", "dashboard.figures", "dashboard.format", "dashboard.state", "dashboard.theme",
         "dashboard.web", *TORCHLESS),
        "one folder a page, one file a panel or what its panels share",
    ),
    "dashboard.web": (
        ("ml.people", "ml.settings", "ml.system"),
        "the server: security, rate limits, compression, how it is started",
    ),
    "ml.settings": ((), "every environment variable of the app once: name, type, default, meaning"),
    "ml.system": (
        ("ml.settings",),
        "the machine underneath: folders, database, files that survive a crash, the processor",
    ),
    "ml.people": (
        ("ml.settings", "ml.system"),
        "accounts and roles, who is acting just now and may do what, and what was done by whom",
    ),
    "ml.stats": ((), "counts and probabilities in, numbers with intervals out: numpy and pandas alone"),
    "ml.images": (
        ("ml.system.wording",),
        "pictures before a network sees them: bytes to pixels, pixels to a form; never torch",
    ),
    "ml.data": (
        ("ml.images", "ml.settings", "ml.system",),
        "data sets: splits of labelled pictures, and what can be said of them without a network",
    ),
    "ml.data.importing": (
        ("ml.data", "ml.images", "ml.system"),
        "what people bring as a data set, read by what it is: folders, tables, archives, exports of other tools",
    ),
    "ml.data.intake": (
        ("ml.artifacts", "ml.data", "ml.images", "ml.system"),
        "a data set written and measured of what was read; never torch",
    ),
    "ml.models": (("ml.system",), "networks in two parts, `body` and `head`, own and published ones"),
    "ml.training": (("ml.data", "ml.models", "ml.system"), "from a data set and a config to trained weights"),
    "ml.training.wording": ((), "a training's settings in words, alone and in a sentence; never torch"),
    "ml.explanation": ((), "what spoke for an answer"),
    "ml.robustness": (
        ("ml.data.images", "ml.inference", "ml.stats"),
        "corruptions of pictures in five severities; attacks along a network's gradients",
    ),
    "ml.robustness.catalogue": ((), "corruptions and attacks in words, numbers and sources; never torch"),
    "ml.artifacts": (
        ("ml.data.base", "ml.data.images", "ml.system"),
        "the contract of files between ml and the dashboard: schema, writer, reader; never torch",
    ),
    "ml.inference": (
        ("ml.artifacts", "ml.data.images", "ml.images", "ml.models", "ml.stats", "ml.system"),
        "a network asked about pictures, whatever computes it",
    ),
    "ml.evaluation": (
        ("ml.data", "ml.images", "ml.inference", "ml.models", "ml.robustness", "ml.stats", "ml.system", "ml.training",
         "ml.artifacts"),
        "a network and its splits in, tables and arrays (nouns) out; one subject a file",
    ),
    "ml.publishing": (
        ("ml.settings", "ml.artifacts", "ml.data", "ml.images", "ml.importing", "ml.models", "ml.stats", "ml.system",
         "ml.training"),
        "data sets and runs on their way out of here and in again: archive, card, report, tracking, what ships",
    ),
    "ml.recording": (
        ("ml.artifacts", "ml.data", "ml.evaluation", "ml.images", "ml.stats", "ml.system"),
        "predictions that were made elsewhere: files in, a run out that has no network",
    ),
    "ml.importing": (
        ("ml.artifacts", "ml.data", "ml.evaluation", "ml.images", "ml.inference", "ml.models", "ml.recording",
         "ml.stats", "ml.system"),
        "networks that were made elsewhere: tried in a process of their own, then a run that can be asked",
    ),
    "ml.telling": (
        ("ml.artifacts", "ml.data", "ml.images", "ml.importing", "ml.jobs", "ml.recording", "ml.settings", "ml.system"),
        "runs that somebody's own script or notebook publishes: what it tells is kept, shown live and made a run",
    ),
    "ml.pipeline": (
        ("ml.artifacts", "ml.data", "ml.evaluation", "ml.inference", "ml.models", "ml.stats", "ml.system",
         "ml.training"),
        "the whole walk: data set, training, evaluation, artifacts",
    ),
    "ml.jobs": (
        ("ml.settings", "ml.artifacts", "ml.evaluation", "ml.people", "ml.pipeline", "ml.publishing", "ml.system",
         "ml.training"),
        "trainings, imports and evaluations as durable rows: who asked for what, who works on it, how far it is",
    ),
    "ml.commands": (
        ("ml.artifacts", "ml.data", "ml.evaluation", "ml.images", "ml.inference", "ml.jobs", "ml.people",
         "ml.importing", "ml.pipeline", "ml.publishing", "ml.recording", "ml.settings", "ml.system", "ml.telling",
         "ml.training"),
        "the verbs of the command line, one file each",
    ),
    "ml.__main__": (
        ("ml.commands", "ml.artifacts", "ml.data", "ml.models", "ml.system"),
        "`python -m ml`: the verbs put together, and how a failure is told",
    ),
}  # fmt: skip


# question: (file, what is defined there)
PLACES = {
    "a confusion matrix is counted": ("ml/stats/metrics.py", "confusion_matrix"),
    "the same is counted as chips narrow it": ("dashboard/data/run.py", "confusion"),
    "an upload is decoded": ("ml/images/decoding.py", "decode"),
    "a picture is made to fit a network": ("ml/images/preparation.py", "prepare"),
    "a training is asked for": ("dashboard/services/jobs.py", "submit"),
    "a training is claimed by a worker": ("ml/jobs/queue.py", "claim"),
    "the loop of a training runs": ("ml/training/loop.py", "fit"),
    "the expected calibration error is defined": ("ml/stats/calibration.py", "expected_calibration_error"),
    "out of distribution is told": ("ml/stats/ood.py", "OodModel"),
    "the address becomes a selection, and back": ("dashboard/state/query.py", "READERS"),
    "a CSV is written": ("dashboard/format/csv.py", "as_csv"),
    "the help of a panel is shown, the first line of its own file": ("dashboard/components/__init__.py", "card"),
    "a word of the field is explained": ("dashboard/format/glossary.py", "TERMS"),
    "what was drawn around becomes the address": ("dashboard/components/lasso.py", "select_inside"),
    "an outline becomes the pictures inside": ("dashboard/data/filtering.py", "inside_outline"),
    "the run is chosen that answers a picture": ("ml/inference/routing.py", "route"),
    "Grad-CAM is computed": ("ml/explanation/grad_cam.py", "raw"),
    "somebody's predictions are matched to pictures": ("ml/recording/matching.py", "Pictures"),
    "a data set is read, whatever it is": ("ml/data/importing/__init__.py", "opened"),
    "somebody's network is tried": ("ml/importing/trial.py", "tried"),
    "an environment variable is read": ("ml/settings.py", "Group"),
    "an error becomes a status": ("dashboard/api/statuses.py", "STATUSES"),
    "what somebody may do is decided": ("ml/people/acting.py", "permit"),
    "who sent a request is found out": ("dashboard/web/identity.py", "Identity"),
    "a page is declared": ("dashboard/components/page.py", "Page"),
    "a network is opened and kept": ("dashboard/services/networks.py", "Networks"),
    "a file is replaced so that a crash harms none": ("ml/system/atomic.py", "replacing"),
}


def shown(allowed: tuple[str, ...]) -> str:
    """What a room may import, in the table's words."""
    light = set(TORCHLESS) <= set(allowed)
    rest = [name for name in allowed if not (light and name in TORCHLESS)]
    words = [f"`{name.removeprefix('dashboard.')}`" for name in rest]
    return ", ".join([*words, *(["light"] if light else [])]) or "nothing"


def house() -> dict[str, list[str]]:
    """The parts of docs/architecture.md that are written from here, by the name of their place."""
    head, places = ["| room | what it is for | may import |", "|---|---|---|"], ["| | |", "|---|---|"]
    rooms = [f"| `{room}` | {purpose} | {shown(allowed)} |" for room, (allowed, purpose) in LAW.items()]
    light = f"Light: {', '.join(f'`{name}`' for name in TORCHLESS)}."
    where = [f"| {question} | `{file}`, `{name}` |" for question, (file, name) in PLACES.items()]
    return {"rooms": [*head, *rooms, "", light], "places": [*places, *where]}


def test_the_document_says_what_the_law_says():
    """FASHION_GOLDEN=write writes the tables anew."""
    page = ROOT / "docs" / "architecture.md"
    text = page.read_text()
    for name, lines in house().items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, rest = text.split(begin)
        text = f"{before}{begin}{chr(10).join(lines)}\n{end}{rest.split(end)[1]}"
    if os.environ.get("FASHION_GOLDEN") == "write":
        page.write_text(text)
    assert page.read_text() == text


@pytest.mark.parametrize("question", PLACES)
def test_a_place_that_the_document_names_is_there(question):
    file, name = PLACES[question]
    assert name in {word for node in ast.walk(tree(ROOT / file)) for word in defined(node)}


def defined(node: ast.AST) -> list[str]:
    """Names that a statement defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def room_of(module: str) -> str:
    """The longest entry of the law that the module lies in; '' where there is none."""
    return max((room for room in LAW if within(module, (room,))), key=len, default="")


def modules() -> dict[str, Path]:
    found = {module_of(path): path for path in sources("dashboard", "fashion_forward", "ml")}
    return {"app": ROOT / "app.py"} | {name: path for name, path in found.items() if name not in ("dashboard", "ml")}


def test_every_module_lies_in_a_room():
    homeless = [name for name in modules() if not room_of(name)]
    assert not homeless, f"{homeless} have no entry in LAW"
    empty = [room for room in LAW if not any(room_of(name) == room for name in modules())]
    assert not empty, f"{empty} have no module"


@pytest.mark.parametrize("room", LAW)
def test_a_room_imports_what_the_law_allows(room):
    for module, path in modules().items():
        if room_of(module) == room:
            wrong = {name for name in own(path) if not within(name, (room, *LAW[room][0]))}
            assert not wrong, f"{module} imports {wrong}"


def file_of(name: str, files: Collection[str]) -> str:
    """The module of ours that an imported name lies in: `a.b.c` is a.b.c where that is a file, else in a.b."""
    while name not in files and name:
        name = name.rpartition(".")[0]
    return name


def test_no_files_import_each_other_in_a_circle():
    """Imports inside functions count too: a circle that works is one all the same."""
    paths = {module_of(path): path for path in sources("dashboard", "ml")} | {"app": ROOT / "app.py"}
    ahead = {
        module: {file_of(name, paths) for name in imports(path) if within(name, OURS)} - {module, ""}
        for module, path in paths.items()
    }
    while leaves := {module for module, named in ahead.items() if not named & ahead.keys()}:
        ahead = {module: named for module, named in ahead.items() if module not in leaves}
    # what is left imports others that are left: a circle, or what leads into one
    while roots := ahead.keys() - {name for named in ahead.values() for name in named}:
        ahead = {module: named for module, named in ahead.items() if module not in roots}
    circles = {module: sorted(named & ahead.keys()) for module, named in ahead.items()}
    assert not circles, f"these import each other: {circles}"


def test_files_that_are_begun_with_exist():
    assert not [name for name in LONG if not (ROOT / "tests" / name).is_file()]


def test_what_waits_in_the_browser_follows_no_clock_that_may_be_set():
    """Date.now() makes a value new; how long something takes, performance.now() says."""
    said = re.compile(r"\b(at|data): Date\.now\(\)|, Date\.now\(\)\)")
    for path in sorted((ROOT / "assets").glob("*.js")):
        if not path.name.endswith(".min.js"):
            text = said.sub("", path.read_text(encoding="utf-8"))
            assert "Date.now" not in text, f"{path.name} measures with a clock that people and networks set"


def test_figures_never_name_dash():
    for path in sources("dashboard/figures"):
        assert not any(within(name, ("dash", "dash_bootstrap_components")) for name in imports(path)), path


def test_pages_never_name_each_other():
    for path in sources("dashboard/pages"):
        folder = module_of(path).split(".")[:3]
        other = {name for name in own(path) if name.startswith("dashboard.pages.") and name.split(".")[:3] != folder}
        assert not other, f"{path} imports {other}"
        assert "dashboard.shell" not in own(path), path


HEAVY = {
    "torch", "torchvision", "sklearn", "scipy", "captum", "matplotlib", "openTSNE", "cleanlab", "onnxruntime", "cv2",
    "timm",
}  # fmt: skip


STAGES = {
    "the command line": "from ml.__main__ import parser; parser().format_help()",
    "the app": "import app",
    "light rooms": "import {light}",
    "artifacts and jobs": (
        "import ml.artifacts.reader, ml.artifacts.writer, ml.artifacts.schema, ml.inference.engines, "
        "ml.jobs.queue, ml.jobs.cluster, ml.jobs.start, ml.publishing.model_card"
    ),
}
DECLARES = "ml.system.torchvision_ops"  # the one module of light rooms that loads torch


@pytest.fixture(scope="module")
def loaded() -> dict[str, set[str]]:
    """Stage → the top-level packages in memory after it and those before it, in one new interpreter."""
    light = ", ".join(name for name in modules() if within(name, TORCHLESS) and name != DECLARES)
    report = "import sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    code = "\n".join(f"{stage.format(light=light)}\n{report}" for stage in STAGES.values())
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    return dict(zip(STAGES, (set(line.split()) for line in done.stdout.splitlines()), strict=True))


def test_the_command_line_loads_nothing_heavy_before_a_verb_needs_it(loaded):
    assert not loaded["the command line"] & {*HEAVY, "dash", "tqdm"}


def test_importing_the_app_leaves_torch_unloaded(loaded):
    assert "dash" in loaded["the app"]
    assert not loaded["the app"] & {*HEAVY, "celery", "redis", "psycopg"}


def test_what_rooms_may_name_directly_never_loads_torch(loaded):
    assert not loaded["light rooms"] & HEAVY
    assert not [path for path in sources("dashboard") if any(within(name, (DECLARES,)) for name in imports(path))]


def test_reading_artifacts_and_jobs_never_loads_torch(loaded):
    assert not loaded["artifacts and jobs"] & HEAVY


def test_torchvision_is_asked_for_late_and_after_its_operators_are_declared():
    """Only inside a function, so that nothing loads it until it is needed, and after declare() in that function."""
    found = set()
    for path in [ROOT / "app.py", *sources("dashboard", "fashion_forward", "ml", "tools", "bench")]:
        if not any(within(name, ("torchvision", "timm")) for name in imports(path)):
            continue
        found.add(module_of(path))
        outside = [part for part in tree(path).body if isinstance(part, ast.Import | ast.ImportFrom)]
        assert not any(
            ast.unparse(part).startswith(("import torchvision", "from torchvision", "import timm", "from timm"))
            for part in outside
        )
        for function in (node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef)):
            lines = [ast.unparse(line) for line in function.body]
            wanted = [i for i, line in enumerate(lines) if re.match(r"(import|from) (torchvision|timm)\b", line)]
            declared = any(line.endswith("declare()") for line in lines[: wanted[0]]) if wanted else True
            assert declared, f"{path}: {function.name}"
    models = {
        f"ml.models.{name}" for name in ("resnet18", "mobilenet_v3_small", "small_vgg", "small_vit", "timm_networks")
    }
    by_name = ("bench.imported", "ml.importing.from_weights", "ml.importing.recipes", "ml.inference.imported_torch")
    assert found <= {"ml.data.fashion_mnist", "bench.train", *models, *by_name}


LINES, CLASS, FUNCTION, FIGURE, AT_THE_ROOT = 400, 250, 85, 100, 5


def test_nothing_is_longer_than_a_person_reads_at_once():
    for path in [ROOT / "app.py", *sources("dashboard", "ml", "tools", "bench", "fashion_forward")]:
        text, where = path.read_text(), path.relative_to(ROOT)
        if where != Path("ml/artifacts/schema.py"):  # one contract, read from top to bottom
            assert text.count("\n") <= LINES, where
        most = FIGURE if where.is_relative_to("dashboard/figures") else FUNCTION
        for node in ast.walk(tree(path)):
            lines = (node.end_lineno or 0) - node.lineno + 1 if isinstance(node, ast.stmt) else 0
            assert not isinstance(node, ast.ClassDef) or lines <= CLASS, f"{where}: {node.name} has {lines} lines"
            assert not isinstance(node, ast.FunctionDef) or lines <= most, f"{where}: {node.name} has {lines} lines"


@pytest.mark.parametrize("folder", ["dashboard", "ml"])
def test_few_modules_stand_in_no_room(folder):
    alone = [path.name for path in (ROOT / folder).glob("*.py") if path.name != "__init__.py"]
    assert len(alone) <= AT_THE_ROOT, alone


def test_no_module_only_hands_on_what_others_define():
    plain = (ast.Import, ast.ImportFrom, ast.Expr)
    for path in sources("dashboard", "ml"):
        body = tree(path).body
        listed = [line for line in body if not isinstance(line, plain) and "__all__" not in defined(line)]
        ours = [line for line in body if isinstance(line, ast.ImportFrom) and str(line.module).split(".")[0] in OURS]
        assert listed or not ours, f"{path} defines nothing"


def calls(path: Path) -> list[ast.Call]:
    return [node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]


def test_nothing_is_unpickled():
    unpicklers = ("pickle", "_pickle", "cPickle", "dill", "joblib", "cloudpickle", "shelve", "marshal")
    for path in [ROOT / "app.py", *sources("dashboard", "fashion_forward", "ml")]:
        assert not any(within(name, unpicklers) for name in imports(path)), path
        for call in calls(path):
            name, options = ast.unparse(call.func), {word.arg: ast.unparse(word.value) for word in call.keywords}
            assert name.rpartition(".")[2] not in ("read_pickle", "loads_pickle"), path
            assert options.get("allow_pickle", "False") == "False", f"{path}: {ast.unparse(call)}"
            if name == "torch.load":
                assert options.get("weights_only") == "True", f"{path}: {ast.unparse(call)}"
                # The trainer reads back its own checkpoint, and an import reads weights alone, in a process of its own;
                # a run is never read this way.
                where = ("ml.training", "ml.importing.checkpoints")
                assert within(module_of(path), where), f"{path} may not torch.load"


def tracked() -> list[Path]:
    """Files of the checkout that git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return [path for name in listed.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]


TEXT = {".py", ".md", ".toml", ".txt", ".css", ".js", ".json", ".yaml", ".yml", ".sh", ""}


def test_nothing_names_a_path_of_one_persons_machine():
    machine = re.compile(r"(?<![\w.~-])/(?:home|Users|work|root|mnt)/\w")
    for path in tracked():
        if path.suffix in TEXT and path != Path(__file__):
            found = machine.search(path.read_text(errors="replace"))
            assert not found, f"{path.relative_to(ROOT)}: {found[0]}"


def test_links_in_the_documents_lead_to_files_of_the_repo():
    for path in tracked():
        if path.suffix != ".md":
            continue
        text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
            if "://" not in link and not link.startswith("mailto:"):
                target = (path.parent / link).resolve()
                assert target.is_relative_to(ROOT), f"{path.relative_to(ROOT)} leads outside: {link}"
                assert target.exists(), f"{path.relative_to(ROOT)}: {link}"


def test_the_documents_name_files_that_are_there():
    """Example files of docs/extending.md aside, which its own test makes."""
    wanted = re.compile(
        r"(?<![\w/.-])(?:app|assets|bench|dashboard|docs|findings|ml|tests|tools)/[\w/-]+\.(?:py|js|css|md|html|sh)\b"
    )
    for path in tracked():
        if path.suffix == ".md" and path.name not in ("CHANGELOG.md", "extending.md"):
            lost = sorted(name for name in set(wanted.findall(path.read_text())) if not (ROOT / name).exists())
            assert not lost, f"{path.relative_to(ROOT)} names {lost}"


def test_the_shipped_artifacts_stay_small():
    mb = 10**6
    files = [path for path in tracked() if path.is_relative_to(ROOT / "artifacts")]
    assert any(path.name == "weights.safetensors" for path in files)
    assert sum(path.stat().st_size for path in files) < 75 * mb
    assert max(path.stat().st_size for path in files) < 16 * mb
