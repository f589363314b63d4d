"""Amounts of money in cents, and what people do with them after a meal."""
