"""The skeleton of every service process: what is the same in all of them, once.

    environment -> logs -> fleet.toml -> telemetry, metrics, health -> NATS -> the service's own main

`main` gets a `Context` and runs until `context.stopping` is set (SIGTERM, SIGINT, or the parent is
gone); then it stops taking in, finishes what it holds and returns. It has `DRAIN_S` for that.
With `needs_nats=False` NATS is not waited for: `main` may call `context.wait_for_nats` itself, or never.
An `ArgosError` ends the process with its sentence and exit code 1 (2: the configuration); whatever
else is raised is a bug: its traceback goes to the log file, one sentence to stderr.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from argos_common.domain.errors import ArgosError, ConfigMistake, OurMistake
from argos_common.domain.node import Beat
from argos_common.domain.times import NS_PER_S
from argos_common.runtime.clock import SystemClock
from argos_common.runtime.context import Context
from argos_common.runtime.entropy import SystemEntropy
from argos_common.runtime.environment import read_environment
from argos_common.runtime.event_loop import run_loop
from argos_common.runtime.health import HealthServer, Pulse
from argos_common.runtime.logs import Logger, close_logs, configure_logs, redact
from argos_common.runtime.metrics import Metrics
from argos_common.runtime.service_nats import open_nats
from argos_common.runtime.settings import load_fleet
from argos_common.runtime.span_export import SpanExporter, open_tracing
from argos_common.wire.codec import pack
from argos_common.wire.subjects import BEAT, token

__all__ = ["Context", "Main", "run_service"]

BEAT_EVERY_S = 1.0
DRAIN_S = 5.0
PARENT_EVERY_S = 0.5

Main = Callable[[Context], Awaitable[None]]


def run_service(name: str, main: Main, *, needs_nats: bool = True) -> int:
    """Run a service until it is told to stop; the process's exit code."""
    try:
        environment = read_environment(os.environ)
        full_name = f"{name}-{environment.node}" if environment.node else name
        clock, entropy = SystemClock(), SystemEntropy()
        incarnation = entropy.token(6).hex()
        logger = configure_logs(
            full_name, environment.state, incarnation, clock, environment.log_level
        )
    except ArgosError as error:
        return _ended_by(error, name)
    try:
        fleet = load_fleet(environment.config)
        tracing = open_tracing(
            full_name, incarnation, environment.state, clock, entropy, environment.otlp_endpoint
        )
        context = Context(
            name=token(full_name),
            incarnation=incarnation,
            clock=clock,
            entropy=entropy,
            environment=environment,
            fleet=fleet,
            state_dir=environment.state,
            telemetry=tracing.telemetry,
            metrics=Metrics(full_name),
            logger=logger,
            pulse=Pulse(moved_ns=clock.monotonic_ns()),
        )
        context.gauges.append(_spans(context.metrics, tracing.exporter))
        run_loop(_run(context, main, needs_nats=needs_nats))
        logger.info("stopped", failure=context.failure)
        return _ended_by(OurMistake(context.failure), name) if context.failure else 0
    except BaseException as error:  # noqa: BLE001  # the last resort: nothing may reach the user raw
        return _failed(error, name, logger)
    finally:
        close_logs()


async def _run(context: Context, main: Main, *, needs_nats: bool) -> None:
    async with AsyncExitStack() as stack:
        stack.callback(context.telemetry.close)
        told = context.environment
        health = HealthServer(
            context.metrics, context.pulse, context.clock, told.metrics_port, told.listen
        )
        stack.callback(health.close)
        _watch_signals(context)
        context.run_facts |= {
            "service": context.name,
            "pid": os.getpid(),
            "incarnation": context.incarnation,
            "started_ns": context.clock.now_ns(),
        }
        context.publish_port("metrics_port", health.port)
        helpers = [asyncio.create_task(_watch_parent(context))]
        stack.push_async_callback(_cancel, helpers)
        context.logger.info("starting", pid=os.getpid(), metrics_port=health.port)
        context.open_nats = lambda: open_nats(context, stack)
        if needs_nats:
            starting = asyncio.create_task(open_nats(context, stack))
            if not await _finished_before_stop(context, starting):
                return
        helpers.append(asyncio.create_task(_beat(context)))
        work = asyncio.ensure_future(main(context))
        try:
            if not await _finished_before_stop(context, work, cancel=False):
                context.pulse.state, context.pulse.ready = "stopping", False
                await _drain(context, work)
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


