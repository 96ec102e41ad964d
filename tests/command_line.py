"""The command line in this process, for tests: stores of a temporary folder, output caught."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runs_analytics.commands.context import Context
from runs_analytics.commands.parser import parse
from runs_analytics.errors import RunsError
from runs_analytics.settings import Settings
from runs_analytics.stores import Stores

SHARED = Path(__file__).parents[1] / ".." / "shared"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Done:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its data."""
        return json.loads(self.out)


class CommandLine:
    """Runs commands over one data folder, as `python -m runs_analytics` does."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir

    def __call__(self, *arguments: object) -> Done:
        out, err = io.StringIO(), io.StringIO()
        with Stores.open(Settings(self.data_dir), lambda: NOW) as stores:
            context = Context(stores, Path.cwd(), out, err)
            try:
                given = parse([str(a) for a in arguments])
                context.catch_up()
                code = given.run(context, given)
            except RunsError as problem:
                err.write(problem.message)
                code = problem.exit_code
        return Done(code, out.getvalue(), err.getvalue())
