"""Builds manifests with kustomize; validates core kinds with kubernetes-validate, and custom resources with kubeconform."""

from __future__ import annotations

import json
import subprocess
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.stack.install import NotInstalledError, custom_resource_schemas, go_binary

Manifest = Mapping[str, Any]


def built(folder: Path) -> list[Manifest]:
    """The manifests that `kubectl apply -k` would send.

    Raises:
        NotInstalledError: Go is not installed.
        RuntimeError: kustomize can't build the folder.
    """
    kustomize = go_binary("kustomize")
    finished = subprocess.run([kustomize, "build", folder], capture_output=True, text=True, timeout=60, check=False)
    if finished.returncode:
        raise RuntimeError(finished.stderr)
    return list(yaml.safe_load_all(finished.stdout))


def is_custom(manifest: Manifest) -> bool:
    """Whether the kind isn't one of Kubernetes' own."""
    group = manifest["apiVersion"].partition("/")[0]
    return "." in group and not group.endswith(".k8s.io")


def problems_of_core_kind(manifest: Manifest, version: str) -> str:
    """What Kubernetes' schemas of a version, such as `1.34`, object to; "" if nothing. Unknown members count.

    Raises:
        NotInstalledError: kubernetes-validate is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import kubernetes_validate
    except ImportError as error:
        raise NotInstalledError("kubernetes-validate is missing: pip install --group dev") from error
    try:
        kubernetes_validate.validate(dict(manifest), version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return str(error)
    return ""


def problems_of_custom_resources(manifests: Iterable[Manifest]) -> list[str]:
    """What the schemas of KEDA and the Prometheus operator object to, as sorted texts, one for each invalid resource.

    Unknown members count.

    Raises:
        NotInstalledError: Go is not installed.
    """
    schemas = f"{custom_resource_schemas()}/{{{{.ResourceKind}}}}_{{{{.ResourceAPIVersion}}}}.json"
    command: list[str | Path] = [
        go_binary("kubeconform"),
        "-strict",
        "-output",
        "json",
        "-verbose",
        "-schema-location",
        schemas,
    ]
    text = yaml.safe_dump_all([dict(manifest) for manifest in manifests])
    finished = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
    resources = json.loads(finished.stdout)["resources"]
    return sorted(f"{each['kind']}: {each['msg']}" for each in resources if each["status"] != "statusValid")
