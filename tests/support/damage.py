"""Damaged payloads."""

from __future__ import annotations

from hypothesis import strategies as st

#: Varints that are hardly ever written.
_NUMBERS = (b"\xff" * 9 + b"\x01", b"\xff" * 9 + b"\x7f", b"\xff" * 11)


@st.composite
def damaged(draw: st.DrawFn, payload: bytes) -> bytes:
    """Generates the payload, mostly with some bytes changed, lost or added."""
    if draw(st.integers(0, 3)) == 0:
        return payload
    cut = draw(st.integers(0, len(payload)))
    more = draw(st.one_of(st.binary(max_size=6), st.sampled_from(_NUMBERS)))
    return payload[:cut] + more + payload[cut + draw(st.integers(0, 3)) :]
