"""How does the network arrange the pictures in its own space?"""

import numpy as np
import pandas as pd

from ml.evaluation.context import EvaluationContext

PERPLEXITY = 30
PART = 10_000  # examples that find their place in the map together


def table(context: EvaluationContext) -> pd.DataFrame:
    """Three principal components and a t-SNE map of penultimate features, fitted on reference, applied to all.

    PCA with as many components as there are features below three leaves the rest at zero. The map (van der Maaten and
    Hinton 2008; openTSNE, Poličar et al. 2024) places test and validation examples into the finished reference map.
    Of predictions that came with features for other splits alone, both are fitted on validation, else on test.
    """
    from openTSNE import TSNE
    from sklearn.decomposition import PCA

    base = next((split for split in ("reference", "validation", "test") if split in context.described), "")
    if not base or len(context.splits[base]) < 8:  # what neighbours a map of fewer would show, nobody could say
        return pd.DataFrame()
    reference = context.features(base).astype(np.float64)
    size = min(3, *reference.shape)
    pca = PCA(size, random_state=context.seed).fit(reference)
    context.notes["explained_variance"] = np.pad(pca.explained_variance_ratio_, (0, 3 - size)).round(6).tolist()
    perplexity = min(PERPLEXITY, max(2, len(reference) // 4))
    jobs = -1 if len(reference) > 3_000 else 1  # on few points threads wait for each other longer than they work
    embedding = TSNE(perplexity=perplexity, initialization="pca", random_state=context.seed, n_jobs=jobs).fit(reference)
    frames = []
    for split in context.described:
        features = context.features(split).astype(np.float64)
        components = np.pad(pca.transform(features), ((0, 0), (0, 3 - size)))
        if split == base:
            place = np.asarray(embedding)
        else:
            near, parts = min(5, perplexity), []
            for start in range(0, len(features), PART):
                context.tell(f"computing projection: {split}, {start:,} of {len(features):,}")
                parts.append(np.asarray(embedding.transform(features[start : start + PART], perplexity=near)))
            place = np.concatenate(parts) if parts else np.empty((0, 2))
        frame = pd.DataFrame({"split": split, "example_id": context.splits[split].ids.astype(np.int32)})
        for i, axis in enumerate("xyz"):
            frame[f"pca_{axis}"] = components[:, i].astype(np.float32)
        for i, axis in enumerate("xy"):
            # t-SNE has no answer for a network that describes all pictures alike: then they lie in one spot
            frame[f"map_{axis}"] = np.nan_to_num(place[:, i]).astype(np.float32)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)
