import unittest

from shop import price


class PriceTest(unittest.TestCase):
    def test_nothing_off(self) -> None:
        self.assertEqual(price.reduced(0, 10), 0)
