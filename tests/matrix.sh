#!/usr/bin/env bash
# `make test` on each Python from 3.10 to 3.13. One that is not installed is named, and makes this fail.
set -uo pipefail

# The interpreter of a version, from the PATH, pyenv or uv; nothing where there is none that works.
find_python() {
  local candidate
  for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python "$(uv python find --no-project "$1" 2>/dev/null)"; do
    if "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
}

missing=() failed=()
for version in 3.10 3.11 3.12 3.13; do
  python="$(find_python "$version")"
  if [ -z "$python" ]; then
    missing+=("$version")
    continue
  fi
  echo "== Python $version ($python)"
  make --no-print-directory test VENV=".venv-$version" PYTHON="$python" || failed+=("$version")
done
[ ${#missing[@]} -eq 0 ] || echo "Not tested, for want of an interpreter: ${missing[*]}" >&2
[ ${#failed[@]} -eq 0 ] || echo "Failed on: ${failed[*]}" >&2
[ $((${#missing[@]} + ${#failed[@]})) -eq 0 ]
