"""The API against its own description: generated requests, good and bad, and every check that schemathesis has."""

from __future__ import annotations

import os
from typing import Final

import pytest
import schemathesis
from api_fixtures import Api
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from runs_analytics.api.access import ACCESS

pytest_plugins = ["api_fixtures"]

CASES: Final = int(os.environ.get("RUNS_TEST_SCHEMATHESIS", "2000"))
NOT_ASKED: Final = frozenset({"positive_data_acceptance"})
"""A request of the right form may still name what is not there or contradicts itself, as any date range can."""

NOT_ASKED_OF: Final = {"post_runs": "negative_data_rejection"}
"""A batch is answered with 200 whatever is wrong with one of its runs, and says so of each."""


@pytest.mark.parametrize("name", sorted(ACCESS))
def test_every_answer_is_as_described(served_api: Api, name: str) -> None:
    load_all_checks()
    checks = [
        check for check in CHECKS.get_all() if check.__name__ not in NOT_ASKED | {NOT_ASKED_OF.get(name)}
    ]
    schema = schemathesis.openapi.from_asgi("/openapi.json", served_api.api)
    found = [result.ok() for result in schema.get_all_operations()]
    (operation,) = [one for one in found if one.definition.raw["operationId"].startswith(f"{name}_v1")]
    asked = 0

    @settings(
        max_examples=-(-CASES // len(ACCESS)),
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        case=st.one_of(
            operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
            operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
        )
    )
    def ask(case: Case) -> None:
        nonlocal asked
        asked += 1
        case.call_and_validate(headers={"Authorization": f"Bearer {served_api.admin}"}, checks=checks)

    ask()
    assert asked >= min(CASES // len(ACCESS), 3)
