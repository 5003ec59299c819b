"""Reads whether a lifecycle rule of a bucket removes the parts of unfinished multipart uploads."""

from __future__ import annotations

from typing import Any, Literal

from fsspec import AbstractFileSystem

from kafka2parquet.storage.s3.errors import client_error, error_code

_NONE = ("NoSuchLifecycleConfiguration", "404")
_REFUSED = ("AccessDenied", "403")

Rule = Literal["yes", "no", "refused", "unknown"]
"""Whether there is such a rule; `refused` without the right to read rules, `unknown` if the store doesn't support them."""


def removes_unfinished_uploads(filesystem: AbstractFileSystem, bucket: str, prefix: str) -> Rule:
    """Return whether a rule aborts the unfinished uploads of all keys below `prefix`. One request, which blocks."""
    try:
        answer = filesystem.call_s3("get_bucket_lifecycle_configuration", Bucket=bucket)
    except MemoryError:
        raise
    except Exception as error:  # s3fs turns answers into many classes
        answered = client_error(error)
        code = "" if answered is None else error_code(answered)
        if code in _NONE:
            return "no"
        return "refused" if code in _REFUSED else "unknown"
    return "yes" if any(_covers(rule, prefix) for rule in answer.get("Rules", ())) else "no"


def _covers(rule: dict[str, Any], prefix: str) -> bool:
    if rule.get("Status") != "Enabled" or "AbortIncompleteMultipartUpload" not in rule:
        return False
    chosen = rule.get("Filter") or {}
    both = chosen.get("And") or {}
    if {*chosen, *both} - {"Prefix", "And"}:  # rules for tags or sizes don't apply to unfinished uploads
        return False
    of_rule = rule.get("Prefix") or chosen.get("Prefix") or both.get("Prefix") or ""
    return prefix.startswith(of_rule)
