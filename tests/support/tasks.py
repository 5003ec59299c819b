"""Builds tasks from single settings, so that a test can add or replace one of them."""

from __future__ import annotations

from typing import Any

import attrs

from kafka2parquet import DeliverySettings, FileSettings, RejectPolicy, SinkTask

_GROUPS = {"files": FileSettings, "rejects": RejectPolicy, "delivery": DeliverySettings}


def make_task(**parts: Any) -> SinkTask:
    """Makes a `SinkTask`.

    Args:
        parts: arguments of `SinkTask`, and fields of `FileSettings`, `RejectPolicy` and `DeliverySettings` by name.
    """
    for group, settings in _GROUPS.items():
        given = {field.name: parts.pop(field.name) for field in attrs.fields(settings) if field.name in parts}
        if given:
            parts[group] = settings(**given)
    return SinkTask(**parts)
