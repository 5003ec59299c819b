"""Runs the steps of a Dockerfile as a script, in folders below another folder, where no container engine is."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

_INSTRUCTION = re.compile(r"(?P<name>[A-Z]+)\s+(?P<rest>.+)", re.DOTALL)


@attrs.define
class Image:
    """What a Dockerfile makes: a folder in the place of the root of the file system, and the settings of the last stage.

    Attributes:
        root: the folder.
        environment: ENV.
        folder: WORKDIR.
        entrypoint: ENTRYPOINT.
        command: CMD.
        healthcheck: the command of HEALTHCHECK.
        volumes: VOLUME.
        user: USER.
    """

    root: Path
    environment: dict[str, str] = attrs.field(factory=dict)
    folder: str = "/"
    entrypoint: list[str] = attrs.field(factory=list)
    command: list[str] = attrs.field(factory=list)
    healthcheck: list[str] = attrs.field(factory=list)
    volumes: list[str] = attrs.field(factory=list)
    user: str = ""

    def inside(self, text: str) -> str:
        """Replaces paths of the image by those below its folder."""
        return re.sub(r"(?<![\w./:-])/(?=(?:opt|build|staging|usr/local)\b)", f"{self.root}/", text)

    def process_environment(self) -> dict[str, str]:
        """The environment of a process in the image; only the search path has the machine's folders, too."""
        made = {name: re.sub(r"(^|:)/", rf"\1{self.root}/", text.replace(":$PATH", "")) if "/" in text else text
                for name, text in self.environment.items()}  # fmt: skip
        path = [made.get("PATH", ""), f"{self.root}/usr/local/bin", os.environ["PATH"]]
        return {**made, "PATH": ":".join(filter(None, path))}


def run_steps(dockerfile: Path, context: Path, root: Path, python: str) -> Image:
    """Runs the steps of all stages, and returns the last stage.

    Args:
        dockerfile: its path.
        context: the folder that is sent to Docker.
        root: an empty folder.
        python: the interpreter that stands for the base image's.
    """
    stages: dict[str, Image] = {}
    image = Image(root / "none")
    for name, rest in _instructions(dockerfile.read_text(encoding="utf-8")):
        match name:
            case "FROM":
                stage = rest.partition(" AS ")[2] or "last"
                # every stage has its files below the same folder: a virtual environment can't be moved
                image = stages[stage] = Image(root)
                shutil.rmtree(root / "usr", ignore_errors=True)
                subprocess.run([python, "-m", "venv", root / "usr" / "local"], check=True)
            case "ARG" | "ENV":
                image.environment.update(dict(part.split("=", 1) for part in shlex.split(rest)))
            case "WORKDIR":
                image.folder = rest
                Path(image.inside(rest)).mkdir(parents=True, exist_ok=True)
            case "COPY":
                _copy(rest, image, context)
            case "RUN":
                where = Path(image.inside(image.folder)) if image.folder != "/" else root
                subprocess.run(["sh", "-ec", image.inside(rest)], cwd=where, env=image.process_environment(), check=True)
            case "VOLUME":
                image.volumes.append(rest)
            case "USER":
                image.user = rest
            case "HEALTHCHECK":
                image.healthcheck = json.loads(rest.partition("CMD ")[2])
            case "ENTRYPOINT":
                image.entrypoint = json.loads(rest)
            case "CMD":
                image.command = json.loads(rest)
            case "EXPOSE":
                pass
            case _:
                raise NotImplementedError(name)
    return image


def _instructions(text: str) -> Sequence[tuple[str, str]]:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    found = (_INSTRUCTION.fullmatch(line) for line in joined.splitlines())
    return [(match["name"], " ".join(match["rest"].split())) for match in found if match is not None]


def _copy(rest: str, image: Image, context: Path) -> None:
    if rest.startswith("--from="):
        (_, source, target) = rest.split()
        assert source == target, "the stages share their folder"
        return
    *sources, target = rest.split()
    folder = Path(image.inside(image.folder)) / target
    for source in sources:
        if (context / source).is_dir():
            shutil.copytree(context / source, folder, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(context / source, folder)


def contents(root: Path, but: Sequence[str] = ()) -> Mapping[str, tuple[int, int]]:
    """The size and the time of the last change of each file and folder below a folder, without some folders."""
    without = [root / name.lstrip("/") for name in but]
    return {
        str(path): (path.lstat().st_size if path.is_file() else 0, path.lstat().st_mtime_ns)
        for path in root.rglob("*")
        if not any(path.is_relative_to(folder) for folder in without)
    }
