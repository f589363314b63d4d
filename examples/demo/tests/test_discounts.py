from bill.discounts import discounted


def test_no_discount():
    assert discounted(1000, 0) == 1000
