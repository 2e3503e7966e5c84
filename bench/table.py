"""The one table of docs/performance.md, from what the benchmarks wrote into bench/results: `make bench-table`.

A row says what is wanted, what was measured, how often, what the peers took in the same run, and which command measures
it. A row whose command was not run in this folder says so. Beneath: machine and load of each command.
"""

import json
import statistics
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
Results = Mapping[str, Any]
Found = tuple[str, str, str]  # measured, how often, beside it


@dataclass(frozen=True)
class Row:
    """what; wanted; command; read: from the results of all commands, or None; below: where else it is told."""

    what: str
    wanted: str
    command: str
    read: Callable[[Results], Found | None] | None = None
    below: str = ""


def amount(value: float, unit: str) -> str:
    """A number and its unit as people read them: seconds from 1,000 ms on."""
    if unit == "ms":
        return f"{value / 1000:.2f} s" if value >= 1000 else f"{value:.0f} ms"
    return f"{value:.2f} {unit}" if value < 10 else f"{value:,.0f} {unit}"


def peers(what: str, also: str = "") -> Callable[[Results], Found | None]:
    """A line of bench/peers.py, the peers that can do it beside ours; also: a second line of the same unit."""

    def read(results: Results) -> Found | None:
        if not (result := results.get("peers")):
            return None
        line = next(one for one in result["lines"] if one["what"] == what)
        second = next((one for one in result["lines"] if one["what"] == also), None)

        def of(column: str) -> str:
            said = amount(statistics.median(line["values"][column]), line["unit"])
            if second and column in second["values"]:
                said += f" ({amount(statistics.median(second['values'][column]), second['unit'])})"
            return said

        others = [column for column in line["values"] if column != "Fashion Forward"]
        return (
            of("Fashion Forward"),
            str(len(line["values"]["Fashion Forward"])),
            ", ".join(f"{column} {of(column)}" for column in others),
        )

    return read


def over(what: str, column: str, other: str) -> Callable[[Results], Found | None]:
    """A line of bench/peers.py as medians' ratio of one column to another."""

    def read(results: Results) -> Found | None:
        if not (result := results.get("peers")):
            return None
        line = next(one for one in result["lines"] if one["what"] == what)
        mine, theirs = (statistics.median(line["values"][name]) for name in (column, other))
        said = f"{amount(mine, line['unit'])} beside {amount(theirs, line['unit'])}"
        return f"{mine / theirs:.2f} ×", str(len(line["values"][column])), said

    return read


def web(*whats: str, of: str = "web") -> Callable[[Results], Found | None]:
    """Lines of bench/web.py, or of another one like it, one behind the other."""

    def read(results: Results) -> Found | None:
        if not (result := results.get(of)):
            return None
        values = {one["what"]: amount(one["value"], one["unit"]) for one in result["lines"]}
        return "; ".join(values[what] for what in whats), str(result["times"]), ""

    return read


def train(results: Results) -> Found | None:
    """The quick preset beside the usual loop."""
    if not (result := results.get("train")):
        return None
    usual = f"the usual loop {result['reference_seconds']:.0f} s"
    return f"{result['ratio']:.1f} × ({result['median_seconds']:.1f} s)", str(len(result["quick"])), usual


def scale(results: Results) -> Found | None:
    """A click at ten million rows beside one at ten thousand."""
    few, many = results.get("scale-1"), results.get("scale-1000")
    if not few or not many:
        return None

    def of(result: Any, start: str) -> float:
        return next(one["value"] for one in result["lines"] if one["what"].startswith(start))

    small, large = of(few, "matrix click"), of(many, "matrix click")
    memory = amount(of(many, "the most it ever had"), "MB")
    return f"{large / small:.1f} ×; {memory}", "10", f"{amount(small, 'ms')} → {amount(large, 'ms')}"


