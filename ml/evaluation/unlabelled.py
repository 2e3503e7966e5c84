"""What does the network say of pictures that nobody has labelled, and which of them are worth a label first?

They are asked about, laid onto the map of the reference pictures and held against these; no other evaluation knows of
them, so that none can count them. A diverse sample takes one picture of each of GROUPS groups of alike ones, those of
the largest group first and of each the one nearest its middle, then a second one of each, and so on (the typical ones
first: Hacohen et al. 2022, arXiv:2202.02794).
"""

import contextlib
from collections.abc import Iterable

import numpy as np
import pandas as pd

from ml.artifacts.reader import Library, Missing, Run
from ml.data import corrections
from ml.data.base import UNLABELLED, Split
from ml.evaluation import neighbours, projection
from ml.evaluation.context import EvaluationContext
from ml.stats import ood
from ml.system.content_addressed import Gone

GROUPS = 48  # a page of a queue
LEARNED = 20_000  # pictures, at most, that the groups are found with


def table(context: EvaluationContext) -> pd.DataFrame:
    """One row a picture without a label, see the schema; empty where there is none. Leaves unlabelled_neighbours."""
    examples = context.unlabelled
    if examples is None or not len(examples):
        return pd.DataFrame()
    context.tell(f"computing unlabelled: asked about {len(examples):,} pictures")
    probabilities, features = context.of_unlabelled()
    near = nearest(context, examples, features)
    context.also["unlabelled_neighbours"] = near
    score = near[near["rank"] <= ood.RANKS].groupby("example_id", sort=False)["distance"].mean()
    unlike = score.reindex(examples.ids).to_numpy(np.float32)
    frame = pd.DataFrame(
        {
            "example_id": examples.ids.astype(np.int32),
            "predicted": probabilities.argmax(1).astype(np.int16),
            "confidence": probabilities.max(1),
            "unlike": unlike,
            "percentile": percentiles(context, unlike),
            "diverse": diverse(features, context.seed),
            **places(context, features),
        }
    )
    columns = {f"p_{i}": probabilities[:, i] for i in range(probabilities.shape[1])}
    return pd.concat([frame, pd.DataFrame(columns)], axis=1)


def unlearned(library: Library, run: Run) -> Split | None:
    """The pictures without a label that a run did not learn from; None where its data set has none. Raises Broken."""
    try:
        pictures = library.learned_pictures(run, UNLABELLED)
    except Missing:
        return None
    split = Split(pictures.images, pictures.labels, pictures.ids)
    if name := (run.manifest.get("config") or {}).get("labels"):
        with contextlib.suppress(Gone):  # then nobody knows any more
            learned = corrections.read(library.home, name).labelled
            split = split.take(np.flatnonzero(~np.isin(split.ids, list(learned))))
    return split


def suited(nouns: Iterable[str], context: EvaluationContext) -> list[str]:
    """Without this noun where no picture is without a label: nothing was looked for, so nothing is said."""
    return [noun for noun in nouns if noun != UNLABELLED or context.unlabelled]


def nearest(context: EvaluationContext, examples: Split, features: np.ndarray) -> pd.DataFrame:
    """Rows example_id, rank, neighbour_id, distance: the reference pictures nearest in features, float32 [n, d]."""
    from sklearn.neighbors import NearestNeighbors

    ids = context.splits["reference"].ids
    ranks = min(neighbours.RANKS, len(ids))
    search = NearestNeighbors(n_neighbors=ranks, algorithm="brute").fit(context.features("reference"))
    distances, rows = search.kneighbors(features)
    return pd.DataFrame(
        {
            "example_id": np.repeat(examples.ids, ranks).astype(np.int32),
            "rank": np.tile(np.arange(1, ranks + 1, dtype=np.int16), len(rows)),
            "neighbour_id": ids[rows].reshape(-1).astype(np.int32),
            "distance": distances.reshape(-1).astype(np.float32),
        }
    )


