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
        "a.property: ${vault:x:y}: the worker's config.providers has no provider vault; the known providers are file, "
        "dir, directory, env. Put the value into a file or an environment variable, and refer to that."
        == _problem("${vault:x:y}")
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
    assert ["aws.access.key.id: ${vault:a:b}: the worker's config.providers has no provider vault; the known providers are "
            "file, dir, directory, env. Put the value into a file or an environment variable, and refer to that."
            ] == read_connect_config(given, missing_allowed=True).sentences  # fmt: skip


def _worker(kind: Any, restriction: Any = None, value: Any = "", name: str = "own") -> Any:
    """Return the providers of a worker that has one provider, which may be restricted."""
    given = {"config.providers": name, f"config.providers.{name}.class": f"org.apache.kafka.common.config.provider.{kind}"}
    if restriction is not None:
        given[f"config.providers.{name}.{restriction}"] = str(value)
    return load_worker_config(given).providers


def test_allowed_path(secrets: Any) -> None:
    """A file in an allowed folder is read, and so is a file that is allowed by its own path, beside other paths."""
    for allowed in (secrets.parent, secrets, f"/usr/lib, {secrets.parent}/"):
        providers = _worker("FileConfigProvider", "param.allowed.paths", allowed)
        assert "AKIA" == _resolved(f"${{own:{secrets}:key}}", providers).values["a.property"]


def test_path_that_is_not_allowed(secrets: Any, tmp_path: Path) -> None:
    """A file outside the allowed paths is not read; the problem names the property, the path and the allowed paths."""
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    providers = _worker("FileConfigProvider", "param.allowed.paths", f"/usr/lib,{allowed}")
    variable = f"${{own:{secrets}:key}}"
    assert variable == _resolved(variable, providers).values["a.property"]
    assert (
        f"a.property: {variable}: the worker's properties don't allow the path {secrets}: it is not in "
        f"config.providers.own.param.allowed.paths=/usr/lib,{allowed}." == _problem(variable, providers)
    )


def test_neighbours_of_an_allowed_folder(tmp_path: Path) -> None:
    """A folder whose name begins like an allowed one is not allowed, nor are `..`, a relative path and an absent file."""
    allowed, beside = tmp_path / "secrets", tmp_path / "secrets-of-others"
    for folder in (allowed, beside):
        folder.mkdir()
        (folder / "a.properties").write_text("key=AKIA\n")
    providers = _worker("FileConfigProvider", "param.allowed.paths", allowed)
    outside = (beside / "a.properties", allowed / ".." / beside.name / "a.properties", "secrets/a.properties",
               beside / "absent", "", f"/{beside}/a.properties")  # fmt: skip
    assert ["don't allow the path"] * len(outside) == [
        "don't allow the path" if "don't allow the path" in _problem(f"${{own:{path}:key}}", providers) else "read"
        for path in outside
    ]
    inside = (allowed / "a.properties", beside / ".." / "secrets" / "a.properties", f"{allowed}/./a.properties")
    assert ["AKIA"] * 3 == [_resolved(f"${{own:{path}:key}}", providers).values["a.property"] for path in inside]


def test_links_do_not_leave_allowed_paths(secrets: Any, tmp_path: Path) -> None:
    """A link in an allowed folder is followed only within allowed paths, for files and for folders."""
    allowed = tmp_path / "allowed"
    (allowed / "..data").mkdir(parents=True)
    (allowed / "..data" / "password").write_text("pw")
    (allowed / "password").symlink_to(allowed / "..data" / "password")  # as Kubernetes mounts secrets
    (allowed / "out.properties").symlink_to(secrets)
    (allowed / "out").symlink_to(secrets.parent)
    files = _worker("FileConfigProvider", "param.allowed.paths", allowed)
    folders = _worker("DirectoryConfigProvider", "param.allowed.paths", allowed)
    assert "pw" == _resolved(f"${{own:{allowed}:password}}", folders).values["a.property"]
    assert f"which leads to {secrets}: it is not in" in _problem(f"${{own:{allowed}/out.properties:key}}", files)
    assert f"which leads to {secrets}: it is not in" in _problem(f"${{own:{allowed}/out/{secrets.name}:key}}", files)
    assert f"which leads to {secrets}: it is not in" in _problem(f"${{own:{allowed}:out.properties}}", folders)
    assert "don't allow the path" in _problem(f"${{own:{allowed}/out:{secrets.name}}}", folders)


def test_allowed_path_may_be_a_link(secrets: Any, tmp_path: Path) -> None:
    """An allowed path that is a link allows what it leads to."""
    link = tmp_path / "link"
    link.symlink_to(secrets.parent)
    providers = _worker("FileConfigProvider", "param.allowed.paths", link)
    assert "AKIA" == _resolved(f"${{own:{link}/{secrets.name}:key}}", providers).values["a.property"]


