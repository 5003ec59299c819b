"""All groups of checks, and the steps that run them, in order."""

from __future__ import annotations

from kafka2parquet.doctor import registry, staging, versions
from kafka2parquet.doctor.broker import dead_letters, group, listener, reach, topics
from kafka2parquet.doctor.check import Check, Group
from kafka2parquet.doctor.examination import Step
from kafka2parquet.doctor.store import bucket, older, prefix, rights
from kafka2parquet.doctor.store import reach as store_reach

GROUPS = (
    Group("Kafka: connection", (*listener.CHECKS, reach.ADVERTISED)),
    Group("Kafka: topics", (topics.TOPICS, topics.TASKS, *topics.SETTINGS_CHECKS, dead_letters.DEAD_LETTERS)),
    Group("Kafka: consumer group", (*group.GROUP_CHECKS, *group.BROKER_CHECKS)),
    Group(
        "Store",
        (*store_reach.REACH_CHECKS, *rights.RIGHTS_CHECKS, *bucket.BUCKET_CHECKS, *prefix.PREFIX_CHECKS, older.OLDER_FILES),
    ),
    Group("Staging", staging.STAGING_CHECKS),
    Group("Schema registry", registry.REGISTRY_CHECKS),
    Group("Versions", (versions.LIBRARIES,)),
)

_STORE = (store_reach.REACH, store_reach.CREDENTIALS, store_reach.BUCKET)

STEPS = (
    Step(reach.reach_bootstrap_servers, listener.CHECKS),
    Step(reach.reach_brokers, (reach.ADVERTISED,), needs=(listener.LOGIN,)),
    Step(topics.look_topics_up, (topics.TOPICS,), needs=(listener.LOGIN,)),
    Step(topics.compare_tasks, (topics.TASKS,), needs=(topics.TOPICS,)),
    Step(topics.compare_settings, topics.SETTINGS_CHECKS, needs=(topics.TOPICS, reach.ADVERTISED)),
    Step(dead_letters.look_dead_letters_up, (dead_letters.DEAD_LETTERS,)),
    Step(group.look_group_up, group.GROUP_CHECKS, needs=(reach.ADVERTISED,)),
    Step(group.compare_broker_settings, group.BROKER_CHECKS, needs=(reach.ADVERTISED,)),
    Step(store_reach.reach_store, store_reach.REACH_CHECKS),
    Step(rights.try_rights, rights.RIGHTS_CHECKS, needs=_STORE),
    Step(bucket.compare_clocks, (bucket.CLOCK,), needs=(store_reach.REACH,)),
    Step(bucket.look_for_rule, (bucket.UPLOADS,), needs=_STORE),
    Step(prefix.look_at_files, prefix.PREFIX_CHECKS, needs=(*_STORE, rights.LIST, rights.GET)),
    Step(
        older.look_for_older_files,
        (older.OLDER_FILES,),
        needs=(*_STORE, rights.LIST, rights.GET, topics.TOPICS, group.COMMITTED),
    ),
    Step(staging.look_at_staging, staging.STAGING_CHECKS),
    Step(registry.ask_registries, (registry.REGISTRY,)),
    Step(registry.ask_for_subjects, (registry.SUBJECTS,), needs=(registry.REGISTRY, topics.TOPICS)),
    Step(versions.compare_versions, (versions.LIBRARIES,)),
)


def group_of(check: Check) -> Group:
    """Return the group of a check."""
    return next(each for each in GROUPS if check in each.checks)


def all_checks() -> tuple[Check, ...]:
    """Return all checks, in the order of the groups."""
    return tuple(check for each in GROUPS for check in each.checks)
