"""Numbers of variable length, as Kafka's record format has them for lengths and counts."""

from __future__ import annotations

#: A number of 64 bits takes no more.
_MOST_BYTES = 10


def read_varint(data: bytes | memoryview, position: int) -> tuple[int, int]:
    """The zigzag varint at a position, and the position after it.

    Raises:
        IndexError: the data end before the number does.
        ValueError: the number has more bytes than any that Kafka writes.
    """
    byte = data[position]
    if byte < 0x80:
        return (byte >> 1) ^ -(byte & 1), position + 1
    number = 0
    for shift in range(0, 7 * _MOST_BYTES, 7):
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), position
    raise ValueError(f"a length or count of a record or its headers has more than {_MOST_BYTES} bytes")


def varint(number: int) -> bytes:
    """A number of 64 bits as zigzag varint."""
    number = (number << 1) ^ (number >> 63)
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*written, number])
