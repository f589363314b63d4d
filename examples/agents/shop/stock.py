"""What lies on the shelves."""


class Stock:
    def __init__(self):
        self.items = {}

    def add(self, name, count):
        self.items[name] = self.items.get(name, 0) + count

    def take(self, name, count):
        self.items[name] = self.items[name] - count
        return count
