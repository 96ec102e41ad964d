"""Price books are read strictly, written back the same, and valid from their moments."""

from __future__ import annotations

import copy
import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from runs_analytics.errors import BadRequest
from runs_analytics.money.model_prices import price_list_from_model_prices
from runs_analytics.money.price_book import Component, Price, PriceBook, PriceVersion
from runs_analytics.money.rating import rate

MODEL_PRICES = Path(__file__).parents[1] / ".." / "shared" / "data" / "llm_model_prices.json.gz"
JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
PER_RUN = Price("any", 100, (), (Component("run", Decimal("0.02")),))

BOOK: dict[str, Any] = {
    "kind": "credits",
    "versions": [
        {
            "version": 1,
            "valid_from": "2026-01-01T00:00:00Z",
            "credit_rate": "0.01",
            "prices": [
                {
                    "id": "chat",
                    "priority": 10,
                    "conditions": {"model": ["large", "small"], "service": ["chat"]},
                    "components": [
                        {"measure": "run", "price": "0.020", "per": 1},
                        {"measure": "uncached_input_tokens", "price": "0.15", "per": 1_000_000},
                        {"measure": "unit:images", "price": "4", "per": 1},
                    ],
                },
                {
                    "id": "tiered",
                    "priority": 20,
                    "conditions": {},
                    "components": [
                        {
                            "measure": "input_tokens",
                            "per": 1_000,
                            "form": "graduated",
                            "tiers": [
                                {"up_to": 1_000, "price": "0.2", "flat": "0"},
                                {"up_to": None, "price": "0.1", "flat": "1"},
                            ],
                        },
                        {"measure": "request_bytes", "price": "1", "per": 1_000_000, "form": "package"},
                    ],
                    "minimum": "0.5",
                    "multipliers": [
                        {"name": "fast", "factor": "1.5", "conditions": {}, "tags": ["speed=fast"]}
                    ],
                },
            ],
        }
    ],
}


def test_a_book_is_written_as_it_was_read() -> None:
    book = PriceBook.from_json(BOOK)
    assert book.to_json() == BOOK
    assert PriceBook.from_json(json.loads(json.dumps(book.to_json()))) == book


def test_a_book_means_what_it_says() -> None:
    version = PriceBook.from_json(BOOK).versions[0]
    assert version.valid_from == JANUARY
    assert version.credit_rate == Decimal("0.01")
    assert version.prices[0].conditions == (("model", ("large", "small")), ("service", ("chat",)))
    assert version.prices[0].components[1] == Component("uncached_input_tokens", Decimal("0.15"), 1_000_000)


def test_what_is_usual_can_be_left_out() -> None:
    price = Price.from_json({"id": "any", "components": [{"measure": "run", "price": "0.02"}]})
    assert price == PER_RUN


def version(body: dict[str, Any]) -> dict[str, Any]:
    return body["versions"][0]  # type: ignore[no-any-return]


def price(body: dict[str, Any]) -> dict[str, Any]:
    return version(body)["prices"][0]  # type: ignore[no-any-return]


def tiered(body: dict[str, Any]) -> dict[str, Any]:
    return version(body)["prices"][1]  # type: ignore[no-any-return]


LATER = {"up_to": 2_000, "price": "0.3"}


def component(body: dict[str, Any]) -> dict[str, Any]:
    return price(body)["components"][1]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("spoil", "field", "reason"),
    [
        (lambda b: tiered(b)["components"][0].update(price="1"), "price", "leave price out"),
        (lambda b: tiered(b)["components"][0].update(form="step"), "form", "use one of: flat"),
        (lambda b: tiered(b)["components"][0].update(form="flat"), "tiers", "Tiers are for"),
        (lambda b: tiered(b)["components"][0].update(tiers=[]), "tiers", "0 tiers"),
        (lambda b: tiered(b)["components"][0]["tiers"].pop(), "tiers", "The last tier"),
        (lambda b: tiered(b)["components"][0]["tiers"].insert(0, LATER), "tiers", "end higher"),
        (lambda b: tiered(b).update(minimum="-1"), "minimum", "use 0 to"),
        (lambda b: tiered(b)["multipliers"][0].update(factor="1001"), "factor", "use 0 to 1000"),
        (lambda b: tiered(b)["multipliers"][0].update(tags=[]), "conditions", "raise the prices"),
        (lambda b: tiered(b)["multipliers"][0].update(tags=["fast"]), "tags", "write key=value"),
        (lambda b: b.update(kind="euros"), "kind", "credits or cost"),
        (lambda b: b.update(extra=1), "extra", "Unknown name 'extra'. The names are: kind, versions"),
        (lambda b: b.pop("versions"), "versions", "missing"),
        (lambda b: b.update(versions={}), "versions", "an object; write a list"),
        (lambda b: b["versions"].append(version(b)), None, "number 1 is used twice"),
        (lambda b: b.update(kind="cost"), "credit_rate", "no credit_rate"),
        (lambda b: version(b).update(version=True), "version", "true or false; write a whole number"),
        (lambda b: version(b).update(version=0), "version", "count from 1"),
        (lambda b: version(b).update(valid_from="2026-01-01"), "valid_from", "2026-11-22T00:00:00Z"),
        (lambda b: version(b).update(valid_from="soon"), "valid_from", "'soon'"),
        (lambda b: version(b).update(credit_rate=0.01), "credit_rate", "0.01; write text in quotes"),
        (lambda b: version(b)["prices"].append(price(b)), "prices", "id 'chat' is used twice"),
        (lambda b: price(b).update(id=""), "id", "1 to 200 characters"),
        (lambda b: price(b).update(components=[]), "components", "1 to 32"),
        (lambda b: price(b).update(conditions={"member": ["kim"]}), "member", "service, feature, model"),
        (lambda b: price(b).update(conditions={"model": []}), "model", "0 values of model"),
        (lambda b: price(b).update(conditions={"model": "large"}), "model", "write a list"),
        (lambda b: price(b).update(conditions={"model": [1]}), "value", "write text"),
        (lambda b: component(b).update(measure="tokens"), "measure", "Unknown measure 'tokens'"),
        (lambda b: component(b).update(measure="unit:"), "measure", "unit:<name>"),
        (lambda b: component(b).update(price="NaN"), "price", "'NaN'"),
        (lambda b: component(b).update(price="-1"), "price", "use 0 to 1000000000"),
        (lambda b: component(b).update(price="1000000000.1"), "price", "use 0 to 1000000000"),
        (lambda b: component(b).update(price="1e-19"), "price", "at most 18 digits"),
        (lambda b: component(b).update(price="1.234567890123456789"), "price", "at most 18 digits"),
        (lambda b: component(b).update(price=0.15), "price", "0.15; write text in quotes"),
        (lambda b: component(b).update(per=0), "per", "use 1 to"),
        (lambda b: component(b).update(per="1000"), "per", "text; write a whole number"),
    ],
)
def test_a_wrong_book_is_refused_at_the_place(
    spoil: Callable[[dict[str, Any]], object], field: str | None, reason: str
) -> None:
    body = copy.deepcopy(BOOK)
    spoil(body)
    with pytest.raises(BadRequest, match=reason) as problem:
        PriceBook.from_json(body)
    if field:
        assert (problem.value.field or "").split(".")[-1] == field


