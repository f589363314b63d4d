import pytest

from bill.amounts import parse


@pytest.mark.parametrize(
    ("text", "cents"), [("4.35", 435), ("0.29", 29), ("1,234.50", 123450), ("-2.10", -210)]
)
def test_every_cent_counts(text, cents):
    assert parse(text) == cents


@pytest.mark.parametrize("text", ["", "twelve", "1.234"])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(ValueError):
        parse(text)
