"""`prices list`, `show`, `check`, `add` and `import-models`."""

from __future__ import annotations

import gzip
import json
from argparse import Namespace
from decimal import Decimal
from typing import Any, Final

from runs_analytics.commands.context import Context
from runs_analytics.control.prices import append_price_version, list_price_versions, next_price_version
from runs_analytics.control.writer import Connection
from runs_analytics.errors import BadRequest, NotFound
from runs_analytics.money.model_prices import price_list_from_model_prices
from runs_analytics.money.price_book import BOOK_KINDS, PriceBook, PriceVersion
from runs_analytics.money.strict_json import inside, json_moment, moment_text

MAX_FILE_BYTES: Final = 64 * 2**20
_GZIP_MAGIC: Final = b"\x1f\x8b"


def prices_list(context: Context, given: Namespace) -> int:
    """The versions of both books of an account."""
    scope = context.scope(given.account)
    context.stores.account(scope)
    with context.stores.control.read() as connection:
        found = [version for book in BOOK_KINDS for version in list_price_versions(connection, scope, book)]
    rows = [
        {
            "book": version.book,
            "version": version.version,
            "valid_from": moment_text(version.valid_from),
            "prices": len(version.body["prices"]),
            "created_at": moment_text(version.created_at),
            "created_by": version.created_by,
        }
        for version in found
    ]
    if given.json:
        context.write_json(rows)
        return 0
    for row in rows:
        context.write(
            f"{row['book']}\t{row['version']}\tvalid from {row['valid_from']}\t{row['prices']:,} prices\t"
            f"by {row['created_by']}"
        )
    return 0


def prices_show(context: Context, given: Namespace) -> int:
    """One version as JSON, which `prices add` reads back."""
    books = context.stores.books(context.scope(given.account))
    book: PriceBook = getattr(books, given.book)
    for version in book.versions:
        if version.version == given.version:
            context.write_json(version.to_json())
            return 0
    raise NotFound(
        f"The {given.book} book of account {given.account!r} has no version {given.version}.",
        field="version",
        value=given.version,
    )


def prices_check(context: Context, given: Namespace) -> int:
    """Read a version without storing it."""
    version = _read(context, given)
    context.say(
        f"{len(version.prices):,} prices, valid from {moment_text(version.valid_from)}: nothing is wrong."
    )
    return 0


def prices_add(context: Context, given: Namespace) -> int:
    """Add a version to a book; its number goes to stdout."""
    return _add(context, given, _read(context, given))


def prices_import_models(context: Context, given: Namespace) -> int:
    """Add a version to the cost book from a public list of model prices; its number goes to stdout."""
    given.book = "cost"
    entries = _json(context, given, parse_float=Decimal)
    if not isinstance(entries, dict):
        raise BadRequest("A list of model prices is an object by model name.", field="file", value=given.file)
    start = (
        context.stores.clock() if given.valid_from is None else json_moment(given.valid_from, "valid-from")
    )
    version = price_list_from_model_prices(entries, start)
    context.say(f"{len(version.prices):,} of {len(entries):,} models are charged by tokens.")
    return _add(context, given, version)


def _add(context: Context, given: Namespace, version: PriceVersion) -> int:
    stores, scope = context.stores, context.scope(given.account)
    stores.account(scope)

    def act(connection: Connection) -> dict[str, Any]:
        number = next_price_version(connection, scope, given.book)
        numbered = PriceVersion(number, version.valid_from, version.prices, version.credit_rate)
        append_price_version(
            connection,
            scope,
            given.book,
            valid_from=numbered.valid_from,
            body=numbered.to_json(),
            now=stores.clock(),
        )
        return {"version": number}

    # The number is given when it is stored, and so is no part of what was asked for.
    request = {"act": "add prices", "book": given.book, "body": version.to_json() | {"version": None}}
    context.write(str(context.once(given, request, act)["version"]))
    return 0


def _read(context: Context, given: Namespace) -> PriceVersion:
    body = _json(context, given)
    if isinstance(body, dict):
        body.setdefault("version", 1)
        if given.valid_from is not None:
            body["valid_from"] = given.valid_from
    with inside(given.file):
        version = PriceVersion.from_json(body)
    PriceBook(given.book, (version,))
    return version


def _json(context: Context, given: Namespace, **options: Any) -> Any:
    """The JSON of a file, packed by gzip or plain.

    Raises:
        BadRequest: when it cannot be read or is none.
    """
    try:
        with context.path(given.file).open("rb") as file:
            is_packed = file.read(2) == _GZIP_MAGIC
            file.seek(0)
            text = (gzip.GzipFile(fileobj=file) if is_packed else file).read(MAX_FILE_BYTES + 1)
    except (OSError, EOFError) as problem:
        raise BadRequest(f"{given.file} cannot be read: {problem}.", field="file") from problem
    if len(text) > MAX_FILE_BYTES:
        raise BadRequest(f"{given.file} has over {MAX_FILE_BYTES:,} bytes.", field="file")
    try:
        return json.loads(text, **options)
    except ValueError as problem:
        raise BadRequest(f"{given.file} is no JSON: {problem}.", field="file") from problem