ROWS = (
    Row("first screen (scores, matrix, first pictures), warm server, fresh browser",
        "≤ 1.0 s, below Gradio's empty form", "bench-peers", peers("first screen, or the empty form")),
    Row("Dashboard's charts ÷ a static page with the same", "≤ 1.0", "bench-peers",
        over("everything drawn", "Fashion Forward", "static page")),
    Row("first load over the wire", "≤ 0.8 MB", "bench-peers", peers("first load over the wire")),
    Row("press on a cell of the matrix → the page shows it (→ its pictures are there)", "≤ 120 ms", "bench-peers",
        peers("press on a cell → the page shows it", "… → its pictures are there")),
    Row("picture chosen → answer", "≤ 450 ms", "bench-peers", peers("picture chosen → answer")),
    Row("server's memory after these, all processes (of it anonymous)", "≤ 450 MB", "bench-peers",
        peers("server's memory after that, resident", "… of it anonymous")),
    Row("page to page, first panel: Insights; Prediction; Training; Dashboard", "≤ 250 ms", "bench-web",
        web(*(f"to {path} by the navigation, first panel" for path in ("/insights", "/prediction", "/training", "/"))),
        "#what-a-click-takes"),
    Row("lasso of 3,000 counted; recolour of 10,000 in 3D", "≤ 200 ms; ≤ 300 ms", "bench-web",
        web("lasso of some 3,000, counted", "recolour 10,000 points in 3D"), "#what-a-click-takes"),
    Row("start → first answer; memory after a tour", "≤ 2.0 s; ≤ 450 MB", "bench-web",
        web("start to first answer", "server memory after a tour"), "#start-first-explanation-memory"),
    Row("six maps of an image, warm; the first in a cold process", "≤ 0.6 s; ≤ 1.5 s", "bench-cold",
        web("an explanation after that", "the first explanation", of="cold"), "#start-first-explanation-memory"),
    Row("first visit of /robustness in a cold process, all at rest", "≤ 4 s", "bench-cold",
        web("/robustness, all at rest", of="cold"), "#start-first-explanation-memory"),
    Row("predictions, 20 users in a closed loop", "≥ 3 × before; p95 ≤ 60 ms", "bench-load", below="#single-answers"),
    Row("`quick` ÷ the usual loop to 90.65 % of test", "≥ 35 ×", "bench-train", train, "training.md#presets"),
    Row("`best` to 95.06 % of test on one thread; a default of 95.4 %", "≤ 45 min", "", below="training.md#presets"),
    Row("a click on a cell at 10,000,000 rows ÷ at 10,000; memory", "≤ 2 ×; ≤ 3 GB",
        "bench-scale ARGS=\"--times 1000\"`, `\"--times 1\"", scale, "#ten-million-rows"),
)  # fmt: skip


def table(results: Results) -> str:
    """Every row in Markdown, and beneath it machine and load of each command."""
    lines = ["| what | wanted | measured | n | beside it, same run | command |", "|---|---|---|---|---|---|"]
    for row in ROWS:
        found = row.read(results) if row.read else None
        measured, n, beside = found or (f"[told below]({row.below})" if row.below else "not run here", "", "")
        command = f"`make {row.command}`" if row.command else ""
        lines.append("|" + "|".join(f" {part} " if part else " " for part in
                                    (row.what, row.wanted, measured, n, beside, command)) + "|")  # fmt: skip
    return "\n".join([*lines, "", *(conditions(name, result) for name, result in sorted(results.items()))])


def conditions(name: str, result: Any) -> str:
    """On what and beside what a command ran."""
    machine = result["machine"]
    said = machine if isinstance(machine, str) else f"{machine['processor']}, {machine['cores']} cores"
    versions = "".join(f", {peer} {version}" for peer, version in result.get("versions", {}).items())
    loads = f", load {result['load'][0]:g} to {result['load'][1]:g}" if "load" in result else ""
    return f"- {name}: {said}{versions}{loads}"


def main() -> int:
    """Read what there is, print."""
    files = (ROOT / "bench" / "results").glob("*.json")
    wanted = ("peers", "web", "cold", "train", "scale-1", "scale-1000")
    print(table({path.stem: json.loads(path.read_text("utf-8")) for path in files if path.stem in wanted}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
