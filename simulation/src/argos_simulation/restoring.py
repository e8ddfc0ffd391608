"""A restore from a backup: the fleet stops, its log goes back to an older copy, and it goes on.

What is written into the new generation is decided and written by the very code of `argos log
restore`; here are only its surroundings: which copy, what became of the ledger, and that nothing of
the stopped fleet is left on any wire.
"""

from __future__ import annotations

from dataclasses import dataclass

from argos_bridge.core import restore
from argos_bridge.core.restore import Asked, Joined, Plan
from argos_bridge.runner.restore import journal_of, write
from argos_common.runtime.log import Entry
from argos_common.testing.memory_log import MemoryLog
from argos_common.wire.documents import read_config
from argos_reconciler.adapters.memory_ledger import MemoryLedger
from argos_reconciler.core.rows import Item

from argos_simulation.chance import Chance
from argos_simulation.witness import WitnessedStore
from argos_simulation.witness_restore import RestoreWitness
from argos_simulation.world import World

ACTOR = "operator"
RECENT = 40
"""Half of the backups are no older than so many entries."""


@dataclass(frozen=True, slots=True)
class Backup:
    """The last entry that the copy of the log has, and the last that the ledger has."""

    copy: int
    ledger: int


def drawn(world: World, chance: Chance) -> Backup:
    """A copy of some age; the ledger is as it was left, or of the same backup, or of an older one."""
    last = len(world.store.entries)
    recent = chance.happens(0.5)
    copy = chance.whole(max(0, last - RECENT) if recent else 0, last)
    checkpoint = world.ledger.checkpoint
    left = checkpoint.sequence if checkpoint else 0
    kind = chance.one_of(("as it was left", "as old", "older"))
    ledger = {"as it was left": left, "as old": min(left, copy)}.get(kind)
    return Backup(copy, chance.whole(0, min(left, copy)) if ledger is None else ledger)


async def roll(world: World, backup: Backup) -> None:
    """The procedure, on a fleet that has stopped. Raises OurMistake."""
    old = world.store
    old.retired = True
    known = restore.joined(old.entries[: backup.copy], old.entries[: backup.ledger])
    await _put_back_ledgers(world, backup.ledger, len(known.entries))
    plan = _plan(world, known)
    witness = RestoreWitness(world.witness)
    store = WitnessedStore(
        world.true_clock, witness.take, generation=plan.restored.generation, replicas=old.replicas
    )
    witness.begin()
    await write(MemoryLog(world.true_clock, store=store), plan)
    witness.end(old.entries, backup, plan)
    store.seen = world.witness.entry
    world.store = world.log.store = store
    world.snapshots.generation = store.generation


def _plan(world: World, known: Joined) -> Plan:
    events = [event for _, event in world.witness.events[: len(known.entries)]]
    before = world.store.generation
    asked = Asked(
        before=before,
        generation=restore.next_generation(before),
        actor=ACTOR,
        reason="drill",
        now_ns=world.true_clock.now_ns(),
    )
    journals = [journal_of(account, each) for account, each in world.journals.items()]
    return restore.plan(known, events, journals, asked, read_config)


async def _put_back_ledgers(world: World, own: int, others: int) -> None:
    """The fleet's own ledger up to `own`; that of a second reconciler no further than the log."""
    for name, ledger in world.ledgers.items():
        first = ledger is world.ledger
        last = own if first else others
        if ledger.checkpoint is None or ledger.checkpoint.sequence <= last:
            continue
        older = world.ledgers[name] = MemoryLedger(keep_events=False)
        await older.open(world.store.generation)
        await older.project([_item(*each) for each in world.witness.events[:last]])
        if first:
            world.ledger = older


def _item(entry: Entry, event: object) -> Item:
    return Item(entry.sequence, entry.subject, entry.appended_ns, entry.data, event)  # type: ignore[arg-type]  # an event or None
