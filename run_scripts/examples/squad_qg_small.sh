#!/usr/bin/env bash
# SQuAD question generation from scratch with a small model, on the published dev file; the test file is held out.
#   bash run_scripts/examples/squad_qg_small.sh DATA [OUTPUT]
# DATA holds src-dev.txt.gz, tgt-dev.txt.gz, src-test.txt.gz and tgt-test.txt.gz (Du et al., 2017: one sentence a line,
# and its question). The last 970 lines of dev choose the checkpoint, the others train.
set -euo pipefail
data=$(realpath "${1:?folder with src-dev.txt.gz, tgt-dev.txt.gz, src-test.txt.gz and tgt-test.txt.gz}")
cd "$(dirname "$0")/../.."
output=${2:-runs/squad_qg_small}
source run_scripts/setup_env.sh
mkdir -p "$output/data"
for side in src tgt; do
    gunzip -c "$data/$side-dev.txt.gz" | head -n -970 > "$output/data/$side-train.txt"
    gunzip -c "$data/$side-dev.txt.gz" | tail -n 970 > "$output/data/$side-dev.txt"
    gunzip -c "$data/$side-test.txt.gz" > "$output/data/$side-test.txt"
done
python -m unimo train-tokenizer --input "$output"/data/{src,tgt}-train.txt --output "$output/tokenizer" --vocab_size 6000
python -m unimo train --devices "${DEVICES:-$(( $(nproc) < 2 ? 1 : 2 ))}" --config model_configs/finetune/squad_qg_small.yaml --resume \
    --output "$output/run" --tokenizer "$output/tokenizer" --data.train "$output/data/src-train.txt" \
    --data.evaluate "{dev: $output/data/src-dev.txt}"
# the held-out file once, at the end: writing 11,877 questions takes as long as training
python -m unimo evaluate --checkpoint "$output/run/checkpoints/best" --predictions "$output/scores" \
    --data.evaluate "{test: $output/data/src-test.txt}"
head -n 8 "$output/scores/predictions/test.jsonl"
