"""The bundled parts of plotly.js have the Python package's version and every chart type the app uses."""

import re
from pathlib import Path

from plotly.offline import get_plotlyjs_version

ROOT = Path(__file__).parents[1]
BUNDLE = (ROOT / "assets" / "05-plotly.min.js").read_text(encoding="utf-8")
SOLID = (ROOT / "assets" / "06-plotly-3d.min.js").read_text(encoding="utf-8")


def test_version():
    assert f'"{get_plotlyjs_version()}"' in BUNDLE
    assert f'"plotly.js": "{get_plotlyjs_version()}"' in (ROOT / "tools" / "plotly" / "package.json").read_text()


def test_every_chart_type_is_in_it():
    entries = "".join(
        (ROOT / "tools" / "plotly" / name).read_text(encoding="utf-8") for name in ("entry.js", "solid.js")
    )
    registered = set(re.findall(r"plotly\.js/lib/(\w+)'", entries)) - {"core"}
    source = "\n".join(path.read_text() for path in (ROOT / "dashboard").rglob("*.py"))
    used = set(re.findall(r'\btrace\(\s*"(\w+)"', source))
    used |= set(re.findall(r'"type": "(bar|heatmap|histogram|image|pie|scatter3d|scattergl|scatter)"', source))
    assert used <= registered | {"scatter"}
    assert used >= {"bar", "heatmap", "scatter", "scatter3d"}


def test_the_3d_chart_comes_apart_and_finds_what_it_shares():
    """Two copies of a module would be two registries: the second file takes from the first all that is there."""
    asked = set(re.findall(r'window\.Plotly\.shared\["([^"]+)"\]', SOLID))
    given = BUNDLE[BUNDLE.rindex(".shared=") :]
    assert asked
    assert [name for name in sorted(asked) if f'"{name}":' not in given] == []
    assert "scatter3d" not in (ROOT / "tools" / "plotly" / "entry.js").read_text(encoding="utf-8").split("fetched")[0]
    assert len(BUNDLE) < 1_200_000


def test_it_needs_no_eval():
    """The content security policy forbids it; WebGL's own charts compile with it, so they stay out."""
    assert "scattergl" not in (ROOT / "tools" / "plotly" / "entry.js").read_text()
