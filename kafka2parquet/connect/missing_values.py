"""Removes unknown values from properties, so that everything that doesn't depend on them can still be checked."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

_SECURITY = re.compile(r"(?:^|\.)(?:security|sasl|ssl)\.")
#: Settings that decide which other settings of a client are needed.
_DECIDING = ("security.protocol", "sasl.mechanism")
#: Stand-ins for values that other settings need, by the endings of their names.
_STAND_INS = {
    "sasl.jaas.config": 'org.apache.kafka.common.security.plain.PlainLoginModule required username="…" password="…";',
    "bootstrap.servers": "…:9092",
    "basic.auth.user.info": "…:…",
    "bearer.auth.token": "…",
    "proxy.url": "http://…",
}


def without_missing(given: Mapping[str, str], missing: Collection[str]) -> dict[str, str]:
    """Return the properties of a worker or a connector without the properties whose values aren't known.

    A stand-in replaces an unknown value that other properties need. If the kind of a client's login isn't known, all security
    settings of the client are left out.
    """
    no_security = any(name.endswith(_DECIDING) for name in missing)
    kept = {}
    for name, text in given.items():
        if no_security and _SECURITY.search(name):
            continue
        stand_in = next((text for end, text in _STAND_INS.items() if name.endswith(end)), None)
        if name not in missing:
            kept[name] = text
        elif stand_in is not None:
            kept[name] = stand_in
    return kept
