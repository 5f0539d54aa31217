#!/usr/bin/env bash
# What the scripts beside this one share: run.sh TASK DATA CHECKPOINT [OUTPUT] [--key.of.the.job value ...]
# MAX_RESTARTS: how often the job is started again from its latest checkpoint when a process dies or hangs (default 10).
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
if [ $# -lt 3 ]; then sed -n '3s/^# */usage: /p' "$root/run_scripts/finetune/${1:-sst2}.sh" >&2; exit 2; fi
task=$1${SIZE:+_$SIZE} output=$PWD/runs/$1${SIZE:+_$SIZE} data=$(cd "$2" && pwd) || exit 2  # before an environment is made
checkpoint=$(cd "$3" && pwd) || exit 2
shift 3
if [ $# -gt 0 ] && [ "${1#--}" = "$1" ]; then output=$(realpath -m "$1"); shift; fi
source "$root/run_scripts/setup_env.sh"
if [ -n "${SWEEP:-}" ]; then verb=(sweep); else verb=(train --resume); fi  # sweep: every combination of the yaml's block
cd "$data"
exec python -m unimo "${verb[@]}" --config "$root/model_configs/finetune/$task.yaml" --devices "${DEVICES:-1}" \
    --max_restarts "${MAX_RESTARTS:-10}" --output "$output" --init_from "$checkpoint" --tokenizer "$checkpoint" "$@"
