"""What was planted in a sample, with exact dates and values, for whoever checks what an analysis finds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import numpy as np

from runs_analytics.demo import catalog, company, demand, patterns, prices, trees
from runs_analytics.demo import schedule as planned
from runs_analytics.demo.rows import BURST_ERROR_SERVICE
from runs_analytics.demo.schedule import Schedule, Window, overlap
from runs_analytics.demo.trees import Trees

MOST_LISTED: Final = 100
"""Longest list of single loops or bursts; their number is exact all the same."""


def truth(runs: int, seed: int, days: int, until: datetime) -> dict[str, object]:
    """Everything planted in the sample of these arguments, as JSON; see docs/sample-workspace.md.

    Each entry of `planted` has a `name`, a `kind`, `where` (dimension values), `from` and `to` (ISO, UTC, cut
    to the sample) and what identifies it. Entries whose whole window lies before the sample are absent.

    Args:
        runs: rows of the sample.
        seed: of all chance.
        days: how far back the runs reach.
        until: the end, aware.
    """
    plan = planned.schedule(until.astimezone(UTC), days)
    planted = patterns.planted_trees(runs, seed, plan)
    entries = [
        *_sudden_changes(plan, planted),
        *_lasting_changes(plan),
        *_repeated_calls(plan, planted),
        *_wasteful_features(plan),
        *_people(plan),
        *_prices(plan),
    ]
    return {
        "company": "Northwind Outreach",
        "runs": runs,
        "seed": seed,
        "days": days,
        "zone": company.ZONE,
        **plan.whole.to_json(),
        "planted": [entry for entry in entries if entry],
    }


def _entry(
    name: str, kind: str, window: Window, plan: Schedule, where: dict[str, str], **values: object
) -> dict[str, object]:
    shared = overlap(window, plan.whole)
    return {"name": name, "kind": kind, "where": where, **shared.to_json(), **values} if shared else {}


def _sudden_changes(plan: Schedule, planted: Trees) -> list[dict[str, object]]:
    surge = planted.take(planted.pattern == trees.SURGE)
    spiked = {"service": demand.SPIKED_SERVICE, "model": demand.SPIKED_MODEL}
    failing = {"service": BURST_ERROR_SERVICE, "kind": "api_call"}
    surging = {"member": company.SURGING_MEMBER, "feature": catalog.SURGE_FEATURE}
    return [
        _entry("spike", "anomaly", plan.spike, plan, spiked, measure="runs", factor=planned.SPIKE_FACTOR),
        _entry(
            "error_burst",
            "anomaly",
            plan.error_burst,
            plan,
            failing,
            measure="error_rate",
            value=planned.BURST_ERROR_RATE,
        ),
        _entry("drop", "anomaly", plan.drop, plan, {}, measure="runs", factor=planned.DROP_FACTOR),
        _entry(
            "weekend_surge",
            "anomaly",
            plan.weekend_surge,
            plan,
            surging,
            measure="runs",
            added_runs=int(surge.size.sum()),
        ),
    ]


def _lasting_changes(plan: Schedule) -> list[dict[str, object]]:
    shifted = {"feature": catalog.SHIFTED_FEATURE}
    leaking = {"feature": catalog.LEAKING_FEATURE}
    unused = {"feature": catalog.UNUSED_FEATURE}
    return [
        _entry(
            "level_shift",
            "anomaly",
            plan.level_shift,
            plan,
            shifted,
            measure="runs",
            factor=planned.SHIFT_FACTOR,
        ),
        _entry(
            "slow_leak",
            "anomaly",
            plan.slow_leak,
            plan,
            leaking,
            measure="input_tokens",
            growth_per_day=planned.LEAK_PER_DAY,
        ),
        _entry("unused_feature", "saving", plan.unused_since, plan, unused, runs=0),
    ]


def _repeated_calls(plan: Schedule, planted: Trees) -> list[dict[str, object]]:
    loops = planted.take(planted.pattern == trees.RETRY_LOOP)
    bursts = np.unique(_minutes(planted.take(planted.pattern == trees.BURST)))
    looping = {
        "agent": _feature(catalog.LOOPING_FEATURE).agent,
        "feature": catalog.LOOPING_FEATURE,
    }
    batched = {"feature": catalog.BATCHED_FEATURE, "member": company.BATCHING_MEMBER}
    return [
        _entry(
            "retry_loop",
            "saving",
            plan.retry_loops,
            plan,
            looping,
            loops=len(loops),
            failed_calls=int(loops.size.sum()) - len(loops),
            listed=[
                {"started_at": _moment(start), "failed_calls": int(size) - 1}
                for start, size in zip(loops.start_us[:MOST_LISTED], loops.size[:MOST_LISTED], strict=True)
            ],
        ),
        _entry(
            "batchable_calls",
            "saving",
            plan.bursts,
            plan,
            batched,
            bursts=len(bursts),
            calls_per_burst=patterns.BURST_CALLS,
            listed=[_moment(minute) for minute in bursts[:MOST_LISTED]],
        ),
    ]


def _wasteful_features(plan: Schedule) -> list[dict[str, object]]:
    small = _feature(catalog.OVERPRICED_FEATURE)
    slow = _feature(catalog.SLOW_FEATURE)
    return [
        _entry(
            "overpriced_model",
            "saving",
            plan.whole,
            plan,
            {"feature": small.name, "model": small.call.model},
            median_input_tokens=small.call.input_tokens,
            would_do=catalog.SMALL.model,
        ),
        _entry(
            "slow_step",
            "performance",
            plan.whole,
            plan,
            {"agent": slow.agent, "feature": slow.name, "service": catalog.SLOW_STEP.service},
            median_duration_us=round(catalog.SLOW_STEP.duration_ms * 1_000),
        ),
    ]


def _people(plan: Schedule) -> list[dict[str, object]]:
    return [
        _entry(
            "struggling_member",
            "team",
            plan.struggling,
            plan,
            {"member": company.STRUGGLING_MEMBER},
            measure="error_rate",
            factor=planned.STRUGGLE_FACTOR,
        )
    ]


def _prices(plan: Schedule) -> list[dict[str, object]]:
    return [
        _entry(
            "unpriced_credits",
            "unpriced",
            plan.unpriced,
            plan,
            {"service": prices.UNPRICED_SERVICE, "feature": catalog.UNPRICED_FEATURE},
            book="credits",
        ),
        _entry(
            "unpriced_cost",
            "unpriced",
            plan.unlisted,
            plan,
            {"model": prices.UNLISTED_MODEL, "feature": catalog.UNLISTED_FEATURE},
            book="cost",
        ),
        _entry(
            "price_change",
            "price",
            Window(plan.price_change, plan.whole.stop),
            plan,
            {},
            models=list(prices.RAISED_MODELS),
            factor=str(prices.RAISE),
        ),
    ]


def _feature(name: str) -> catalog.Feature:
    return next(feature for feature in catalog.FEATURES if feature.name == name)


def _minutes(bursts: Trees) -> trees.Integers:
    return bursts.start_us // patterns.MINUTE_US * patterns.MINUTE_US


def _moment(start_us: int) -> str:
    return (demand.EPOCH + int(start_us) * demand.MICROSECOND).isoformat()
