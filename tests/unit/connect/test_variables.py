from pathlib import Path
from typing import Any

import pytest

from kafka2parquet.connect.forms.properties import Properties
from kafka2parquet.connect.load import load_connect_config, read_connect_config
from kafka2parquet.connect.text import read_properties
from kafka2parquet.connect.variables import ConfigProviders
from kafka2parquet.connect.worker import load_worker_config
from kafka2parquet.errors import ConfigurationError
from tests.support.connect_story import STORY

_WORKER = {
    "config.providers": "secrets, vault",
    "config.providers.secrets.class": "org.apache.kafka.common.config.provider.FileConfigProvider",
    "config.providers.vault.class": "io.lenses.connect.secrets.providers.VaultSecretProvider",
}


@pytest.fixture
def secrets(tmp_path: Path) -> Any:
    path = tmp_path / "aws.properties"
    path.write_text("key=AKIA\nsecret=s3:cr=et\n")
    return path


def _resolved(text: Any, providers: Any = None) -> Any:
    return (providers or ConfigProviders()).resolve(Properties({"a.property": text}))


def _problem(text: Any, providers: Any = None) -> Any:
    (problem,) = _resolved(text, providers).problems
    return str(problem)


def test_value_of_a_file(secrets: Any) -> None:
    """`${file:path:key}` is a property of the named file."""
    assert "s3:cr=et" == _resolved(f"${{file:{secrets}:secret}}").values["a.property"]


def test_variables_within_a_text(secrets: Any) -> None:
    """Several variables may stand in one text."""
    assert "AKIA:s3:cr=et!" == _resolved(f"${{file:{secrets}:key}}:${{file:{secrets}:secret}}!").values["a.property"]


def test_value_of_a_directory(secrets: Any) -> None:
    """`${dir:path:name}` is the content of the named file, as Kubernetes mounts secrets."""
    (secrets.parent / "password").write_text("pw\n")
    assert "pw" == _resolved(f"${{dir:{secrets.parent}:password}}").values["a.property"]


def test_value_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """`${env:NAME}` is the named environment variable."""
    monkeypatch.setenv("K2P_BUCKET", "lake")
    assert "lake" == _resolved("${env:K2P_BUCKET}").values["a.property"]


def test_values_are_not_searched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that looks like a variable stays what it is, as in Kafka."""
    monkeypatch.setenv("K2P_ODD", "${env:HOME}")
    assert "${env:HOME}" == _resolved("${env:K2P_ODD}").values["a.property"]


@pytest.mark.parametrize("text", ["'year'=YYYY/'month'=MM", "$1-${x}", "a:b", "{x:y}"])
def test_other_texts_stay(text: str) -> None:
    """Texts that aren't variables stay unchanged."""
    assert (text, ()) == (_resolved(text).values["a.property"], _resolved(text).problems)


def test_missing_variable_is_a_problem() -> None:
    """The problem names the property and the variable."""
    assert "a.property: ${env:K2P_NOT_SET}: this environment variable is not set." == _problem("${env:K2P_NOT_SET}")


def test_missing_key_is_a_problem(secrets: Any) -> None:
    """A missing key is a problem, although Kafka would use the variable itself as the value."""
    assert f"a.property: ${{file:{secrets}:nope}}: the file has no such property." == _problem(f"${{file:{secrets}:nope}}")


def test_missing_file_is_a_problem() -> None:
    """The problem names the path of the file."""
    assert "a.property: ${file:/nowhere/x:key} can't be read: No such file or directory." == _problem("${file:/nowhere/x:key}")


def test_file_that_is_not_text_is_a_problem(secrets: Any) -> None:
    """A binary file, such as a key store, is a problem."""
    secrets.write_bytes(b"\xfe\xed\xfe\xed")
    assert f"a.property: ${{file:{secrets}:key}} can't be read: the file is not UTF-8." == _problem(f"${{file:{secrets}:key}}")


def test_unknown_provider_is_a_problem() -> None:
    """The problem lists the known providers and gives advice."""
    assert (
        "a.property: ${vault:x:y}: the configuration provider vault does not exist; the known providers are file, dir, "
        "directory, env. Put the value into a file or an environment variable, and refer to that." == _problem("${vault:x:y}")
    )


def test_workers_providers_have_their_names(secrets: Any) -> None:
    """`config.providers` defines the names of providers in variables."""
    providers = load_worker_config(_WORKER).providers
    assert "AKIA" == _resolved(f"${{secrets:{secrets}:key}}", providers).values["a.property"]


def test_other_providers_of_a_worker_are_refused() -> None:
    """Other providers are refused, because they are Java classes."""
    assert "VaultSecretProvider is a Java class" in _problem("${vault:x:y}", load_worker_config(_WORKER).providers)


def test_configuration_of_a_connector(secrets: Any) -> None:
    """Variables are replaced before values are checked."""
    config = load_connect_config({**read_properties(STORY).values, "aws.access.key.id": f"${{file:{secrets}:key}}",
                                  "aws.secret.access.key": f"${{file:{secrets}:secret}}"})  # fmt: skip
    assert "AKIA s3:cr=et" == f"{config.text('aws.access.key.id')} {config.text('aws.secret.access.key')}"


def test_missing_variable_is_the_only_problem_of_its_property() -> None:
    """Other rules don't check an unknown value."""
    validation = read_connect_config({**read_properties(STORY).values, "flush.size": "${env:K2P_NOT_SET}"})
    assert ["flush.size: ${env:K2P_NOT_SET}: this environment variable is not set."] == validation.sentences


def test_settings_of_a_worker(secrets: Any) -> None:
    """A worker's file may have variables, too; those in ignored properties are skipped."""
    worker = load_worker_config(
        {
            "bootstrap.servers": "a:1",
            "consumer.client.id": f"${{file:{secrets}:key}}",
            "rest.advertised.host.name": "${env:NOPE}",
        }
    )
    assert {"client.id": "AKIA"} == worker.consumer


def test_missing_variable_of_a_worker() -> None:
    """A missing variable is a problem, as in a connector."""
    with pytest.raises(ConfigurationError, match=r"consumer.client.id: \$\{env:K2P_NOT_SET\}"):
        load_worker_config({"consumer.client.id": "${env:K2P_NOT_SET}"})


def test_missing_variables_are_notes_where_nothing_runs() -> None:
    """A missing variable stays as written and has a note, and an unknown provider stays a problem."""
    case = Path(__file__).parent / "forms" / "cases" / "unset_environment.json"
    validation = read_connect_config(case, missing_allowed=True)
    assert ([], 2) == (validation.sentences, len([note for note in validation.config.notes if "`run` needs it" in str(note)]))
    assert 2 == len(read_connect_config(case).sentences)
    given = {**read_properties(STORY).values, "aws.access.key.id": "${vault:a:b}"}
    assert ["aws.access.key.id: ${vault:a:b}: the configuration provider vault does not exist; the known providers are file, "
            "dir, directory, env. Put the value into a file or an environment variable, and refer to that."
            ] == read_connect_config(given, missing_allowed=True).sentences  # fmt: skip
