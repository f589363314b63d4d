from bill.receipt import receipt


def test_a_receipt_for_three():
    assert receipt({"soup": 650, "wine": 350}, people=3) == (
        "soup        6.50\n"
        "wine        3.50\n"
        "total      10.00\n"
        "each        3.34 3.33 3.33\n"
    )
