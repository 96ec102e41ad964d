"""The command line: names, options, and which function each command is."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

from runs_analytics import __version__
from runs_analytics.commands import (
    administration,
    audit,
    demo,
    export,
    grants,
    imports,
    limits,
    people,
    plans,
    prices,
    rerate,
    totals,
    upkeep,
)
from runs_analytics.commands.context import Context
from runs_analytics.control.audit import ACTIONS
from runs_analytics.control.keys import KEY_SCOPES
from runs_analytics.errors import BadRequest
from runs_analytics.exports import FORMATS
from runs_analytics.money.grants import GRANT_KINDS
from runs_analytics.money.plans import PLAN_WINDOWS
from runs_analytics.money.price_book import BOOK_KINDS

Command = Callable[[Context, Namespace], int]

EXIT_CODES: Final = """exit codes:
  0  done (rejected rows of an import are counted and listed, not an error)
  1  an error that is ours
  2  the command or its input cannot be understood
  3  not allowed
  4  nothing of that name
  5  in conflict with what is stored
  6  a store is full, busy or held by another process; try again
  7  stored data does not verify
  130  interrupted; nothing half done was kept"""


class Parser(ArgumentParser):
    """Raises instead of ending the process, which may be the server's."""

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        raise BadRequest(f"{self.format_usage().strip()}\n{message}")


