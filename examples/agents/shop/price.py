"""Prices in cents."""


def net(cents, percent):
    if percent < 0 or percent > 100:
        raise ValueError("percent out of range")
    return cents - cents * percent // 100


def gross(cents, percent):
    if percent < 0 or percent > 100:
        raise ValueError("percent out of range")
    return cents + cents * percent // 100
