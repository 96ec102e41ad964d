"""A bare FastAPI route that stores one row in a group commit: what authorizing over HTTP is held against."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import sys
import threading
from pathlib import Path
from typing import Any

import orjson
import uvicorn
from fastapi import FastAPI, Request, Response


class Writer(threading.Thread):
    """Writes whatever waits in one synced transaction."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.path = path
        self.waiting: queue.SimpleQueue[tuple[str, bytes, asyncio.Future[None]]] = queue.SimpleQueue()

    def run(self) -> None:
        """Serve for ever."""
        connection = sqlite3.connect(self.path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE rows (id TEXT PRIMARY KEY, body BLOB)")
        while True:
            group = [self.waiting.get()]
            while not self.waiting.empty():
                group.append(self.waiting.get())
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO rows VALUES (?, ?)", [row[:2] for row in group])
            connection.execute("COMMIT")
            for _, _, future in group:
                future.get_loop().call_soon_threadsafe(future.set_result, None)


def create_app(path: Path) -> FastAPI:
    """The application with its one route."""
    app = FastAPI()
    writer = Writer(path)
    writer.start()

    @app.post("/api/v1/authorizations")
    async def store(request: Request) -> Response:
        body = await request.body()
        run: dict[str, Any] = orjson.loads(body)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        writer.waiting.put((run["id"], body, future))
        await future
        return Response(orjson.dumps({"id": run["id"], "status": "allowed"}), media_type="application/json")

    return app


if __name__ == "__main__":
    uvicorn.run(create_app(Path(sys.argv[1])), port=int(sys.argv[2]), log_level="warning", access_log=False)
