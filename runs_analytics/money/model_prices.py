"""Cost prices made from a public list of model prices (LiteLLM's shape: one object per model)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

from runs_analytics.errors import BadRequest
from runs_analytics.money.amounts import parse_decimal
from runs_analytics.money.price_book import UNCACHED_INPUT_TOKENS, Component, Price, PriceVersion
from runs_analytics.money.strict_json import inside

PER_TOKENS: Final = 1_000_000
PER_TOKENS_DIGITS: Final = 6

_INPUT: Final = "input_cost_per_token"
_OUTPUT: Final = "output_cost_per_token"
_CACHED: Final = "cache_read_input_token_cost"


def price_list_from_model_prices(
    entries: Mapping[str, object], valid_from: datetime, version: int = 1
) -> PriceVersion:
    """One price per model that is charged by its tokens, on the condition that a run names the model.

    Cached tokens are part of the input tokens: where a model has its own price for them, the input
    price is for the uncached rest. Surcharges for long contexts, audio and cache writes are left
    out. A model charged only by other things, such as images or queries, gets no price.

    Args:
        entries: by model name; costs in money per token, as decoded from JSON.
        valid_from: aware; the first moment that the prices hold.
        version: the number of the result in its book.

    Raises:
        BadRequest: naming the model whose entry is not usable.
    """
    prices = []
    for model, entry in entries.items():
        with inside(model):
            if not isinstance(entry, dict):
                raise BadRequest("An entry is an object with costs per token.", value=entry)
            if components := _components(entry):
                prices.append(Price(model, 100, (("model", (model,)),), components))
    return PriceVersion(version, valid_from, tuple(prices))


def _components(entry: Mapping[str, object]) -> tuple[Component, ...]:
    costs = {name: _cost(entry, name) for name in (_INPUT, _CACHED, _OUTPUT)}
    token_costs = {name: cost for name, cost in costs.items() if cost is not None}
    charged_otherwise = any("cost" in name and entry[name] for name in entry if name not in token_costs)
    if not any(token_costs.values()) and charged_otherwise:
        return ()
    measures = {
        _INPUT: UNCACHED_INPUT_TOKENS if _CACHED in token_costs else "input_tokens",
        _CACHED: "cached_tokens",
        _OUTPUT: "output_tokens",
    }
    return tuple(Component(measures[name], cost, PER_TOKENS) for name, cost in token_costs.items())


def _cost(entry: Mapping[str, object], name: str) -> Decimal | None:
    """The price per million tokens, exactly as many digits as the list shows, or None."""
    cost = entry.get(name)
    if cost is None:
        return None
    if isinstance(cost, bool) or not isinstance(cost, int | float | Decimal | str):
        raise BadRequest(f"{name} is {cost!r}; write a number.", field=name, value=cost)
    # The shortest text of a float is the number that was written in the list.
    return parse_decimal(str(cost), name).scaleb(PER_TOKENS_DIGITS)
