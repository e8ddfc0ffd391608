"""The environment variables of a service process: read once, here and nowhere else."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from argos_common.domain.errors import OurMistake
from argos_common.runtime.provision import MAX_BYTES
from argos_common.runtime.tls import TlsFiles

VARIABLES: dict[str, str] = {
    "ARGOS_CONFIG": "path of fleet.toml (default: fleet.toml)",
    "ARGOS_STATE": "the state folder (default: var/argos)",
    "ARGOS_NATS_URL": "where NATS is (default: nats.url of fleet.toml, then nats://127.0.0.1:4222)",
    "ARGOS_NATS_MONITOR_URL": "where each NATS server answers monitoring; set: durability is checked",
    "ARGOS_NATS_USER": "the NATS user of this service",
    "ARGOS_NATS_PASSWORD_FILE": "a file with that user's password",
    "ARGOS_NATS_NKEY_FILE": "a file with an nkey seed, instead of user and password",
    "ARGOS_NATS_CA_FILE": "whose certificate of NATS is believed (PEM); set: TLS is used",
    "ARGOS_NATS_CERT_FILE": "this service's own certificate for NATS (PEM), if the server asks",
    "ARGOS_NATS_CERT_KEY_FILE": "the private key of that certificate (PEM)",
    "ARGOS_LISTEN": "the address to listen on (default: loopback; gateway, monitor: fleet.toml's)",
    "ARGOS_GENERATION": "which generation of the log (default: g1)",
    "ARGOS_LOG_MAX_BYTES": "how large the log may become",
    "ARGOS_LOG_REPLICAS": "on how many servers the log is kept (default: 1)",
    "ARGOS_GATEWAY_PORT": "overrides gateway.port of fleet.toml",
    "ARGOS_MONITOR_PORT": "overrides monitor.port of fleet.toml",
    "ARGOS_METRICS_PORT": "where this process serves /metrics (default: 0, a free port)",
    "ARGOS_NODE": "which node of fleet.toml this process is",
    "ARGOS_NODE_PORT": "on which port this node listens (default: its address, then free)",
    "ARGOS_NODE_ADDRESSES": "JSON, node name to host:port or tls://host:port, for those who call",
    "ARGOS_NODE_CA_FILE": "whose certificates are believed between a node and its callers (PEM)",
    "ARGOS_NODE_CERT_FILE": "this process's own certificate there (PEM); a node then demands TLS",
    "ARGOS_NODE_CERT_KEY_FILE": "the private key of that certificate (PEM)",
    "ARGOS_MT5_SIMULATOR": "where the simulated terminal is: host:port, or a file with the port",
    "ARGOS_ALERTS_TOKEN_FILE": "a file with the token that Alertmanager shows the monitor",
    "ARGOS_BACKUP_FOLDER": "the folder whose newest file must not grow old (monitor)",
    "ARGOS_CERTIFICATES": "certificates (PEM) or folders of them to watch, separated by colons (monitor)",
    "ARGOS_LEDGER_URL": "overrides ledger.url of fleet.toml",
    "ARGOS_PARENT_PID": "end when this process, our parent, is gone",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "where traces go over HTTP (default: files in the state folder)",
    "LOG_LEVEL": "debug, info, warning or error (default: info)",
}
LEVELS = ("debug", "info", "warning", "error")
_SAMPLERS = ("", "always_on", "parentbased_always_on")


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What the process was told. Ports None: not given."""

    config: Path = Path("fleet.toml")
    state: Path = Path("var/argos")
    nats_url: str = ""
    nats_monitor_url: str = ""
    nats_user: str = ""
    nats_password_file: str = ""
    nats_nkey_file: str = ""
    nats_tls: TlsFiles = field(default_factory=TlsFiles)
    listen: str = ""
    generation: str = "g1"
    log_max_bytes: int = MAX_BYTES
    log_replicas: int = 1
    gateway_port: int | None = None
    monitor_port: int | None = None
    metrics_port: int = 0
    node: str = ""
    node_port: int | None = None
    node_addresses: Mapping[str, str] = field(default_factory=dict)
    node_tls: TlsFiles = field(default_factory=TlsFiles)
    mt5_simulator: str = ""
    alerts_token_file: str = ""
    backup_folder: str = ""
    certificates: str = ""
    ledger_url: str = ""
    parent_pid: int = 0
    otlp_endpoint: str = ""
    log_level: str = "info"