def build_parser() -> ArgumentParser:
    """The parser of every command; each sets `run`, its function, or None for `serve`."""
    parser = Parser(
        prog="python -m runs_analytics",
        description="What every agent run and API call costs.",
        epilog=EXIT_CODES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _import(commands.add_parser("import", help="bring runs in from a file"))
    _imports(commands.add_parser("imports", help="list past imports, or undo one"))
    _totals(commands.add_parser("totals", help="what a run log holds, as JSON"))
    _export(commands.add_parser("export", help="write runs or a breakdown to a file"))
    _accounts(commands.add_parser("accounts", help="create and list accounts"))
    _keys(commands.add_parser("keys", help="create, list and revoke API keys"))
    _grants(commands.add_parser("grants", help="give credits to an account, or take them"))
    _plans(commands.add_parser("plans", help="write plans, and put an account on one"))
    _top_up(commands.add_parser("credits", help="buy credits"))
    _prices(commands.add_parser("prices", help="what runs cost, and what other prices would change"))
    limits.add_arguments(commands.add_parser("limits", help="what an account or a part of it may use"))
    people.add_arguments(commands.add_parser("people", help="who may sign in, and as what"))
    _credits(commands.add_parser("balance", help="what an account may use now"), grants.show_balance)
    entries = commands.add_parser("ledger", help="the lines that a balance is the sum of, newest first")
    entries.add_argument("--limit", type=int, default=100)
    _credits(entries, grants.show_ledger)
    _audit(commands.add_parser("audit", help="who did what to an account, newest first"))
    _demo(commands.add_parser("demo", help="load a sample workspace"))
    verify = commands.add_parser("verify", help="compare warehouse, archive, inbox, ledgers and audit trail")
    verify.add_argument("--json", action="store_true")
    verify.set_defaults(run=upkeep.verify)
    rebuild = commands.add_parser("rebuild", help="make the warehouse anew from the archive")
    rebuild.set_defaults(run=upkeep.rebuild)
    serve = commands.add_parser("serve", help="serve the pages and the API")
    serve.add_argument("--sample-runs", type=int, default=0, help="load a sample of this size when empty")
    serve.set_defaults(run=None)
    return parser


def parse(arguments: Sequence[str]) -> Namespace:
    """The parsed command line.

    Raises:
        BadRequest: when it is not understood.
    """
    return build_parser().parse_args(list(arguments))


def _import(parser: ArgumentParser) -> None:
    parser.add_argument("file")
    parser.add_argument("--account", required=True, help="created with UTC and USD when absent")
    parser.add_argument("--map", action="append", default=[], metavar="field=column")
    parser.add_argument("--set", action="append", default=[], metavar="field=value")
    parser.add_argument("--unit", action="append", default=[], metavar="duration=s|ms|us")
    parser.add_argument("--status", action="append", default=[], metavar="THEIRS=ours")
    parser.add_argument("--zone", help="zone of times without an offset (default: the account's)")
    parser.add_argument("--time-unit", choices=("s", "ms", "us"), help="of times that are numbers")
    parser.add_argument("--origin", metavar="TIMESTAMP", help="moment that numeric times count from")
    parser.add_argument("--key", metavar="COLUMNS", help="columns that identify a run, separated by commas")
    parser.add_argument("--dry-run", action="store_true", help="check and count, store nothing")
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(run=imports.import_file)


def _imports(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|undo")
    listing = actions.add_parser("list", help="past imports, newest first")
    listing.add_argument("--account", required=True)
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(run=imports.list_)
    undo = actions.add_parser("undo", help="take an import's runs out again")
    undo.add_argument("id")
    undo.add_argument("--account", required=True)
    undo.set_defaults(run=imports.undo)


def _totals(parser: ArgumentParser) -> None:
    parser.add_argument("--account", required=True)
    parser.add_argument("--from", dest="from_", metavar="DATE")
    parser.add_argument("--to", metavar="DATE", help="last day, counted")
    parser.add_argument("--zone", help="zone that cuts the days (default: the account's)")
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(run=totals.totals)


def _export(parser: ArgumentParser) -> None:
    parser.add_argument("--account", required=True)
    parser.add_argument("--what", default="runs", choices=export.SUBJECTS)
    parser.add_argument("--format", default="csv", choices=FORMATS)
    parser.add_argument(
        "--query", default="", metavar="ADDRESS", help="as a page's address: period=30d&service=LLM"
    )
    parser.add_argument("--out", default=".", metavar="FOLDER")
    parser.set_defaults(run=export.export)


def _accounts(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="create|list")
    create = actions.add_parser("create")
    create.add_argument("id")
    create.add_argument("--name")
    create.add_argument("--zone", default="UTC")
    create.add_argument("--currency", default="USD")
    create.set_defaults(run=administration.accounts_create)
    listing = actions.add_parser("list")
    listing.set_defaults(run=administration.accounts_list)


def _keys(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="create|list|revoke")
    create = actions.add_parser("create")
    create.add_argument("--account", required=True)
    create.add_argument("--label", default="command line")
    create.add_argument("--scope", action="append", choices=KEY_SCOPES, help="default: ingest")
    create.set_defaults(run=administration.keys_create)
    listing = actions.add_parser("list")
    listing.add_argument("--account", required=True)
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(run=administration.keys_list)
    revoke = actions.add_parser("revoke")
    revoke.add_argument("prefix")
    revoke.add_argument("--account", required=True)
    revoke.set_defaults(run=administration.keys_revoke)


def _grants(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="add|void")
    add = actions.add_parser("add", help="give credits; the grant's id goes to stdout")
    add.add_argument("--account", required=True)
    add.add_argument("--amount", required=True, help="credits, up to nine decimals")
    add.add_argument("--kind", choices=GRANT_KINDS, default="purchase")
    add.add_argument("--priority", type=int, default=100, help="1 burns first, 255 last")
    add.add_argument("--effective-at", metavar="MOMENT", help="default: now")
    add.add_argument("--expires-at", metavar="MOMENT", help="default: never")
    add.add_argument("--id", help="default: a new one")
    add.add_argument("--note", default="")
    _key(add)
    add.set_defaults(run=grants.grants_add)
    void = actions.add_parser("void", help="take what is left of a grant")
    void.add_argument("id")
    void.add_argument("--account", required=True)
    void.add_argument("--note", default="")
    _key(void)
    void.set_defaults(run=grants.grants_void)


def _prices(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(
        dest="action", required=True, metavar="list|show|check|add|import-models|rerate"
    )
    listing = actions.add_parser("list", help="the versions of both books")
    listing.add_argument("--account", required=True)
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(run=prices.prices_list)
    show = actions.add_parser("show", help="one version as JSON")
    show.add_argument("version", type=int)
    show.set_defaults(run=prices.prices_show)
    check = actions.add_parser("check", help="read a version from a file without storing it")
    check.set_defaults(run=prices.prices_check)
    add = actions.add_parser("add", help="add a version from a file; its number goes to stdout")
    add.set_defaults(run=prices.prices_add)
    models = actions.add_parser("import-models", help="add a public list of model prices to the cost book")
    models.set_defaults(run=prices.prices_import_models)
    for one in (check, add, models):
        one.add_argument("file", help="JSON, plain or packed by gzip")
        one.add_argument("--valid-from", metavar="MOMENT", help="instead of the file's; models: default now")
    for one in (show, check, add):
        one.add_argument("--book", choices=BOOK_KINDS, default="credits")
    for one in (show, add, models):
        one.add_argument("--account", required=True)
    for one in (add, models):
        _key(one)
    rerate.add_rerate(actions)


def _plans(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|add|assign|change")
    listing = actions.add_parser("list", help="the plans of an account, and which one it is on")
    _credits(listing, plans.plans_list)
    add = actions.add_parser("add", help="write a plan, or its next version")
    add.add_argument("id")
    add.add_argument("--account", required=True)
    add.add_argument("--allowance", required=True, help="credits of a whole period, up to nine decimals")
    add.add_argument("--window", choices=PLAN_WINDOWS, default="month")
    add.add_argument("--name", help="default: the id")
    add.add_argument(
        "--roll-over", default="0", metavar="CREDITS", help="most that goes on into the next period"
    )
    add.add_argument("--overage", action="store_true", help="let work start when the credits are used up")
    add.add_argument("--overage-price", metavar="MONEY", help="of a credit of overage")
    add.add_argument("--price", metavar="MONEY", help="of a whole period")
    add.add_argument("--top-up-below", metavar="CREDITS", help="buy by itself when the balance is below")
    add.add_argument("--top-up-amount", metavar="CREDITS", help="what is bought so")
    add.add_argument("--top-up-ceiling", metavar="CREDITS", help="most that is bought so in a month")
    _key(add)
    add.set_defaults(run=plans.plans_add)
    for name, words in (("assign", "put an account on a plan"), ("change", "put it on another plan")):
        assign = actions.add_parser(name, help=f"{words}, at once")
        assign.add_argument("id")
        assign.add_argument("--account", required=True)
        _key(assign)
        assign.set_defaults(run=plans.plans_assign)


def _top_up(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="topup")
    buy = actions.add_parser("topup", help="buy credits; the grant's id goes to stdout")
    buy.add_argument("--account", required=True)
    buy.add_argument("--amount", required=True, help="credits, up to nine decimals")
    buy.add_argument("--expires-at", metavar="MOMENT", help="default: never")
    buy.add_argument(
        "--idempotency-key",
        "--key",
        dest="key",
        help="sent twice within a day, it buys once; default: a new one",
    )
    buy.add_argument("--note", default="")
    buy.set_defaults(run=plans.credits_topup)


def _key(parser: ArgumentParser) -> None:
    parser.add_argument("--idempotency-key", metavar="KEY", help="sent twice within a day, it acts once")


def _credits(parser: ArgumentParser, run: Callable[..., int]) -> None:
    parser.add_argument("--account", required=True)
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(run=run)


def _audit(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="subcommand", required=True, metavar="list|export")
    listing = actions.add_parser("list", help="the newest acts")
    listing.add_argument("--limit", type=int, default=100)
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(run=audit.show_audit)
    exporting = actions.add_parser("export", help="every act as JSON, with its hashes")
    exporting.set_defaults(run=audit.export_audit)
    for each in (listing, exporting):
        each.add_argument("--account", required=True)
        each.add_argument("--since", metavar="MOMENT")
        each.add_argument("--until", metavar="MOMENT", help="not counted itself")
        each.add_argument("--actor", default="")
        each.add_argument("--action", choices=ACTIONS)
        each.add_argument("--subject", default="", help="part of what was acted on")
        each.add_argument(
            "--before", type=int, metavar="NUMBER", help="only entries below it, for the next page"
        )


def _demo(parser: ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=500_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--days", type=int, default=180)
    parser.add_argument("--account", default="sample")
    parser.set_defaults(run=demo.demo)