def test_an_error_names_the_whole_way_to_its_place() -> None:
    body = copy.deepcopy(BOOK)
    component(body)["per"] = 0
    with pytest.raises(BadRequest) as problem:
        PriceBook.from_json(body)
    assert problem.value.field == "versions[0].prices[0].components[1].per"
    assert problem.value.message == (
        "versions[0]: prices[0]: components[1]: per is 0; use 1 to 1000000000000."
    )


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        (datetime(2025, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), None),
        (JANUARY, 1),
        (datetime(2026, 1, 31, 23, 59, 59, 999_999, tzinfo=UTC), 1),
        (FEBRUARY, 3),
        (datetime(2030, 1, 1, tzinfo=UTC), 3),
    ],
)
def test_a_version_holds_until_the_next_one_starts(moment: datetime, number: int | None) -> None:
    book = PriceBook(
        "credits",
        (
            PriceVersion(3, FEBRUARY, (PER_RUN,)),
            PriceVersion(1, JANUARY, (PER_RUN,)),
            PriceVersion(2, FEBRUARY, (PER_RUN,)),
        ),
    )
    found = book.at(moment)
    assert (found.version if found else None) == number
    assert rate(book, {}, moment).version == number
    assert rate(book, {}, moment.replace(tzinfo=None)).version == number


def test_a_model_price_list_becomes_prices_per_million_tokens() -> None:
    listed = price_list_from_model_prices(
        {
            "plain": {"input_cost_per_token": 1.5e-07, "output_cost_per_token": 6e-07},
            "caching": {"input_cost_per_token": 3e-06, "cache_read_input_token_cost": 3e-07},
            "free": {"input_cost_per_token": 0.0, "output_cost_per_token": 0, "mode": "chat"},
            "by query": {"input_cost_per_token": 0.0, "input_cost_per_query": 0.002},
            "by image": {"output_cost_per_image": 0.04},
            "unknown": {"input_cost_per_token": None},
        },
        JANUARY,
    )
    million = 1_000_000
    assert {price.id: price.components for price in listed.prices} == {
        "plain": (
            Component("input_tokens", Decimal("0.15"), million),
            Component("output_tokens", Decimal("0.6"), million),
        ),
        "caching": (
            Component("uncached_input_tokens", Decimal("3"), million),
            Component("cached_tokens", Decimal("0.3"), million),
        ),
        "free": (
            Component("input_tokens", Decimal(0), million),
            Component("output_tokens", Decimal(0), million),
        ),
    }


@pytest.mark.parametrize("cost", ["free", float("nan"), -1e-6, True, [1]])
def test_a_wrong_cost_in_a_model_price_list_names_its_model(cost: object) -> None:
    with pytest.raises(BadRequest, match="gpt-x"):
        price_list_from_model_prices({"gpt-x": {"input_cost_per_token": cost}}, JANUARY)


@pytest.mark.skipif(not MODEL_PRICES.exists(), reason=f"{MODEL_PRICES} is absent")
def test_a_public_price_list_is_read_exactly_and_whole() -> None:
    entries = json.loads(gzip.decompress(MODEL_PRICES.read_bytes()))
    book = PriceBook("cost", (price_list_from_model_prices(entries, JANUARY),))
    assert PriceBook.from_json(book.to_json()) == book
    priced = {price.id for price in book.versions[0].prices}
    by_token = {
        name
        for name, entry in entries.items()
        if entry.get("input_cost_per_token") or entry.get("output_cost_per_token")
    }
    assert by_token <= priced
    run = {"model": "gpt-4o", "input_tokens": 1_000, "cached_tokens": 400, "output_tokens": 10}
    # 600 × 2.5, 400 × 1.25 and 10 × 10 dollars per million tokens.
    assert rate(book, run, JANUARY).lines == (1_500_000, 500_000, 100_000)
