"""What is checked of a configuration whose secrets aren't at hand: everything that doesn't depend on them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

_SECURITY = re.compile(r"(?:^|\.)(?:security|sasl|ssl)\.")
#: Settings that decide which other settings of a client are needed.
_DECIDING = ("security.protocol", "sasl.mechanism")
_LOGIN, _BROKERS = "sasl.jaas.config", "bootstrap.servers"
_LOGIN_STAND_IN = 'org.apache.kafka.common.security.plain.PlainLoginModule required username="…" password="…";'


def without_missing_settings(settings: Mapping[str, str], missing: Collection[str]) -> dict[str, str]:
    """Settings of Kafka's clients, by their names with any prefix, without those whose values are not known.

    A login that isn't known is replaced by one that can be read. Where the kind of login itself isn't known, all settings of
    security are left out.
    """
    no_security = any(name.endswith(_DECIDING) for name in missing)
    kept = {}
    for name, text in settings.items():
        if no_security and _SECURITY.search(name):
            continue
        if name not in missing or name.endswith(_BROKERS):
            kept[name] = text
        elif name.endswith(_LOGIN):
            kept[name] = _LOGIN_STAND_IN
    return kept
