#!/usr/bin/env bash
# Set up the environment and pass the tests: the default suite, or what the arguments say (they go to pytest).
set -euo pipefail
cd "$(dirname "$0")/.."
source run_scripts/setup_env.sh
if [ $# -eq 0 ]; then set -- -m "not slow" -n 2 --dist loadfile; fi
exec python -m pytest "$@"
