"""How the browser writes the numbers of a table."""

from __future__ import annotations

import pytest

from runs_analytics.exports.document import Column
from runs_analytics.ui.tables import column_config

COST = Column("cost", "Cost", "money")


@pytest.mark.parametrize(
    ("currency", "has_negative", "written"),
    [("USD", False, "$%,.2f"), ("CHF", False, "CHF %,.2f"), ("USD", True, "%,.2f USD")],
)
def test_the_sign_of_money_stands_before_its_digits(currency: str, has_negative: bool, written: str) -> None:
    config = column_config(COST, currency, has_negative=has_negative)
    assert config["type_config"]["format"] == written
