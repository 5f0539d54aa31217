#!/usr/bin/env bash
# Set up the environment and pass the tests: the default suite in two workers. Arguments go on to pytest, the last word
# counts: `test.sh -m slow`, `test.sh -n 0 --pdb tests/metrics`.
set -euo pipefail
cd "$(dirname "$0")/.."
source run_scripts/setup_env.sh
exec python -m pytest -m "not slow" -n 2 --dist loadfile "$@"
