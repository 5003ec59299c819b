"""versitygw: an S3 server on a local folder, which honours conditional writes."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.stack import install
from tests.stack.server import HOST, Server, free_port, http_answers


class S3:
    """A running S3 server.

    Attributes:
        url: its endpoint.
        key: access key id of its one user.
        secret: that user's secret access key.
        region: the region that it says to be in.
    """

    key = "testing"
    secret = "testing-secret"
    region = "us-east-1"

    def __init__(self, server: Server, url: str, binary: Path) -> None:
        self._server = server
        self._binary = binary
        self.url = url

    def kill(self) -> None:
        """What a lost machine looks like; objects stay."""
        self._server.kill()

    def stop(self) -> None:
        """Stop serving in order; objects stay."""
        self._server.stop()

    def start(self) -> None:
        """Serve again, at the same address."""
        self._server.start()

    def client(self) -> Any:
        """A boto3 client: another way to the objects than the one under test."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=self.region,
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            config=Config(s3={"addressing_style": "path"}),
        )

    def add_user(self, name: str, secret: str) -> None:
        """Make a user without any right. The server has to have been started with `users=True`."""
        admin = [str(self._binary), "admin", "--access", self.key, "--secret", self.secret, "--endpoint-url", self.url]
        user = ["create-user", "--access", name, "--secret", secret, "--role", "user"]
        subprocess.run([*admin, *user], check=True, capture_output=True, timeout=30)

    def grant(self, user: str, bucket: str, *actions: str) -> None:
        """Let a user do exactly this in a bucket, such as `s3:GetObject`; other users may do nothing there."""
        statements = [
            {"Effect": "Allow", "Action": list(chosen), "Resource": f"arn:aws:s3:::{resource}"}
            for resource, chosen in (
                (f"{bucket}/*", [action for action in actions if action != "s3:ListBucket"]),
                (bucket, [action for action in actions if action == "s3:ListBucket"]),
            )
            if chosen
        ]
        self.set_policy(user, bucket, statements)

    def set_policy(self, user: str, bucket: str, statements: Sequence[Mapping[str, Any]]) -> None:
        """Let a user do in a bucket what the statements of a policy say, and other users nothing."""
        named = [{**statement, "Principal": {"AWS": [user]}} for statement in statements]
        client = self.client()
        client.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": named}))
        client.close()

    def create_bucket(self, name: str) -> None:
        """Make a bucket."""
        client = self.client()
        client.create_bucket(Bucket=name)
        client.close()


@contextlib.contextmanager
def s3(*, users: bool = False) -> Iterator[S3]:
    """Start a server without buckets; kills it at the end.

    Args:
        users: whether there may be users besides the one who may do everything.

    Raises:
        NotInstalledError: Go is missing.
    """
    binary = install.go_binary("versitygw")
    with tempfile.TemporaryDirectory(prefix="s3-") as name:
        folder = Path(name)
        data, metadata = folder / "data", folder / "metadata"
        data.mkdir()
        metadata.mkdir()
        port = free_port()
        command = [binary, "--port", f"{HOST}:{port}", "--quiet", "--keep-alive"]
        if users:
            (folder / "users").mkdir()
            command += ["--iam-dir", folder / "users", "--iam-cache-disable"]
        beside = [] if _has_extended_attributes(data) else ["--sidecar", metadata]
        url = f"http://{HOST}:{port}"
        server = Server(
            [*command, "posix", *beside, data],
            http_answers(url, 200, 403),
            folder / "log",
            {"ROOT_ACCESS_KEY": S3.key, "ROOT_SECRET_KEY": S3.secret, "VGW_REGION": S3.region},
        )
        try:
            server.start()
            yield S3(server, url, binary)
        finally:
            server.kill()


def _has_extended_attributes(folder: Path) -> bool:
    """Whether the server can keep metadata with the files."""
    try:
        os.setxattr(folder, "user.probe", b"1")
    except OSError:
        return False
    return True
