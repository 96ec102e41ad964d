"""`python -m runs_analytics COMMAND`: runs here, or in the server that holds the data folder."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path

from runs_analytics.clock import system_clock
from runs_analytics.commands import control_socket
from runs_analytics.commands.context import Context
from runs_analytics.commands.parser import parse
from runs_analytics.errors import RunsError
from runs_analytics.settings import Settings
from runs_analytics.stores import Stores


class WithoutPandas(MetaPathFinder):
    """Says that there is no pandas: DuckDB would import it to look at any parameter, which takes a second."""

    def find_spec(self, fullname: str, *_: object) -> None:
        """Refuse pandas, pass everything else on."""
        if fullname == "pandas":
            raise ModuleNotFoundError("Runs leaves pandas out", name=fullname)


def main(arguments: Sequence[str]) -> int:
    """Run one command; the exit code."""
    try:
        settings = Settings.from_environment()
        given = parse(arguments)
        if given.command == "serve":
            gc.disable()  # importing makes thousands of objects that stay, and looking through them takes its time
            # Here, because commands need not wait for the libraries of pages.
            from runs_analytics.server import serve

            gc.freeze()
            gc.enable()
            return serve(settings, sample_runs=given.sample_runs)
        answered = control_socket.ask_server(
            settings.data_dir, arguments, os.getcwd(), sys.stdout, sys.stderr
        )
        if answered is not None:
            return answered
        with Stores.open(settings, system_clock()) as stores:
            for note in stores.notes:
                sys.stderr.write(note + "\n")
            context = Context(stores, Path.cwd(), sys.stdout, sys.stderr, sys.stderr.isatty())
            context.catch_up()
            code: int = given.run(context, given)
            return code
    except RunsError as problem:
        sys.stderr.write(f"{problem.message}\n")
        return problem.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted; nothing half done was kept.\n")
        return 130
    except BrokenPipeError:
        return 0


if __name__ == "__main__":
    sys.meta_path.insert(0, WithoutPandas())
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    sys.exit(main(sys.argv[1:]))
