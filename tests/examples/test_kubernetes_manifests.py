"""The manifests in examples/kubernetes: valid, and consistent with each other and with the sink's configuration."""

from __future__ import annotations

import copy
import math
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

from kafka2parquet import load_connect_config, load_worker_config
from kafka2parquet.cli.options import with_joined_ages
from kafka2parquet.cli.parser import build_parser
from kafka2parquet.connect.build import load_for_worker
from kafka2parquet.connect.parts.tasks import task_count
from kafka2parquet.metrics.table import INSTRUMENTS
from tests.stack.kubernetes import Manifest, built, is_custom, problems_of_core_kind, problems_of_custom_resources

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "kubernetes"
MIB = 1 << 20
_UNITS = {"Ki": 1 << 10, "Mi": MIB, "Gi": 1 << 30}


def manifests() -> list[Manifest]:
    """Reads the files that kustomize puts together."""
    files = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
    return [yaml.safe_load((FOLDER / file).read_text(encoding="utf-8")) for file in files]


def one(kind: str) -> Any:
    """Returns the manifest of this kind."""
    (found,) = (manifest for manifest in manifests() if manifest["kind"] == kind)
    return found


def pod() -> Any:
    """Returns the specification of the pods."""
    return one("StatefulSet")["spec"]["template"]["spec"]


def sink() -> Any:
    """Returns the container."""
    (container,) = pod()["containers"]
    return container


def size_bytes(text: str) -> int:
    """Returns a quantity such as `8Gi` in bytes."""
    return int(text[:-2]) * _UNITS[text[-2:]]


@pytest.mark.parametrize("version", ["1.30", "1.37"])
def test_core_kinds_are_valid(version: str) -> None:
    """What kustomize builds fits the schemas of an older and a newer Kubernetes, without unknown members."""
    core = [manifest for manifest in built(FOLDER) if not is_custom(manifest)]
    kinds = {"ConfigMap", "PodDisruptionBudget", "Service", "ServiceAccount", "StatefulSet"}
    assert kinds == {manifest["kind"] for manifest in core}
    assert dict.fromkeys(kinds, "") == {manifest["kind"]: problems_of_core_kind(manifest, version) for manifest in core}


def test_a_misspelt_member_of_a_core_kind_is_found() -> None:
    """The validation is strict: it would notice a probe that nobody asks for."""
    broken = copy.deepcopy(one("StatefulSet"))
    container = broken["spec"]["template"]["spec"]["containers"][0]
    container["livenesProbe"] = container.pop("livenessProbe")
    assert "livenesProbe" in problems_of_core_kind(broken, "1.37")


def test_custom_resources_are_valid() -> None:
    """What kustomize builds fits the definitions of KEDA and of the Prometheus operator, without unknown members."""
    custom = [manifest for manifest in built(FOLDER) if is_custom(manifest)]
    assert {"PodMonitor", "PrometheusRule", "ScaledObject"} == {manifest["kind"] for manifest in custom}
    assert [] == problems_of_custom_resources(custom)


def test_a_misspelt_member_of_a_custom_resource_is_found() -> None:
    """The validation is strict: it would notice an alert without its duration, and a scaler without its limits."""
    rule, scaler = copy.deepcopy(one("PrometheusRule")), copy.deepcopy(one("ScaledObject"))
    rule["spec"]["groups"][1]["rules"][0]["fo"] = "5m"
    scaler["spec"]["maxReplicas"] = scaler["spec"].pop("maxReplicaCount")
    problems = problems_of_custom_resources([rule, scaler])
    assert 2 == len(problems)
    assert "fo" in problems[0]
    assert "maxReplicas" in problems[1]


def test_kustomize_joins_the_parts() -> None:
    """The pods mount the generated ConfigMap under its name with a hash, and everything is in the same namespace."""
    found = {manifest["kind"]: manifest for manifest in built(FOLDER)}
    assert {"data"} == {manifest["metadata"]["namespace"] for manifest in found.values()}
    name = found["ConfigMap"]["metadata"]["name"]
    assert name.startswith("orders-to-s3-")
    volumes = found["StatefulSet"]["spec"]["template"]["spec"]["volumes"]
    assert [name] == [volume["configMap"]["name"] for volume in volumes if "configMap" in volume]
    assert {"sink.json", "worker.properties"} == set(found["ConfigMap"]["data"])
    (container,) = found["StatefulSet"]["spec"]["template"]["spec"]["containers"]
    assert "images.example/kafka2parquet:0.1.0" == container["image"]


def test_selectors_find_the_pods() -> None:
    """Every selector is met by the labels of the pods."""
    labels = one("StatefulSet")["spec"]["template"]["metadata"]["labels"].items()
    for kind in ("StatefulSet", "PodDisruptionBudget", "PodMonitor"):
        assert one(kind)["spec"]["selector"]["matchLabels"].items() <= labels, kind
    assert one("Service")["spec"]["selector"].items() <= labels


def test_the_command_line_is_one() -> None:
    """The pods' arguments are those of `run`, with files that are mounted, and the port that the probes ask."""
    arguments = sink()["args"]
    options = build_parser(arguments).parse_args(with_joined_ages(arguments))
    assert "run" == options.command
    mounts = {mount["name"]: Path(mount["mountPath"]) for mount in sink()["volumeMounts"]}
    files = [Path(options.config), Path(options.worker)]
    assert [mounts["configuration"]] * 2 == [file.parent for file in files]
    assert all((FOLDER / file.name).exists() for file in files)
    (port,) = sink()["ports"]
    assert f":{port['containerPort']}" == options.http
    probes = {kind: sink()[f"{kind}Probe"]["httpGet"] for kind in ("liveness", "readiness")}
    assert {"liveness": "/live", "readiness": "/ready"} == {kind: probe["path"] for kind, probe in probes.items()}
    assert {port["name"]} == {probe["port"] for probe in probes.values()}
    assert [port["name"]] == [endpoint["port"] for endpoint in one("PodMonitor")["spec"]["podMetricsEndpoints"]]


