"""The field's words: what each means here, where it is counted, and where to read on.

docs/glossary.md is written from it: `python -m dashboard.format.glossary > docs/glossary.md`.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Term:
    """word: as the field writes it; plain: one or two sentences; code: the module that counts it.

    source: where it is defined, with the section of what has many; also: other spellings that a help text may use.
    """

    word: str
    plain: str
    code: str
    source: str
    also: tuple[str, ...] = ()

    @property
    def slug(self) -> str:
        """What an address calls it: 'temperature-scaling'."""
        return re.sub(r"[^a-z0-9]+", "-", self.word.lower()).strip("-")

    @property
    def spelled(self) -> str:
        """A pattern of it in a sentence, for Python and for browsers: whole words, of any number."""
        words = sorted((self.word, *self.also), key=len, reverse=True)
        return rf"(?<![\w-])(?:{'|'.join(map(re.escape, words))})s?(?![\w-])"


TERMS = (
    Term(
        "Accuracy",
        "The share of images whose predicted class is the labelled one: correct answers of all answers. Of one class "
        "it is the same as its recall.",
        "ml.stats.metrics",
        "Sokolova and Lapalme 2009, Information Processing & Management 45:427, table 2",
    ),
    Term(
        "Precision",
        "Of the images predicted as a class, the share that is labelled so. Low precision means false alarms.",
        "ml.stats.metrics",
        "Sokolova and Lapalme 2009, Information Processing & Management 45:427, table 3",
    ),
    Term(
        "Recall",
        "Of the images labelled as a class, the share that is predicted so. Low recall means misses.",
        "ml.stats.metrics",
        "Sokolova and Lapalme 2009, Information Processing & Management 45:427, table 3",
        also=("sensitivity",),
    ),
    Term(
        "F1",
        "The harmonic mean of precision and recall, 2 · TP / (2 · TP + FP + FN). *Macro F1* is its mean over "
        "classes, each counted alike.",
        "ml.stats.metrics",
        "van Rijsbergen 1979, Information Retrieval, chapter 7; macro: Sokolova and Lapalme 2009, table 3",
        also=("macro F1", "macro-F1"),
    ),
    Term(
        "Top-k accuracy",
        "The share of images whose label is among the k classes with the highest probabilities.",
        "ml.stats.metrics",
        "Russakovsky et al. 2015, arXiv:1409.0575, section 4.1",
    ),
    Term(
        "Confusion matrix",
        "How often each labelled class (row) was predicted as each class (column). The diagonal is correct.",
        "ml.stats.metrics",
        "Stehman 1997, Remote Sensing of Environment 62:77",
    ),
    Term(
        "Confidence",
        "The highest of the probabilities that the network gives to the classes, its softmax output. It is no "
        "probability of being correct until it is calibrated.",
        "ml.inference.classifier",
        "Guo et al. 2017, arXiv:1706.04599, section 2",
    ),
    Term(
        "Calibration",
        "A classifier is calibrated where, of the answers given with a confidence of 80 %, 80 % are correct.",
        "ml.stats.calibration",
        "Guo et al. 2017, arXiv:1706.04599, section 2",
        ("calibrated", "uncalibrated"),
    ),
    Term(
        "Reliability diagram",
        "Accuracy against confidence, bin by bin. On the diagonal a classifier is calibrated, below it overconfident.",
        "dashboard.figures.calibration",
        "Niculescu-Mizil and Caruana 2005, ICML; Guo et al. 2017, arXiv:1706.04599, section 2",
    ),
    Term(
        "ECE",
        "Expected calibration error: the gap between accuracy and mean confidence of each of 15 bins of equal width, "
        "averaged over the images.",
        "ml.stats.calibration",
        "Naeini et al. 2015, AAAI; Guo et al. 2017, arXiv:1706.04599, section 2",
        ("expected calibration error", "calibration error"),
    ),
    Term(
        "Temperature scaling",
        "Calibration by one number: the logits are divided by a temperature that is fitted on validation. It moves "
        "the confidence and never the predicted class.",
        "ml.stats.calibration",
        "Guo et al. 2017, arXiv:1706.04599, section 4.2",
        ("temperature",),
    ),
    Term(
        "Brier score",
        "The squared distance between the probabilities and the label as a one-hot vector, summed over classes and "
        "averaged over images; 0 is best, 2 worst.",
        "ml.stats.calibration",
        "Brier 1950, Monthly Weather Review 78:1",
    ),
    Term(
        "Log loss",
        "Cross-entropy: the mean of −ln p of the labelled class, in nats, of one image 27.6 at most (p of 10⁻¹²). What "
        "the training makes small.",
        "ml.stats.calibration",
        "Bishop 2006, Pattern Recognition and Machine Learning, section 4.3.4",
        also=("cross-entropy", "loss"),
    ),
    Term(
        "Confidence interval",
        "Where the true value lies in 95 of 100 such samples. Proportions carry Wilson's interval, differences of "
        "paired proportions Newcombe's, everything else a bootstrap.",
        "ml.stats.intervals",
        "Wilson 1927, JASA 22:209; Newcombe 1998, Statistics in Medicine 17:2635, method 10",
        ("95 % interval", "Wilson interval"),
    ),
    Term(
        "Bootstrap",
        "An interval from drawing the images again and again with replacement and counting anew.",
        "ml.stats.paired",
        "Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13",
    ),
    Term(
        "McNemar's test",
        "Whether two classifiers on the same images differ by more than chance: only images that one alone has "
        "correct count. Here the exact, two-sided test.",
        "ml.stats.paired",
        "McNemar 1947, Psychometrika 12:153; Dietterich 1998, Neural Computation 10:1895, section 3.1",
        ("McNemar",),
    ),
    Term(
        "Holm correction",
        "Keeps the chance of any false alarm at 5 % where many tests are made at once.",
        "ml.stats.paired",
        "Holm 1979, Scandinavian Journal of Statistics 6:65",
        ("Holm", "holds among all classes"),
    ),
    Term(
        "Margin",
        "The probability of the likeliest class less that of the second. Under 20 points, an image is tagged *unsure*.",
        "ml.stats.failure_modes",
        "Settles 2009, Active Learning Literature Survey, section 3.1",
    ),
    Term(
        "Prediction set",
        "Conformal prediction: the classes that hold the label as often as was asked for (90, 95 or 99 %), whatever "
        "the network is worth. An empty or a large set says that the answer is in doubt.",
        "ml.stats.conformal",
        "Sadinle, Lei and Wasserman 2019, JASA 114:223",
        ("conformal",),
    ),
    Term(
        "Selective prediction",
        "To abstain under a threshold of confidence. *Coverage* is the share that is answered, *selective accuracy* "
        "how much of that is correct.",
        "dashboard.analysis.confidence",
        "El-Yaniv and Wiener 2010, JMLR 11:1605; Geifman and El-Yaniv 2017, arXiv:1705.08500, section 2",
        ("abstention", "abstain", "coverage"),
    ),
    Term(
        "Out of distribution",
        "OOD: unlike what the network was trained on, so that its answer means little. The *OOD score* is read as a "
        "percentile among validation images.",
        "ml.stats.ood",
        "Lee et al. 2018, arXiv:1807.03888, section 2",
        ("OOD", "unlike the training"),
    ),
    Term(
        "Mahalanobis distance",
        "The distance to a class's mean in units of the features' spread and correlation. The OOD score is the "
        "squared distance to the nearest class, over all layers.",
        "ml.stats.ood",
        "Lee et al. 2018, arXiv:1807.03888, section 2.1",
    ),
    Term(
        "Feature space",
        "The network's own description of an image: the output of its last layer before the classes (penultimate "
        "features). Near means alike in the network's eyes.",
        "ml.evaluation.features",
        "Donahue et al. 2014, arXiv:1310.1531, section 3",
        also=("embedding",),
    ),
    Term(
        "PCA",
        "Principal component analysis: the three directions in which the features vary most.",
        "ml.evaluation.projection",
        "Jolliffe 2002, Principal Component Analysis, section 1.1",
    ),
    Term(
        "t-SNE",
        "A map that keeps neighbours together. Distances between groups and the size of a group mean nothing in it.",
        "ml.evaluation.projection",
        "van der Maaten and Hinton 2008, JMLR 9:2579, section 3",
    ),
    Term(
        "Near-duplicate",
        "Two images that are nearly the same: a correlation of 0.993 or more over their pixels. One in test and one "
        "in train is a leak.",
        "ml.data.duplicates",
        "Barz and Denzler 2020, arXiv:1902.00423, section 3",
    ),
    Term(
        "Convolution filter",
        "A small window of weights (a kernel) that slides over an image; its output is a *feature map*.",
        "ml.evaluation.filters",
        "Dumoulin and Visin 2016, arXiv:1603.07285, section 1.1",
        also=("filter", "kernel", "feature map"),
    ),
    Term(
        "Attribution",
        "How much each place of an image spoke for a class; as a picture, a *saliency map*.",
        "ml.explanation",
        "Simonyan et al. 2014, arXiv:1312.6034, section 3",
        also=("saliency", "saliency map"),
    ),
    Term(
        "Grad-CAM",
        "Attribution by a convolution layer's feature maps, each weighted by its mean gradient.",
        "ml.explanation.grad_cam",
        "Selvaraju et al. 2017, arXiv:1610.02391, section 3",
    ),
    Term(
        "Integrated gradients",
        "Attribution by gradients summed along the way from an empty image; it adds up to the change of the output.",
        "ml.explanation.integrated",
        "Sundararajan et al. 2017, arXiv:1703.01365, section 3",
    ),
    Term(
        "Occlusion",
        "Attribution by covering a place and seeing how far the probability falls.",
        "ml.explanation.occlusion",
        "Zeiler and Fergus 2014, arXiv:1311.2901, section 4.2",
    ),
    Term(
        "Adversarial example",
        "An image changed by no more than ε a pixel so that the network errs. *FGSM* takes one step along the "
        "gradient, *PGD* many.",
        "ml.robustness.attacks",
        "Goodfellow et al. 2015, arXiv:1412.6572, section 4; Madry et al. 2018, arXiv:1706.06083, section 2.1",
        ("FGSM", "PGD", "attack", "adversarial accuracy"),
    ),
    Term(
        "Corruption",
        "A disturbance that cameras make (noise, blur, light, …) in five severities.",
        "ml.robustness.corruptions",
        "Hendrycks and Dietterich 2019, arXiv:1903.12261, section 3",
        ("severity",),
    ),
    Term(
        "Slice",
        "A group of images that share something (a cluster of features, a bright background). A *weak slice* is "
        "predicted worse than the rest by more than chance.",
        "ml.evaluation.slices",
        "Chung et al. 2019, arXiv:1807.06068, section 2",
        ("slices",),
    ),
    Term(
        "Label issue",
        "An example whose label is probably wrong, by probabilities that the label had no part in (confident "
        "learning).",
        "ml.evaluation.label_issues",
        "Northcutt et al. 2021, arXiv:1911.00068, section 3",
        ("suspect", "suspected label", "confident learning"),
    ),
    Term(
        "Data map",
        "Each example by mean and deviation of its true class's probability over the epochs: easy, ambiguous or hard "
        "to learn.",
        "ml.evaluation.epochs",
        "Swayamdipta et al. 2020, arXiv:2009.10795, section 2",
    ),
    Term(
        "Forgetting event",
        "An example that was correct after one epoch and wrong after the next.",
        "ml.evaluation.epochs",
        "Toneva et al. 2019, arXiv:1812.05159, section 3",
    ),
    Term(
        "Drift",
        "What comes in is not what the run was tested on any more. The *population stability index* compares shares, "
        "the *Kolmogorov–Smirnov distance* two distributions.",
        "dashboard.analysis.drift",
        "Siddiqi 2006, Credit Risk Scorecards; Massey 1951, JASA 46:68",
        ("population stability index", "PSI"),
    ),
    Term(
        "Epoch",
        "One pass of the training over all its images.",
        "ml.training.loop",
        "Goodfellow, Bengio and Courville 2016, Deep Learning, section 8.1.3",
        also=("pass over the training images",),
    ),
    Term(
        "Validation split",
        "Images kept aside during training: everything that is chosen (epoch, temperature, threshold) is chosen on "
        "them, so that *test* stays unseen.",
        "ml.data",
        "Goodfellow, Bengio and Courville 2016, Deep Learning, section 5.3",
        also=("validation",),
    ),
    Term(
        "Unlabelled images",
        "Images that came without a class: they are predicted, placed on the map and offered for labelling, and count "
        "in no score. Which of them to label first is a question of active learning.",
        "ml.evaluation.unlabelled",
        "Settles 2009, Active Learning Literature Survey, section 2.3",
        also=("unlabelled", "no labels", "without labels", "active learning"),
    ),
    Term(
        "Fine-tuning",
        "A short training that begins with the weights of another one.",
        "ml.data.feedback",
        "Yosinski et al. 2014, arXiv:1411.1792",
        also=("fine-tune",),
    ),
    Term(
        "Quantization",
        "Weights and activations as 8-bit integers (int8): a quarter of the size, nearly the same answers.",
        "ml.inference.int8",
        "Jacob et al. 2018, arXiv:1712.05877, section 2.1",
        ("int8",),
    ),
    Term(
        "ONNX",
        "An open file format for networks, which other programs and languages can run.",
        "ml.inference.onnx_export",
        "https://onnx.ai",
    ),
)


def used(text: str) -> list[Term]:
    """The terms that a sentence uses, in its order, each once; whole words, capitals or not, of any number."""
    return [term for _, term in linked(text) if term]


def linked(text: str) -> list[tuple[str, Term | None]]:
    """A sentence in pieces: what names a term for the first time, with the term, and what lies between."""
    places = []
    for term in TERMS:
        match = re.search(term.spelled, text, re.IGNORECASE)
        if match:
            places.append((match.start(), match.end(), term))
    pieces: list[tuple[str, Term | None]] = []
    done = 0
    for start, end, term in sorted(places, key=lambda one: (one[0], -one[1])):
        if start < done:  # part of a longer term
            continue
        pieces += [(text[done:start], None)] if start > done else []
        pieces.append((text[start:end], term))
        done = end
    return [*pieces, (text[done:], None)] if done < len(text) else pieces


def page() -> str:
    """docs/glossary.md."""
    lines = [
        "# Glossary",
        "",
        "The words of the field as this app uses them, and where each is counted. Written from",
        "`dashboard/format/glossary.py`; the app shows the same under `/glossary`.",
        "",
    ]
    for term in sorted(TERMS, key=lambda one: one.word.lower()):
        more = [f"Defined in `{term.code}`." if term.code else "", f"Read: {term.source}." if term.source else ""]
        lines += [f"## {term.word}", "", " ".join(filter(None, (term.plain, *more))), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    print(page(), end="")
