#!/usr/bin/env bash
# One job on one machine, supervised: DEVICES=8 bash run_scripts/train.sh --config F [--key.of.the.job value ...]
# DEVICES: processes (one a GPU, or so many on the CPU). MAX_RESTARTS: how often the job is started again from its
# latest checkpoint. A run that is there already goes on. Exit status 75: stopped by SIGTERM and saved; run it again.
set -euo pipefail
cd "$(dirname "$0")/.."
source run_scripts/setup_env.sh
exec python -m unimo train --resume --devices "${DEVICES:-1}" --max_restarts "${MAX_RESTARTS:-10}" "$@"
