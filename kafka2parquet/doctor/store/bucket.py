"""Steps that look at the bucket: the store's clock, and the rule that removes unfinished uploads."""

from __future__ import annotations

import contextlib
import email.utils
import http.client
from collections.abc import Iterator
from urllib.parse import urlsplit

from kafka2parquet.doctor.check import Cause, Check, Finding, Level, NotPossibleError
from kafka2parquet.doctor.facts import Facts
from kafka2parquet.doctor.sockets import STEP_S
from kafka2parquet.doctor.store.reach import endpoint_of, proxy_of, trusted_context
from kafka2parquet.util.display import counted

_ANSWER = {"endpoint": "https://s3.eu-central-1.amazonaws.com", "skew": "20 minutes", "direction": "ahead of"}

CLOCK = Check(
    "store-clock",
    "Clock of the store",
    "Compares the time in the store's answer with this machine's clock. S3 refuses requests that are signed with a time more"
    " than fifteen minutes off; folders and file closing by the clock use this machine's time.",
    (
        Cause(
            "far-off",
            _ANSWER,
            "This machine's clock is {skew} {direction} the clock of {endpoint}. S3 refuses requests beyond 15 minutes.",
            "Synchronize this machine's clock.",
            paste="timedatectl set-ntp true\nchronyc makestep",
        ),
        Cause(
            "off",
            _ANSWER,
            "This machine's clock is {skew} {direction} the clock of {endpoint}.",
            "Synchronize this machine's clock.",
            Level.WARNING,
            paste="timedatectl set-ntp true\nchronyc makestep",
        ),
    ),
)
UPLOADS = Check(
    "store-unfinished-uploads",
    "Rule for unfinished uploads",
    "Looks for a lifecycle rule that aborts unfinished multipart uploads. A process that is killed during an upload leaves"
    " parts behind, which no listing shows and which cost money for ever. GCS forgets unfinished uploads by itself.",
    (
        Cause(
            "no-rule",
            {"bucket": "lake", "prefix": "topics/", "at": ""},
            "No lifecycle rule of the bucket {bucket} aborts unfinished uploads below {prefix}.",
            "Add the rule. The command replaces all rules of the bucket, so add those that it has already.",
            Level.WARNING,
            paste="aws s3api put-bucket-lifecycle-configuration --bucket {bucket}{at} --lifecycle-configuration"
            ' \'{{"Rules": [{{"ID": "unfinished-uploads", "Status": "Enabled", "Filter": {{"Prefix": "{prefix}"}},'
            ' "AbortIncompleteMultipartUpload": {{"DaysAfterInitiation": 2}}}}]}}\'',
        ),
        Cause(
            "no-right",
            {"bucket": "lake"},
            "The lifecycle rules of the bucket {bucket} can't be read, so it is unknown whether unfinished uploads are"
            " removed.",
            "Look with other credentials. The sink itself doesn't need the right, which is s3:GetLifecycleConfiguration.",
            Level.WARNING,
            paste="aws s3api get-bucket-lifecycle-configuration --bucket {bucket}",
        ),
        Cause(
            "not-supported",
            {"bucket": "lake"},
            "The store doesn't answer questions about lifecycle rules of the bucket {bucket}.",
            "See in the store's documentation how unfinished multipart uploads are removed.",
            Level.WARNING,
        ),
    ),
)
BUCKET_CHECKS = (CLOCK, UPLOADS)

_REFUSED_S = 15 * 60
_OFF_S = 60
_RULE_CAUSES = {"no": "no-rule", "refused": "no-right", "unknown": "not-supported"}


def compare_clocks(facts: Facts) -> Iterator[Finding]:
    """Compare the time in the store's answer with this machine's clock."""
    endpoint = endpoint_of(facts)
    if not endpoint or proxy_of(facts):
        return
    before = facts.clock.now()
    date = _date_of(endpoint)
    after = facts.clock.now()
    if date is None:
        raise NotPossibleError(f"the answer of {endpoint} has no Date")
    there = email.utils.parsedate_to_datetime(date)
    ours = before + (after - before) / 2
    skew_s = round((ours - there).total_seconds())
    if abs(skew_s) <= _OFF_S:
        yield CLOCK.ok(text="differs by less than a minute")
        return
    values = {
        "endpoint": endpoint,
        "skew": counted(round(abs(skew_s) / 60), "minute"),
        "direction": "ahead of" if skew_s > 0 else "behind",
    }
    yield CLOCK.found("far-off" if abs(skew_s) > _REFUSED_S else "off", **values)


def _date_of(endpoint: str) -> str | None:
    """Return the header Date of an answer that needs no credentials."""
    parts = urlsplit(endpoint)
    host, port = parts.hostname or "", parts.port
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(host, port, timeout=STEP_S, context=trusted_context())
    else:
        connection = http.client.HTTPConnection(host, port, timeout=STEP_S)
    with contextlib.closing(connection):
        try:
            connection.request("HEAD", "/")
            return connection.getresponse().getheader("Date")
        except (OSError, http.client.HTTPException) as error:
            raise NotPossibleError(f"{endpoint} doesn't answer a request without credentials ({error})") from error


def look_for_rule(facts: Facts) -> Iterator[Finding]:
    """Look for the rule that removes unfinished uploads, on S3."""
    parts = urlsplit(facts.storage.url)
    if parts.scheme not in ("s3", "s3a"):
        return
    from kafka2parquet.storage.s3.lifecycle import removes_unfinished_uploads  # botocore takes long to import

    prefix = f"{parts.path.strip('/')}/{facts.naming.base}".lstrip("/")
    rule = removes_unfinished_uploads(facts.storage.filesystem, parts.netloc, prefix)
    if rule == "yes":
        yield UPLOADS.ok()
    else:
        at = f" --endpoint-url {facts.endpoint_url}" if facts.endpoint_url else ""
        yield UPLOADS.found(_RULE_CAUSES[rule], bucket=parts.netloc, prefix=prefix, at=at)
