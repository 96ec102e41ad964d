"""`demo`: load a sample workspace of any size."""

from __future__ import annotations

from argparse import Namespace

from runs_analytics.commands.context import Context
from runs_analytics.commands.sample import load_sample
from runs_analytics.commands.sample_credits import give_sample_credits
from runs_analytics.commands.sample_limits import give_sample_limits
from runs_analytics.errors import BadRequest
from runs_analytics.scope import Scope


def demo(context: Context, given: Namespace) -> int:
    """Generate runs of an invented company, with its price books, in an account of its own."""
    if given.runs < 1 or given.days < 1:
        raise BadRequest(f"--runs {given.runs} --days {given.days}: both start at 1.", field="runs")
    report = load_sample(
        context.stores,
        given.runs,
        account=given.account,
        seed=given.seed,
        days=given.days,
        progress=lambda share: context.draw(f"Generating {share:.0%} of {given.runs:,} runs"),
    )
    context.apply(report.accepted)
    # In the order of their times, so that the audit trail reads as such.
    give_sample_credits(context.stores, Scope(given.account, "sample", "operator"))
    give_sample_limits(context.stores, Scope(given.account, "sample", "operator"))
    context.say(
        f"Loaded {report.accepted:,} runs into account {given.account}; "
        f"what was planted in them: {context.stores.settings.data_dir / (given.account + '-truth.json')}"
    )
    return 0
