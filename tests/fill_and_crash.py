"""A process that acknowledges runs, applies and partly archives them, and then ends as by SIGKILL.

Prints the id of every acknowledged run.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from runs_analytics.control.accounts import create_account
from runs_analytics.crash import EXIT_STATUS
from runs_analytics.ingest.accept import Accepter, TermsCache
from runs_analytics.scope import Scope
from runs_analytics.settings import Settings
from runs_analytics.stores import Stores

BATCHES, RUNS = 8, 50


def main(data_dir: Path) -> None:
    """Fill the folder and end without closing anything."""
    stores = Stores.open(Settings(data_dir), lambda: datetime.now(UTC))
    scope = Scope("acme", "test")
    stores.control.write(lambda connection: create_account(connection, scope, now=stores.clock()))
    accepter = Accepter(
        stores.control,
        TermsCache(stores.control.changes, stores.account, stores.books),
        stores.imported.lookup,
    )
    for number in range(BATCHES):
        now = datetime.now(UTC)
        runs: list[object] = [
            {"id": f"run-{number}-{n}", "service": "LLM", "started_at": now.isoformat(), "input": "x" * 400}
            for n in range(RUNS)
        ]
        answers = accepter.accept(scope, runs, now)
        assert {a.status for a in answers} == {"accepted"}
        print(*(a.id for a in answers))
        stores.apply_waiting()
        if number == BATCHES // 2:
            stores.archive_applied()
    stores.note_applied()
    sys.stdout.flush()
    os._exit(EXIT_STATUS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