def percentiles(context: EvaluationContext, unlike: np.ndarray) -> np.ndarray:
    """float32 [n], 0..100: the share of validation with a smaller mean distance; nan where there is no validation."""
    from sklearn.neighbors import NearestNeighbors

    usual = context.features("validation")
    if not len(usual):
        return np.full(len(unlike), np.nan, np.float32)
    known = context.features("reference")
    search = NearestNeighbors(n_neighbors=min(ood.RANKS, len(known)), algorithm="brute").fit(known)
    scores = np.sort(search.kneighbors(usual)[0].mean(1).astype(np.float32))
    return (100 * np.searchsorted(scores, unlike, side="left") / len(scores)).astype(np.float32)


def places(context: EvaluationContext, features: np.ndarray) -> dict[str, np.ndarray]:
    """pca_x … map_y, float32 [n] each: on the axes and the finished map of the reference pictures, which stay put."""
    from openTSNE import TSNEEmbedding
    from openTSNE.affinity import PerplexityBasedNN
    from sklearn.decomposition import PCA

    reference, points = context.features("reference").astype(np.float64), features.astype(np.float64)
    size = min(3, *reference.shape)
    components = PCA(size, random_state=context.seed).fit(reference).transform(points)
    components = np.pad(components, ((0, 0), (0, 3 - size)))
    perplexity = min(projection.PERPLEXITY, max(2, len(reference) // 4))
    jobs = -1 if len(reference) > 3_000 else 1
    affinities = PerplexityBasedNN(reference, perplexity=perplexity, n_jobs=jobs, random_state=context.seed)
    drawn = TSNEEmbedding(reference_map(context), affinities=affinities, random_state=context.seed, n_jobs=jobs)
    parts = []
    for start in range(0, len(points), projection.PART):
        context.tell(f"computing unlabelled: on the map, {start:,} of {len(points):,}")
        part = points[start : start + projection.PART]
        parts.append(np.asarray(drawn.transform(part, perplexity=min(5, perplexity))))
    place = np.nan_to_num(np.concatenate(parts))
    return {
        **{f"pca_{axis}": components[:, i].astype(np.float32) for i, axis in enumerate("xyz")},
        **{f"map_{axis}": place[:, i].astype(np.float32) for i, axis in enumerate("xy")},
    }


def reference_map(context: EvaluationContext) -> np.ndarray:
    """float64 [n, 2]: where the noun projection has the reference pictures; made anew where the run has none of it."""
    ids = context.splits["reference"].ids
    frame = context.placed() if context.placed is not None else None
    if frame is None:
        notes = dict(context.notes)
        frame = projection.table(context)
        context.notes = notes  # what that says of itself belongs to a run that has it
    rows = frame[frame["split"] == "reference"].set_index("example_id").reindex(ids)
    return np.nan_to_num(rows[["map_x", "map_y"]].to_numpy(np.float64))


def diverse(features: np.ndarray, seed: int) -> np.ndarray:
    """int32 [n]: the turn of each picture in a diverse sample, from 1 on. features: float32 [n, d]."""
    from sklearn.cluster import KMeans

    n = len(features)
    groups = min(GROUPS, len(np.unique(features, axis=0)))
    rows = np.arange(n) if n <= LEARNED else np.sort(np.random.default_rng(seed).permutation(n)[:LEARNED])
    found = KMeans(groups, n_init=1, random_state=seed).fit(features[rows])
    group = found.predict(features)
    away = np.linalg.norm(features - found.cluster_centers_[group], axis=1)
    size = np.bincount(group, minlength=groups)
    within = np.empty(n, np.int64)
    for one in range(groups):
        mine = np.flatnonzero(group == one)
        within[mine[np.argsort(away[mine], kind="stable")]] = np.arange(len(mine))
    turn = np.empty(n, np.int32)
    turn[np.lexsort((np.arange(n), group, -size[group], within))] = np.arange(1, n + 1, dtype=np.int32)
    return turn
