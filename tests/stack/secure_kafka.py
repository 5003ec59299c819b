"""Apache Kafka with a listener for each way to let clients in, and with ACLs."""

from __future__ import annotations

import base64
import contextlib
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from tests.stack.certificates import Authority
from tests.stack.kafka import Node, uuid_text
from tests.stack.server import HOST, free_port

_PROTOCOLS = {
    "INTERNAL": "PLAINTEXT",
    "CONTROLLER": "PLAINTEXT",
    "TLS": "SSL",
    "MTLS": "SSL",
    "OTHER_HOST": "SSL",
    "SASL": "SASL_PLAINTEXT",
    "SASL_TLS": "SASL_SSL",
}
_MODULES = "org.apache.kafka.common.security"
#: Users and their passwords. No user has a right that wasn't granted.
USERS = {"alice": 'alice"s = secret;', "bob": "bob-secret"}
_LIMIT_S = 30.0


class SecureKafka(Node):
    """A running broker.

    Attributes:
        bootstrap: address without TLS and SASL, where everybody may do everything: for looking at the truth.
        authority: signed the certificates, and those of clients are to be signed by it.
    """

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder, "authority")
        self._ports = {name: free_port() for name in _PROTOCOLS}
        self.bootstrap = self.address("INTERNAL")
        client_names = [name for name in _PROTOCOLS if name != "CONTROLLER"]
        super().__init__(
            folder,
            uuid_text(),
            node_id=1,
            port=self._ports["INTERNAL"],
            settings="process.roles=broker,controller\n"
            f"controller.quorum.voters=1@{self.address('CONTROLLER')}\n"
            f"listeners={','.join(f'{name}://{self.address(name)}' for name in _PROTOCOLS)}\n"
            f"advertised.listeners={','.join(f'{name}://{self.address(name)}' for name in client_names)}\n"
            f"listener.security.protocol.map={','.join(f'{name}:{protocol}' for name, protocol in _PROTOCOLS.items())}\n"
            f"{self._security()}",
        )
        self._admin: AdminClient

    def address(self, listener: str) -> str:
        """Of one listener: TLS, MTLS (asks for a certificate), OTHER_HOST (has another host's), SASL, SASL_TLS."""
        return f"{HOST}:{self._ports[listener]}"

    def start(self) -> None:
        """Start it; at the first time its users are made."""
        super().start()
        self._admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
            credential = ScramCredentialInfo(mechanism, 4096)
            users: list[UserScramCredentialAlteration] = [
                UserScramCredentialUpsertion(user, credential, password.encode()) for user, password in USERS.items()
            ]
            for future in self._admin.alter_user_scram_credentials(users).values():
                future.result(_LIMIT_S)

    def grant(self, user: str, kind: ResourceType, name: str, *operations: AclOperation) -> None:
        """Let a user do something with a topic or a group."""
        for future in self._admin.create_acls([_acl(user, kind, name, operation) for operation in operations]).values():
            future.result(_LIMIT_S)

    def revoke(self, user: str) -> None:
        """Take all rights of a user away."""
        everything = AclBindingFilter(
            ResourceType.ANY,
            None,  # type: ignore[arg-type]  # any name, which the stubs don't know
            ResourcePatternType.ANY,
            f"User:{user}",
            None,  # type: ignore[arg-type]  # any host, which the stubs don't know
            AclOperation.ANY,
            AclPermissionType.ANY,
        )
        for future in self._admin.delete_acls([everything]).values():
            future.result(_LIMIT_S)

    def _security(self) -> str:
        server = self.authority.issue("server")
        other_host = self.authority.issue("server", host="127.0.0.9")
        users = "".join(f' user_{user}="{_escaped(password)}"' for user, password in USERS.items())
        lines = [
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users=User:ANONYMOUS",
            "ssl.principal.mapping.rules=RULE:^CN=(.*?)$/$1/,DEFAULT",
            "ssl.keystore.type=PEM",
            f"ssl.keystore.location={server}",
            "ssl.truststore.type=PEM",
            f"ssl.truststore.location={self.authority.pem}",
            "listener.name.mtls.ssl.client.auth=required",
            f"listener.name.other_host.ssl.keystore.location={other_host}",
            "listener.name.other_host.ssl.keystore.type=PEM",
        ]
        for listener in ("sasl", "sasl_tls"):
            prefix = f"listener.name.{listener}"
            lines += [
                f"{prefix}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512,SCRAM-SHA-256,OAUTHBEARER",
                f"{prefix}.plain.sasl.jaas.config={_MODULES}.plain.PlainLoginModule required{users};",
                f"{prefix}.scram-sha-512.sasl.jaas.config={_MODULES}.scram.ScramLoginModule required;",
                f"{prefix}.scram-sha-256.sasl.jaas.config={_MODULES}.scram.ScramLoginModule required;",
                f"{prefix}.oauthbearer.sasl.jaas.config={_MODULES}.oauthbearer.OAuthBearerLoginModule required"
                ' unsecuredLoginStringClaim_sub="broker";',
                f"{prefix}.oauthbearer.sasl.server.callback.handler.class={_MODULES}.oauthbearer.internals.unsecured."
                "OAuthBearerUnsecuredValidatorCallbackHandler",
            ]
        return "\n".join(lines)


def token(user: str, seconds: int = 3600) -> str:
    """The JWT without a signature that the OAUTHBEARER of the test broker takes."""

    def part(content: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    now = int(time.time())
    return f"{part({'alg': 'none'})}.{part({'sub': user, 'iat': now, 'exp': now + seconds})}."


@contextlib.contextmanager
def secure_kafka() -> Iterator[SecureKafka]:
    """Start a broker; kills it at the end.

    Raises:
        NotInstalledError: Java or Maven is missing.
    """
    with tempfile.TemporaryDirectory(prefix="kafka-") as name:
        broker = SecureKafka(Path(name))
        try:
            broker.start()
            yield broker
        finally:
            broker.kill()


def _acl(user: str, kind: ResourceType, name: str, operation: AclOperation) -> AclBinding:
    return AclBinding(kind, name, ResourcePatternType.LITERAL, f"User:{user}", "*", operation, AclPermissionType.ALLOW)


def _escaped(text: str) -> str:
    r"""As a JAAS file wants it, and then a properties file: `\"` there is `\\"` here."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\\", "\\\\")