@pytest.mark.parametrize("key", ["../aws.properties", "a/b", "..", "", "/etc/hostname"])
@pytest.mark.parametrize("restricted", [True, False])
def test_key_of_a_directory_stays_in_it(secrets: Any, key: Any, restricted: Any) -> None:
    """A key of the directory provider is the name of a file, and never leads out of the folder."""
    folder = secrets.parent / "folder"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "b").write_text("pw")
    providers = _worker("DirectoryConfigProvider", "param.allowed.paths" if restricted else None, secrets.parent)
    assert f"the key has to be the name of a file in the folder {folder}" in _problem(f"${{own:{folder}:{key}}}", providers)


def test_environment_variables_that_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """`allowlist.pattern` has to match the whole name of an environment variable, as in Kafka."""
    monkeypatch.setenv("K2P_BUCKET", "lake")
    monkeypatch.setenv("K2P_BUCKET_2", "sea")
    providers = _worker("EnvVarConfigProvider", "param.allowlist.pattern", "^K2P_[A-Z]+", name="env")
    assert "lake" == _resolved("${env:K2P_BUCKET}", providers).values["a.property"]
    assert (
        "a.property: ${env:K2P_BUCKET_2}: the worker's properties don't allow this environment variable: its name doesn't "
        "match config.providers.env.param.allowlist.pattern=^K2P_[A-Z]+." == _problem("${env:K2P_BUCKET_2}", providers)
    )
    assert "don't allow this environment variable" in _problem("${env:K2P_bUCKET}", providers)


