import pytest

from bill.discounts import discounted


@pytest.mark.parametrize(
    ("cents", "percent", "left"), [(1000, 10, 900), (999, 50, 500), (5, 10, 5), (80, 100, 0)]
)
def test_percent_of_a_hundred(cents, percent, left):
    assert discounted(cents, percent) == left
