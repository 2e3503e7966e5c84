"""A proportion says its n and its interval."""

from dashboard.format.proportion import Proportion


def test_a_share_says_its_n_and_interval():
    share = Proportion(841, 1_000)
    assert str(share) == "84.1 % (81.7 – 86.2, 841 of 1,000)"
    assert (share.value, share.percent, share.span) == (0.841, "84.1", "81.7 – 86.2")


def test_a_share_of_none_may_be_anything():
    share = Proportion(0, 0)
    assert str(share) == "none of 0"
    assert (share.value, share.ends, share.percent, share.span) == (0.0, (0.0, 1.0), "0.0", "0.0 – 100.0")
