"""Steps that reach the store: the way to its endpoint, the credentials, the bucket, and the right to list it."""

from __future__ import annotations

import contextlib
import os
import ssl
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlsplit

from kafka2parquet.doctor.check import Cause, Check, Finding, NotPossibleError
from kafka2parquet.doctor.facts import Facts
from kafka2parquet.doctor.sockets import TroubleError, connect, start_tls, tcp_causes, tls_causes
from kafka2parquet.errors import (
    BucketNotFoundError,
    ConfigurationError,
    Kafka2ParquetError,
    StorageAuthenticationError,
    StoragePermissionError,
    StorageUnavailableError,
)

_EXAMPLE = "minio.example:9000"


def _answer(reason: str) -> dict[str, str]:
    return {"url": "s3://lake", "reason": reason}


_BUCKET = {"bucket": "lake", "region": "eu-central-1"}

REACH = Check(
    "store-connection",
    "Connection",
    "Sends a request to the store, through the same library as the sink. If no answer comes, looks up the host of the endpoint,"
    " and tries TCP and TLS one after the other.",
    (
        *tcp_causes("store.url", _EXAMPLE, host="store.url (where store.url is not set, s3.region makes the host)"),
        *tls_causes(
            "Name a PEM file with the authority's certificate in the environment of the sink, for S3 (first line) or GCS"
            " (second).",
            "export AWS_CA_BUNDLE=/path/to/ca.pem\nexport SSL_CERT_FILE=/path/to/ca.pem",
            _EXAMPLE,
        ),
        Cause(
            "plain-http",
            {"server": _EXAMPLE},
            "{server} doesn't speak TLS, and store.url begins with https.",
            "Use http, or switch TLS on in the store.",
            paste="store.url=http://{server}",
        ),
        Cause(
            "no-answer",
            _answer("SlowDown (503): Reduce your request rate"),
            "The store at {url} doesn't answer properly: {reason}.",
            "Look at the store's own logs and status page. The sink tries again for as long as that lasts.",
        ),
        Cause(
            "proxy",
            {"proxy": "http://proxy.example:3128", **_answer("ClientProxyConnectionError: Cannot connect to host")},
            "The store at {url} can't be reached through the proxy {proxy}: {reason}.",
            "Check s3.proxy.url or gcs.proxy.url, or HTTPS_PROXY and NO_PROXY in the environment.",
        ),
    ),
)
CREDENTIALS = Check(
    "store-credentials",
    "Credentials",
    "Sees whether the store accepts the credentials of the configuration or of the environment.",
    (
        Cause(
            "none",
            _answer("NoCredentialsError: Unable to locate credentials"),
            "There are no credentials for {url} ({reason}).",
            "Set a key, or a profile, or run with a role (S3); set a key file, or run with a service account (GCS). To see what"
            " there is:",
            paste="aws sts get-caller-identity\ngcloud auth list",
        ),
        Cause(
            "unknown-key",
            _answer("InvalidAccessKeyId (403): The access key Id you provided does not exist"),
            "The store doesn't know the access key ({reason}).",
            "Correct the key. A key of another store or account looks like that, too.",
            paste="aws.access.key.id=<key>",
        ),
        Cause(
            "wrong-secret",
            _answer("SignatureDoesNotMatch (403): The request signature does not match"),
            "The secret doesn't belong to the access key ({reason}).",
            "Correct the secret. A proxy that changes requests looks like that, too.",
            paste="aws.secret.access.key=<secret>",
        ),
        Cause(
            "expired",
            _answer("ExpiredToken (400): The provided token has expired"),
            "The credentials have expired ({reason}).",
            "Use a role or a profile, whose credentials are renewed, instead of a session token. To see who you are:",
            paste="aws sts get-caller-identity",
        ),
        Cause(
            "clock",
            _answer("RequestTimeTooSkewed (403): The difference is too large"),
            "The store refuses requests because this machine's clock is wrong ({reason}).",
            "Synchronize this machine's clock.",
            paste="timedatectl set-ntp true\nchronyc makestep",
        ),
        Cause(
            "refused",
            _answer("InvalidToken (400): The provided token is malformed"),
            "The store doesn't accept the credentials ({reason}).",
            "Correct the credentials. To see whose they are:",
            paste="aws sts get-caller-identity\ngcloud auth list",
        ),
    ),
)
BUCKET = Check(
    "store-bucket",
    "Bucket",
    "Sees whether the bucket exists. The sink never creates one.",
    (
        Cause(
            "missing",
            {**_BUCKET, "create": "aws s3api create-bucket --bucket lake --region eu-central-1"},
            "The bucket or folder {bucket} doesn't exist.",
            "Correct the name, or create it:",
            paste="{create}",
        ),
        Cause(
            "other-region",
            {**_BUCKET, **_answer("PermanentRedirect (301): The bucket must be addressed by another endpoint")},
            "The bucket {bucket} is not in the region {region} ({reason}).",
            "Set the bucket's region. The second line shows it.",
            paste="s3.region=<region>\naws s3api get-bucket-location --bucket {bucket}",
        ),
        Cause(
            "not-usable",
            _answer("The authority of the store's certificate is not trusted"),
            "{url} can't be used: {reason}.",
            "Correct the properties that the message names.",
        ),
    ),
)
REACH_CHECKS = (REACH, CREDENTIALS, BUCKET)

