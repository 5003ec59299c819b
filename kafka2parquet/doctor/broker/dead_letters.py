"""Checks of the topic for rejected records, if the configuration names one."""

from __future__ import annotations

from collections.abc import Iterator

from kafka2parquet.doctor.broker.cluster import (
    DESCRIBE,
    NO_ERROR,
    TOPIC_REFUSED,
    UNKNOWN_TOPIC,
    WRITE,
    ask_metadata,
    topic_info,
)
from kafka2parquet.doctor.broker.listener import Visit
from kafka2parquet.doctor.check import Cause, Check, Finding
from kafka2parquet.doctor.facts import Facts

_TOPIC = {"topic": "orders-rejected"}

DEAD_LETTERS = Check(
    "dead-letters",
    "Topic for rejected records",
    "Connects with the settings of the producer, and looks up the topic in `errors.deadletterqueue.topic.name`. Nothing is"
    " sent.",
    (
        Cause(
            "not-reachable",
            {**_TOPIC, "trouble": "broker-1.example:9092 refused the login of user alice by PLAIN."},
            "The producer of rejected records can't connect. {trouble}",
            "If the check kafka-tcp has the same cause, cure that. Otherwise correct the producer's settings. A connector's are"
            " called producer.override.…, a worker's producer.…; the consumer's settings don't apply to the producer.",
        ),
        Cause(
            "no-write-right",
            {**_TOPIC, "bootstrap": "broker-1.example:9092", "principal": "User:alice"},
            "This client may not write to the topic {topic}.",
            "An administrator grants the rights:",
            paste="kafka-acls --bootstrap-server {bootstrap} --add --allow-principal '{principal}' --operation Write"
            " --operation Describe --operation Create --topic '{topic}'",
        ),
        Cause(
            "too-few-brokers",
            {**_TOPIC, "replicas": "3", "brokers": "1"},
            "The topic {topic} doesn't exist and can't be created: it needs {replicas} brokers, and the cluster has {brokers}.",
            "Lower the number of replicas, or create the topic.",
            paste="errors.deadletterqueue.topic.replication.factor={brokers}",
        ),
        Cause(
            "not-usable",
            {**_TOPIC, "code": "17"},
            "Kafka refuses the topic {topic} (error code {code}).",
            "Correct the name.",
            paste="errors.deadletterqueue.topic.name=<topic>",
        ),
    ),
)


def look_dead_letters_up(facts: Facts) -> Iterator[Finding]:
    """Look the topic up with the producer's settings."""
    plan = facts.dead_letters
    if plan is None:
        return
    visit: Visit | None = None
    for server in plan.producer.bootstrap_servers:
        visit = Visit(server, plan.producer.client_settings)
        if visit.connection is not None:
            with visit.connection as connection:
                answer = ask_metadata(connection, [plan.topic])
            break
    else:
        if visit is not None:
            yield DEAD_LETTERS.found("not-reachable", plan.topic, topic=plan.topic, trouble=visit.findings[-1].text)
        return
    topic = topic_info(answer.topics[0])
    user = plan.producer.client_settings.get("sasl_plain_username")
    values = {
        "topic": plan.topic,
        "bootstrap": ",".join(plan.producer.bootstrap_servers),
        "principal": f"User:{user}" if user else "User:<principal>",
    }
    replicas = facts.config.number("errors.deadletterqueue.topic.replication.factor")
    if topic.error_code == TOPIC_REFUSED or (topic.rights is not None and not {WRITE, DESCRIBE} <= topic.rights):
        yield DEAD_LETTERS.found("no-write-right", plan.topic, **values)
    elif topic.error_code == UNKNOWN_TOPIC and replicas > len(answer.brokers):
        yield DEAD_LETTERS.found("too-few-brokers", plan.topic, **values, replicas=replicas, brokers=len(answer.brokers))
    elif topic.error_code == UNKNOWN_TOPIC:
        yield DEAD_LETTERS.ok(plan.topic, "it will be created")
    elif topic.error_code == NO_ERROR:
        yield DEAD_LETTERS.ok(plan.topic)
    else:
        yield DEAD_LETTERS.found("not-usable", plan.topic, topic=plan.topic, code=topic.error_code)
