import numpy as np

from dashboard.figures import confusion

COUNTS = np.array([[8, 2, 0], [1, 9, 0], [0, 0, 5]])
NAMES = ["Shirt", "Coat", "Bag"]


def cells(figure, opacity=None):
    """(truth, guess) of every drawn cell, of the given opacity."""
    drawn = set()
    for trace in figure["data"]:
        if trace["type"] == "heatmap" and (opacity is None or trace["opacity"] == opacity):
            for truth, row in zip(trace["y"], trace["z"], strict=True):
                drawn |= {(truth, guess) for guess, z in zip(trace["x"], row, strict=True) if z is not None}
    return drawn


def numbers(figure):
    trace = figure["data"][-1]
    return dict(zip(zip(trace["y"], trace["x"], strict=True), trace["text"], strict=True))


def test_every_cell_can_be_clicked_and_zeros_stay_blank():
    figure = confusion.heatmap(COUNTS, NAMES)
    assert cells(figure) == {(a, b) for a in NAMES for b in NAMES}
    assert numbers(figure) == {
        ("Shirt", "Shirt"): "8",
        ("Shirt", "Coat"): "2",
        ("Coat", "Shirt"): "1",
        ("Coat", "Coat"): "9",
        ("Bag", "Bag"): "5",
    }


def test_shares_of_rows_and_columns():
    assert numbers(confusion.heatmap(COUNTS, NAMES, normalise="row"))["Shirt", "Coat"] == "20"
    assert numbers(confusion.heatmap(COUNTS, NAMES, normalise="column"))["Shirt", "Coat"] == "18"
    assert confusion.words(0.004, "row") == "0.4"
    assert np.array_equal(confusion.values(np.zeros((2, 2), int), "row"), np.zeros((2, 2)))


def test_without_the_diagonal_its_numbers_go_and_its_cells_stay():
    figure = confusion.heatmap(COUNTS, NAMES, diagonal=False)
    assert set(numbers(figure)) == {("Shirt", "Coat"), ("Coat", "Shirt")}
    assert cells(figure) == {(a, b) for a in NAMES for b in NAMES}


def test_outside_the_selection_cells_fade_and_the_chosen_one_gets_a_ring():
    chosen = np.zeros((3, 3), bool)
    chosen[0, 1] = True
    figure = confusion.heatmap(COUNTS, NAMES, chosen=chosen)
    assert cells(figure, 1) == {("Shirt", "Coat")}
    assert len(cells(figure, confusion.DIM)) == 8
    [ring] = figure["layout"]["shapes"]
    assert (ring["x0"], ring["y0"]) == (0.5, -0.5)


def test_mistakes_on_a_square_root_scale():
    loud = np.array(confusion.heatmap(np.array([[0, 4], [1, 0]]), ["a", "b"])["data"][0]["z"], float)
    assert loud[0, 1] == 1
    assert loud[1, 0] == 0.5


def test_a_matrix_of_nothing_can_be_drawn():
    assert numbers(confusion.heatmap(np.zeros((3, 3), int), NAMES)) == {}


def test_clusters_stand_together_whatever_their_order():
    rng = np.random.default_rng(2)
    family = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2])
    counts = np.where(family[:, None] == family[None, :], 20, 1) + rng.integers(0, 2, (9, 9))
    np.fill_diagonal(counts, 500)
    order = confusion.cluster_order(counts)
    assert sorted(order.tolist()) == list(range(9))
    assert (np.diff(family[order]) != 0).sum() == 2
    assert confusion.cluster_order(np.eye(4, dtype=int)).tolist() != []
    assert confusion.cluster_order(np.eye(2, dtype=int)).tolist() == [0, 1]


def test_groups_hold_every_class_once_and_add_up():
    counts = np.array([[8, 2, 0, 0], [1, 9, 0, 0], [0, 0, 5, 1], [0, 0, 0, 7]])
    rows = confusion.groups(counts, np.array([3, 2, 1, 0]), 2)
    assert rows == [[1], [0], [3, 2]]  # the two with the most mistakes, in the order asked for, then the rest
    assert confusion.grouped(counts, rows).tolist() == [[9, 1, 0], [2, 8, 0], [0, 0, 13]]
    assert confusion.groups(counts, np.arange(4), 4) == [[0], [1], [2], [3]]


def test_colour_by_root_and_by_logarithm():
    mistakes = np.array([0.0, 1.0, 10.0, 100.0])
    assert confusion.loudness(mistakes).tolist() == [0, 0.1, np.sqrt(0.1), 1]
    log = confusion.loudness(mistakes, log=True)
    assert log[0] == 0
    assert np.allclose(np.diff(log[1:]), 0.47)
    assert confusion.loudness(np.zeros(3), log=True).tolist() == [0, 0, 0]
    assert confusion.loudness(np.array([0.0, 3.0]), log=True)[1] == 1


def test_hover_says_what_a_share_is_of_and_how_sure():
    low, high = np.full((3, 3), 0.1), np.full((3, 3), 0.3)
    texts = confusion.heatmap(COUNTS, NAMES, ends=(low, high))["data"][0]["text"]
    assert texts[0][1] == "<b>2</b> Shirt predicted Coat<br>20.0 % (10.0 – 30.0) of 10"
    wrong, right = confusion.heatmap(COUNTS, NAMES, normalise="column", right=np.array([8, 9, 4]))["data"][:2]
    assert wrong["text"][0][1] == "<b>2</b> Shirt predicted Coat<br>18.2 % of 11 predicted Coat"
    assert "4 of them right" in right["text"][2][2]
    assert wrong["text"][2][2] == right["text"][0][1] == ""


def test_a_second_cell_has_a_ring_of_its_own():
    shapes = confusion.heatmap(COUNTS, NAMES, held=(1, 0))["layout"]["shapes"]
    assert [(s["x0"], s["y0"], s["line"]["dash"]) for s in shapes] == [(-0.5, 0.5, "dot")]
    assert numbers(confusion.heatmap(COUNTS, NAMES, size=0)) == {}