#: Codes of S3's answers, and how they are called in the check.
_CODES = {
    "InvalidAccessKeyId": "unknown-key",
    "InvalidClientTokenId": "unknown-key",
    "UnrecognizedClientException": "unknown-key",
    "XAdminUserNotFound": "unknown-key",
    "SignatureDoesNotMatch": "wrong-secret",
    "RequestTimeTooSkewed": "clock",
    "ExpiredToken": "expired",
    "TokenRefreshRequired": "expired",
    "NoCredentials": "none",
    "DefaultCredentialsError": "none",
}


def reach_store(facts: Facts) -> Iterator[Finding]:
    """Send the first request, a listing, and explain why it fails."""
    url = facts.storage.url
    try:
        next(iter(facts.storage.store.list(facts.naming.own_prefix())), None)
    except StorageUnavailableError as error:
        yield _explained(facts, error)
    except StorageAuthenticationError as error:
        yield REACH.ok(url)
        cause = next((cause for code, cause in _CODES.items() if code in str(error)), "refused")
        yield CREDENTIALS.found(cause, url=url, reason=_brief(error))
    except BucketNotFoundError:
        yield REACH.ok(url)
        values = {"bucket": _bucket(facts), "region": _region(facts), "create": _create_command(facts)}
        yield BUCKET.found("missing", **values)
    except ConfigurationError as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            yield _explained(facts, error)
        elif "another region" in str(error):
            yield REACH.ok(url)
            yield BUCKET.found("other-region", bucket=_bucket(facts), region=_region(facts), url=url, reason=_brief(error))
        else:
            yield BUCKET.found("not-usable", url=url, reason=_brief(error))
    except StoragePermissionError:  # another check looks at the right to list
        yield REACH.ok(url)
        yield CREDENTIALS.ok()
    else:
        yield REACH.ok(url)
        if is_remote(facts):
            yield CREDENTIALS.ok()
        yield BUCKET.ok()


def is_remote(facts: Facts) -> bool:
    """Return whether the store is S3 or GCS."""
    return urlsplit(facts.storage.url).scheme in ("s3", "s3a", "gs", "gcs")


def endpoint_of(facts: Facts) -> str:
    """Return the URL of the store's endpoint; "" for a store that is neither S3 nor GCS."""
    if not is_remote(facts):
        return ""
    if facts.endpoint_url:
        return facts.endpoint_url
    if urlsplit(facts.storage.url).scheme.startswith("g"):
        return "https://storage.googleapis.com"
    of_environment = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return of_environment or f"https://s3.{_region(facts)}.amazonaws.com"


def proxy_of(facts: Facts) -> str:
    """Return the proxy through which the store is reached; "" for none."""
    for name in ("s3.proxy.url", "gcs.proxy.url"):
        if name in facts.config.values and facts.config.text(name):
            return facts.config.text(name)
    parts = urlsplit(endpoint_of(facts))
    if parts.hostname is None or urllib.request.proxy_bypass(parts.hostname):
        return ""
    return urllib.request.getproxies().get(parts.scheme, "")


def _explained(facts: Facts, error: Kafka2ParquetError) -> Finding:
    """Name the step of the connection that fails; the library's own words if each step works."""
    url, proxy, endpoint = facts.storage.url, proxy_of(facts), urlsplit(endpoint_of(facts))
    if proxy:
        return REACH.found("proxy", proxy=proxy, url=url, reason=_brief(error))
    if endpoint.hostname is not None:
        port = endpoint.port or (443 if endpoint.scheme == "https" else 80)
        try:
            with contextlib.closing(connect(endpoint.hostname, port)) as connection:
                if endpoint.scheme == "https":
                    start_tls(connection, endpoint.hostname, port, trusted_context())
        except TroubleError as trouble:
            cause = trouble.cause
            if cause == "tls-refused" and _is_no_tls(str(trouble.values["reason"])):
                cause = "plain-http"
            return REACH.found(cause, url, **trouble.values)
    return REACH.found("no-answer", url=url, reason=_brief(error))


def trusted_context() -> ssl.SSLContext:
    """Return a context that trusts the authorities of the system, and those in AWS_CA_BUNDLE.

    Raises:
        NotPossibleError: the file in AWS_CA_BUNDLE can't be loaded.
    """
    try:
        return ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE") or None)
    except OSError as error:
        raise NotPossibleError(f"AWS_CA_BUNDLE={os.environ.get('AWS_CA_BUNDLE')} can't be loaded ({error})") from error


def _is_no_tls(reason: str) -> bool:
    return any(
        word in reason.lower().replace("_", " ") for word in ("wrong version number", "http request", "record layer failure")
    )


def _brief(error: Kafka2ParquetError) -> str:
    return str(error).rstrip(".")


def _bucket(facts: Facts) -> str:
    parts = urlsplit(facts.storage.url)
    return parts.netloc or parts.path


def _region(facts: Facts) -> str:
    return facts.config.text("s3.region") if "s3.region" in facts.config.values else ""


def _create_command(facts: Facts) -> str:
    scheme, bucket, region = urlsplit(facts.storage.url).scheme, _bucket(facts), _region(facts)
    if scheme.startswith("g"):
        return f"gcloud storage buckets create gs://{bucket}"
    if not scheme.startswith("s3"):
        return f"mkdir -p '{bucket}'"
    where = "" if region in ("", "us-east-1") else f" --create-bucket-configuration LocationConstraint={region}"
    at = f" --endpoint-url {facts.endpoint_url}" if facts.endpoint_url else ""
    return f"aws s3api create-bucket --bucket {bucket} --region {region or 'us-east-1'}{where}{at}"
