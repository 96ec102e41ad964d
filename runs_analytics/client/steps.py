"""Generators as runs: each step runs inside the run, and what happens between two steps does not."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any

from runs_analytics.client.run import Run


def drive(run: Run, generator: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """The generator's own values, with everything that is sent or thrown passed on."""
    run.start(is_current=False)
    step: Callable[[], Any] = functools.partial(next, generator)
    try:
        while True:
            with run.as_current():
                try:
                    value = step()
                except StopIteration as end:
                    run.end()
                    return end.value
            try:
                sent = yield value
            except GeneratorExit:
                with run.as_current():
                    generator.close()
                raise
            except BaseException as problem:
                step = functools.partial(generator.throw, problem)
            else:
                step = functools.partial(generator.send, sent)
    except BaseException as problem:
        run.end(problem)
        raise


async def drive_async(run: Run, generator: AsyncGenerator[Any, Any]) -> AsyncGenerator[Any, Any]:
    """The same for an asynchronous generator."""
    await run.start_async(is_current=False)
    step: Callable[[], Awaitable[Any]] = functools.partial(anext, generator)
    try:
        while True:
            with run.as_current():
                try:
                    value = await step()
                except StopAsyncIteration:
                    run.end()
                    return
            try:
                sent = yield value
            except GeneratorExit:
                with run.as_current():
                    await generator.aclose()
                raise
            except BaseException as problem:
                step = functools.partial(generator.athrow, problem)
            else:
                step = functools.partial(generator.asend, sent)
    except BaseException as problem:
        run.end(problem)
        raise
