"""What each run costs as torch runs it, as ONNX and in int8, and what that changes about its answers.

    make bench-inference                       # every shipped run
    make bench-inference ARGS="--runs small_resnet --strict"

One thread each, from uint8 pixels to probabilities; the engines take turns, so that other work on the machine slows all
of them. Sizes, answers and agreement are exact; the files are made anew and thrown away. Where int8 loses in size,
accuracy or speed, the table says so. int8 is calibrated on training pictures; test is only measured.
"""

import argparse
import json
import logging
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

SIZE, DROP, BELOW_TORCH, BELOW_ONNX = 0.30, 0.003, 5.0, 1.5  # what int8 of the default run is held to


def main() -> int:
    """0 when int8 of the default run keeps what it is held to, else 1 with --strict."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", nargs="+", metavar="RUN", help="these alone (default: every shipped run)")
    parser.add_argument("--home", action="store_true", help="your own runs too")
    parser.add_argument("--rounds", type=int, default=20, help="of 50 single pictures and one batch an engine")
    parser.add_argument("--json", type=Path, help="write the numbers here too")
    parser.add_argument("--strict", action="store_true")
    options = parser.parse_args()

    import onnxruntime
    import torch

    from ml import pipeline
    from ml.artifacts.reader import Library
    from ml.evaluation import engines
    from ml.system.paths import ARTIFACTS, home_dir

    logging.disable(logging.WARNING)  # onnxruntime advises preparations that are made
    library = Library(ARTIFACTS, home_dir() if options.home else ARTIFACTS / "none")
    default = library.default()
    known = [entry.run_id for entry in library.runs() if entry.ok]
    wanted = options.runs or known
    if strange := [name for name in wanted if name not in known]:
        parser.error(f"there is no run {', '.join(strange)}; there are {', '.join(known)}")
    load = f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"torch {torch.__version__}, onnxruntime {onnxruntime.__version__}, {platform.system()}, one thread; {load}")
    kept, found = True, {}
    for name in wanted:
        context = pipeline.context_of(library, library.open(name))
        began = time.perf_counter()
        frame = engines.table(context, rounds=options.rounds)
        rows = {row["engine"]: row for row in frame.to_dict("records")}
        print(f"\n{name}{' (the default)' if name == default else ''}, {time.perf_counter() - began:.0f} s")
        print(table(rows))
        said = verdict(rows)
        print("\n".join(f"  {line}" for line in said.values()))
        if name == default:
            kept = holds(rows)
            print(f"  {'kept' if kept else 'MISSED'}: size ≤ {SIZE:.0%}, drop ≤ {100 * DROP:.1f} points, "
                  f"≥ {BELOW_TORCH:g} × torch, ≥ {BELOW_ONNX:g} × ONNX")  # fmt: skip
        found[name] = rows
    print(f"\n{next(iter(found.values()))['torch']['processor']}; {load} before, {os.getloadavg()[0]:.1f} after")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    return int(options.strict and not kept)


def table(rows: dict[str, Any]) -> str:
    """One line an engine."""
    head = f"  {'':<7}{'kB':>7}{'p50 ms':>9}{'p95 ms':>9}{'pictures/s':>12}   {'accuracy on test, 95 %':<30}"
    lines = [f"{head}answers like torch's, 95 %"]
    for name, row in rows.items():
        right = f"{row['accuracy']:.2%}  {row['low']:.2%}-{row['high']:.2%}"
        alike = f"{row['agreement']:.2%}  {row['agreement_low']:.2%}-{row['agreement_high']:.2%}"
        speed = f"{row['p50_ms']:>9.3f}{row['p95_ms']:>9.3f}{row['images_per_second']:>12,.0f}"
        lines.append(
            f"  {name:<7}{row['bytes'] / 1000:>7.0f}{speed}   {right:<30}{alike}, ≤ {row['difference']:.1g} apart"
        )
    row = rows["torch"]
    lines.append(f"  n = {row['n']:,} test pictures; {row['times']:,} single ones timed; batches of {row['batch']}")
    return "\n".join(lines)


def verdict(rows: dict[str, Any]) -> dict[str, str]:
    """What int8 gains and loses against torch and ONNX, in words."""
    small, full, eager = rows["int8"], rows["onnx"], rows["torch"]
    points = 100 * (small["accuracy"] - eager["accuracy"])
    batch = small["images_per_second"] / full["images_per_second"]
    said = {
        "size": f"int8 has {small['bytes'] / full['bytes']:.1%} of ONNX's size",
        "accuracy": f"int8 has {abs(points):.2f} points {'less' if points < 0 else 'more'} accuracy than torch",
        "torch": f"int8 answers one picture in 1/{eager['p50_ms'] / small['p50_ms']:.2f} of torch's time",
        "onnx": f"int8 answers one picture in 1/{full['p50_ms'] / small['p50_ms']:.2f} of ONNX's time",
        "batch": f"int8 answers {batch:.2f} times as many a second as ONNX in batches",
    }
    loses = {
        "size": small["bytes"] >= full["bytes"],
        "accuracy": points < 0,
        "torch": small["p50_ms"] >= eager["p50_ms"],
        "onnx": small["p50_ms"] >= full["p50_ms"],
        "batch": batch < 1,
    }
    return {key: f"{words}{': int8 LOSES' if loses[key] else ''}" for key, words in said.items()}


def holds(rows: dict[str, Any]) -> bool:
    """Whether int8 keeps what it is held to."""
    small, full, eager = rows["int8"], rows["onnx"], rows["torch"]
    return (
        small["bytes"] <= SIZE * full["bytes"]
        and eager["accuracy"] - small["accuracy"] <= DROP
        and eager["p50_ms"] >= BELOW_TORCH * small["p50_ms"]
        and full["p50_ms"] >= BELOW_ONNX * small["p50_ms"]
    )


if __name__ == "__main__":
    sys.exit(main())
