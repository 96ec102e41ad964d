"""Ways in besides the browser: the command line and HTTP, ready to copy."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import streamlit as st

from runs_analytics.ingest.files import ImportMapping
from runs_analytics.ui import parts
from runs_analytics.ui.session import Session

PROGRAM = "python -m runs_analytics"


def sending(session: Session) -> None:
    """How a program sends its runs to this server."""
    account = shlex.quote(session.account.id)
    parts.title_row("1. Make a key", note="its secret is shown once")
    st.code(
        f"{PROGRAM} keys create --account {account} --label my-service", language="shell", wrap_lines=True
    )
    parts.title_row("2. Send runs", note="one, or up to 1,000 in a list")
    st.code(curl_command(_address(session), example_run(session)), language="shell", wrap_lines=True)
    st.caption(
        "Each run is answered by itself: accepted, duplicate, conflict or rejected with its reason. Sending the same "
        "run again has no effect, so a client can always try again. `id`, `service` and `started_at` are required; "
        "runs may be up to 35 days old. Older ones come in through a file."
    )
    parts.title_row("Import a file on the command line", note="also while this server runs")
    st.code(f"{PROGRAM} import FILE --account {account}", language="shell", wrap_lines=True)


def import_command(account: str, file_name: str, mapping: ImportMapping) -> str:
    """The command that imports a file with that mapping."""
    return " ".join(
        [PROGRAM, *map(shlex.quote, ["import", file_name, "--account", account, *_options(mapping)])]
    )


def curl_command(address: str, run: dict[str, object]) -> str:
    """A request that sends one run."""
    body = json.dumps(run, indent=2)
    return (
        f"curl {shlex.quote(address + '/api/v1/runs')} \\\n"
        '  -H "Authorization: Bearer $RUNS_KEY" \\\n'
        "  -H 'Content-Type: application/json' \\\n"
        f"  -d {shlex.quote(body)}"
    )


def example_run(session: Session) -> dict[str, object]:
    """A run of a moment ago, with the fields that most clients know."""
    ended_at = session.now.replace(microsecond=0)
    return {
        "id": "run-1",
        "service": "LLM",
        "feature": "Email drafting",
        "member": "Ana Ruiz",
        "model": "large-3",
        "status": "succeeded",
        "started_at": (ended_at - timedelta(seconds=4)).isoformat(),
        "ended_at": ended_at.isoformat(),
        "input_tokens": 1200,
        "output_tokens": 340,
    }


def _options(mapping: ImportMapping) -> Iterator[str]:
    pairs = {
        "--map": mapping.fields,
        "--set": mapping.fixed,
        "--unit": mapping.units,
        "--status": mapping.statuses,
    }
    for option, values in pairs.items():
        for name, value in values.items():
            yield from (option, f"{name}={value}")
    single = {
        "--zone": mapping.zone,
        "--time-unit": mapping.time_unit,
        "--origin": mapping.origin.isoformat() if mapping.origin else None,
        "--key": ",".join(mapping.key) if mapping.key else None,
    }
    for option, given in single.items():
        if given is not None:
            yield from (option, given)


def _address(session: Session) -> str:
    """The address of this server as the browser sees it."""
    seen = urlsplit(st.context.url or "")
    if seen.scheme and seen.netloc:
        return f"{seen.scheme}://{seen.netloc}"
    return f"http://{session.stores.settings.host}:{session.stores.settings.port}"