def test_the_configuration_works(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The configuration has no problem and no probable mistake, once the pod's name and the Secret are there."""
    monkeypatch.setenv("POD_NAME", "orders-to-s3-2")
    for name in secrets():
        (tmp_path / name).write_text(f"of-{name}", encoding="utf-8")
    mount = next(mount["mountPath"] for mount in sink()["volumeMounts"] if mount["name"] == "secrets")
    texts = {}
    for name in ("sink.json", "worker.properties"):
        texts[name] = tmp_path / name
        texts[name].write_text((FOLDER / name).read_text(encoding="utf-8").replace(mount, str(tmp_path)), encoding="utf-8")
    worker = load_worker_config(texts["worker.properties"])
    config = load_for_worker(str(texts["sink.json"]), worker)
    assert () == config.warnings
    assert "orders-to-s3-2" == config.text("kafka2parquet.group.instance.id")
    assert "of-aws.secret.access.key" == config.text("aws.secret.access.key")
    settings = worker.consumer_for(config).client_settings
    assert ("of-kafka.username", "of-kafka.password") == (settings["sasl_plain_username"], settings["sasl_plain_password"])


def secrets() -> set[str]:
    """Returns the keys of the Secret that the configuration reads."""
    mount = next(mount["mountPath"] for mount in sink()["volumeMounts"] if mount["name"] == "secrets")
    text = "".join((FOLDER / name).read_text(encoding="utf-8") for name in ("sink.json", "worker.properties"))
    return {part.partition("}")[0] for part in text.split(f"${{dir:{mount}:")[1:]}


def test_the_secret_is_only_referred_to() -> None:
    """No manifest holds a secret; the StatefulSet says which keys the Secret needs."""
    assert "Secret" not in {manifest["kind"] for manifest in manifests()}
    assert 4 == len(secrets())
    comment = next(line for line in (FOLDER / "stateful-set.yaml").read_text(encoding="utf-8").splitlines() if "aws." in line)
    assert secrets() == {key.strip(" #") for key in comment.split(",")}


def test_a_stop_has_time_to_flush() -> None:
    """The pods are killed only after the orderly stop has had its time, and the staging folder is the mounted one."""
    config = load_connect_config(_without_variables())
    assert 1000 * pod()["terminationGracePeriodSeconds"] >= 2 * config.number("kafka2parquet.shutdown.timeout.ms")
    mounts = {mount["name"]: mount["mountPath"] for mount in sink()["volumeMounts"]}
    assert mounts["staging"] == config.text("kafka2parquet.staging.dir")
    (staging,) = (volume for volume in pod()["volumes"] if volume["name"] == "staging")
    assert sink()["resources"]["requests"]["ephemeral-storage"] == staging["emptyDir"]["sizeLimit"]


def test_the_memory_is_enough() -> None:
    """The memory limit covers the formula of docs/concepts/memory.md for as many tasks as the CPU limit makes."""
    config, limits = load_connect_config(_without_variables()), sink()["resources"]["limits"]
    tasks = task_count(config, 12, math.ceil(float(limits["cpu"])))
    assert 2 == tasks
    task_bytes = 220 * MIB + 4 * config.number("s3.part.size")
    needed = 270 * MIB + task_bytes * tasks + config.number("kafka2parquet.memory.bytes")
    assert needed <= size_bytes(limits["memory"])
    assert limits["memory"] == sink()["resources"]["requests"]["memory"]


def test_the_pods_may_do_little() -> None:
    """They run as a user without rights, on a root file system that nothing can write to."""
    assert (True, True) == (pod()["securityContext"]["runAsNonRoot"], sink()["securityContext"]["readOnlyRootFilesystem"])
    assert sink()["securityContext"]["allowPrivilegeEscalation"] is False
    assert ["ALL"] == sink()["securityContext"]["capabilities"]["drop"]
    image = (ROOT / "examples" / "docker" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert f"USER {pod()['securityContext']['runAsUser']}:{pod()['securityContext']['runAsGroup']}" in image


def test_scaling_follows_read_lag() -> None:
    """KEDA asks Prometheus for read lag, never scales to 0, and counts a missing answer as no answer."""
    spec = one("ScaledObject")["spec"]
    assert one("StatefulSet")["metadata"]["name"] == spec["scaleTargetRef"]["name"]
    (trigger,) = spec["triggers"]
    assert ("prometheus", "false") == (trigger["type"], trigger["metadata"]["ignoreNullValues"])
    assert "kafka2parquet_read_lag_records" in {instrument.prometheus_name for instrument in INSTRUMENTS}
    name = load_connect_config(_without_variables()).name
    namespace = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))["namespace"]
    assert f'sum(kafka2parquet_read_lag_records{{namespace="{namespace}", sink="{name}"}})' == trigger["metadata"]["query"]
    assert 1 <= spec["minReplicaCount"] < spec["maxReplicaCount"]


def test_the_alert_rules_have_one_source() -> None:
    """The rules of the Prometheus operator are those of the documentation, as the program beside these writes them."""
    generator = runpy.run_path(str(ROOT / "docs" / "dashboards" / "prometheus_rule.py"))
    assert generator["prometheus_rule_yaml"]() == (FOLDER / "prometheus-rule.yaml").read_text(encoding="utf-8")


def _without_variables() -> dict[str, str]:
    """Reads the sink's properties with texts in the place of variables."""
    given = yaml.safe_load((FOLDER / "sink.json").read_text(encoding="utf-8"))
    return {name: "text" if "${" in value else value for name, value in given.items()}
