"""Objects on the emulator of GCS, by plain HTTP."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator


class GcsBucket:
    """A new bucket.

    Args:
        url: of the emulator.
        name: of the bucket.
    """

    def __init__(self, url: str, name: str) -> None:
        self._url = f"{url}/storage/v1/b"
        self._name = name
        body = json.dumps({"name": name}).encode()
        urllib.request.urlopen(
            urllib.request.Request(f"{self._url}?project=p", body, {"Content-Type": "application/json"})
        ).close()

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Returns all keys below a prefix."""
        token = ""
        while True:
            query = urllib.parse.urlencode({"prefix": prefix, "pageToken": token})
            with urllib.request.urlopen(f"{self._url}/{self._name}/o?{query}") as answer:
                page = json.load(answer)
            yield from (item["name"] for item in page.get("items", ()))
            token = page.get("nextPageToken", "")
            if not token:
                return

    def read(self, key: str) -> bytes:
        """Reads an object."""
        with urllib.request.urlopen(f"{self._url}/{self._name}/o/{urllib.parse.quote(key, safe='')}?alt=media") as answer:
            content: bytes = answer.read()
            return content
