import base64
from pathlib import Path
from typing import Any

import attrs
import pytest

from kafka2parquet.connect.load import load_connect_config
from kafka2parquet.connect.parts.storage import gcs_options, make_storage, own_tags, s3_options
from kafka2parquet.connect.text import read_properties
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.storage.options import AssumedRole, GcsOptions, S3Options
from tests.support.connect_story import STORY

_GCS = {
    "connector.class": "io.confluent.connect.gcs.GcsSinkConnector",
    "storage.class": "io.confluent.connect.gcs.storage.GcsStorage",
    "format.class": "io.confluent.connect.gcs.format.parquet.ParquetFormat",
    "gcs.bucket.name": "lake",
}


_KEY = base64.b64encode(bytes(range(32))).decode()
_PROVIDER = "s3.credentials.provider.class"
_STS = "s3.credentials.provider.sts"
_ROLE = {
    _PROVIDER: "io.confluent.connect.s3.auth.AwsAssumeRoleCredentialsProvider",
    f"{_STS}.role.arn": "arn:aws:iam::1:role/r",
    f"{_STS}.role.session.name": "sink",
}


def _s3(**changes: str) -> Any:
    return load_connect_config({**read_properties(STORY).values, **_dotted(changes)})


def _gcs(**changes: str) -> Any:
    given = {name: text for name, text in read_properties(STORY).values.items() if not name.startswith("s3.")}
    return load_connect_config({**given, **_GCS, **_dotted(changes)})


def _dotted(changes: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "."): text for name, text in changes.items()}


