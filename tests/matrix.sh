#!/usr/bin/env bash
# Tests on several Pythons, from 3.10 to 3.13, each in a virtual environment of its own.
#   tests/matrix.sh         `make test` on each; one that is not installed is named, and makes this fail
#   tests/matrix.sh ends    `make test-unit` on the oldest and the newest that are installed
set -uo pipefail

# The interpreter of a version, from the PATH, pyenv or uv; nothing where there is none that works.
find_python() {
  local candidate
  for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python "$(uv python find --no-project "$1" 2>/dev/null)"; do
    if "$candidate" -c "import ensurepip, sys, venv; sys.exit('%d.%d' % sys.version_info[:2] != '$1')" 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
}

declare -A python
found=() missing=() failed=()
for version in 3.10 3.11 3.12 3.13; do
  python[$version]="$(find_python "$version")"
  if [ -n "${python[$version]}" ]; then found+=("$version"); else missing+=("$version"); fi
done

target=test
if [ "${1:-}" = ends ]; then
  target=test-unit missing=()
  [ ${#found[@]} -gt 0 ] || missing=("any of 3.10 to 3.13")
  [ ${#found[@]} -lt 2 ] || found=("${found[0]}" "${found[-1]}")
fi

for version in ${found[@]+"${found[@]}"}; do
  echo "== make $target on Python $version (${python[$version]})"
  make --no-print-directory "$target" VENV=".venv-$version" PYTHON="${python[$version]}" || failed+=("$version")
done
[ ${#missing[@]} -eq 0 ] || echo "Not tested, for want of an interpreter: ${missing[*]}" >&2
[ ${#failed[@]} -eq 0 ] || echo "Failed on: ${failed[*]}" >&2
[ $((${#missing[@]} + ${#failed[@]})) -eq 0 ]
