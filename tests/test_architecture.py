"""The shape of the house: who may import whom, what a start may load, what may never be unpickled, what ships."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOORS = ("dashboard.store", "dashboard.predictor", "dashboard.jobs", "dashboard.shelf")
OURS = ("app", "dashboard", "ml")


def sources(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert found, folders
    return found


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    """Every module that the file names in an import, wherever in the file; `from a import b` names a.b."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
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


def test_only_the_four_doors_name_ml():
    for path in [ROOT / "app.py", *sources("dashboard")]:
        named = {name for name in imports(path) if within(name, ("ml",))}
        assert not named or module_of(path) in DOORS, f"{path} imports {named}"


ALLOWED = {
    # package or module: what it may import of our own code besides itself
    "app": ("dashboard.shell", "dashboard.serve"),
    "dashboard.figures": ("dashboard.theme",),
    "dashboard.theme": (),
    "dashboard.selection": (),
    "dashboard.recipe": (),
    "dashboard.security": (),
    "dashboard.limits": ("dashboard.security",),
    "dashboard.openapi": ("dashboard.feedback", "dashboard.predictor", "dashboard.security"),
    "dashboard.uploads": ("dashboard.predictor",),
    "dashboard.compression": (),
    "dashboard.serve": ("dashboard.security",),
    "dashboard.health": ("dashboard.doors",),
    "dashboard.doors": (
        *DOORS,
        "dashboard.records",
        "dashboard.decisions",
        "dashboard.feedback",
        "dashboard.monitor",
    ),
    "dashboard.launchers": (),
    "dashboard.observe": ("dashboard.jobs", "dashboard.serve", "dashboard.shell"),
    "dashboard.records": (),  # rows only: the shell hands it a way to open the database, which the door MAKE has
    "dashboard.decisions": ("dashboard.records",),
    "dashboard.feedback": ("dashboard.records",),
    "dashboard.monitor": ("dashboard.records",),
    "dashboard.drift": ("dashboard.monitor", "dashboard.share", "dashboard.store"),
    "dashboard.metrics": (
        "dashboard.doors",
        "dashboard.exports",
        "dashboard.monitor",
        "dashboard.selection",
        "dashboard.store",
    ),
    "dashboard.inbox": (
        *DOORS,
        "dashboard.doors",
        "dashboard.exports",
        "dashboard.feedback",
        "dashboard.records",
        "dashboard.selection",
        "dashboard.share",
        "dashboard.uploads",
    ),
    "dashboard.whatif": (
        "dashboard.doors",
        "dashboard.exports",
        "dashboard.figures",
        "dashboard.predictor",
        "dashboard.uploads",
    ),
    "dashboard.review": (
        "dashboard.decisions",
        "dashboard.doors",
        "dashboard.exports",
        "dashboard.pictures",
        "dashboard.records",
        "dashboard.selection",
        "dashboard.store",
    ),
    "dashboard.views": (
        "dashboard.comparison",
        "dashboard.decisions",
        "dashboard.doors",
        "dashboard.figures",
        "dashboard.pictures",
        "dashboard.review",
        "dashboard.robustness",
        "dashboard.selection",
        "dashboard.share",
        "dashboard.store",
    ),
    "dashboard.shelf": ("ml", "dashboard.jobs", "dashboard.records"),
    "dashboard.store": (
        "ml.artifacts",
        "ml.paths",
        "ml.intervals",
        "ml.comparison",
        "ml.calibration",
        "ml.conformal",
        "ml.familiarity",
        "ml.scoring",
        "ml.tags",
        "dashboard.decisions",
        "dashboard.selection",
        "dashboard.slices",
        "dashboard.recent",
        "dashboard.records",
    ),
    "dashboard.recent": (),
    "ml.comparison": ("ml.intervals",),
    "ml.conformal": (),
    "ml.preparation": (),
    "ml.edits": (),
    "ml.variants": ("ml.preparation",),
    "ml.familiarity": (),
    "ml.decoding": (),
    "ml.parcels": ("ml.decoding",),
    "ml.batch": ("ml.artifacts", "ml.decoding", "ml.parcels", "ml.preparation"),
    "ml.tags": (),
    "ml.scoring": ("ml.calibration", "ml.intervals"),
    "dashboard.slices": ("dashboard.records",),
    "ml.calibration": ("ml.intervals",),
    "dashboard.comparison": ("dashboard.store", "dashboard.recipe", "dashboard.figures"),
    "dashboard.followed": (
        "dashboard.components",
        "dashboard.doors",
        "dashboard.figures",
        "dashboard.jobs",
        "dashboard.selection",
    ),
    "dashboard.share": ("dashboard.store",),
    "dashboard.confidence": ("dashboard.selection", "dashboard.share", "dashboard.store"),
    "dashboard.verdict": ("dashboard.selection", "dashboard.share", "dashboard.store"),
    "dashboard.robustness": (
        "dashboard.doors",
        "dashboard.predictor",
        "dashboard.selection",
        "dashboard.share",
        "dashboard.store",
    ),
    "dashboard.attention": ("dashboard.doors", "dashboard.predictor", "dashboard.selection", "dashboard.store"),
    "dashboard.components": (
        "dashboard.confidence",
        "dashboard.share",
        "dashboard.theme",
        "dashboard.figures",
        "dashboard.selection",
        "dashboard.doors",
        "dashboard.store",
        "dashboard.predictor",
        "dashboard.pictures",
    ),
    "ml.data": ("ml.paths", "ml.torchvision_ops"),
    "ml.models": ("ml.torchvision_ops",),
    "ml.explanation": (),
    "ml.robustness": ("ml.inference",),
    "ml.artifacts": ("ml.paths", "ml.data.base"),  # a Dataset is what the writer describes
    "ml.archive": ("ml.artifacts", "ml.models"),
    "ml.card": ("ml.artifacts", "ml.data", "ml.familiarity", "ml.intervals"),
    "ml.training": ("ml.data", "ml.models", "ml.paths"),
    "ml.feedback": ("ml.artifacts", "ml.data.base"),
    "ml.inference": ("ml.models", "ml.artifacts", "ml.calibration"),
    "ml.engines": ("ml.artifacts", "ml.calibration", "ml.inference"),  # torch's engine is loaded when asked for
    "ml.export": ("ml.engines", "ml.inference"),
    # epochs.py asks a network that is still learning, wherever it is, and keeps files that survive a crash
    "ml.evaluation": (
        "ml.data",
        "ml.engines",
        "ml.export",
        "ml.machine",
        "ml.inference",
        "ml.intervals",
        "ml.calibration",
        "ml.conformal",
        "ml.familiarity",
        "ml.preparation",  # familiarity learns from renderings as they come out of it
        "ml.scoring",
        "ml.comparison",
        "ml.tags",
        "ml.models",
        "ml.robustness",
        "ml.training",  # label_issues trains networks of its own
        "ml.artifacts.writer",
    ),
    "ml.jobs.table": ("ml.artifacts", "ml.jobs"),
}


