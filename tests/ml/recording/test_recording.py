"""Files of predictions as tools write them: read, matched and counted as scikit-learn counts them."""

import dataclasses
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss

from ml.artifacts.reader import Library
from ml.data import import_dataset, load
from ml.recording import epochs, files, publish, reading
from ml.recording.reading import Wishes
from tests.conftest import TOY, TOY_RUN

CLASSES = ("Ankle boot", "Bag", "T-shirt top")  # in natural order


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    """A home with a data set of 90 small files in folders, and its pictures' paths by example id."""
    home, source = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("source")
    rng = np.random.default_rng(0)
    for split, n in (("train", 20), ("validation", 5), ("test", 5)):
        for name in CLASSES:
            folder = source / split / name
            folder.mkdir(parents=True)
            for i in range(n):
                Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(folder / f"{name[:3]}_{i:04}.png")
    import_dataset(source, "pets", home=home)
    return home, load("pets", home=home)


def rows_of(pets, splits=("test", "validation", "train")) -> pd.DataFrame:
    """id, path, split and label of every picture of these splits, and made-up probabilities of them."""
    home, dataset = pets
    originals = pd.read_parquet(home / "datasets" / "pets" / "originals.parquet")
    frames = []
    for split in splits:
        ids = dataset[split].ids
        frames.append(
            pd.DataFrame(
                {
                    "id": ids,
                    "path": originals["path"].to_numpy()[ids],
                    "digest": [one.hex() for one in originals["digest"].to_numpy()[ids]],
                    "split": split,
                    "label": [dataset.classes[label] for label in dataset[split].labels],
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def said_of(n: int, seed: int = 1) -> np.ndarray:
    """float64 [n, 3]: probabilities that nobody rounded."""
    return np.random.default_rng(seed).dirichlet([0.7] * 3, n)


def understood(pets, *files: Path, **wishes) -> reading.Understood:
    home, dataset = pets
    return reading.read(files, dataset, home / "datasets" / "pets", Wishes(**wishes))


def check(got: reading.Understood, pets, rows: pd.DataFrame, said: np.ndarray, *, atol: float = 0.0) -> None:
    """Every picture has the numbers of its own row."""
    _, dataset = pets
    for split in ("test", "validation"):
        mine = (rows["split"] == split).to_numpy()
        order = np.argsort(rows["id"][mine].to_numpy())
        part = got.parts[split]
        assert dataset[split].ids[part.at].tolist() == rows["id"][mine].to_numpy()[order].tolist()
        np.testing.assert_allclose(part.said, said[mine][order], rtol=0, atol=atol)


def csv(folder: Path, frame: pd.DataFrame, name: str = "predictions.csv", **more) -> Path:
    frame.to_csv(folder / name, index=False, **more)
    return folder / name


@pytest.mark.parametrize("key", ["id", "path", "digest", "name"])
@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet", "npz"])
def test_each_kind_of_file_by_each_way_of_naming_a_picture(pets, tmp_path, key, kind):
    rows, turn = rows_of(pets), np.random.default_rng(2).permutation(90)
    said = said_of(len(rows))
    keys = rows["path"].str.rpartition("/")[2] + "" if key == "name" else rows[key]
    if key == "name":  # the same file names stand in train, validation and test: with the folder before the class
        keys = "data/run/" + rows["split"] + "/" + rows["label"] + "/" + keys
        keys = keys.str.replace("/", "\\")
    columns = {name: said[:, i] for i, name in enumerate(CLASSES)}
    frame = pd.DataFrame({"image" if key in ("path", "name") else key: keys, **columns}).iloc[turn]
    frame = frame[[frame.columns[0], CLASSES[2], CLASSES[0], CLASSES[1]]]  # in another order
    path = tmp_path / f"their predictions.{kind}"
    if kind in ("csv", "tsv"):
        frame.to_csv(path, index=False, sep="\t" if kind == "tsv" else ",")
    elif kind == "jsonl":
        path.write_text("\n".join(json.dumps(row) for row in frame.to_dict("records")))
    elif kind == "parquet":
        frame.to_parquet(path)
    else:
        np.savez(
            path,
            probabilities=said[turn],
            classes=np.array(CLASSES),
            **{frame.columns[0]: keys.to_numpy()[turn].astype(str)},
        )
    got = understood(pets, path)
    assert (got.known, got.matched, got.unmatched) == ("probabilities", 90, 0)
    check(got, pets, rows, said)


SINGLE = {  # column → what stands in it, and the class it is of
    "probability": (lambda sure: sure, 1),
    "p_Ankle boot": (lambda sure: sure, 0),
    "score": (lambda sure: np.log(sure / (1 - sure)), 1),
    "prob": (lambda sure: [f"{100 * one:.10f} %" for one in sure], 1),
}


@pytest.mark.parametrize("column", SINGLE)
def test_one_number_a_row_is_of_one_of_two_classes_and_said(pets, tmp_path, column):
    home, dataset = pets
    two = dataclasses.replace(
        dataset,
        classes=CLASSES[:2],
        splits={name: one.take(np.flatnonzero(one.labels < 2)) for name, one in dataset.splits.items()},
        recorded=None,
    )
    written, positive = SINGLE[column]
    sure = said_of(10)[:, 0] / 2 + 0.2
    frame = pd.DataFrame({"id": two["test"].ids, column: written(sure)})
    got = reading.read([csv(tmp_path, frame)], two, home / "datasets" / "pets")
    assert got.known == "probabilities"
    np.testing.assert_allclose(got.parts["test"].said[:, positive], sure, atol=1e-9)
    np.testing.assert_allclose(got.parts["test"].said.sum(1), 1)
    assert any(f"{column!r} is the" in note and f"of {CLASSES[positive]!r}" in note for note in got.notes)
    assert ("assumed" in " ".join(got.notes)) == (column != "p_Ankle boot")
    frame[column] = 300.0
    with pytest.raises(ValueError, match=r"no probability of one of two classes\. Say --values"):
        reading.read([csv(tmp_path, frame)], two, home / "datasets" / "pets")


@pytest.mark.parametrize("known", ["probabilities", "labels"])
def test_scores_are_those_of_scikit_learn_on_the_same_arrays(pets, tmp_path, known):
    home, dataset = pets
    rows = rows_of(pets)
    said = said_of(len(rows))
    guess = said.argmax(1)
    frame = rows[["id"]].assign(**{name: said[:, i] for i, name in enumerate(CLASSES)})
    if known == "labels":
        frame = rows[["id"]].assign(predicted=[CLASSES[one] for one in guess])
    got = understood(pets, csv(tmp_path, frame))
    own = tmp_path / "home"
    (own / "datasets").mkdir(parents=True)
    (own / "datasets" / "pets").symlink_to(home / "datasets" / "pets")
    publish.publish(got, dataset, "theirs", own, sources={})
    run = Library(tmp_path / "none", own).open("theirs")
    scores, confusion = run.table("scores"), run.table("confusion")
    for split in ("test", "validation", "reference"):
        mine = (rows["split"] == ("train" if split == "reference" else split)).to_numpy()
        truth = np.array([CLASSES.index(one) for one in rows["label"][mine]])
        whole = scores[(scores["split"] == split) & scores["class"].isna()].set_index("metric")["value"]
        assert whole["accuracy"] == pytest.approx(accuracy_score(truth, guess[mine]), abs=1e-12)
        assert whole["macro_f1"] == pytest.approx(f1_score(truth, guess[mine], average="macro"), abs=1e-12)
        counts = confusion[confusion["split"] == split]["count"].to_numpy().reshape(3, 3)
        assert (counts == confusion_matrix(truth, guess[mine])).all()
        if known == "probabilities":
            assert whole["loss"] == pytest.approx(log_loss(truth, said[mine]), abs=1e-12)
        else:
            assert not {"loss", "calibration_error"} & set(whole.index), "nobody knows how sure it was"
    assert run.manifest["kind"] == "recorded"
    assert run.manifest["capabilities"] == ([] if known == "labels" else ["probabilities"])
    if known == "labels":
        assert [*run.table("predictions")] == ["split", "example_id", "label", "predicted"]


WRITTEN = {
    "logits": (lambda p: np.log(p) + 3.0, "logits", 1e-12),
    "log-probabilities": (np.log, "logarithms", 1e-12),
    "percent": (lambda p: 100 * p, "per cent", 1e-12),
    "rounded": (lambda p: np.rint(255 * p) / 255, "add up to", 1e-2),
}


@pytest.mark.parametrize("kind", WRITTEN)
def test_what_is_no_probability_is_recognised_and_said(pets, tmp_path, kind):
    make, words, atol = WRITTEN[kind]
    rows = rows_of(pets)
    said = said_of(len(rows))
    frame = rows[["id"]].assign(**{f"p_{i}": make(said)[:, i] for i in range(3)})
    got = understood(pets, csv(tmp_path, frame))
    assert any(words in note for note in got.notes), got.notes
    check(got, pets, rows, said, atol=atol)
    np.testing.assert_allclose(got.parts["test"].said.sum(1), 1, atol=1e-9)


def test_a_yes_or_no_for_each_class_is_no_probability_and_says_what_to_do(pets, tmp_path):
    rows = rows_of(pets)
    values = np.random.default_rng(3).uniform(size=(len(rows), 3))
    path = csv(tmp_path, rows[["id"]].assign(**{f"p_{i}": values[:, i] for i in range(3)}))
    with pytest.raises(ValueError, match="--values scores"):
        understood(pets, path)
    got = understood(pets, path, values="scores")
    np.testing.assert_allclose(got.parts["test"].said.sum(1), 1, atol=1e-12)


def test_decimal_commas_and_percent_signs(pets, tmp_path):
    rows = rows_of(pets)
    said = np.round(said_of(len(rows)), 6)
    commas = rows[["id"]].assign(**{f"p_{i}": [str(one).replace(".", ",") for one in said[:, i]] for i in range(3)})
    check(understood(pets, csv(tmp_path, commas, sep=";")), pets, rows, said, atol=1e-5)
    signs = rows[["id"]].assign(**{f"p_{i}": [f"{100 * one:.6f} %" for one in said[:, i]] for i in range(3)})
    check(understood(pets, csv(tmp_path, signs)), pets, rows, said, atol=1e-5)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_encodings_of_spreadsheets(pets, tmp_path, encoding):
    rows = rows_of(pets)
    said = said_of(len(rows))
    frame = rows[["path"]].assign(**{f"Prob {name}": said[:, i] for i, name in enumerate(CLASSES)})
    check(understood(pets, csv(tmp_path, frame, encoding=encoding, sep=";")), pets, rows, said)


def test_names_that_differ_in_form_are_suggested_and_taken_only_when_asked(pets, tmp_path):
    rows = rows_of(pets)
    said = said_of(len(rows))
    frame = rows[["id"]].assign(**{name: said[:, i] for i, name in enumerate(("ankle_boot", "bag", "T-Shirt Top"))})
    path = csv(tmp_path, frame)
    with pytest.raises(ValueError, match=r"--class 'ankle_boot=Ankle boot'.*--match-names"):
        understood(pets, path)
    check(understood(pets, path, suggested=True), pets, rows, said)
    labels = csv(tmp_path, rows[["id"]].assign(predicted="ankle_boot"), "labels.csv")
    with pytest.raises(ValueError, match="--match-names"):
        understood(pets, labels)
    assert understood(pets, labels, suggested=True).known == "labels"


def test_classes_that_one_side_lacks_are_said(pets, tmp_path):
    rows = rows_of(pets)
    said = said_of(len(rows))
    more = rows[["id"]].assign(**{f"p_{name}": said[:, i] for i, name in enumerate((*CLASSES[:2], "Hat"))})
    path = csv(tmp_path, more)
    with pytest.raises(ValueError, match=r"'Hat'.*--class 'Hat=NAME'"):
        understood(pets, path)
    check(understood(pets, path, names={"Hat": "T-shirt top"}), pets, rows, said)
    two = said[:, :2] / said[:, :2].sum(1, keepdims=True)
    fewer = csv(
        tmp_path, rows[["id"]].assign(**{f"p_{name}": two[:, i] for i, name in enumerate(CLASSES[:2])}), "2.csv"
    )
    got = understood(pets, fewer)
    assert "no column for 'T-shirt top': never predicted" in got.notes
    assert not got.parts["test"].said[:, 2].any()


def test_what_does_not_match_is_counted_and_listed(pets, tmp_path):
    rows = rows_of(pets)
    said = said_of(len(rows))
    frame = rows[["id"]].assign(**{f"p_{i}": said[:, i] for i in range(3)})
    frame["id"] = frame["id"].astype(str)
    frame.loc[3, "id"] = "4711"
    frame.loc[5, "p_1"] = np.nan
    got = understood(pets, csv(tmp_path, frame))
    assert (got.matched, got.unmatched) == (88, 2)
    assert got.left_out["no picture of the data set is called so"] == ["4711"]
    assert got.left_out["a number is missing or is none"] == [frame["id"][5]]
    assert len(got.parts["test"].at) == 13
    assert any("test is predicted in part, 13 of 15" in note for note in got.notes)


def test_several_rows_of_one_picture_are_a_question(pets, tmp_path):
    rows = rows_of(pets, ("test", "validation"))
    said = said_of(len(rows))
    frame = rows[["id"]].assign(**{f"p_{i}": said[:, i] for i in range(3)})
    twice = pd.concat([frame, frame.iloc[[0]].assign(p_0=0.5, p_1=0.25, p_2=0.25)])
    path = csv(tmp_path, twice)
    with pytest.raises(ValueError, match="--repeated last"):
        understood(pets, path)
    check(understood(pets, path, repeated="first"), pets, rows, said)
    got = understood(pets, path, repeated="last")
    assert [0.5, 0.25, 0.25] in got.parts["test"].said.tolist()
    same = understood(pets, csv(tmp_path, pd.concat([frame, frame.iloc[[0]]])))
    check(same, pets, rows, said)
    assert any("has one already" in note for note in same.notes)


@pytest.mark.parametrize("shape", ["label and score", "pairs", "columns", "dictionary", "with a confidence"])
def test_top_k_in_the_shapes_that_tools_write(pets, tmp_path, shape):
    rows = rows_of(pets)
    said = said_of(len(rows))
    order = np.argsort(-said, axis=1)[:, :2]
    top = [[(CLASSES[k], float(one[k])) for k in best] for one, best in zip(said, order, strict=True)]
    path = tmp_path / "top.jsonl"
    if shape == "columns":
        pieces = {f"top{k + 1}": [one[k][0] for one in top] for k in range(2)}
        sure = {f"top{k + 1}_prob": [one[k][1] for one in top] for k in range(2)}
        path = csv(tmp_path, rows[["id"]].assign(**pieces, **sure))
    elif shape == "with a confidence":
        path = csv(
            tmp_path, rows[["id"]].assign(pred=[one[0][0] for one in top], confidence=[one[0][1] for one in top])
        )
    else:
        made = {
            "label and score": lambda one: [{"label": name, "score": p} for name, p in one],
            "pairs": lambda one: [list(pair) for pair in one],
            "dictionary": dict,
        }[shape]
        path.write_text(
            "\n".join(json.dumps({"file": p, "top": made(one)}) for p, one in zip(rows["path"], top, strict=True))
        )
    got = understood(pets, path)
    assert (got.known, got.matched) == ("top-k", 90)
    kept = np.zeros_like(said)
    for k in range(1 if shape == "with a confidence" else 2):
        kept[np.arange(90), order[:, k]] = said[np.arange(90), order[:, k]]
    check(got, pets, rows, kept)


def test_our_own_batch_of_answers_is_read(pets, tmp_path):
    """`python -m ml predict` writes file, true, label, confidence, and JSON lines with a list `top`."""
    rows = rows_of(pets, ("test",))
    frame = pd.DataFrame({"file": rows["path"], "true": rows["label"], "label": "Bag", "confidence": 0.75, "error": ""})
    got = understood(pets, csv(tmp_path, frame))
    assert (got.known, got.labelled, got.disagreeing) == ("top-k", 15, 0)
    assert (got.parts["test"].said == [0, 0.75, 0]).all()


def test_the_label_column_is_the_prediction_where_there_is_no_other(pets, tmp_path):
    rows = rows_of(pets, ("test",))
    got = understood(pets, csv(tmp_path, rows[["id", "label"]]))
    assert (got.known, got.labelled) == ("labels", 0)
    assert any("taken as the predicted label" in note for note in got.notes)
    _, dataset = pets
    assert (got.parts["test"].said.argmax(1) == dataset["test"].labels).all()


def test_labels_that_are_not_those_of_the_pictures_stop_it(pets, tmp_path):
    rows = rows_of(pets)
    said = said_of(len(rows))
    frame = rows[["id", "label"]].assign(**{f"p_{i}": said[:, i] for i in range(3)})
    got = understood(pets, csv(tmp_path, frame))
    assert (got.labelled, got.disagreeing) == (90, 0)
    shifted = frame.assign(label=[CLASSES[(CLASSES.index(one) + 1) % 3] for one in frame["label"]])
    with pytest.raises(ValueError, match="only 0 of 90 labels"):
        understood(pets, csv(tmp_path, shifted))


def test_rows_in_the_order_of_a_split_need_as_many_of_them(pets, tmp_path):
    rows = rows_of(pets, ("test",)).sort_values("id")
    said = said_of(len(rows))
    np.savez(tmp_path / "preds.npz", probs=said)
    with pytest.raises(ValueError, match="no column that says which picture"):
        understood(pets, tmp_path / "preds.npz")  # validation has as many
    np.savez(tmp_path / "preds_test.npz", probs=said)
    got = understood(pets, tmp_path / "preds_test.npz")
    _, dataset = pets
    assert dataset["test"].ids[got.parts["test"].at].tolist() == rows["id"].tolist()
    np.testing.assert_array_equal(got.parts["test"].said, said)
    assert any("in the order of test" in note for note in got.notes)


@pytest.mark.parametrize("shape", ["column", "files", "array"])
def test_predictions_after_every_epoch(pets, tmp_path, shape):
    _, dataset = pets
    rows = rows_of(pets, ("test", "validation"))
    said = {epoch: said_of(len(rows), seed=epoch) for epoch in (1, 2, 3)}
    frames = {e: rows[["id"]].assign(**{f"p_{i}": one[:, i] for i in range(3)}) for e, one in said.items()}
    if shape == "column":
        files = [csv(tmp_path, pd.concat([frame.assign(epoch=e) for e, frame in frames.items()]))]
    elif shape == "files":
        files = [csv(tmp_path, frame, f"predictions_epoch{e:02}.csv") for e, frame in frames.items()]
    else:
        np.savez(tmp_path / "all.npz", probabilities=np.stack([*said.values()]), id=rows["id"].to_numpy())
        files = [tmp_path / "all.npz"]
    got = understood(pets, *files)
    assert (sorted(got.epochs), got.epoch, got.partial_epochs) == ([1, 2, 3], 3, ())
    check(got, pets, rows, said[3])
    noun, told = epochs.recorded(got.epochs, got.epoch, publish.context_of(got, dataset))
    assert [*told] == [*got.epochs]
    assert noun["epoch"].tolist() == [1, 2, 3]
    first = noun["test_probabilities"][0] / noun["test_probabilities"][0].sum(1, keepdims=True)
    mine = (rows["split"] == "test").to_numpy()
    np.testing.assert_allclose(first, said[1][mine][np.argsort(rows["id"][mine])], atol=0.02)
    assert understood(pets, *files, epoch=2).epoch == 2


def test_feature_vectors_come_along(pets, tmp_path):
    _, dataset = pets
    rows = rows_of(pets)
    said, features = said_of(len(rows)), np.random.default_rng(5).normal(size=(len(rows), 6))
    frame = rows[["id"]].assign(
        **{f"p_{i}": said[:, i] for i in range(3)}, **{f"feature_{i}": features[:, i] for i in range(6)}
    )
    got = understood(pets, csv(tmp_path, frame))
    assert got.capabilities == ["probabilities", "features"]
    mine = (rows["split"] == "test").to_numpy()
    np.testing.assert_array_equal(got.parts["test"].features, features[mine][np.argsort(rows["id"][mine])])
    listed = rows[["id"]].assign(probabilities=[*said.tolist()], embedding=[*features.tolist()])
    listed.to_parquet(tmp_path / "listed.parquet")
    again = understood(pets, tmp_path / "listed.parquet")
    np.testing.assert_array_equal(again.parts["test"].features, got.parts["test"].features)
    assert publish.context_of(got, dataset).described == ("test", "validation", "reference")


def test_pickles_are_never_opened(pets, tmp_path):
    said = said_of(15)
    np.savez(
        tmp_path / "objects.npz", probabilities=said, id=np.array([object()] * 15, dtype=object), allow_pickle=True
    )
    with pytest.raises(ValueError, match="never opened"):
        understood(pets, tmp_path / "objects.npz")
    pd.DataFrame(said).to_pickle(tmp_path / "frame.pkl")
    (tmp_path / "frame.pkl").rename(tmp_path / "frame.csv")
    with pytest.raises(ValueError, match="never opened"):
        understood(pets, tmp_path / "frame.csv")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no rows"),
        ("id,p_0\n", "no rows"),
        ("id,p_0,p_0,p_1\n1,2,3,4\n", "twice"),
        ("0.1,0.2,0.7\n0.3,0.3,0.4\n", "no line of column names"),
        ("id,colour\n1,red\n", "which columns are the predictions"),
        ("id,p_0,p_1\n1,0.5,0.5\n", "2 columns"),
        ("id,predicted\n1,Zebra\n", "no class of the data set"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(pets, tmp_path, content, words):
    (tmp_path / "broken.csv").write_text(content)
    with pytest.raises(ValueError, match=words):
        understood(pets, tmp_path / "broken.csv")


def test_predictions_of_a_run_of_ours_are_counted_as_that_run_is(home, no_artifacts, tmp_path):
    library = Library(no_artifacts, home)
    run = library.open(TOY_RUN)
    frame = run.table("predictions").drop(columns=["label", "predicted", "confidence"])
    frame["split"] = frame["split"].replace("reference", "train")
    dataset = load(run.manifest["dataset"]["name"], home=home)
    frame.to_parquet(tmp_path / "ours.parquet")
    got = reading.read([csv(tmp_path, frame.sample(frac=1, random_state=1))], dataset, tmp_path)
    exact = reading.read([tmp_path / "ours.parquet"], dataset, tmp_path)
    assert exact.parts["test"].said.dtype == np.float32
    for run_id, one in (("text", got), ("exact", exact)):
        publish.publish(one, dataset, run_id, home, sources={})
        theirs = library.open(run_id)
        for split in ("test", "validation", "reference"):
            mine, own = theirs.manifest["results"][split], run.manifest["results"][split]
            assert (mine["correct"], mine["n"]) == (own["correct"], own["n"])
            assert mine["loss"] == pytest.approx(own["loss"], abs=2e-6)
        for noun in ("scores", "confusion", "calibration", "conformal"):
            left, right = theirs.table(noun), run.table(noun)
            drawn = ["low", "high"] if noun in ("scores", "calibration") else []  # by a seed that is the training's own
            exactly = {"check_exact": False, "rtol": 0, "check_dtype": False}
            atol = 0 if run_id == "exact" else 1e-5
            pd.testing.assert_frame_equal(left.drop(columns=drawn), right.drop(columns=drawn), atol=atol, **exactly)
            pd.testing.assert_frame_equal(left[drawn], right[drawn], atol=0.05, **exactly)


def test_the_command_line_says_what_it_understood_and_makes_the_run(home, no_artifacts, tmp_path, monkeypatch, capsys):
    from ml import pipeline
    from ml.__main__ import main

    monkeypatch.setattr(pipeline, "default_library", lambda: Library(no_artifacts, home))
    monkeypatch.setenv("FASHION_HOME", str(home))
    frame = pd.read_parquet(home / "runs" / TOY_RUN / "predictions.parquet")
    frame = frame[frame["split"] != "reference"].drop(columns=["label", "predicted", "confidence"])
    path = csv(tmp_path, pd.concat([frame, frame.iloc[[0]].assign(example_id=99_999)]))
    command = ["runs", "add", "Their Net", "--data", TOY, "--predictions", str(path), "--json"]
    left = tmp_path / "left.csv"
    assert main([*command, "--dry-run", "--unmatched", str(left)]) == 0
    out = capsys.readouterr().out
    assert "Nothing was written" in out
    assert "left out, 1: the split has no picture of this number: 99999" in out
    assert "99999,the split has no picture of this number" in left.read_text(encoding="utf-8-sig")
    assert not (home / "runs" / "their-net").exists()
    assert main(command) == 0
    made = json.loads(capsys.readouterr().out.splitlines()[-1])
    own = Library(no_artifacts, home).open(TOY_RUN).manifest["results"]["validation"]
    assert {key: made[key] for key in ("run", "kind", "capabilities", "preparation", "matched", "unmatched")} == {
        "run": "their-net", "kind": "recorded", "capabilities": ["probabilities"], "preparation": {},
        "matched": len(frame), "unmatched": 1,
    }  # fmt: skip
    assert made["validation_accuracy"] == own["correct"] / own["n"]
    assert main(command) == 2
    assert "already" in capsys.readouterr().err
    for words in (["evaluate", "their-net", "--split", "test"], ["evaluate", "their-net", "--only", "robustness"]):
        assert main(words) == 1
        assert "This needs a network that can be asked" in capsys.readouterr().err
    assert main(["evaluate", "their-net", "--only", "label_issues", "scores"]) == 0
    assert main(["card", "their-net"]) == 0
    assert "predictions alone" in capsys.readouterr().out
    assert main(["predict", str(path), "--run", "their-net"]) == 1
    assert "This needs a network" in capsys.readouterr().err


def test_a_run_of_predictions_travels_as_a_zip(home, no_artifacts, tmp_path):
    from ml.publishing import model_card, report, run_archive

    library = Library(no_artifacts, home)
    frame = library.open(TOY_RUN).table("predictions").drop(columns=["label", "confidence"])
    dataset = load(TOY, home=home)
    frame = frame[frame["split"] == "test"]
    labels = reading.read([csv(tmp_path, frame[["split", "example_id", "predicted"]])], dataset, tmp_path)
    whole = reading.read([csv(tmp_path, frame.drop(columns="predicted"))], dataset, tmp_path)
    for run_id, got in (("labels", labels), ("whole", whole)):
        publish.publish(got, dataset, run_id, home, sources={})
        run = library.open(run_id)
        parcel = run_archive.pack(run, model_card.markdown(run))
        (tmp_path / "run.zip").write_bytes(parcel)
        with (tmp_path / "run.zip").open("rb") as file:
            taken = run_archive.unpack(file, library, name=f"{run_id}-again")
        again = library.open(taken.run_id)
        pd.testing.assert_frame_equal(again.table("predictions"), run.table("predictions"))
        report.write(library, run_id, tmp_path / run_id)
        assert "Predictions alone" in (tmp_path / run_id / "report.md").read_text()


def test_bfloat16_loses_its_type_in_an_npz_which_is_said(tmp_path):
    """As Keras predicts under mixed_bfloat16: NumPy writes the numbers, and reads two bytes of nothing."""
    import ml_dtypes

    said = np.array([[0.25, 0.75], [0.5, 0.5]], ml_dtypes.bfloat16)
    np.savez(tmp_path / "said.npz", probabilities=said, id=np.arange(2))
    assert np.load(tmp_path / "said.npz")["probabilities"].dtype.kind == "V"
    with pytest.raises(ValueError, match=r"saved in bfloat16.*probabilities\.astype\('float32'\)"):
        files.read(tmp_path / "said.npz")
    np.savez(tmp_path / "said.npz", probabilities=said.astype("float32"), id=np.arange(2))
    assert (files.read(tmp_path / "said.npz").blocks["probabilities"] == said.astype(np.float32)).all()


SMALL = (  # the command line on a machine that has 800 MB free
    "import sys; from ml.system import memory; memory.free = lambda: 800 << 20; from ml.__main__ import main; "
    "sys.exit(main(sys.argv[1:]))"
)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what is in use is limited on Linux alone")
def test_a_small_file_that_takes_a_large_memory_is_refused_in_words(tmp_path):
    """Two archives of a few MB: 1 GB of zeros, and an array that says it has 4 TB."""
    zeros, lying = tmp_path / "zeros.npz", tmp_path / "lying.npz"
    head = {"descr": "<f4", "fortran_order": False, "shape": (25_000_000, 10)}
    archive = zipfile.ZipFile(zeros, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    with archive, archive.open("probabilities.npy", "w", force_zip64=True) as part:
        np.lib.format.write_array_header_1_0(part, head)
        for _ in range(1000):
            part.write(bytes(10**6))
    with zipfile.ZipFile(lying, "w") as archive, archive.open("probabilities.npy", "w") as part:
        np.lib.format.write_array_header_1_0(part, {"descr": "<f4", "fortran_order": False, "shape": (10**11, 10)})
    assert zeros.stat().st_size < 5 << 20
    for place in (zeros, lying):
        asked = [sys.executable, "-c", SMALL, "runs", "look", str(place), "--data", TOY]
        ended = subprocess.run(asked, capture_output=True, text=True, timeout=120)
        assert json.loads(ended.stdout)["refused"].startswith(f"{place.name} takes more memory than is free here"), (
            place
        )
        assert "Traceback" not in ended.stderr
