"""`prices rerate`: what another price version would change, and posting it as corrections."""

from __future__ import annotations

import json
import time
from argparse import Namespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from runs_analytics.analytics import rerating
from runs_analytics.analytics.rerating import Preview
from runs_analytics.commands.context import Context, Pace
from runs_analytics.errors import BadRequest
from runs_analytics.money.amounts import decimal_string
from runs_analytics.money.price_book import BOOK_KINDS, PriceVersion
from runs_analytics.selection import Selection

if TYPE_CHECKING:
    from argparse import ArgumentParser, _SubParsersAction

QUIET_SECONDS = 1
"""Work that is done sooner shows no progress."""


def add_rerate(actions: _SubParsersAction[ArgumentParser]) -> None:
    """The arguments of `prices rerate`."""
    rerate = actions.add_parser("rerate", help="what a price version would change for runs that are stored")
    rerate.add_argument("--account", required=True)
    rerate.add_argument("--book", choices=BOOK_KINDS, default="credits", help="default: credits")
    rerate.add_argument("--version", type=int, metavar="NUMBER", help="of the book")
    rerate.add_argument(
        "--draft", metavar="FILE", help="a version as JSON that is not in the book; preview only"
    )
    rerate.add_argument("--from", dest="from_", required=True, metavar="DATE", help="first day")
    rerate.add_argument("--to", required=True, metavar="DATE", help="last day, counted")
    rerate.add_argument("--query", default="", metavar="FILTERS", help="as a page's address: service=LLM")
    rerate.add_argument(
        "--imported",
        action="store_true",
        help="correct imported runs in the ledger too; they burnt no credits",
    )
    rerate.add_argument("--confirm", action="store_true", help="post the changes as corrections")
    rerate.add_argument("--json", action="store_true")
    rerate.set_defaults(run=prices_rerate)


def prices_rerate(context: Context, given: Namespace) -> int:
    """Preview a re-rate, and post it when `--confirm` is given."""
    stores, scope = context.stores, context.scope(given.account)
    zone = stores.account(scope).zone
    query = parse_qs(given.query) | {"from": [given.from_], "to": [given.to]}
    selection = Selection.parse(query, today=stores.clock().date(), zone=zone)
    pace, began = Pace(0), time.monotonic()

    def progress(done: int, total: int) -> None:
        pace.total = total
        if time.monotonic() - began > QUIET_SECONDS:
            context.draw(f"Rating {pace.text(done)}")

    found = rerating.preview(
        stores,
        scope,
        given.book,
        _version(context, given),
        selection,
        includes_imported=given.imported,
        progress=progress,
    )
    context.clear()
    posted = rerating.confirm(stores, scope, found) if given.confirm else None
    if given.json:
        context.write_json(as_json(found) | {"rerate": posted.number if posted else None})
    else:
        _write(context, found)
    if posted:
        context.say(f"Posted as re-rate {posted.number}.")
    return 0


def as_json(found: Preview) -> dict[str, Any]:
    """A preview for programs; amounts are decimal strings."""
    return {
        "book": found.book,
        "version": None if found.is_draft else found.version.version,
        "runs": found.runs,
        "runs_changed": found.runs_changed,
        "unpriced_before": found.unpriced_before,
        "unpriced_after": found.unpriced_after,
        **_amounts(found.old_nano, found.new_nano),
        "balance_change": decimal_string(found.rerate.posted_nano),
        **{
            f"by_{dimension}": [
                {dimension: value, "runs": runs, "runs_changed": changed, **_amounts(old, new)}
                for value, runs, changed, old, new in rerating.by_dimension(found.rerate, dimension)
            ]
            for dimension in ("project", "member")
        },
    }


def _amounts(old_nano: int, new_nano: int) -> dict[str, str]:
    change = new_nano - old_nano
    return {
        "old": decimal_string(old_nano),
        "new": decimal_string(new_nano),
        "change": decimal_string(change),
    }


def _write(context: Context, found: Preview) -> None:
    for dimension in ("project", "member"):
        for value, runs, changed, old, new in rerating.by_dimension(found.rerate, dimension):
            words = "\t".join(_amounts(old, new).values())
            context.write(f"{dimension}\t{value}\t{changed} of {runs} runs\t{words}")
    words = "\t".join(_amounts(found.old_nano, found.new_nano).values())
    context.write(f"total\t\t{found.runs_changed} of {found.runs} runs\t{words}")
    if found.unpriced_after > found.unpriced_before:
        context.say(f"{found.unpriced_after:,} runs have no price in this version and would cost nothing.")
    if found.book == "credits":
        context.say(f"The balance changes by {decimal_string(found.rerate.posted_nano)} credits.")
        if found.unposted_nano:
            context.say(
                f"{decimal_string(found.unposted_nano)} of the change are of runs that burnt no credits: "
                "imported, or older than the ledger."
            )


def _version(context: Context, given: Namespace) -> PriceVersion:
    if (given.version is None) == (given.draft is None):
        raise BadRequest("Give --version or --draft, one of them.", field="version")
    if given.version is not None:
        books = context.stores.books(context.scope(given.account))
        return rerating.version_of(books, given.book, given.version)
    try:
        return PriceVersion.from_json(json.loads(context.path(given.draft).read_text()))
    except (OSError, ValueError) as problem:
        raise BadRequest(f"{given.draft} cannot be read as JSON: {problem}", field="draft") from problem