def test_s3_options() -> None:
    """Region, keys, addressing and part size become options of the storage."""
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
        attempts=3,
    ) == s3_options(config, "http://host:7070")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"s3.part.retries": "0"}, {"attempts": 1}),
        ({"s3.part.retries": "7"}, {"attempts": 7}),
        ({"s3.wan.mode": "true", "s3.path.style.access.enabled": "false"}, {"accelerate": True, "path_style": False}),
        ({"s3.acl.canned": "bucket-owner-full-control"}, {"acl": "bucket-owner-full-control"}),
        ({"s3.ssea.name": "AES256"}, {"server_side_encryption": "AES256"}),
        (
            {"s3.ssea.name": "aws:kms:dsse", "s3.sse.kms.key.id": "key-1"},
            {"server_side_encryption": "aws:kms:dsse", "kms_key_id": "key-1"},
        ),
        ({"s3.ssea.name": "AES256", "s3.sse.kms.key.id": "key-1"}, {"server_side_encryption": "AES256"}),
        ({"s3.ssea.name": "AES256", "s3.sse.customer.key": _KEY}, {"customer_key": bytes(range(32))}),
        ({"s3.proxy.url": "http://proxy:3128"}, {"proxy_url": "http://proxy:3128"}),
        ({"s3.proxy.url": "https://me:pass@proxy"}, {"proxy_url": "https://me:pass@proxy"}),
        (
            {"s3.proxy.url": "http://me:pass@proxy:1", "s3.proxy.user": "you", "s3.proxy.password": "a/b@c"},
            {"proxy_url": "http://you:a%2Fb%40c@proxy:1"},
        ),
        (
            {
                **_ROLE,
                f"{_STS}.role.external.id": "x-1",
                f"{_STS}.region": "eu-west-1",
                "kafka2parquet.s3.sts.url": "https://sts.lan",
            },
            {
                "role": AssumedRole(
                    arn="arn:aws:iam::1:role/r",
                    session_name="sink",
                    external_id="x-1",
                    region="eu-west-1",
                    sts_url="https://sts.lan",
                )
            },
        ),
        ({"kafka2parquet.s3.profile": "lake"}, {"profile": "lake"}),
        ({"kafka2parquet.s3.storage.class": "STANDARD_IA"}, {"storage_class": "STANDARD_IA"}),
        ({"kafka2parquet.s3.requester.pays": "true"}, {"requester_pays": True}),
        ({"kafka2parquet.user.agent": "team-lake/7"}, {"user_agent": "team-lake/7"}),
    ],
)
def test_each_property_of_s3(changes: dict[str, str], expected: dict[str, Any]) -> None:
    """Each property becomes an option of the storage, and changes no other option."""
    assert attrs.evolve(s3_options(_s3()), **expected) == s3_options(_s3(**changes))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"gcs.proxy.url": "http://proxy:1", "gcs.proxy.user": "me", "gcs.proxy.password": "p"},
            {"proxy_url": "http://me:p@proxy:1"},
        ),
        ({"gcs.part.size": "5242880"}, {"part_size_bytes": 5_242_880}),
        ({"kafka2parquet.gcs.storage.class": "NEARLINE"}, {"storage_class": "NEARLINE"}),
        ({"kafka2parquet.gcs.billing.project": "paying"}, {"billing_project": "paying"}),
        ({"kafka2parquet.user.agent": "team-lake/7"}, {"user_agent": "team-lake/7"}),
    ],
)
def test_each_property_of_gcs(changes: dict[str, str], expected: dict[str, Any]) -> None:
    """Each property becomes an option of the storage, and changes no other option."""
    assert attrs.evolve(gcs_options(_gcs()), **expected) == gcs_options(_gcs(**changes))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({_PROVIDER: _ROLE[_PROVIDER]}, f'Missing required configuration "{_STS}.role.arn"'),
        ({**_ROLE, f"{_STS}.role.session.name": ""}, f'Missing required configuration "{_STS}.role.session.name"'),
        ({f"{_STS}.role.arn": "arn:aws:iam::1:role/r"}, "has no effect without s3.credentials.provider.class"),
        ({"kafka2parquet.s3.sts.url": "http://sts"}, "has no effect without s3.credentials.provider.class"),
        (
            {"kafka2parquet.s3.profile": "lake", "aws.access.key.id": "a", "aws.secret.access.key": "b"},
            "kafka2parquet.s3.profile and aws.access.key.id exclude each other",
        ),
        ({"s3.sse.customer.key": _KEY}, "s3.sse.customer.key needs s3.ssea.name=AES256"),
        ({"s3.sse.customer.key": _KEY, "s3.ssea.name": "aws:kms"}, "s3.sse.customer.key needs s3.ssea.name=AES256"),
        ({"s3.sse.customer.key": _KEY, "s3.ssea.name": "AES256", "store.url": "http://store"}, "over https only"),
        (
            {"s3.wan.mode": "true", "s3.path.style.access.enabled": "false", "store.url": "http://store"},
            "s3.wan.mode and store.url exclude each other",
        ),
        ({"s3.proxy.user": "me"}, "s3.proxy.user has no effect without s3.proxy.url"),
        ({"s3.proxy.url": "http://proxy", "s3.proxy.password": "p"}, "s3.proxy.user is not"),
        ({"kafka2parquet.gcs.storage.class": "NEARLINE"}, "kafka2parquet.gcs.storage.class is for GCS, but files go to s3://"),
        ({"kafka2parquet.storage.url": "/lake", "kafka2parquet.s3.profile": "x"}, "kafka2parquet.s3.profile is for S3"),
    ],
)
def test_what_does_not_go_together(changes: dict[str, str], problem: str) -> None:
    """Settings that would be ignored, or fail at the first file, are problems at the start."""
    with pytest.raises(ConfigurationError) as caught:
        make_storage(_s3(**changes))
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("s3.sse.customer.key", "hunter2", "not base64"),
        ("s3.sse.customer.key", "aHVudGVyMg==", "the key has 7 bytes in base64 instead of 32"),
        ("s3.proxy.url", "proxy:3128", "not a URL with scheme and host"),
        ("s3.proxy.url", "socks5://proxy:1", "not the URL of an http or https proxy"),
        ("s3.object.tagging.key.value.pairs", "team:lake,prod", "prod is not a key and a value with a colon between them"),
        ("s3.object.tagging.key.value.pairs", ":lake", "keys have 1 to 128 characters"),
        ("s3.object.tagging.key.value.pairs", f"k:{'v' * 257}", "values at most 256"),
        ("s3.object.tagging.key.value.pairs", "team:lake!", "only letters, digits, spaces"),
        ("s3.object.tagging.key.value.pairs", "endOffset:1", "the key endOffset is taken"),
        ("s3.object.tagging.key.value.pairs", "a:1,a:2", "a key is repeated"),
        ("s3.object.tagging.key.value.pairs", ",".join(f"k{n}:v" for n in range(8)), "at most 7 tags can be added"),
        ("s3.credentials.provider.sts.role.name", "r", "`s3.credentials.provider.sts.role.arn`"),
        ("s3.credentials.provider.class", "com.example.MyProvider", "com.example.MyProvider is not supported"),
        ("kafka2parquet.s3.storage.class", "GLACIER", "can't be read without restoring them"),
        ("kafka2parquet.s3.storage.class", "standard", "String must be one of"),
        ("kafka2parquet.s3.storage-class", "STANDARD", "Did you mean kafka2parquet.s3.storage.class?"),
        ("kafka2parquet.s3.sts.url", "sts", "not a URL with scheme and host"),
        ("kafka2parquet.gcs.storage.class", "GLACIER", "String must be one of"),
        ("kafka2parquet.user.agent", "a\tb", "only contain printable ASCII"),
    ],
)
def test_malformed_values(name: str, text: str, problem: str) -> None:
    """The error names the broken rule, and doesn't show secrets."""
    with pytest.raises(ConfigurationError) as caught:
        _s3(**{name: text})
    assert problem in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_tags() -> None:
    """Pairs are split at their first colon, and surrounding spaces are removed."""
    config = _s3(**{"s3.object.tagging.key.value.pairs": "team: data lake , at:12:30,empty:"})
    assert {"team": "data lake", "at": "12:30", "empty": ""} == own_tags(config)
    assert {} == own_tags(_s3())


