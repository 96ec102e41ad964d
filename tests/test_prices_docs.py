"""The example of docs/prices.md is a version that rates as the text says."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from runs_analytics.money.price_book import PriceBook, PriceVersion
from runs_analytics.money.rating import rate
from runs_analytics.vocabulary import NANO

DOCS = Path(__file__).parents[1] / "docs" / "prices.md"


def test_the_example_rates() -> None:
    example = re.search(r"```json\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert example is not None
    book = PriceBook("credits", (PriceVersion.from_json(json.loads(example[1])),))
    run = {
        "service": "search",
        "model": "large",
        "input_tokens": 2_000_000,
        "cached_tokens": 1_000_000,
        "request_bytes": 1_000_001,
        "output_tokens": 3_000,
        "tags": ["speed=fast"],
    }
    found = rate(book, run, datetime(2026, 12, 2, tzinfo=UTC))
    expected = [Decimal(line) for line in ("0.75", "0.225", "3", "2.1", "0")]
    assert list(found.lines) == [line * NANO for line in expected]
    assert rate(book, {"service": "other"}, datetime(2026, 12, 2, tzinfo=UTC)).total_nano is None
