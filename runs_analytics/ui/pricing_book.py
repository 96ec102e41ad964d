"""The Pricing page's book: which version holds when, and what its prices match and cost."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

import streamlit as st

from runs_analytics.analytics import pricing
from runs_analytics.analytics.pricing import Edition
from runs_analytics.exports.document import Column
from runs_analytics.money.price_book import DURATION_S, RUN, BookKind, Price
from runs_analytics.ui import controls, parts
from runs_analytics.ui import format as fmt
from runs_analytics.ui.controls import View
from runs_analytics.ui.exporting import Shown
from runs_analytics.ui.parts import Card
from runs_analytics.ui.runs_rating import measure_title
from runs_analytics.ui.tables import ShownTable, Width, fitting, frame_of
from runs_analytics.ui.words import DIMENSION_TITLES

BOOKS: Final[dict[str, str]] = {"credits": "Credits", "cost": "Provider’s cost"}
_KNOWN: Final = ("measure", "price", "per", "id", "priority", "conditions", "components")


def book_choice() -> BookKind:
    """Which of the two books is looked at, as the address says."""
    return cast(BookKind, controls.menu("book", BOOKS, label="Book"))


def version_choice(view: View, editions: tuple[Edition, ...]) -> Edition:
    """Which version is looked at, as the address says; by default the one that is valid now."""
    titles = {str(one.version.version): title(view, one) for one in editions}
    valid = next((one for one in editions if one.is_valid(view.session.now)), editions[0])
    chosen = controls.menu("version", titles, label="Version", default=str(valid.version.version), width=300)
    return next(one for one in editions if str(one.version.version) == chosen)


def show(view: View) -> Shown:
    """The book as cards and tables; what is shown, for exports."""
    with st.container(horizontal=True, gap="small"):
        kind = book_choice()
        editions = pricing.editions(view.session.stores, view.ask.scope, kind)
        chosen = version_choice(view, editions) if editions else None
    if chosen is None:
        no_versions(kind)
        return Shown((), ())
    cards = _cards(view, kind, chosen, editions)
    parts.cards(cards)
    prices, versions = _prices(chosen, _unit(view, kind)), _versions(view, editions)
    with st.container(border=True):
        parts.title_row(prices.title, note="tried from top to bottom, the first that matches holds")
        prices.show("pricing_prices", currency=view.ask.currency)
    with st.container(border=True):
        parts.title_row(versions.title, note=f"times in {view.session.account.zone}")
        versions.show("pricing_versions", currency=view.ask.currency)
    return Shown(cards, (prices, versions))


def no_versions(kind: BookKind) -> None:
    """Why there is nothing to see, and the next step."""
    what = "no credits" if kind == "credits" else "no cost of its own"
    st.info(
        f"This account has no {kind} prices yet, so a run has {what}: it is kept and marked unpriced. Write a version "
        "and add it with `prices add`.",
        icon=":material/sell:",
    )


def title(view: View, one: Edition) -> str:
    """A version in a few words."""
    return f"Version {one.version.version} · {state(one, view.session.now)}"


def state(one: Edition, now: datetime) -> str:
    """Whether a version is valid at a moment."""
    if one.never_holds:
        return "replaced before it held"
    if one.version.valid_from > now:
        return "coming"
    return "valid now" if one.is_valid(now) else "past"


def matches(price: Price) -> str:
    """The conditions of a price in words."""
    texts = []
    for name, values in _items(price.to_json()["conditions"]):
        words = ", ".join(map(str, values)) if isinstance(values, list | tuple) else str(values)
        texts.append(f"{DIMENSION_TITLES.get(name, name.capitalize())}: {words}")  # type: ignore[call-overload]
    return " · ".join(texts) or "every run"


def per_text(measure: str, per: int) -> str:
    """What a price is for: `1,000,000 input tokens`."""
    unit = {RUN: "run", DURATION_S: "second"}.get(measure, measure_title(measure).lower())
    return unit if per == 1 else f"{fmt.integer(per)} {unit}"


def extras(body: Mapping[str, Any]) -> str:
    """Everything that a price or component says beside quantity and price, in words."""
    found = [
        f"{name.replace('_', ' ')} {_plain(value)}"
        for name, value in body.items()
        if name not in _KNOWN and value not in (None, [], {}, "")
    ]
    return " · ".join(found)


def _cards(view: View, kind: BookKind, chosen: Edition, editions: tuple[Edition, ...]) -> list[Card]:
    version, zone, now = chosen.version, view.ask.local, view.session.now
    coming = [one for one in editions if one.version.valid_from > now and not one.never_holds]
    following = coming[-1] if coming else None
    cards = [
        Card("Version", f"{version.version}", help=f"{state(chosen, now).capitalize()}."),
        Card("Valid from", _day(version.valid_from, zone), help=fmt.moment(version.valid_from, zone)),
        Card("Prices", fmt.integer(len(version.prices))),
    ]
    if kind == "credits":
        rate = version.credit_rate
        cards.append(
            Card(
                "One credit is worth",
                "not stated" if rate is None else f"{fmt.exact(rate)} {view.ask.currency}",
                help="The rate of this version; what runs cost in credits does not depend on it.",
            )
        )
    cards.append(
        Card(
            "Next version",
            f"{following.version.version}" if following else "none",
            help=f"Valid from {fmt.moment(following.version.valid_from, zone)}." if following else None,
        )
    )
    return cards


def _day(at: datetime, zone: ZoneInfo) -> str:
    local = at.astimezone(zone).date()
    return fmt.date_range(local, local)


def _prices(chosen: Edition, unit: str) -> ShownTable:
    """One row for each component of each price, in the order in which they are tried."""
    ordered = sorted(chosen.version.prices, key=lambda price: price.priority)
    rows = []
    for place, price in enumerate(ordered, 1):
        of_price = extras(price.to_json())
        for part, component in enumerate(price.components):
            body = component.to_json()
            of_part = extras(body)
            rows.append(
                {
                    "price": price.id,
                    "place": place,
                    "matches": matches(price),
                    "amount": fmt.exact(component.price),
                    "per": per_text(component.measure, component.per),
                    "also": " · ".join(text for text in (of_part, "" if part else of_price) if text),
                }
            )
    columns = (
        Column("price", "Price", "text"),
        Column("amount", unit, "text"),
        Column("per", "Per", "text"),
        Column("matches", "Matches", "text"),
        *([Column("also", "Also", "text")] if any(row["also"] for row in rows) else []),
        Column("place", "Order", "integer"),
    )
    title = f"Prices of version {chosen.version.version}"
    widths: dict[str, Width] = {"price": 92, "per": 154}
    widths["amount"] = fitting((fmt.exact(c.price) for price in ordered for c in price.components), 66)
    return ShownTable("prices", title, columns, frame_of(rows, columns), widths=widths)


def _versions(view: View, editions: tuple[Edition, ...]) -> ShownTable:
    zone, now = view.ask.local, view.session.now
    rows = [
        {
            "version": one.version.version,
            "state": state(one, now),
            "since": fmt.moment(one.version.valid_from, zone),
            "until": fmt.moment(one.until, zone) if one.until else "open",
            "prices": len(one.version.prices),
            "rate": "" if one.version.credit_rate is None else fmt.exact(one.version.credit_rate),
            "added": f"{_day(one.created_at, zone)} by {one.created_by}",
        }
        for one in editions
    ]
    columns = (
        Column("version", "Version", "integer"),
        Column("state", "State", "text"),
        *([Column("rate", "One credit is worth", "text")] if any(row["rate"] for row in rows) else []),
        Column("since", "Valid from", "text"),
        Column("until", "Until", "text"),
        Column("prices", "Prices", "integer"),
        Column("added", "Added", "text"),
    )
    widths: dict[str, Width] = {"state": 110, "rate": 130, "since": 160, "until": 160}
    return ShownTable("versions", "Versions", columns, frame_of(rows, columns), widths=widths)


def _unit(view: View, kind: BookKind) -> str:
    return "Credits" if kind == "credits" else view.ask.currency


def _items(value: object) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, Mapping) else []


def _plain(value: object) -> str:
    """A value of a price's JSON in words."""
    if isinstance(value, Mapping):
        return ", ".join(
            f"{name.replace('_', ' ')} {_plain(part)}" for name, part in value.items() if part is not None
        )
    if isinstance(value, list | tuple):
        return "; ".join(map(_plain, value))
    return str(value)
