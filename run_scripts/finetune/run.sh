#!/usr/bin/env bash
# What the scripts beside this one share: run.sh TASK DATA CHECKPOINT [OUTPUT] [--key.of.the.job value ...]
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
if [ $# -lt 3 ]; then
    sed -n '3p' "$root/run_scripts/finetune/${1:-sst2}.sh" | sed 's/^# */usage: /' >&2
    exit 2
fi
task=$1${SIZE:+_$SIZE}
data=$(realpath -m "$2") checkpoint=$(realpath -m "$3")
for folder in "$data" "$checkpoint"; do  # before an environment is made
    if [ ! -d "$folder" ]; then echo "unimo: error: $folder: no such folder" >&2; exit 2; fi
done
shift 3
output=$PWD/runs/$task
if [ $# -gt 0 ] && [ "${1#--}" = "$1" ]; then output=$(realpath -m "$1"); shift; fi
source "$root/run_scripts/setup_env.sh"
verb=(train --resume)
if [ -n "${SWEEP:-}" ]; then verb=(sweep); fi  # every combination of the yaml's sweep block
cd "$data"
exec python -m unimo "${verb[@]}" --config "$root/model_configs/finetune/$task.yaml" --devices "${DEVICES:-1}" \
    --output "$output" --init_from "$checkpoint" --tokenizer "$checkpoint" "$@"
