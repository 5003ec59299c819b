"""Settings of the object stores."""

from __future__ import annotations

from typing import Any

import pytest

from kafka2parquet.storage.options import GcsOptions, S3Options
from kafka2parquet.storage.s3.store import filesystem_arguments


def test_what_is_not_set_is_left_to_the_usual_sources() -> None:
    """Credentials, region and endpoint are not passed on unless they are set."""
    assert {"config_kwargs"} == set(S3Options().to_fsspec())
    assert {} == GcsOptions().to_fsspec()


def test_timeouts_and_attempts_are_bounded() -> None:
    """Timeouts and attempts are bounded, whatever botocore's defaults are."""
    config = filesystem_arguments(S3Options(connect_timeout_s=3, read_timeout_s=4), {})["config_kwargs"]

    assert {
        "connect_timeout": 3,
        "read_timeout": 4,
        "retries": {"mode": "standard", "total_max_attempts": 2},
    } == config


def test_options_of_the_application_win() -> None:
    """The application's options override this library's options one by one."""
    arguments = filesystem_arguments(
        S3Options(region="eu-central-1", access_key_id="ours"),
        {"key": "theirs", "config_kwargs": {"read_timeout": 1, "s3": {"addressing_style": "virtual"}}},
    )

    assert ("theirs", {"region_name": "eu-central-1"}) == (arguments["key"], arguments["client_kwargs"])
    assert (10.0, 1) == (arguments["config_kwargs"]["connect_timeout"], arguments["config_kwargs"]["read_timeout"])


@pytest.mark.parametrize(
    "storage_options", [{"endpoint_url": "https://store"}, {"client_kwargs": {"endpoint_url": "https://store"}}]
)
def test_compatible_stores_are_spared_the_new_checksums(storage_options: dict[str, Any]) -> None:
    """AWS's newer checksums are off for compatible stores, however the endpoint is set."""
    config = filesystem_arguments(S3Options(), storage_options)["config_kwargs"]

    assert ("when_required", "when_required") == (
        config["request_checksum_calculation"],
        config["response_checksum_validation"],
    )


@pytest.mark.parametrize(("path_style", "expected"), [(True, "path"), (False, "virtual")])
def test_the_addressing_style_can_be_chosen(path_style: bool, expected: str) -> None:
    """The addressing style can be chosen; by default botocore chooses."""
    assert {"addressing_style": expected} == S3Options(path_style=path_style).to_fsspec()["config_kwargs"]["s3"]
