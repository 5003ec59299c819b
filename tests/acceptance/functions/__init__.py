"""The functions that cases ask for, by name; each is answered by the library.

A function takes what is given and the folder of cases, and returns what `expected` holds, or raises `CaseError`.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from typing import Any

from tests.acceptance.cases import CaseFolder
from tests.acceptance.functions import (
    columns,
    conditional_writes,
    configuration,
    consuming,
    errors,
    names,
    partitions,
    schemas,
)

Function = Callable[[Mapping[str, Any], CaseFolder], Mapping[str, Any]]

_MODULES: Mapping[types.ModuleType, tuple[str, ...]] = {
    partitions: (
        "next_boundary",
        "encode_partition",
        "extract_timestamp",
        "nested_field",
        "format_path",
        "normalize_path_format",
    ),
    names: ("object_key", "view_name", "header_to_string"),
    configuration: ("validate_config", "recommended_values", "visible_properties", "parquet_codec"),
    schemas: ("schema_compatibility", "project"),
    columns: ("json_to_arrow", "write_parquet"),
    conditional_writes: ("conditional_writes_enabled", "classify_complete_response", "complete_request_headers"),
    consuming: ("record_timestamp", "commit_cycle", "poll_cycle"),
    errors: (
        "retry_backoff",
        "backoff_wait",
        "error_tolerance",
        "report_error",
        "dlq_headers",
        "error_log_line",
        "errors_logged",
    ),
}

FUNCTIONS: Mapping[str, Function] = {name: getattr(module, name) for module, known in _MODULES.items() for name in known}
