"""Takes proposed configurations to the log: at the start, and whenever what is proposed changes."""

from __future__ import annotations

from dataclasses import dataclass

from argos_common.domain.config import AccountConfig
from argos_common.domain.control import AccountControl, ConfigApplied
from argos_common.domain.errors import ConfigMistake
from argos_common.runtime.clock import Clock
from argos_common.runtime.follow import Proposer
from argos_common.runtime.log import Append, Head, Mine
from argos_common.runtime.settings import account_document
from argos_common.wire import codec, subjects

from argos_risk.core.config import propose
from argos_risk.core.state import RiskState
from argos_risk.ports import Proposals, Report
from argos_risk.runner.currency import Currency

LOOK_EVERY_S = 2.0
TRY_AGAIN_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposing:
    """Compares what is proposed with what is in force, and appends the difference."""

    state: RiskState
    proposer: Proposer
    clock: Clock
    currency: Currency
    proposals: Proposals
    report: Report

    async def run(self) -> None:
        """Look for ever."""
        await self.currency.caught_up.wait()
        while True:
            try:
                configs = self.proposals.changed()
            except ConfigMistake as error:
                configs = None
                self.report.oddity(f"the configuration in force stays: {error}")
            for config in configs or ():
                while not await self._settled(config):
                    await self.clock.sleep(TRY_AGAIN_S)
            await self.clock.sleep(LOOK_EVERY_S)

    async def _settled(self, config: AccountConfig) -> bool:
        """Append what has to be; whether nothing is left to do for this configuration."""
        document = account_document(config)
        risk = self.state.accounts.get(config.account)
        control = risk.control if risk is not None else AccountControl()
        event = propose(
            config.account,
            control,
            risk.config if risk is not None else None,
            config,
            config_hash=document.config_hash,
            document=document.document,
            now_ns=self.clock.now_ns(),
        )
        if event is None:
            return True
        answer = await self.proposer.append(
            Append(
                subject=subjects.control(config.account),
                data=codec.encode(event),
                condition=Head(control.sequence),
            )
        )
        if isinstance(answer, Mine):
            name = event.config_hash[:12]
            if isinstance(event, ConfigApplied):
                self.report.note(f"{config.account}: configuration {name} is in force")
            else:
                self.report.oddity(
                    f"{config.account}: configuration {name} loosens limits and waits for approval:"
                    f" {'; '.join(event.raises)}"
                )
            return True
        return False
