#!/usr/bin/env bash
# Pre-train the large model.
#   [DEVICES=8] bash run_scripts/pretrain_large.sh DATA [OUTPUT] [--key.of.the.job value ...]  # --dry_run: its cost
# DATA holds the corpora, the region store, what `unimo augment` wrote, and roberta-large/ (see data/README.md). MAX_RESTARTS
# says how often the job is started again from its latest checkpoint when a process dies or hangs (default 10).
set -euo pipefail
source "$(dirname "$0")/folders.sh" pretrain_large "$@"
cd "$folder"
exec python -m unimo train --config "$root/model_configs/pretrain/large.yaml" --resume --devices "${DEVICES:-1}" \
    --max_restarts "${MAX_RESTARTS:-10}" --output "$output" "${keys[@]}"
