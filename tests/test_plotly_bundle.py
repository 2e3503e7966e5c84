"""The bundled part of plotly.js has the Python package's version and every chart type the app uses."""

import re
from pathlib import Path

from plotly.offline import get_plotlyjs_version

ROOT = Path(__file__).parents[1]
BUNDLE = (ROOT / "assets" / "05-plotly.min.js").read_text()


def test_version():
    assert f'"{get_plotlyjs_version()}"' in BUNDLE
    assert f'"plotly.js": "{get_plotlyjs_version()}"' in (ROOT / "tools" / "plotly" / "package.json").read_text()


def test_every_chart_type_is_in_it():
    registered = set(re.findall(r"plotly\.js/lib/(\w+)'", (ROOT / "tools" / "plotly" / "entry.js").read_text())) - {
        "core"
    }
    source = "\n".join(path.read_text() for path in (ROOT / "dashboard").rglob("*.py"))
    used = set(re.findall(r'\btrace\(\s*"(\w+)"', source))
    used |= set(re.findall(r'"type": "(bar|heatmap|histogram|image|pie|scatter3d|scattergl|scatter)"', source))
    assert used <= registered | {"scatter"}
    assert used >= {"bar", "heatmap", "scatter", "scatter3d"}


def test_it_needs_no_eval():
    """The content security policy forbids it; WebGL's own charts compile with it, so they stay out."""
    assert "scattergl" not in (ROOT / "tools" / "plotly" / "entry.js").read_text()
