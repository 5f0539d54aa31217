#!/usr/bin/env bash
# Pre-train the base model.
#   [DEVICES=8] bash run_scripts/pretrain_base.sh DATA [OUTPUT] [--key.of.the.job value ...]  # --dry_run: its cost
# DATA holds the corpora, the region store, what `unimo augment` wrote, and roberta-base/ (see data/README.md).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
data=$(realpath "${1:?folder of the pre-training corpora}"); shift
output=$PWD/runs/pretrain_base
if [ $# -gt 0 ] && [ "${1#--}" = "$1" ]; then output=$(realpath -m "$1"); shift; fi
source "$root/run_scripts/setup_env.sh"
cd "$data"
exec python -m unimo train --config "$root/model_configs/pretrain/base.yaml" --resume --devices "${DEVICES:-1}" \
    --output "$output" "$@"