def test_own_properties_go_by_the_store() -> None:
    """Another sink's configuration can be pointed at S3, with what S3 needs."""
    config = _gcs(**{"kafka2parquet.storage.url": "s3://other", "kafka2parquet.s3.profile": "lake"})
    assert "s3://other" == make_storage(config).url
    assert S3Options(profile="lake") == s3_options(config)


def test_keys_that_are_not_set_are_searched() -> None:
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
def test_gcs_credentials(changes: dict[str, Any], token: dict[str, str] | str | None) -> None:
    """Credentials come from a path, from JSON, or from the application's defaults."""
    assert GcsOptions(token=token, part_size_bytes=25 << 20) == gcs_options(_gcs(**changes))


def test_gcs_credentials_that_are_not_an_object() -> None:
    """A quoted text is valid JSON, but not a key."""
    with pytest.raises(ConfigurationError, match=r"gcs\.credentials\.json is not a JSON object"):
        gcs_options(_gcs(gcs_credentials_json='"/key.json"'))


def test_gcs_credentials_that_are_not_json() -> None:
    """A path in the wrong property is an error, which doesn't show the value."""
    with pytest.raises(ConfigurationError) as caught:
        gcs_options(_gcs(gcs_credentials_json="{hunter2"))
    assert "gcs.credentials.json is not JSON" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_local_folder(tmp_path: Path) -> None:
    """A local destination doesn't need a bucket's options."""
    assert f"file://{tmp_path}" == make_storage(_s3(kafka2parquet_storage_url=f"file://{tmp_path}")).url


def test_bucket_is_the_root() -> None:
    """`topics.dir` is a folder of the bucket."""
    assert "s3://your-data-lake-bucket" == make_storage(_s3()).url
    assert "gs://lake" == make_storage(_gcs()).url
