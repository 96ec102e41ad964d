"""Amounts, price books and rating: pure functions of their arguments."""
