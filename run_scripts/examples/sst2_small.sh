#!/usr/bin/env bash
# SST-2 from scratch with a small model.
#   bash run_scripts/examples/sst2_small.sh DATA [OUTPUT]
# DATA holds train.tsv (or train.tsv.gz), dev.tsv and test.tsv with the columns `sentence` and `label`.
set -euo pipefail
data=$(realpath "${1:?folder with train.tsv, dev.tsv and test.tsv}")
cd "$(dirname "$0")/../.."
output=${2:-runs/sst2_small}
source run_scripts/setup_env.sh
train=$data/train.tsv
[ -f "$train" ] || train=$data/train.tsv.gz
python -m unimo train-tokenizer --input "$train" --output "$output/tokenizer" --vocab_size 16000
python -m unimo train --devices "${DEVICES:-1}" --config model_configs/finetune/sst2_small.yaml --resume \
    --output "$output" --tokenizer "$output/tokenizer" --data.train "$train" \
    --data.evaluate "{dev: $data/dev.tsv, test: $data/test.tsv}"
