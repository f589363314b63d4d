import pytest

from bill.shares import split


def test_an_even_split():
    assert split(900, 3) == [300, 300, 300]


@pytest.mark.parametrize(("cents", "people"), [(1000, 3), (1, 2), (100, 7), (0, 4)])
def test_no_cent_is_lost(cents, people):
    shares = split(cents, people)
    assert sum(shares) == cents
    assert len(shares) == people
    assert max(shares) - min(shares) <= 1
    assert shares == sorted(shares, reverse=True)


def test_nobody_cannot_pay():
    with pytest.raises(ValueError):
        split(100, 0)
