"""Errors are of three kinds, and the third is never turned into either of the others.

    ArgosError
    ├── OurMistake        a rule of ours was broken: configuration, arguments, state folder
    │   └── ConfigMistake
    ├── TheirMistake      the other side sent or did something it must not
    │   ├── BadInput      a person's or a sender's input; the sentence names the field and the fix
    │   └── WireError     bytes that cannot be decoded: a dead letter
    └── OutcomeUnknown    asked, and nobody knows what became of it

Everything else that is raised is a bug. The text of each is one sentence for a person: what is
wrong and what to do.
"""

from __future__ import annotations


class ArgosError(Exception):
    """The root of every error that is meant for a person."""


class OurMistake(ArgosError):
    """We broke a rule: the sentence says which and what to do."""


class ConfigMistake(OurMistake):
    """The configuration cannot be used."""


class TheirMistake(ArgosError):
    """The other side broke the contract."""


class BadInput(TheirMistake):
    """Input that is refused. `field` names where, empty when it is the whole."""

    def __init__(self, sentence: str, field: str = "", code: str = "bad_input") -> None:
        super().__init__(sentence)
        self.field = field
        self.code = code


class WireError(TheirMistake):
    """Bytes that are not the event they should be."""


class OutcomeUnknown(ArgosError):
    """Asked, not answered: neither done nor refused."""
