import pytest

from dashboard.format import numbers


@pytest.mark.parametrize(
    ("seconds", "words_"),
    [
        (50, "50 s"),
        (98, "1 min 38 s"),
        (120, "2 min"),
        (41 * 60, "41 min"),
        (7500, "2 h 05 min"),
        (-3, "0 s"),
        (0.34, "0.3 s"),
        (0.02, "0.1 s"),
        (0.96, "1 s"),
        (0, "0 s"),
    ],
)
def test_durations(seconds, words_):
    assert numbers.duration(seconds) == words_


@pytest.mark.parametrize(
    ("share", "words"), [(0.0, "<0.1"), (0.00049, "<0.1"), (0.0006, "0.1"), (0.934, "93.4"), (1, "100.0")]
)
def test_percent(share, words):
    assert numbers.percent(share) == words


def test_guesses_are_round():
    assert [numbers.about(s) for s in (20, 60, 250, 4000)] == ["under a minute", "1 min", "4 min", "1 h 05 min"]
    assert [numbers.roughly(s) for s in (20, 250)] == ["under a minute", "about 4 min"]
    assert [numbers.ordinal(n) for n in (1, 2, 3, 4, 11, 21)] == ["1st", "2nd", "3rd", "4th", "11th", "21st"]
    assert [numbers.size(n) for n in (38_154, 896_906)] == ["38,154", "0.90 M"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.00"),
        (0.00025, "0.25"),
        (0.00158, "1.58"),
        (0.0099999, "10.0"),
        (0.158, "158"),
        (1.58, "1,580"),
    ],
)
def test_milliseconds_are_no_power_of_ten(seconds, words):
    assert numbers.milliseconds(seconds) == words


@pytest.mark.parametrize(
    ("p", "words"),
    [(1e-9, "p < 0.001"), (0.0432, "p = 0.043"), (0.04999, "p < 0.05"), (0.05, "p = 0.050"), (0.9999, "p = 1.000")],
)
def test_a_chance_never_reads_as_if_it_were_on_the_level(p, words):
    assert numbers.chance(p) == words
