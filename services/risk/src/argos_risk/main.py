"""Wires risk to NATS, the state folder and the fleet's configuration, and runs it."""

from __future__ import annotations

from argos_common.domain.errors import OurMistake
from argos_common.runtime.log import LogStatus, LogUnavailable
from argos_common.runtime.service import Context, run_service
from argos_common.runtime.snapshot import Snapshot, load_snapshot, save_snapshot

from argos_risk.adapters.fleet_file import FleetFile
from argos_risk.adapters.report import ServiceReport
from argos_risk.core.state import RiskState
from argos_risk.runner.risk import RiskPorts, RiskRunner

SCHEMA = 5
"""Counts up when the meaning or shape of RiskState changes."""
PULSE_EVERY_S = 0.2
AWAY_PAUSE_S = 0.5


async def serve(context: Context) -> None:
    """Run risk until the context says stop."""
    path = context.state_dir / "snapshots" / "risk.json"
    status = await _status(context)
    generation, last = status.generation, status.last_sequence

    def keep(state: RiskState) -> None:
        try:
            save_snapshot(
                path, state, generation=generation, sequence=state.sequence, schema=SCHEMA
            )
        except OurMistake as error:  # only a shortcut: the log can be read from its beginning
            context.logger.warning(str(error))

    found = load_snapshot(path, RiskState, generation=generation, schema=SCHEMA, last_sequence=last)
    if not isinstance(found, Snapshot) and found.sentence:
        context.logger.warning(found.sentence)
    runner = RiskRunner(
        RiskPorts(
            log=context.log,
            bus=context.bus,
            clock=context.clock,
            entropy=context.entropy,
            proposals=FleetFile(context.environment.config),
            telemetry=context.telemetry,
            report=ServiceReport(context.metrics, context.logger),
            state=found.state if isinstance(found, Snapshot) else RiskState(),
            keep=keep,
        )
    )
    context.gauges.append(runner.measure)
    await context.run_until_stopped(runner.run(), _pulse(context, runner))
    keep(runner.state)


async def _status(context: Context) -> LogStatus:
    """What the log says of itself, as soon as it answers."""
    while True:
        try:
            return await context.log.status()
        except LogUnavailable as error:
            context.logger.warning("waiting for the log", reason=str(error))
            await context.clock.sleep(AWAY_PAUSE_S)


async def _pulse(context: Context, runner: RiskRunner) -> None:
    pulse = context.pulse
    while True:
        pulse.sequence = runner.follower.sequence
        pulse.ready = runner.ready and context.connected
        pulse.state = "running" if pulse.ready else "waiting"
        await context.clock.sleep(PULSE_EVERY_S)


def main() -> int:
    """The process's entry point; its exit code."""
    return run_service("risk", serve)
