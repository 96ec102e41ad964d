"""The catalog as columns of numbers, so that a hundred thousand calls can be looked up at once."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from runs_analytics.demo.catalog import FEATURES, Call, Feature
from runs_analytics.demo.prices import MILLION, TOKEN_COST
from runs_analytics.demo.texts import SERVICES
from runs_analytics.run_frame import RUN_SCHEMA
from runs_analytics.vocabulary import NANO, NONE

AGENT_OVERHEAD_MS: Final = 180
"""What an agent run takes besides its calls."""


def _agent_run(feature: Feature) -> Call:
    return Call(feature.call.service, NONE, AGENT_OVERHEAD_MS, 0.5, request_bytes=900, response_bytes=2_600)


def _flat() -> tuple[list[Call], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    calls: list[Call] = []
    longest = max(len(feature.steps) for feature in FEATURES)
    agent_run, plain = np.zeros((2, len(FEATURES)), dtype=np.int64)
    steps = np.zeros((len(FEATURES), longest), dtype=np.int64)
    for number, feature in enumerate(FEATURES):
        agent_run[number] = len(calls)
        plain[number] = len(calls) + 1
        calls += [_agent_run(feature), feature.call]
        for step, call in enumerate(feature.steps):
            steps[number, step] = len(calls)
            calls.append(call)
    return calls, agent_run, plain, steps


_CALLS, AGENT_RUN, PLAIN, STEPS = _flat()
"""Positions in the columns below: of a feature's agent run, of its plain call, and (feature × step) of its steps."""

STEP_COUNT: Final = np.array([max(1, len(feature.steps)) for feature in FEATURES])


def _numbers(name: str) -> NDArray[np.float64]:
    return np.array([getattr(call, name) for call in _CALLS], dtype=np.float64)


DURATION_US: Final = _numbers("duration_ms") * 1_000
SPREAD: Final = _numbers("spread")
INPUT_TOKENS: Final = _numbers("input_tokens")
OUTPUT_TOKENS: Final = _numbers("output_tokens")
CACHED_SHARE: Final = _numbers("cached_share")
REQUEST_BYTES: Final = _numbers("request_bytes")
RESPONSE_BYTES: Final = _numbers("response_bytes")
ERROR_WEIGHT: Final = _numbers("error_weight")

SERVICE_NUMBER: Final = np.array([SERVICES.index(call.service) for call in _CALLS])
SERVICE: Final = pl.Series([call.service for call in _CALLS])
MODEL: Final = pl.Series([call.model for call in _CALLS])
HAS_TOKENS: Final = INPUT_TOKENS > 0


def _token_nano(position: int) -> NDArray[np.int64]:
    """Cost of one token in billionths of a dollar, by call; 0 where no provider reports one."""
    prices = [TOKEN_COST.get(call.model, ("0", "0", "0"))[position] for call in _CALLS]
    return np.array([int(Decimal(price) * NANO / MILLION) for price in prices], dtype=np.int64)


INPUT_NANO, CACHED_NANO, OUTPUT_NANO = (_token_nano(position) for position in range(3))
REPORTS_COST: Final = np.array([call.model in TOKEN_COST for call in _CALLS])

_UNITS: Final = sorted({call.unit for call in _CALLS if call.unit}, key=lambda unit: (unit.name, unit.most))


def _unit_rows() -> tuple[pl.Series, dict[object, int]]:
    """Every list of units that a call can report, the empty one first, and where each unit's begin."""
    rows: list[list[dict[str, object]]] = [[]]
    begin: dict[object, int] = {None: 0}
    for unit in _UNITS:
        begin[unit] = len(rows)
        rows += [
            [{"name": unit.name, "quantity_nano": count * unit.step_nano}]
            for count in range(unit.least, unit.most + 1)
        ]
    return pl.Series(rows, dtype=RUN_SCHEMA["units"]), begin


UNIT_ROWS, _UNIT_BEGIN = _unit_rows()
UNIT_BEGIN: Final = np.array([_UNIT_BEGIN[call.unit] for call in _CALLS])
UNIT_CHOICES: Final = np.array([call.unit.most - call.unit.least + 1 if call.unit else 1 for call in _CALLS])