def test_restrictions_hold_for_the_worker_too(secrets: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables in the worker's own properties are restricted as those of connectors are."""
    monkeypatch.setenv("BB", "broker:9092")
    worker = {"config.providers": "env", "config.providers.env.class": "EnvVarConfigProvider", "bootstrap.servers": "${env:BB}"}
    assert "broker:9092" == load_worker_config(worker).bootstrap_servers
    with pytest.raises(ConfigurationError, match=r"bootstrap.servers: \$\{env:BB\}: the worker's properties don't allow"):
        load_worker_config({**worker, "config.providers.env.param.allowlist.pattern": "^ZZZ.*"})


def test_restricted_variable_is_a_problem_where_nothing_runs(secrets: Any) -> None:
    """A check doesn't excuse a variable that isn't allowed as one that may be set elsewhere."""
    given = {**read_properties(STORY).values, "aws.access.key.id": f"${{own:{secrets}:key}}"}
    providers = _worker("FileConfigProvider", "param.allowed.paths", "/usr/lib")
    (sentence,) = read_connect_config(given, providers, missing_allowed=True).sentences
    assert sentence.startswith("aws.access.key.id: ${own:")


def test_a_restriction_leaves_no_way_around_it(secrets: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """If one provider is restricted, the usual names that the worker doesn't configure don't work."""
    monkeypatch.setenv("K2P_BUCKET", "lake")
    providers = _worker("FileConfigProvider", "param.allowed.paths", secrets.parent)
    assert "AKIA" == _resolved(f"${{own:{secrets}:key}}", providers).values["a.property"]
    for variable in (f"${{file:{secrets}:key}}", f"${{dir:{secrets.parent}:{secrets.name}}}", "${env:K2P_BUCKET}"):
        problem = _problem(variable, providers)
        assert "the worker's config.providers has no provider" in problem
        assert "; as the worker restricts a provider, only own can be used. Put" in problem
    unnamed = load_worker_config({"config.providers.file.param.allowed.paths": str(secrets.parent)}).providers
    assert "config.providers has no provider file; none of its" in _problem(f"${{file:{secrets}:key}}", unnamed)


def test_provider_without_restriction_reads_everything(secrets: Any) -> None:
    """An empty `allowed.paths`, and parameters of no meaning, restrict nothing, as in Kafka."""
    for parameter in ("param.allowed.paths", "param.secrets"):
        providers = _worker("FileConfigProvider", parameter, "" if "allowed" in parameter else "/nowhere")
        assert "AKIA" == _resolved(f"${{own:{secrets}:key}}", providers).values["a.property"]


@pytest.mark.parametrize(
    ("kind", "parameter", "value", "message"),
    [
        ("FileConfigProvider", "param.allowed.paths", "run/secrets", "Path run/secrets is not absolute."),
        ("FileConfigProvider", "param.allowed.paths", "/a,,/b", "Path . is not absolute."),
        ("EnvVarConfigProvider", "param.allowlist.pattern", "[", "is not a regular expression that Python reads"),
        ("FileConfigProvider", "param.allowed.path", "/a", "own.param.allowed.path restricts nothing. FileConfigProvider is "
         "restricted by config.providers.own.param.allowed.paths."),
        ("DirectoryConfigProvider", "allowed.paths", "/a", "config.providers.own.allowed.paths restricts nothing."),
        ("FileConfigProvider", "param.allowlist.pattern", "a.*", "restricted by config.providers.own.param.allowed.paths."),
        ("EnvVarConfigProvider", "param.whitelist.pattern", "a.*", "EnvVarConfigProvider is restricted by config.providers.own."
         "param.allowlist.pattern."),
    ],
)  # fmt: skip
def test_restriction_that_would_have_no_effect(kind: Any, parameter: Any, value: Any, message: Any) -> None:
    """A restriction that is misspelled, misplaced or wrong is refused, because it would restrict nothing."""
    with pytest.raises(ConfigurationError) as caught:
        _worker(kind, parameter, value)
    assert message in str(caught.value)


def test_restriction_of_a_provider_that_the_worker_does_not_have() -> None:
    """A restriction under another provider's name is refused: the provider that it was meant for would read everything."""
    given = {
        "config.providers": "file",
        "config.providers.file.class": "FileConfigProvider",
        "config.providers.flie.param.allowed.paths": "/run/secrets",
    }
    message = r"flie.param.allowed.paths restricts nothing. config.providers has only file\."
    with pytest.raises(ConfigurationError, match=message):
        load_worker_config(given)


def test_a_name_with_a_dot_leaves_no_way_around_a_restriction(secrets: Any) -> None:
    """The usual names don't work either if the name of the restricted provider has a dot."""
    providers = _worker("FileConfigProvider", "param.allowed.paths", secrets.parent, name="own.files")
    assert "has no provider file" in _problem(f"${{file:{secrets}:key}}", providers)


def test_provider_of_kubernetes() -> None:
    """A variable of Strimzi's providers has advice for Kubernetes, whether the worker names the class or not."""
    advice = "Mount the secret or config map into the container, and refer to its key as ${dir:PATH_OF_THE_MOUNT:KEY}"
    unnamed = _problem("${secrets:kafka/aws:key}")
    assert "has no provider secrets (in Strimzi, it usually reads a secret or a config map of Kubernetes)" in unnamed
    assert advice in unnamed
    named = _problem("${own:kafka/aws:key}", _worker("KubernetesSecretConfigProvider"))
    assert "KubernetesSecretConfigProvider is a Java class" in named
    assert advice in named
    assert "Kubernetes" not in _problem("${vault:secret/data:key}")


def test_environment_variable_with_a_path() -> None:
    """A path before the name of an environment variable is refused in Kafka's words."""
    assert "Path is not supported for EnvVarConfigProvider, invalid value '/a'." in _problem("${env:/a:HOME}")


def test_path_with_a_null_character() -> None:
    """A path that no file can have is a problem."""
    assert "the path has a null character" in _problem("${file:/a\0b:key}")


_KAFKA_CONNECT = """\
apiVersion: kafka.strimzi.io/v1beta2
kind: KafkaConnect
spec:
  bootstrapServers: kafka:9092
  config:
    config.providers: own
    config.providers.own.class: org.apache.kafka.common.config.provider.FileConfigProvider
    config.providers.own.param.allowed.paths: /usr/lib
"""
_VARIABLES = """\
CONNECT_BOOTSTRAP_SERVERS=kafka:9092
CONNECT_CONFIG_PROVIDERS=own
CONNECT_CONFIG_PROVIDERS_OWN_CLASS=org.apache.kafka.common.config.provider.FileConfigProvider
CONNECT_CONFIG_PROVIDERS_OWN_PARAM_ALLOWED_PATHS=/usr/lib
"""


@pytest.mark.parametrize(("suffix", "text"), [(".yaml", _KAFKA_CONNECT), (".env", _VARIABLES)])
def test_restriction_in_each_form_of_a_worker(suffix: str, text: str, secrets: Any, tmp_path: Path) -> None:
    """A restriction counts in a KafkaConnect of Strimzi and in the variables of a container too."""
    worker = tmp_path / f"worker{suffix}"
    worker.write_text(text)
    assert "don't allow the path" in _problem(f"${{own:{secrets}:key}}", load_worker_config(worker).providers)


_COMPOSE = """\
services:
  connect:
    environment:
      CONNECT_BOOTSTRAP_SERVERS: ${K2P_BROKER}
      CONNECT_CONFIG_PROVIDERS: own
      CONNECT_CONFIG_PROVIDERS_OWN_CLASS: org.apache.kafka.common.config.provider.FileConfigProvider
      CONNECT_CONFIG_PROVIDERS_OWN_PARAM_ALLOWED_PATHS: /usr/lib
"""


def test_environment_that_compose_looks_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker's restrictions concern Kafka's variables, not those that Compose looks up before the worker starts."""
    monkeypatch.setenv("K2P_BROKER", "kafka:9092")
    file = tmp_path / "compose.yaml"
    file.write_text(_COMPOSE)
    worker = load_worker_config(file)
    assert "kafka:9092" == worker.bootstrap_servers
    assert "config.providers has no provider container" in _problem("${container:K2P_BROKER}", worker.providers)
