"""Numbers with their noun; and that no sentence on the screen counts to one in the plural."""

from ml.system.wording import are, quantity


def test_one_is_singular():
    assert [quantity(n, "thread") for n in (0, 1, 2, 55_000)] == [
        "0 threads",
        "1 thread",
        "2 threads",
        "55,000 threads",
    ]
    assert [are(n, "a copy", "copies") for n in (1, 2)] == ["is a copy", "are copies"]
    assert [are(n) for n in (0, 1)] == ["are", "is"]