def read_environment(variables: Mapping[str, str]) -> Environment:
    """Read the variables. Raises OurMistake for the first that cannot be used."""
    if variables.get("OTEL_TRACES_SAMPLER", "") not in _SAMPLERS:
        raise OurMistake(
            "OTEL_TRACES_SAMPLER must not be set: every trade is traced, and a ratio would drop"
            " all of them or none, because trade ids are not random"
        )
    level = variables.get("LOG_LEVEL", "info").lower()
    if level not in LEVELS:
        raise OurMistake(f"LOG_LEVEL is {level!r}: use one of {', '.join(LEVELS)}")
    generation = variables.get("ARGOS_GENERATION", "g1")
    if not re.fullmatch(r"[a-z0-9]{1,16}", generation):
        raise OurMistake(f"ARGOS_GENERATION is {generation!r}: use lower-case letters and digits")
    return Environment(
        config=Path(variables.get("ARGOS_CONFIG") or "fleet.toml"),
        state=Path(variables.get("ARGOS_STATE") or "var/argos"),
        nats_url=variables.get("ARGOS_NATS_URL", ""),
        nats_monitor_url=variables.get("ARGOS_NATS_MONITOR_URL", ""),
        nats_user=variables.get("ARGOS_NATS_USER", ""),
        nats_password_file=variables.get("ARGOS_NATS_PASSWORD_FILE", ""),
        nats_nkey_file=variables.get("ARGOS_NATS_NKEY_FILE", ""),
        nats_tls=_tls(
            "ARGOS_NATS",
            variables.get("ARGOS_NATS_CA_FILE", ""),
            variables.get("ARGOS_NATS_CERT_FILE", ""),
            variables.get("ARGOS_NATS_CERT_KEY_FILE", ""),
        ),
        listen=variables.get("ARGOS_LISTEN", ""),
        generation=generation,
        log_max_bytes=_number(variables, "ARGOS_LOG_MAX_BYTES", high=2**62) or MAX_BYTES,
        log_replicas=_number(variables, "ARGOS_LOG_REPLICAS", high=5) or 1,
        gateway_port=_number(variables, "ARGOS_GATEWAY_PORT"),
        monitor_port=_number(variables, "ARGOS_MONITOR_PORT"),
        metrics_port=_number(variables, "ARGOS_METRICS_PORT") or 0,
        node=variables.get("ARGOS_NODE", ""),
        node_port=_number(variables, "ARGOS_NODE_PORT"),
        node_addresses=_addresses(variables.get("ARGOS_NODE_ADDRESSES", "")),
        node_tls=_tls(
            "ARGOS_NODE",
            variables.get("ARGOS_NODE_CA_FILE", ""),
            variables.get("ARGOS_NODE_CERT_FILE", ""),
            variables.get("ARGOS_NODE_CERT_KEY_FILE", ""),
        ),
        mt5_simulator=variables.get("ARGOS_MT5_SIMULATOR", ""),
        alerts_token_file=variables.get("ARGOS_ALERTS_TOKEN_FILE", ""),
        backup_folder=variables.get("ARGOS_BACKUP_FOLDER", ""),
        certificates=variables.get("ARGOS_CERTIFICATES", ""),
        ledger_url=variables.get("ARGOS_LEDGER_URL", ""),
        parent_pid=_number(variables, "ARGOS_PARENT_PID", high=2**31) or 0,
        otlp_endpoint=variables.get("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
        log_level=level,
    )


def _number(variables: Mapping[str, str], name: str, high: int = 65_535) -> int | None:
    text = variables.get(name, "")
    if not text:
        return None
    if not re.fullmatch(r"\d{1,19}", text) or int(text) > high:
        raise OurMistake(f"{name} is {text!r}: use a whole number from 0 to {high}")
    return int(text)


def _tls(prefix: str, authority: str, certificate: str, key: str) -> TlsFiles:
    if bool(certificate) != bool(key) or (certificate and not authority):
        raise OurMistake(
            f"{prefix}_CA_FILE, {prefix}_CERT_FILE and {prefix}_CERT_KEY_FILE belong together:"
            " name all three"
        )
    return TlsFiles(authority, certificate, key)


def _addresses(text: str) -> dict[str, str]:
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise OurMistake('ARGOS_NODE_ADDRESSES must be JSON such as {"mt5": "127.0.0.1:50051"}')
    return found
