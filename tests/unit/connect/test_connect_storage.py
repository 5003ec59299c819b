import pytest

from kafka2parquet.connect.parse import load_connect_config
from kafka2parquet.connect.storage import gcs_options, make_storage, s3_options
from kafka2parquet.connect.text import read_properties
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.storage.options import GcsOptions, S3Options
from tests.support.connect_story import STORY

_GCS = {
    "connector.class": "io.confluent.connect.gcs.GcsSinkConnector",
    "storage.class": "io.confluent.connect.gcs.storage.GcsStorage",
    "format.class": "io.confluent.connect.gcs.format.parquet.ParquetFormat",
    "gcs.bucket.name": "lake",
}


def _s3(**changes: str):
    return load_connect_config({**read_properties(STORY).values, **_dotted(changes)})


def _gcs(**changes: str):
    given = {name: text for name, text in read_properties(STORY).values.items() if not name.startswith("s3.")}
    return load_connect_config({**given, **_GCS, **_dotted(changes)})


def _dotted(changes: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "."): text for name, text in changes.items()}


def test_s3_options():
    """Region, keys, addressing and part size arrive."""
    config = _s3(
        aws_access_key_id="AKIA",
        aws_secret_access_key="secret",
        s3_path_style_access_enabled="false",
        s3_part_size="5242880",
    )
    assert S3Options(
        region="us-east-1",
        endpoint_url="http://host:7070",
        access_key_id="AKIA",
        secret_access_key="secret",
        path_style=False,
        part_size_bytes=5_242_880,
    ) == s3_options(config, "http://host:7070")


def test_keys_that_are_not_set_are_searched():
    """Without keys, the usual places are searched."""
    options = s3_options(_s3())
    assert (None, None) == (options.access_key_id, options.secret_access_key)


@pytest.mark.parametrize(
    ("changes", "token"),
    [
        ({}, None),
        ({"gcs_credentials_path": "/key.json"}, "/key.json"),
        ({"gcs_credentials_json": '{"type": "service_account"}'}, {"type": "service_account"}),
    ],
)
def test_gcs_credentials(changes, token):
    """By path, as JSON, or the application's default ones."""
    assert GcsOptions(token=token, part_size_bytes=25 << 20) == gcs_options(_gcs(**changes))


def test_gcs_credentials_that_are_no_json():
    """A path in the wrong property is told, without showing the value."""
    with pytest.raises(ConfigurationError) as caught:
        gcs_options(_gcs(gcs_credentials_json="{hunter2"))
    assert "gcs.credentials.json is not JSON" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_local_folder(tmp_path):
    """A destination of one's own needs no bucket's options."""
    assert f"file://{tmp_path}" == make_storage(_s3(kafka2parquet_storage_url=f"file://{tmp_path}")).url


def test_bucket_is_the_root():
    """`topics.dir` lies in the bucket."""
    assert "s3://your-data-lake-bucket" == make_storage(_s3()).url
    assert "gs://lake" == make_storage(_gcs()).url
