"""How a command ends: exit codes, and the one place where errors become one sentence.

    0  done
    1  failed: what was asked for was not done
    2  used wrongly, or the configuration cannot be used
    3  a check is red: the command did its work and found something wrong
    4  nobody there: the fleet, the log or the monitor cannot be reached

No traceback reaches a user, unless ARGOS_DEBUG is set.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Coroutine
from enum import IntEnum
from typing import Any, TypeVar

import typer
from argos_common.domain.errors import ArgosError, BadInput, ConfigMistake, OutcomeUnknown
from argos_common.runtime.bus import NoReply
from argos_common.runtime.log import LogUnavailable
from typer.core import TyperGroup

from argos_cli.output import say

T = TypeVar("T")
DEBUG = "ARGOS_DEBUG"


class Code(IntEnum):
    OK = 0
    FAILED = 1
    USAGE = 2
    RED = 3
    UNREACHABLE = 4


class Ended(Exception):
    """The command ends here: a sentence for stderr (may be empty) and the exit code."""

    def __init__(self, code: Code, sentence: str = "") -> None:
        super().__init__(sentence)
        self.code = code


def usage(sentence: str) -> Ended:
    return Ended(Code.USAGE, sentence)


def unreachable(sentence: str) -> Ended:
    return Ended(Code.UNREACHABLE, sentence)


def code_of(error: Exception) -> Code:
    """The exit code of an error that is meant for a person."""
    match error:
        case Ended():
            return error.code
        case LogUnavailable() | NoReply() | OutcomeUnknown():
            return Code.UNREACHABLE
        case ConfigMistake() | BadInput():
            return Code.USAGE
        case _:
            return Code.FAILED


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine; an error inside a group of tasks counts as itself."""
    try:
        return asyncio.run(work)
    except BaseExceptionGroup as group:
        raise _first(group) from group


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


class OneSentence(TyperGroup):
    """A group of commands whose errors reach the user as one sentence on stderr."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # typer's own subclass of click's context
        """As click's, with our errors turned into sentence and exit code."""
        try:
            return super().invoke(ctx)
        except (Ended, ArgosError, LogUnavailable, NoReply) as error:
            if str(error):
                say(str(error), "error")
            raise typer.Exit(code_of(error)) from None
        except BrokenPipeError:
            # Whoever read us has seen enough; nothing more can be written, not even at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(Code.OK) from None
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        except RuntimeError as error:
            if isinstance(error, _click_ends()) or os.environ.get(DEBUG):
                raise
            raise _unexpected(error) from None
        except (OSError, ValueError, LookupError, TypeError, AttributeError, AssertionError) as e:
            if os.environ.get(DEBUG):
                raise
            raise _unexpected(e) from None


def _click_ends() -> tuple[type[Exception], ...]:
    """typer.Exit and typer.Abort are RuntimeErrors; they are no errors of ours."""
    return (typer.Exit, typer.Abort)


def _unexpected(error: Exception) -> typer.Exit:
    say(
        f"this should not have happened ({type(error).__name__}: {error}); run it again with"
        f" {DEBUG}=1 to see where, and please report it",
        "error",
    )
    return typer.Exit(Code.FAILED)
