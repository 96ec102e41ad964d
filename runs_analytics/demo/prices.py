"""The sample company's price books: what it is charged in credits, and what its providers charge it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

from runs_analytics.demo.schedule import schedule
from runs_analytics.money.price_book import Component, Price, PriceBook, PriceVersion

MILLION: Final = 1_000_000
UNPRICED_SERVICE: Final = "Vision"
UNLISTED_MODEL: Final = "nano-1"

TOKEN_COST: Final[dict[str, tuple[str, str, str]]] = {
    "large-3": ("3", "0.3", "15"),
    "medium-3": ("0.8", "0.08", "4"),
    "small-3": ("0.15", "0.015", "0.6"),
    "reason-1": ("10", "1", "40"),
    "embed-2": ("0.02", "0.02", "0"),
    "translate-1": ("0.5", "0.5", "1.5"),
    "vision-1": ("0.6", "0.6", "2.4"),
}
"""US dollars per million tokens by model: input, cached input, output."""

TOKEN_CREDITS: Final[dict[str, tuple[str, str, str]]] = {
    "large-3": ("560", "110", "2700"),
    "medium-3": ("150", "30", "750"),
    "small-3": ("40", "8", "160"),
    "reason-1": ("1900", "380", "7500"),
    "nano-1": ("12", "3", "48"),
    "embed-2": ("4", "4", "0"),
    "translate-1": ("80", "80", "240"),
}
"""Credits per million tokens by model: input, cached input, output."""

_SERVICE_COST: Final[dict[str, tuple[str, str]]] = {
    "Search": ("unit:queries", "0.005"),
    "Enrichment": ("unit:records", "0.018"),
    "Images": ("unit:images", "0.04"),
    "E-mail": ("unit:emails", "0.0009"),
    "Site crawl": ("unit:pages", "0.0016"),
    "Speech": ("unit:minutes", "0.006"),
    "Vector store": ("run", "0.00004"),
    "OCR": ("unit:pages", "0.0015"),
}
_SERVICE_CREDITS: Final[dict[str, tuple[str, str]]] = {
    "Search": ("unit:queries", "0.9"),
    "Enrichment": ("unit:records", "2.8"),
    "Images": ("unit:images", "6"),
    "E-mail": ("unit:emails", "0.2"),
    "Site crawl": ("unit:pages", "0.3"),
    "Speech": ("unit:minutes", "0.9"),
    "Vector store": ("run", "0.02"),
    "OCR": ("unit:pages", "0.4"),
}
AGENT_RUN_CREDITS: Final = "2"
CREDIT_RATE: Final = "0.01"
RAISE: Final = Decimal("1.12")
"""Factor of the token prices of large-3 and reason-1 in the second version."""

RAISED_MODELS: Final = ("large-3", "reason-1")


def price_books(until: datetime, days: int) -> tuple[dict[str, object], dict[str, object]]:
    """The credit prices (two versions) and the cost list (one) of a sample, in the JSON of `PriceBook`.

    The service Vision has no credit price, and the model nano-1 is not in the cost list.

    Args:
        until: the end of the sample, aware.
        days: its length.
    """
    plan = schedule(until, days)
    start = plan.whole.start.replace(minute=0, second=0, microsecond=0)
    credit = PriceBook(
        "credits",
        (
            PriceVersion(1, start, _credit_prices(Decimal(1)), Decimal(CREDIT_RATE)),
            PriceVersion(2, plan.price_change, _credit_prices(RAISE), Decimal(CREDIT_RATE)),
        ),
    )
    return credit.to_json(), PriceBook("cost", (PriceVersion(1, start, _cost_prices()),)).to_json()


def _credit_prices(factor: Decimal) -> tuple[Price, ...]:
    agent = Price(
        "agent-run", 10, (("kind", ("agent_run",)),), (Component("run", Decimal(AGENT_RUN_CREDITS)),)
    )
    tokens = [
        _token_price(model, prices, factor if model in RAISED_MODELS else Decimal(1))
        for model, prices in TOKEN_CREDITS.items()
    ]
    return (agent, *tokens, *_service_prices(_SERVICE_CREDITS))


def _cost_prices() -> tuple[Price, ...]:
    agent = Price("agent-run", 10, (("kind", ("agent_run",)),), (Component("run", Decimal(0)),))
    tokens = [_token_price(model, prices, Decimal(1)) for model, prices in TOKEN_COST.items()]
    return (agent, *tokens, *_service_prices(_SERVICE_COST))


def _token_price(model: str, prices: tuple[str, str, str], factor: Decimal) -> Price:
    measures = ("uncached_input_tokens", "cached_tokens", "output_tokens")
    return Price(
        id=model,
        priority=20,
        conditions=(("model", (model,)),),
        components=tuple(
            Component(measure, Decimal(price) * factor, MILLION)
            for measure, price in zip(measures, prices, strict=True)
        ),
    )


def _service_prices(prices: dict[str, tuple[str, str]]) -> list[Price]:
    return [
        Price(
            id=service.lower().replace(" ", "-"),
            priority=30,
            conditions=(("service", (service,)),),
            components=(Component(measure, Decimal(price)),),
        )
        for service, (measure, price) in prices.items()
    ]
