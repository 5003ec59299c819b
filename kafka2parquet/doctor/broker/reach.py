"""Steps that reach the bootstrap servers, and then each broker at the address that it advertises."""

from __future__ import annotations

import concurrent.futures
import ipaddress
from collections.abc import Iterator, Sequence

import attrs

from kafka2parquet.doctor.broker.cluster import Cluster
from kafka2parquet.doctor.broker.listener import LOGIN, Visit
from kafka2parquet.doctor.check import Cause, Check, Finding, Level
from kafka2parquet.doctor.facts import Facts
from kafka2parquet.doctor.sockets import TroubleError, split_address

_BROKER = {"broker": "2", "server": "broker-2.internal:9092"}

ADVERTISED = Check(
    "kafka-advertised",
    "Advertised listener",
    "Takes the same steps to each broker of the cluster, at the address that the broker advertises. A client uses the bootstrap"
    " servers only to ask for these addresses, and reads from the advertised ones.",
    (
        Cause(
            "loopback",
            {"broker": "2", "server": "localhost:9092"},
            "Broker {broker} advertises {server}, which is each client's own machine.",
            "Set advertised.listeners of that broker to an address that its clients can reach. In containers, give the host and"
            " the other containers one listener each. On the broker:",
            paste="advertised.listeners=<listener>://<address that clients reach>:<port>",
        ),
        Cause(
            "not-reachable",
            {**_BROKER, "trouble": "The name broker-2.internal can't be looked up (Name or service not known)."},
            "Broker {broker} advertises {server}, which can't be used from here. {trouble}",
            "Make {server} reachable from this machine (name service, firewall), or set advertised.listeners of that broker to"
            " an address that is. Its partitions can't be read otherwise. On the broker:",
            paste="advertised.listeners=<listener>://<address that clients reach>:<port>",
        ),
    ),
)

_AT_ONCE = 8


def reach_bootstrap_servers(facts: Facts) -> Iterator[Finding]:
    """Take the steps to each bootstrap server. A failure counts as a warning if another server was reached."""
    visits = _visits(facts, facts.consumer.bootstrap_servers)
    for visit in visits:
        if visit.connection is not None and facts.cluster is None:
            facts.cluster = Cluster(visit.connection)
        elif visit.connection is not None:
            visit.connection.close()
    for visit in visits:
        for finding in visit.findings:
            is_failure = finding.level is Level.FAILED
            yield attrs.evolve(finding, level=Level.WARNING) if is_failure and facts.cluster is not None else finding
        if visit.trouble is not None and visit.trouble.check is not LOGIN:
            yield LOGIN.skipped(f"{visit.trouble.check.title} failed", visit.server)


def reach_brokers(facts: Facts) -> Iterator[Finding]:
    """Take the steps to each broker's advertised address, and keep the connections."""
    cluster = facts.known_cluster()
    brokers = sorted(cluster.addresses.items())
    for (broker, server), visit in zip(brokers, _visits(facts, [server for _, server in brokers]), strict=True):
        subject = f"broker {broker}, {server}"
        if visit.trouble is None and visit.connection is not None:
            cluster.connections[broker] = visit.connection
            yield ADVERTISED.ok(subject)
        elif _is_loopback(server) and not all(map(_is_loopback, facts.consumer.bootstrap_servers)):
            yield ADVERTISED.found("loopback", subject, broker=broker, server=server)
        else:
            trouble = visit.findings[-1]
            yield ADVERTISED.found("not-reachable", subject, broker=broker, server=server, trouble=trouble.text)


def _visits(facts: Facts, servers: Sequence[str]) -> list[Visit]:
    """Visit several servers at once."""
    with concurrent.futures.ThreadPoolExecutor(_AT_ONCE, "kafka2parquet-doctor") as pool:
        return list(pool.map(lambda server: Visit(server, facts.consumer.client_settings), servers))


def _is_loopback(server: str) -> bool:
    try:
        host, _ = split_address(server)
    except TroubleError:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
