import unittest

from shop.stock import Stock


class StockTest(unittest.TestCase):
    def test_what_was_added_is_there(self):
        stock = Stock()
        stock.add("tea", 2)
        self.assertEqual(stock.items, {"tea": 2})
