"""Assumes an AWS role: a botocore session that gets and renews its credentials by `AssumeRole`."""

from __future__ import annotations

from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.credentials import AioDeferredRefreshableCredentials
from aiobotocore.session import AioSession

from kafka2parquet.storage.options import AssumedRole, S3Options

#: Credential arguments of s3fs. They go to the session instead, because s3fs ignores a session if it has a key.
CREDENTIAL_ARGUMENTS = ("key", "secret", "token", "profile")


def role_session(role: AssumedRole, options: S3Options) -> AioSession:
    """Return a session with the role's credentials, which come from STS at the first request, and again before they expire.

    The call of STS uses the key, the token or the profile of `options`, or credentials from the usual places.
    """
    session = AioSession(profile=options.profile)
    session.register_component("credential_provider", _RoleCredentials(role, options))
    return session


class _RoleCredentials:
    """A credential resolver, as botocore calls it, for one role."""

    def __init__(self, role: AssumedRole, options: S3Options) -> None:
        self._role = role
        self._options = options

    async def load_credentials(self) -> AioDeferredRefreshableCredentials:
        """Return credentials that call STS when they are needed. The session calls this method."""
        return AioDeferredRefreshableCredentials(self._assume_role, "assume-role")

    async def _assume_role(self) -> dict[str, str]:
        role, options = self._role, self._options
        request = {"RoleArn": role.arn, "RoleSessionName": role.session_name}
        if role.external_id is not None:
            request["ExternalId"] = role.external_id
        async with AioSession(profile=options.profile).create_client("sts", **_client_arguments(role, options)) as sts:
            credentials = (await sts.assume_role(**request))["Credentials"]
        return {
            "access_key": credentials["AccessKeyId"],
            "secret_key": credentials["SecretAccessKey"],
            "token": credentials["SessionToken"],
            "expiry_time": credentials["Expiration"].isoformat(),
        }


def _client_arguments(role: AssumedRole, options: S3Options) -> dict[str, Any]:
    config = {
        "connect_timeout": options.connect_timeout_s,
        "read_timeout": options.read_timeout_s,
        "retries": {"mode": "standard", "total_max_attempts": options.attempts},
        "user_agent_extra": options.user_agent,
    }
    arguments = {
        "region_name": role.region or options.region,
        "endpoint_url": role.sts_url,
        "aws_access_key_id": options.access_key_id,
        "aws_secret_access_key": options.secret_access_key,
        "aws_session_token": options.session_token,
        "config": AioConfig(**config),
    }
    return {name: value for name, value in arguments.items() if value is not None}
