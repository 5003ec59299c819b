#!/usr/bin/env bash
# Tests on several Pythons, from 3.10 to 3.13, each in a separate virtual environment.
#   tests/matrix.sh         `make test` on each; one that is not installed is named, and makes this fail
#   tests/matrix.sh ends    `make test-unit` on the oldest and the newest that are installed, without the slowest file
#                           and with few examples of each property
# Says at the end on which Pythons the tests passed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

# It tries an interrupt at each line of the engine, and takes minutes.
slowest=tests/unit/task/test_sink_task_interrupts.py

# The interpreter of a version, from the PATH, pyenv or uv; nothing where there is none that can make an environment.
find_python() {
  local candidate
  for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python "$(uv python find --no-project "$1" 2>/dev/null)"; do
    "$candidate" - "$1" 2>/dev/null <<'PYTHON' && return
import ensurepip, ssl, sys, venv
if "%d.%d" % sys.version_info[:2] != sys.argv[1]:
    sys.exit(1)
print(sys.executable)
PYTHON
  done
}

found=() missing=() passed='' failed=''
for version in 3.10 3.11 3.12 3.13; do
  python="$(find_python "$version")"
  if [ -n "$python" ]; then found+=("$version $python"); else missing+=("$version"); fi
done

target=test
if [ "${1:-}" = ends ]; then
  target=test-unit missing=()
  [ ${#found[@]} -gt 0 ] || missing=("any of 3.10 to 3.13")
  [ ${#found[@]} -lt 2 ] || found=("${found[0]}" "${found[${#found[@]} - 1]}")
  export PYTEST_ADDOPTS="${PYTEST_ADDOPTS:-} --ignore=$slowest" HYPOTHESIS_PROFILE="${HYPOTHESIS_PROFILE:-few}"
fi

for entry in ${found[@]+"${found[@]}"}; do
  version="${entry%% *}" python="${entry#* }"
  name="$("$python" -V)"
  echo "== make $target on $name ($python)"
  if make --no-print-directory "$target" VENV=".venv-$version" PYTHON="$python"; then
    passed+="${passed:+, }$name"
  else
    failed+="${failed:+, }$name"
  fi
done

[ -z "$passed" ] || echo "make $target passed on $passed"
[ -z "$failed" ] || echo "make $target failed on $failed" >&2
[ ${#missing[@]} -eq 0 ] || echo "Not tested, for want of an interpreter: ${missing[*]}" >&2
[ -z "$failed" ] && [ ${#missing[@]} -eq 0 ]
