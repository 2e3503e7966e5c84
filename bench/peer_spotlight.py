"""Renumics Spotlight on a run's recorded predictions, as bench/peers.py measures it; run by an environment that has it.

    python bench/peer_spotlight.py ROWS.parquet PORT

ROWS: one row a test picture, with `image` (the path of a PNG), `label`, `predicted`, `confidence` and its place on the
run's map, `x` and `y`. Spotlight shows table, confusion matrix, the map as a scatter plot, and an inspector that shows
pictures of the rows selected: the map is drawn, not computed.
"""

import sys

import pandas as pd
from renumics import spotlight  # type: ignore[import-not-found]
from renumics.spotlight import layout  # type: ignore[import-not-found]
from renumics.spotlight.layout import lenses  # type: ignore[import-not-found]


def main() -> None:
    """Serve until the process is ended."""
    rows, port = sys.argv[1:]
    looks = layout.layout(
        layout.split(
            layout.tab(layout.table(), weight=60),
            layout.tab(layout.scatterplot(x_column="x", y_column="y", color_by_column="predicted"), weight=40),
            weight=60,
        ),
        layout.split(
            layout.tab(layout.confusion_matrix(x_column="predicted", y_column="label"), weight=50),
            layout.tab(layout.inspector(lenses=[lenses.image("image")]), weight=50),
            weight=40,
        ),
    )
    spotlight.show(
        pd.read_parquet(rows),
        dtype={"image": spotlight.Image, "label": spotlight.Category, "predicted": spotlight.Category},
        layout=looks,
        port=int(port),
        no_browser=True,
        wait="forever",
    )


if __name__ == "__main__":
    main()
