"""The sample workspace: half a year of an invented company's runs, its prices, and what was planted in them."""

from runs_analytics.demo.generator import generate
from runs_analytics.demo.prices import price_books
from runs_analytics.demo.truth import truth

__all__ = ["generate", "price_books", "truth"]
