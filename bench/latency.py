"""What one picture costs each shipped network: `make bench-latency`.

Median milliseconds from one normalised picture to its logits, one torch thread, batch normalisation folded, float32.
The networks take turns, 100 pictures each, in rounds; the last column is in times what fashion_cnn takes.
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

BASE = "fashion_cnn"
WARM_UP, TIMES = 20, 100


def main() -> int:
    """0 when the default run costs at most --limit times what fashion_cnn costs, else 1 with --strict."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--limit", type=float, default=3.0)
    parser.add_argument("--strict", action="store_true")
    options = parser.parse_args()

    import torch

    from ml.artifacts.reader import Library
    from ml.inference.classifier import Classifier
    from ml.system.paths import ARTIFACTS

    library = Library(ARTIFACTS, ARTIFACTS / "none")
    torch.set_num_threads(1)
    networks = {}
    for entry in library.runs():
        if entry.ok:
            classifier = Classifier.open(library.open(entry.run_id))
            height, width, channels = classifier.shape
            networks[entry.run_id] = (classifier.folded, torch.zeros(1, channels, height, width))
    times: dict[str, list[float]] = {name: [] for name in networks}
    with torch.inference_mode():
        for _ in range(options.rounds):
            for name, (network, picture) in networks.items():
                for number in range(WARM_UP + TIMES):
                    began = time.perf_counter()
                    network(picture)
                    if number >= WARM_UP:
                        times[name].append(time.perf_counter() - began)
    medians = {name: 1000 * statistics.median(values) for name, values in times.items()}
    print(f"{'run':<16}{'ms':>8}{'times ' + BASE:>20}   (median of {options.rounds * TIMES})")
    for name, value in sorted(medians.items(), key=lambda item: item[1]):
        print(f"{name:<16}{value:>8.3f}{value / medians[BASE]:>20.2f}")
    default = library.default()
    return int(options.strict and default is not None and medians[default] > options.limit * medians[BASE])


if __name__ == "__main__":
    sys.exit(main())
