import numpy as np

from dashboard.figures import confusion

COUNTS = np.array([[8, 2, 0], [1, 9, 0], [0, 0, 5]])
NAMES = ["Shirt", "Coat", "Bag"]


def cells(figure, opacity=None):
    """(truth, guess) of every drawn cell, of the given opacity."""
    found = set()
    for trace in figure["data"]:
        if trace["type"] == "heatmap" and (opacity is None or trace["opacity"] == opacity):
            for truth, row in zip(trace["y"], trace["z"], strict=True):
                found |= {(truth, guess) for guess, z in zip(trace["x"], row, strict=True) if z is not None}
    return found


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
