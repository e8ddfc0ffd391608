"""Every service of docker-compose.yml is confined as it must be, also with three log servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from argos_common.runtime.service import DRAIN_S

from tests.integration.compose_file import (
    CLUSTER,
    Json,
    from_compose,
    from_file,
    has_compose,
    settings,
)

TO_THE_OUTSIDE = {"door", "venue", "edge"}
NODES = ("mt5-node", "mt5-terminal", "exchange-node")
NO_SHELL = ("otel-collector", "tempo")
"""Images with nothing in them that could ask for their health."""
MAKERS = ("secrets", "certificates")
"""The jobs that write what others may only read."""
OURS = (
    "gateway", "risk", "bridge", "reconciler", "monitor", *NODES,
    "secrets", "check", "stream", "migrations", "argos",
)  # fmt: skip


@pytest.fixture(params=[(), (CLUSTER,)], ids=["one log server", "three"], scope="module")
def over(request: pytest.FixtureRequest) -> tuple[Path, ...]:
    found: tuple[Path, ...] = request.param
    return found


@pytest.fixture(params=["file", "compose"], scope="module")
def compose(request: pytest.FixtureRequest, over: tuple[Path, ...]) -> Json:
    if request.param == "file":
        return from_file(*over)
    if not has_compose():
        pytest.skip("docker compose is not installed: what it makes of the file was not looked at")
    return from_compose(*over)


@pytest.fixture
def services(compose: Json) -> Json:
    found = compose["services"]
    assert set(OURS) <= set(found)
    assert isinstance(found, dict)
    return found


def offenders(services: Json, holds: Any) -> list[str]:
    return [name for name, service in services.items() if not holds(service)]


def seconds(duration: str) -> int:
    minutes, _, rest = duration.rpartition("m")
    return int(minutes or 0) * 60 + int((rest or "0s").removesuffix("s") or 0)


def size(text: str | int) -> int:
    """Bytes."""
    units = {"k": 10, "m": 20, "g": 30}
    found = str(text)
    return int(found[:-1]) << units[found[-1]] if found[-1] in units else int(found)


def networks(service: Json) -> set[str]:
    return set(service.get("networks") or ())


def mounts(service: Json) -> Iterator[tuple[str, str, bool]]:
    """(source, target, read only) of each volume."""
    for each in service.get("volumes", ()):
        if isinstance(each, str):
            source, target, *options = each.split(":")
            yield source, target, options == ["ro"]
        else:
            yield each["source"], each["target"], each.get("read_only", False)


def is_job(service: Json) -> bool:
    return service.get("restart") == "no"


def test_nobody_is_root_or_could_become_it(services: Json) -> None:
    ours = {name: services[name]["user"] for name in OURS}
    assert set(ours.values()) == {"10001:10001"}
    assert (
        offenders(services, lambda s: str(s.get("user", "0")).split(":")[0] not in {"0", "root"})
        == []
    )
    assert offenders(services, lambda s: s.get("cap_drop") == ["ALL"]) == []
    assert {name: s["cap_add"] for name, s in services.items() if s.get("cap_add")} == {
        "edge": ["NET_BIND_SERVICE"]  # its image's program carries it
    }
    assert offenders(services, lambda s: s.get("security_opt") == ["no-new-privileges:true"]) == []
    assert offenders(services, lambda s: not s.get("privileged") and not s.get("pid")) == []


def test_nothing_is_written_but_volumes_and_a_small_tmp(services: Json) -> None:
    assert offenders(services, lambda s: s.get("read_only") is True) == []
    assert offenders(services, lambda s: all("size=" in each for each in s["tmpfs"])) == []
    for name, service in services.items():
        for source, target, read_only in mounts(service):
            from_the_host = source.startswith((".", "/"))
            assert read_only or not from_the_host, (name, target)
            kept_secret = source.endswith("-secrets") and name not in MAKERS
            assert read_only or not kept_secret, (name, target)


def test_a_secret_is_mounted_by_its_service_alone(services: Json, over: tuple[Path, ...]) -> None:
    holders: dict[str, set[str]] = {}
    for name, service in services.items():
        for source, _, _ in mounts(service):
            if source.endswith("-secrets"):
                holders.setdefault(source.removesuffix("-secrets"), set()).add(name)
    in_a_cluster = {
        "authority": set(),
        "nats": {"nats", "nats-2", "nats-3"},  # public keys, the same for all three
        "nats-tls": {"nats"},
        "nats-2-tls": {"nats-2"},
        "nats-3-tls": {"nats-3"},
    }
    assert {source: found - set(MAKERS) for source, found in holders.items()} == {
        "gateway": {"gateway"},
        "risk": {"risk"},
        "bridge": {"bridge"},
        "reconciler": {"reconciler"},
        "monitor": {"monitor"},
        "operator": {"argos", "nats-cli"},
        "provision": {"stream"},
        "system": {"nats-system"},
        "database": {"migrations"},
        "nats": {"nats"},
        "postgres": {"postgres"},
        "grafana": {"grafana"},
        "alertmanager": {"alertmanager"},
        **(in_a_cluster if over else {}),
    }


def test_memory_processes_and_logs_are_bounded(services: Json) -> None:
    assert offenders(services, lambda s: 0 < size(s["mem_limit"]) <= 1 << 30) == []
    assert offenders(services, lambda s: 0 < int(s["pids_limit"]) <= 256) == []
    for name, service in services.items():
        logging = service["logging"]
        assert logging["driver"] == "json-file", name
        assert (
            size(logging["options"]["max-size"]) * int(logging["options"]["max-file"]) <= 64 << 20
        )


def test_stopping_takes_longer_than_draining(services: Json) -> None:
    assert offenders(services, lambda s: seconds(s["stop_grace_period"]) > 2 * DRAIN_S) == []


def test_whoever_stays_says_whether_it_is_well_and_comes_back(services: Json) -> None:
    stays = {name: service for name, service in services.items() if not is_job(service)}
    assert offenders(stays, lambda s: s.get("restart") == "unless-stopped") == []
    assert offenders(stays, lambda s: s.get("healthcheck", {}).get("test")) == list(NO_SHELL)
    jobs = {name for name, service in services.items() if is_job(service)}
    waited_for = {
        needed
        for service in services.values()
        for needed, how in (service.get("depends_on") or {}).items()
        if how["condition"] == "service_completed_successfully"
    }
    on_demand = {"argos", "nats-cli", "nats-system"}
    assert jobs - on_demand == waited_for


def test_only_the_edge_is_published_beyond_this_machine(services: Json) -> None:
    for name, service in services.items():
        for each in service.get("ports", ()):
            host = each.split(":")[0] if isinstance(each, str) else each.get("host_ip")
            assert host == "127.0.0.1" or name == "edge", (name, each)


def test_a_node_has_no_way_to_the_log_or_the_ledger(services: Json) -> None:
    log_and_ledger = networks(services["nats"]) | networks(services["postgres"])
    assert log_and_ledger == {"bus", "db"}
    for name in NODES:
        assert not networks(services[name]) & log_and_ledger, name
    who = {name: networks(service) for name, service in services.items()}
    assert {name for name, found in who.items() if "terminal" in found} == {
        "mt5-node",
        "mt5-terminal",
    }
    for name in OURS:
        assert services[name].get("network_mode", "none") == "none", name
    for name in MAKERS:
        assert services.get(name, {}).get("network_mode", "none") == "none", name


def test_networks_lead_outside_only_where_something_must(compose: Json) -> None:
    found = {
        name: (each or {}).get("internal", False) for name, each in compose["networks"].items()
    }
    assert {
        name for name, internal in found.items() if not internal and name != "default"
    } <= TO_THE_OUTSIDE
    assert {"bus", "db", "terminal", "obs"} <= {
        name for name, internal in found.items() if internal
    }


def test_no_secret_is_in_the_environment(services: Json) -> None:
    for name, service in services.items():
        for variable, value in (service.get("environment") or {}).items():
            secret = any(word in variable for word in ("PASSWORD", "TOKEN", "SECRET", "SEED"))
            assert not secret or variable.endswith(("_FILE", "__FILE")), (name, variable)
            assert "@" not in str(value) or ":" not in str(value).split("@")[0].split("//")[-1], (
                name
            )


def test_every_image_is_pinned_and_named_in_one_place(services: Json) -> None:
    named = {value for name, value in settings().items() if name.endswith("_IMAGE")}
    assert {service["image"] for service in services.values()} <= named
    for image in named:
        _, _, tag = image.rpartition(":")
        assert tag not in {"", "latest"}, image


def test_nothing_waits_for_a_service_of_another_profile(services: Json) -> None:
    for name, service in services.items():
        for needed, how in (service.get("depends_on") or {}).items():
            theirs = set(services[needed].get("profiles") or ())
            assert (
                not theirs
                or theirs & set(service.get("profiles") or ())
                or how.get("required") is False
            ), (name, needed)


def test_with_three_log_servers_everyone_knows_all_of_them_and_comes_with_a_certificate() -> None:
    services = from_file(CLUSTER)["services"]
    servers = ("nats", "nats-2", "nats-3")
    callers = {
        name: service["environment"]
        for name, service in services.items()
        if "ARGOS_NATS_URL" in service.get("environment", {})
    }
    assert set(callers) == {
        "stream", "gateway", "risk", "bridge", "reconciler", "monitor", "argos",
    }  # fmt: skip
    for environment in callers.values():
        assert environment["ARGOS_NATS_URL"] == ",".join(f"tls://{name}:4222" for name in servers)
        assert environment["ARGOS_NATS_MONITOR_URL"].count("http://") == len(servers)
        assert environment["ARGOS_LOG_REPLICAS"] == str(len(servers))
        assert environment["ARGOS_NATS_CERT_FILE"]
    for number, name in enumerate(servers, start=1):
        words = services[name]["command"]
        assert words[1] == "/etc/nats/cluster.conf"
        assert words[3::2] == [f"argos-{number}", f"{name}:6222"]
    one, *others = [services[name] for name in servers]
    for other in others:
        same = {"image", "user", "mem_limit", "healthcheck", "networks", "tmpfs", "depends_on"}
        assert {key: other[key] for key in same} == {key: one[key] for key in same}
