"""Acknowledged ingest over HTTP: a real server on the imported store, clients in a process of their own."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from benchmarks import limits, senders
from benchmarks.bodies import BATCH, known_batches, new_batches
from benchmarks.report import Figure, Say
from benchmarks.workspace import ACCOUNT, Workspace
from tests.serving import Server

SECTION = "ingest"
CLIENTS = 16
MOST_BATCHES = 1_000


def measure(workspace: Workspace, say: Say) -> list[Figure]:
    """Send new runs, then some of them again, then some that were imported, as fast as they are acknowledged."""
    batches = min(MOST_BATCHES, max(100, workspace.runs // 2_000))
    fresh, known = new_batches(workspace, batches), known_batches(workspace, batches // 4)
    server = Server(workspace.data_dir)
    server.start()
    try:
        key = server.key(ACCOUNT)
        with client_process() as clients:
            say(f"Sending {batches * BATCH:,} runs with {CLIENTS} clients")
            sent = clients.submit(senders.send_all, server.port, key, fresh, CLIENTS).result()
            again = clients.submit(
                senders.send_all, server.port, key, fresh[: batches // 4], CLIENTS
            ).result()
            stored = clients.submit(senders.send_all, server.port, key, known, CLIENTS).result()
    finally:
        server.stop()
    say(f"Answers: new {sent.outcomes}, sent again {again.outcomes}, imported before {stored.outcomes}")
    return _figures(workspace, sent, again, stored, fresh)


def client_process() -> ProcessPoolExecutor:
    """One process for clients; started afresh, so that it holds nothing of this one."""
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


def _figures(
    workspace: Workspace, sent: senders.Sent, again: senders.Sent, stored: senders.Sent, bodies: list[bytes]
) -> list[Figure]:
    fsyncs = limits.fsyncs_per_second(workspace.data_dir)
    one_by_one = limits.single_commits_per_second(workspace.data_dir, bodies[0][: len(bodies[0]) // BATCH])
    rate = sent.outcomes.get("accepted", 0) / sent.seconds
    p50, p95, p99 = np.percentile(sent.answer_ms, (50, 95, 99))
    return [
        Figure(
            SECTION,
            f"acknowledged, batches of {BATCH}, {CLIENTS} clients",
            rate,
            "runs/s",
            target=8_000,
            at_least=True,
            beside=f"one synced SQLite commit per run {one_by_one:,.0f} runs/s",
        ),
        Figure(
            SECTION,
            "runs per fsync of this disk",
            rate / fsyncs,
            "",
            beside=f"append + fsync {fsyncs:,.0f}/s",
        ),
        Figure(SECTION, "answer p50", float(p50), "ms"),
        Figure(SECTION, "answer p95", float(p95), "ms"),
        Figure(SECTION, "answer p99", float(p99), "ms"),
        Figure(
            SECTION,
            "the same batches again",
            sum(again.outcomes.values()) / again.seconds,
            "runs/s",
            beside=_words(again),
        ),
        Figure(
            SECTION,
            "batches that were imported before",
            sum(stored.outcomes.values()) / stored.seconds,
            "runs/s",
            beside=_words(stored),
        ),
    ]


def _words(sent: senders.Sent) -> str:
    return ", ".join(f"{runs:,} {outcome}" for outcome, runs in sent.outcomes.items() if runs)
