"""Prices in cents."""


def reduced(price: int, percent: int) -> int:
    """The price after a reduction, rounded down to whole cents."""
    return price * percent // 100
