"""The running server against its own description: generated requests, good and bad, and every check there is."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from serving import Server

from runs_analytics.api.access import ACCESS

CASES: Final = int(os.environ.get("RUNS_TEST_SCHEMATHESIS", "2000"))
ASKED: Final[Counter[str]] = Counter()
UNDERSTOOD: Final = ["2xx", "304", "402", "404", "409", "412", "422", "429"]
"""Answers to a request of the right form: 400 says that it is not, 422 that what it says breaks a rule, 412
that what it changes is not as `If-Match` says."""

FORBIDDEN: Final = {"invite", "set_role"}
"""Operations of whose good requests some are an owner's alone: an administrator's key makes nobody an owner (403)."""

REJECTED: Final = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "428", "429"]
"""Answers to a request of another form, as they are by default, and that it is larger than may be sent (413)."""


class Served:
    """A running server, an administrator's key, and the description that it serves."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.key = server.key("acme", "admin")
        self.schema = schemathesis.openapi.from_url(f"{server.address}/api/openapi.json")
        config = self.schema.config
        config.update(base_url=f"{server.address}/api")
        # Every request carries the key, so none is made without it; the check `ignored_auth` leaves it out itself.
        config.generation.with_security_parameters = False
        config.checks.negative_data_rejection.expected_statuses = REJECTED
        self.operations = {
            one.definition.raw["operationId"].partition("_v1")[0]: one
            for one in (result.ok() for result in self.schema.get_all_operations())
        }
        raw = [one.definition.raw for one in self.operations.values()]
        self.with_inputs = sum(1 for one in raw if one.get("parameters") or "requestBody" in one)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("conforms")
    (folder / "clock").write_text("2026-11-22T09:30:00+00:00")
    server = Server(folder / "data", RUNS_CLOCK_FILE=str(folder / "clock"), RUNS_API_REQUESTS="100000000")
    server.start()
    try:
        yield Served(server)
    finally:
        server.stop()


@pytest.mark.parametrize("name", sorted(ACCESS))
def test_every_answer_is_as_described(served: Served, name: str) -> None:
    load_all_checks()
    checks = CHECKS.get_all()
    operation: Any = served.operations[name]
    understood = [*UNDERSTOOD, "403"] if name in FORBIDDEN else UNDERSTOOD
    served.schema.config.checks.positive_data_acceptance.expected_statuses = understood

    @settings(
        max_examples=-(-CASES // served.with_inputs),
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
        ASKED[name] += 1
        case.call_and_validate(headers={"Authorization": f"Bearer {served.key}"}, checks=checks)

    ask()
    assert ASKED[name]


def test_as_many_cases_were_asked_as_wanted() -> None:
    """Operations without any input have one case each; the others share the number."""
    assert set(ASKED) == set(ACCESS)
    assert sum(ASKED.values()) >= CASES
