from bill.receipt import receipt


def test_a_receipt_for_three():
    assert receipt({"soup": 650, "wine": 350}, people=3) == (
        "soup        6.50\nwine        3.50\ntotal      10.00\neach        3.34 3.33 3.33\n"
    )
