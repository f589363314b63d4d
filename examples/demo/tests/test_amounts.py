from bill.amounts import parse


def test_whole_amounts():
    assert parse("12") == 1200


def test_one_digit_after_the_point():
    assert parse("12.5") == 1250
