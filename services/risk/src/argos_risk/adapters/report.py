"""Tells metrics and the log file what happened."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from argos_common.domain.node import LeaseAnswer
from argos_common.domain.times import NS_PER_S
from argos_common.domain.verdict import VerdictGiven
from argos_common.runtime.logs import Logger
from argos_common.runtime.metrics import Metrics


class ServiceReport:
    """Implements `Report`. A lease that changes its answer is a line; the rest are only counted."""

    def __init__(self, metrics: Metrics, logger: Logger) -> None:
        self._metrics = metrics
        self._logger = logger
        self._granted: dict[str, bool] = {}

    def verdict(
        self, verdict: VerdictGiven, sequence: int, took_ns: int, trace_id: str = ""
    ) -> None:
        decision = verdict.decision.name.lower()
        self._metrics.verdicts.labels(verdict.account, decision).inc()
        for rule in verdict.rules:
            if not rule.passed:
                self._metrics.rule_failures.labels(verdict.account, rule.rule).inc()
        if took_ns > 0:
            self._metrics.hop("verdict", took_ns / NS_PER_S, trace_id)
        self._logger.info(
            "verdict",
            account=verdict.account,
            cause_id=verdict.cause_id,
            trade_id=verdict.trade_id or verdict.cause_id,
            bot_version=verdict.bot_version,
            strategy=verdict.strategy,
            symbol=verdict.symbol,
            decision=decision,
            reason=verdict.reason,
            sequence=sequence,
        )

    def lease(self, answer: LeaseAnswer) -> None:
        word = "granted" if answer.granted else "refused"
        self._metrics.leases.labels(answer.account, word).inc()
        if self._granted.get(answer.account) is not answer.granted:
            self._granted[answer.account] = answer.granted
            self._logger.info(
                "leases change",
                answer=word,
                account=answer.account,
                epoch=answer.epoch,
                reason=answer.reason,
            )

    def killed(self, account: str, *, engaged: bool) -> None:
        self._metrics.killed.labels(account).set(1 if engaged else 0)

    def log_used(self, percent: int) -> None:
        self._metrics.log_used_ratio.set(percent / 100)

    def limits_used(self, account: str, used: Mapping[str, Decimal]) -> None:
        for limit, ratio in used.items():
            self._metrics.limit_used_ratio.labels(account, limit).set(float(ratio))

    def oddity(self, sentence: str) -> None:
        self._logger.warning(sentence)

    def note(self, sentence: str) -> None:
        self._logger.info(sentence)
