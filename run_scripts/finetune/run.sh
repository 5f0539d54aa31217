#!/usr/bin/env bash
# What the scripts beside this one share: run.sh TASK DATA CHECKPOINT [OUTPUT] [--key.of.the.job value ...]
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
task=$1${SIZE:+_$SIZE}
data=$(realpath "${2:?folder of the data}") checkpoint=$(realpath "${3:?checkpoint folder to start from}")
shift 3
output=$PWD/runs/$task
if [ $# -gt 0 ] && [ "${1#--}" = "$1" ]; then output=$(realpath -m "$1"); shift; fi
source "$root/run_scripts/setup_env.sh"
verb=(train --resume)
if [ -n "${SWEEP:-}" ]; then verb=(sweep); fi  # every combination of the yaml's sweep block
cd "$data"
exec python -m unimo "${verb[@]}" --config "$root/model_configs/finetune/$task.yaml" --devices "${DEVICES:-1}" \
    --output "$output" --init_from "$checkpoint" --tokenizer "$checkpoint" "$@"
