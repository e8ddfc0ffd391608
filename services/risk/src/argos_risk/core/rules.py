"""All rules, in the order in which a refusal names them."""

from __future__ import annotations

from argos_common.domain.money import plain
from argos_common.domain.verdict import RuleResult

from argos_risk.core.rule import (
    CloseCase,
    CloseRule,
    Finding,
    OpenCase,
    OpenRule,
    allowed,
    refused,
    result,
)
from argos_risk.core.rules_limit import LIMIT_RULES
from argos_risk.core.rules_permission import PERMISSION_RULES


def _something_to_close(case: CloseCase) -> Finding:
    if case.held == 0:
        return refused("0", "not 0", case.note or "nothing to close")
    return allowed(plain(case.held), "not 0")


OPEN_RULES: tuple[OpenRule, ...] = (*PERMISSION_RULES, *LIMIT_RULES)
CLOSE_RULES: tuple[CloseRule, ...] = (CloseRule("something_to_close", _something_to_close),)


def judge_open(case: OpenCase) -> tuple[RuleResult, ...]:
    """Every rule's finding on a leg that adds risk."""
    return tuple(result(rule.name, rule.check(case)) for rule in OPEN_RULES)


def judge_close(case: CloseCase) -> tuple[RuleResult, ...]:
    """Every rule's finding on a leg that takes risk away."""
    return tuple(result(rule.name, rule.check(case)) for rule in CLOSE_RULES)


def failures(results: tuple[RuleResult, ...]) -> str:
    """The sentences of the rules that failed, as one text; empty if none did."""
    return "; ".join(each.sentence for each in results if not each.passed)
