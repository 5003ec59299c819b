"""Prometheus: scrapes targets, evaluates rules, and answers queries; and promtool, which checks files for it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.stack import install
from tests.stack.server import HOST, Server, free_port, http_answers


class Prometheus:
    """A running Prometheus.

    Attributes:
        url: where it answers.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Evaluate an expression now; returns the series of the result."""
        found = self._get("query", query=expression)["result"]
        return list(found)

    def firing(self) -> dict[str, list[Mapping[str, str]]]:
        """The labels of each alert that fires, by its name."""
        names: dict[str, list[Mapping[str, str]]] = {}
        for alert in self._get("alerts")["alerts"]:
            if alert["state"] == "firing":
                names.setdefault(alert["labels"]["alertname"], []).append(alert["labels"])
        return names

    def targets(self) -> list[dict[str, Any]]:
        """The targets, with the error of the last scrape."""
        return list(self._get("targets")["activeTargets"])

    def _get(self, path: str, **parameters: str) -> Any:
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=30) as answer:
            return json.loads(answer.read())["data"]


@contextlib.contextmanager
def prometheus(targets: Sequence[str], rules: str = "", interval_s: float = 1.0) -> Iterator[Prometheus]:
    """Start a Prometheus that scrapes `host:port` addresses; kills it at the end.

    Args:
        targets: what it scrapes, as job `sinks`.
        rules: the content of a file of rules.
        interval_s: how often it scrapes and evaluates rules.

    Raises:
        NotInstalledError: Prometheus can't be installed here.
    """
    programs = install.prometheus_folder()
    with tempfile.TemporaryDirectory(prefix="prometheus-") as name:
        folder, port = Path(name), free_port()
        (folder / "rules.yml").write_text(rules or "groups: []\n", encoding="utf-8")
        interval = f"{int(interval_s * 1000)}ms"
        configuration = {
            "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
            "rule_files": ["rules.yml"],
            "scrape_configs": [{"job_name": "sinks", "static_configs": [{"targets": list(targets)}]}],
        }
        (folder / "prometheus.yml").write_text(json.dumps(configuration), encoding="utf-8")  # JSON is YAML
        url = f"http://{HOST}:{port}"
        server = Server(
            [
                programs / "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={HOST}:{port}",
            ],
            http_answers(f"{url}/-/ready", 200),
            folder / "log",
        )
        try:
            server.start()
            yield Prometheus(url)
        finally:
            server.kill()


def promtool(*arguments: object, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run promtool with this standard input.

    Raises:
        NotInstalledError: promtool can't be installed here.
    """
    command = [str(part) for part in (install.prometheus_folder() / "promtool", *arguments)]
    return subprocess.run(command, input=given, capture_output=True, text=True, check=False)