@pytest.mark.parametrize("package", ALLOWED)
def test_arrows_point_one_way(package):
    path = ROOT / package.replace(".", "/")
    files = sources(str(path)) if path.is_dir() else [path.with_suffix(".py")]
    for file in files:
        wrong = {name for name in own(file) if not within(name, (package, *ALLOWED[package]))}
        assert not wrong, f"{file} imports {wrong}"


def test_figures_never_name_dash():
    for path in sources("dashboard/figures"):
        assert not any(within(name, ("dash", "dash_bootstrap_components")) for name in imports(path)), path


def test_pages_never_name_each_other():
    for path in sources("dashboard/pages"):
        folder = module_of(path).split(".")[:3]
        other = {name for name in own(path) if name.startswith("dashboard.pages.") and name.split(".")[:3] != folder}
        assert not other, f"{path} imports {other}"
        assert "dashboard.shell" not in own(path), path


def loaded_after(code: str) -> set[str]:
    """The top-level packages in memory of a new interpreter after it ran `code`."""
    report = "import sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    return set(done.stdout.split())


HEAVY = {
    "torch", "torchvision", "sklearn", "scipy", "captum", "matplotlib", "openTSNE", "cleanlab", "onnxruntime", "cv2",
}  # fmt: skip


def test_importing_the_app_leaves_torch_unloaded():
    loaded = loaded_after("import app")
    assert "dash" in loaded
    assert not loaded & {*HEAVY, "celery", "redis", "psycopg"}


def test_reading_artifacts_and_jobs_never_loads_torch():
    loaded = loaded_after("import ml.artifacts.reader, ml.artifacts.writer, ml.artifacts.schema, ml.jobs.table")
    assert not loaded & HEAVY
    assert not loaded_after("import ml.jobs.cluster, ml.engines") & HEAVY


def test_torchvision_is_asked_for_late_and_after_its_operators_are_declared():
    """Only inside a function, so that nothing loads it until it is needed, and after declare() in that function."""
    found = set()
    for path in [ROOT / "app.py", *sources("dashboard", "ml", "tools", "bench")]:
        if not any(within(name, ("torchvision",)) for name in imports(path)):
            continue
        found.add(module_of(path))
        tree = ast.parse(path.read_text())
        outside = [part for part in tree.body if isinstance(part, ast.Import | ast.ImportFrom)]
        assert not any(ast.unparse(part).startswith(("import torchvision", "from torchvision")) for part in outside)
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            lines = [ast.unparse(line) for line in function.body]
            wanted = [i for i, line in enumerate(lines) if re.match(r"(import|from) torchvision", line)]
            declared = any(line.endswith("declare()") for line in lines[: wanted[0]]) if wanted else True
            assert declared, f"{path}: {function.name}"
    models = {f"ml.models.{name}" for name in ("resnet18", "mobilenet_v3_small", "small_vgg", "small_vit")}
    assert found <= {"ml.data.fashion_mnist", "bench.train", *models}


def calls(path: Path) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]


def test_nothing_is_unpickled():
    unpicklers = ("pickle", "_pickle", "cPickle", "dill", "joblib", "cloudpickle", "shelve", "marshal")
    for path in [ROOT / "app.py", *sources("dashboard", "ml")]:
        assert not any(within(name, unpicklers) for name in imports(path)), path
        for call in calls(path):
            name, options = ast.unparse(call.func), {word.arg: ast.unparse(word.value) for word in call.keywords}
            assert name.rpartition(".")[2] not in ("read_pickle", "loads_pickle"), path
            assert options.get("allow_pickle", "False") == "False", f"{path}: {ast.unparse(call)}"
            if name == "torch.load":
                assert options.get("weights_only") == "True", f"{path}: {ast.unparse(call)}"
                # The trainer reads back its own checkpoint; a run that came from outside is never read this way.
                assert module_of(path).startswith("ml.training"), f"{path} may not torch.load"


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


def test_the_shipped_artifacts_stay_small():
    mb = 10**6
    files = [path for path in tracked() if path.is_relative_to(ROOT / "artifacts")]
    assert any(path.name == "weights.safetensors" for path in files)
    assert sum(path.stat().st_size for path in files) < 60 * mb
    assert max(path.stat().st_size for path in files) < 16 * mb
