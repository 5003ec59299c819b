"""Kafka's notation of topic ids."""

from __future__ import annotations

import base64
import uuid


def topic_id_text(topic_id: uuid.UUID | None) -> str:
    """Return an id as Kafka's tools print it, in URL-safe base64 without padding; "" for none, and for the id of zeros."""
    if topic_id is None or not topic_id.int:
        return ""
    return base64.urlsafe_b64encode(topic_id.bytes).rstrip(b"=").decode()
