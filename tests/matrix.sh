#!/usr/bin/env bash
# `make test` on each Python from 3.10 to 3.13; one that is not installed is named, and makes this fail.
set -euo pipefail
missing=()
for version in 3.10 3.11 3.12 3.13; do
  python="$(ls -d "$HOME"/.pyenv/versions/"$version".*/bin/python 2>/dev/null | tail -n 1)" || python="$(command -v "python$version" || true)"
  if [ -z "$python" ]; then
    missing+=("$version")
    continue
  fi
  echo "== Python $version"
  make --no-print-directory test VENV=".venv-$version" PYTHON="$python"
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "Not tested, for want of an interpreter: ${missing[*]}" >&2
  exit 1
fi