async def _finished_before_stop(
    context: Context, task: asyncio.Future[None], *, cancel: bool = True
) -> bool:
    """Wait for a task or for the word to stop; raises what the task raises."""
    stop = asyncio.create_task(_until_stopping(context))
    both: set[asyncio.Future[None]] = {task, stop}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.cancel()
    if task.done():
        task.result()
        return True
    if cancel:
        await _cancel([task])
    return False


async def _until_stopping(context: Context) -> None:
    await context.stopping.wait()


async def _drain(context: Context, work: asyncio.Future[None]) -> None:
    await asyncio.wait({work}, timeout=DRAIN_S)
    if work.done():
        work.result()
    else:
        context.logger.warning("not finished in time; ended anyway", seconds=DRAIN_S)


async def _cancel(tasks: list[asyncio.Task[None]] | list[asyncio.Future[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _beat(context: Context) -> None:
    """Say every second that we live. A service that shares its loop with work that is stuck is late."""
    subject = f"{BEAT}.{context.name}"
    due_ns = context.clock.monotonic_ns()
    while True:
        pulse = context.pulse
        pulse.moved_ns = context.clock.monotonic_ns()
        context.metrics.loop_lag_seconds.set(max(0, pulse.moved_ns - due_ns) / NS_PER_S)
        context.metrics.folded_sequence.set(pulse.sequence)
        for measure in context.gauges:
            measure()
        if context.bus_opened is not None:  # a node has none
            beat = Beat(
                service=context.name,
                incarnation=context.incarnation,
                at_ns=context.clock.now_ns(),
                state=pulse.state,
                sequence=pulse.sequence,
                detail=pulse.detail,
                account=pulse.account,
            )
            await context.bus.publish(subject, pack(beat))
        context.metrics.beats.inc()
        due_ns = context.clock.monotonic_ns() + int(BEAT_EVERY_S * NS_PER_S)
        await context.clock.sleep(BEAT_EVERY_S)


def _spans(metrics: Metrics, exporter: SpanExporter) -> Callable[[], None]:
    """Counts what the exporter's thread did since the last time."""
    written, dropped = metrics.spans.labels("written"), metrics.spans.labels("dropped")
    seen = [0, 0]

    def count() -> None:
        now = [exporter.written, exporter.dropped]
        written.inc(now[0] - seen[0])
        dropped.inc(now[1] - seen[1])
        seen[:] = now

    return count


def _watch_signals(context: Context) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, context.stop)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(context.stop))


async def _watch_parent(context: Context) -> None:
    """End with the supervisor: nobody else would restart or stop us."""
    parent = context.environment.parent_pid
    if not parent or os.name != "posix":
        return
    while os.getppid() == parent:
        await context.clock.sleep(PARENT_EVERY_S)
    context.logger.warning("the parent process is gone; stopping")
    context.stop()


def _failed(error: BaseException, name: str, logger: Logger) -> int:
    known = _argos_error(error)
    if known is not None:
        logger.error(str(known))
        return _ended_by(known, name)
    if isinstance(error, KeyboardInterrupt | asyncio.CancelledError):
        return 1
    logger.error("failed unexpectedly", exc_info=error)
    return _ended_by(
        OurMistake(f"failed unexpectedly ({type(error).__name__}); its log file has the details"),
        name,
    )


def _argos_error(error: BaseException) -> ArgosError | None:
    """The first error meant for a person, looked for inside groups."""
    if isinstance(error, ArgosError):
        return error
    if isinstance(error, BaseExceptionGroup):
        return next((found for each in error.exceptions if (found := _argos_error(each))), None)
    return None


def _ended_by(error: ArgosError, name: str) -> int:
    sys.stderr.write(redact(f"{name}: {error}\n"))
    return 2 if isinstance(error, ConfigMistake) else 1
