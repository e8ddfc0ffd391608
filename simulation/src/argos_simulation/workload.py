"""What happens to the fleet from outside: alerts, operators, and bad days; all drawn from the seed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from argos_common.domain.control import KillEngaged, Scope
from argos_common.domain.ids import Account
from argos_common.domain.node import Command, CommandKind, CommandReply
from argos_common.runtime.bus import NoReply
from argos_common.runtime.log import Append, Unconditional
from argos_common.wire import codec, subjects
from argos_gateway.core.reply import Reply

from argos_simulation import fleet
from argos_simulation.chance import Chance
from argos_simulation.loop import sleep
from argos_simulation.world import World

ANSWER_S = 3.0
RESENDS_MAX = 40
BURST = 12
OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert: when it fires, and what its body says."""

    at_s: float
    body: dict[str, Any]  # JSON of our own dialect


class Sender:
    """The platform that sends alerts: it sends again until it has an answer, and sometimes anyway."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.chance.fork("sender")
        self.sent: list[bytes] = []
        self.answered: dict[str, int] = {}
        """Alert id -> the last status it got."""

    async def send(self, alert: Alert) -> None:
        await sleep(alert.at_s)
        copies = 1
        if self._chance.happens(0.15):
            copies = self._chance.whole(2, 4)
        await asyncio.gather(*(self._one(alert.body) for _ in range(copies)))

    async def _one(self, body: dict[str, Any]) -> None:
        world, chance = self._world, self._chance
        for _ in range(RESENDS_MAX):
            await sleep(chance.between(0.001, 0.05))
            data = json.dumps(body).encode()
            status = await self.post(data)
            self.sent.append(data)
            self.answered[body["id"]] = status
            if status and status != 503:  # anything else is final
                return
            if world.faults.healed:
                continue
            await sleep(chance.between(0.5, 2.0))

    async def post(self, data: bytes, *, proved: bool = True) -> int:
        """The status, or 0 if no answer came. `proved`: the sender can be known by what it sends."""
        world = self._world
        name = self._chance.one_of(world.gateways)
        intake, host = world.intakes.get(name), world.services[name].host
        if intake is None or host is None:
            await sleep(1.0)
            return 0

        async def serve() -> Reply:
            await host.process.point()
            return await intake.receive(fleet.SOURCE, data, host.clock.now_ns())

        answer = asyncio.ensure_future(serve())
        done, _ = await asyncio.wait(
            (answer, host.process.dead), timeout=ANSWER_S, return_when=asyncio.FIRST_COMPLETED
        )
        if answer not in done or not host.process.alive:
            return 0
        reply = answer.result()
        world.tell(f"answer {reply.status} {reply.body.get('status') or reply.body.get('code')}")
        if proved:
            world.witness.answered(reply.status, reply.body)
        return reply.status


def alerts(
    seed: int, chance: Chance, span_s: float, most: int, *, burst: bool = False
) -> list[Alert]:
    """The alerts of a seed: entries, adds, exits, reversals, targets, and odd ones.

    From half of `most` to all of it. `burst`: many of them come at the same moment.
    """
    found: list[Alert] = []
    count = chance.whole(most * 7 // 15, most)
    moments = sorted(chance.between(2.0, span_s) for _ in range(count))
    if burst:
        moments = sorted([*moments, *[moments[count // 3]] * BURST])
    for number, at_s in enumerate(moments):
        strategy = chance.one_of(tuple(fleet.STRATEGIES))
        body = _body(f"{seed}-{number}", strategy, chance)
        found.append(Alert(at_s, body))
        if chance.happens(0.08):
            # The same id with other content.
            other = body | {"comment": "another meaning", "quantity": "0.03"}
            other.pop("target_position", None)
            other.setdefault("action", "buy")
            found.append(Alert(at_s + chance.between(0.0, 5.0), other))
    return found


def _body(identity: str, strategy: str, chance: Chance) -> dict[str, Any]:
    symbol = fleet.STRATEGIES[strategy]
    body: dict[str, Any] = {
        "id": identity,
        "strategy": strategy,
        "bot_version": fleet.VERSION,
        "ticker": symbol,
        "secret": fleet.SECRET,
    }
    stop = {"amount": fleet.stop_distance(symbol, tight=chance.happens(0.2))}
    draw = chance.between(0.0, 1.0)
    if draw < 0.50:  # shares of each kind
        body |= {"action": chance.one_of(("buy", "buy", "sell")), "stopLoss": stop}
    elif draw < 0.75:
        body |= {"action": "exit"}
    elif draw < 0.85:
        body |= {"action": "exit", "quantityType": "percent_of_position", "quantity": "50"}
    elif draw < 0.95:
        target = chance.one_of(("0.10", "0.05", "-0.10", "0", "0.20"))
        body |= {"target_position": target, "stopLoss": stop}
    else:
        body |= {"action": "buy", "quantity": "9", "stopLoss": stop}  # over the limit
    return body


class Operator:
    """A person with the command line: kills, releases, flattens, approves."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.chance.fork("operator")
        self._bus = world.bus.another()
        self._requests = 0

    async def run(self, moments: Sequence[float]) -> None:
        """Act near some of these moments; open most latches again after a while."""
        world, chance = self._world, self._chance
        if not world.faults.has("kill-switch"):
            return
        most = round(4 * world.faults.intensity["kill-switch"]) or 1
        for at_s in sorted(chance.one_of(moments) for _ in range(chance.whole(1, most))):
            # A kill matters most while an entry is on its way.
            near_s = chance.between(0.0, 0.03 if chance.happens(0.6) else 4.0)
            await sleep(max(0.0, at_s + near_s - world.now_s()))
            accounts = () if chance.happens(0.4) else (chance.one_of((fleet.HEDGE, fleet.NET)),)
            await self._act(accounts)
            await sleep(chance.between(0.5, 10.0))
            if chance.happens(0.9):
                await self.command(CommandKind.RELEASE, accounts)

    async def _act(self, accounts: tuple[str, ...]) -> None:
        draw = self._chance.between(0.0, 1.0)
        if not self._world.faults.fire("kill-switch"):
            return
        if draw < 0.45:  # shares of each kind
            await self.command(CommandKind.KILL, accounts)
        elif draw < 0.75:
            self.append_kill(Account(accounts[0]) if accounts else fleet.HEDGE)
        else:
            await self.command(CommandKind.FLATTEN, accounts)

    async def command(
        self, kind: CommandKind, accounts: tuple[str, ...] = (), reference: str = ""
    ) -> bool:
        """Ask risk until it has done it, a few times."""
        self._requests += 1
        command = Command(
            kind=kind,
            actor=OPERATOR,
            reason="drill",
            request_id=f"{OPERATOR}-{self._requests}",
            asked_at_ns=self._world.true_clock.now_ns(),
            accounts=accounts,
            reference=reference,
        )
        self._world.witness.asked(command)
        for _ in range(3):
            self._world.tell(
                f"operator {kind.name} {','.join(accounts) or 'fleet'} {reference[:8]}"
            )
            try:
                data = await self._bus.request(subjects.COMMAND, codec.pack(command), 4.0)
            except NoReply:
                continue
            reply = codec.unpack(CommandReply, data)
            self._world.tell(f"reply {reply.ok} {reply.sentence}")
            self._world.witness.replied(command, reply)
            if reply.ok:
                return True
            await sleep(1.0)
        return False

    def append_kill(self, account: Account) -> None:
        """The tool that tells the log itself, past risk."""
        self._requests += 1
        event = KillEngaged(
            account=account,
            scope=Scope.ACCOUNT,
            actor=OPERATOR,
            reason="drill",
            request_id=f"tool-{self._requests}",
            asked_at_ns=self._world.true_clock.now_ns(),
        )
        append = Append(
            subject=subjects.control(account), data=codec.encode(event), condition=Unconditional()
        )
        self._world.tell(f"tool kills {account}")
        self._world.store.apply((append,))

    async def limits(self, span_s: float) -> None:
        """Tighten an account's limit, loosen it again, and approve that."""
        world, chance = self._world, self._chance.fork("limits")
        if not world.faults.has("limits-change"):
            return
        await sleep(chance.between(5.0, span_s / 2))
        world.faults.fired["limits-change"] += 1
        world.proposals.change(fleet.configs(quantity_max=Decimal("0.15")))
        await sleep(chance.between(3.0, span_s / 2))
        world.proposals.change(fleet.configs())
        await sleep(8.0)
        for account in fleet.LOGINS:
            control = world.witness.control.now(account)
            if control.proposal is not None:
                await self.command(
                    CommandKind.APPROVE_CONFIG, reference=control.proposal.config_hash
                )
