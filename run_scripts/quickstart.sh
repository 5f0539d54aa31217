#!/usr/bin/env bash
# The whole system on data it makes itself: about 15 minutes on 2 cores.
#
#   bash run_scripts/quickstart.sh [--output DIR]        # DIR holds report.html and report.json at the end
#
# Stages that are done are skipped when it is started again. DEVICES: processes that pre-train together (default: 2, or
# 1 where there is one core); from 2 on, retrieval is fine-tuned beside the two other tasks, with half of them each,
# rounded down. The results do not depend on it beyond rounding.
set -euo pipefail
cd "$(dirname "$0")/.."
output=runs/shapes
while [ $# -gt 0 ]; do
    case "$1" in
        --output) output=${2:?--output needs a folder}; shift 2 ;;
        *) echo "usage: bash run_scripts/quickstart.sh [--output DIR]" >&2; exit 2 ;;
    esac
done
source run_scripts/setup_env.sh
mkdir -p "$output"
cores=$(python -c 'from unimo.runtime.settings import usable_cores; print(usable_cores())')
devices=${DEVICES:-$((cores < 2 ? 1 : 2))}
world=$output/world

done_before() { local name; for name; do grep -qs "^$name	" "$output/stages.tsv" || return 1; done; }

stage() {  # stage NAME COMMAND...: run once, and keep how long it took and when it began
    local name=$1 began=$(date +%s); shift
    if done_before "$name"; then echo "== $name: done before"; return; fi
    echo "== $name"
    "$@"
    printf '%s\t%s\t%s\n' "$name" $(($(date +%s) - began)) "$began" >> "$output/stages.tsv"
}

job() {  # job YAML NAME OVERRIDES...: train in $output/NAME
    local yaml=$1 name=$2; shift 2
    python -m unimo train --config "model_configs/$yaml" --resume --devices "$devices" --output "$output/$name" "$@"
}

finetune() {  # finetune NAME TRAIN PREFIX SUFFIX: the last weights are scored on PREFIX_test.SUFFIX; nothing is chosen
    local name=$1 train=$2 prefix=$3 suffix=$4; shift 4
    job "finetune/shapes/$name.yaml" "$name" --init_from "$output/pretraining/checkpoints/best" \
        --data.train "$world/$train" \
        --data.evaluate "{test: $world/${prefix}_test.$suffix}" --training.best_metric "" "$@"
}

prepare() {
    stage world python -m unimo worlds shapes --output "$world" --num_train 5000
    stage regions python -m unimo regions extract --images "$world/images" --output "$output/regions" --max_regions 8 --grid 0
    stage tokenizer python -m unimo train-tokenizer --output "$output/tokenizer" --vocab_size 1000 \
        --input "$world/captions_train.jsonl" "$world/captioning_train.jsonl" "$world/texts_train.jsonl"
    stage augment python -m unimo augment --config model_configs/augment/shapes.yaml --output "$output/augmented" \
        --pairs.files "[$world/captions_train.jsonl]" --texts "[$world/texts_train.jsonl]" \
        --images "[$world/images_train.jsonl]" --regions "$output/regions"
    done_before pretraining || echo "== in pretraining the loss rises at steps 900 (relations are asked for) and 1450 (captions are contrasted)"
    stage pretraining job pretrain/tiny.yaml pretraining --tokenizer "$output/tokenizer" --data.regions "$output/regions" \
        --options.pairs "$world/captions_train.jsonl" --options.texts "$world/texts_train.jsonl" \
        --options.images "$world/images_train.jsonl" --options.contrastive.augmented "$output/augmented" \
        --data.evaluate "{test: $world/retrieval_test.jsonl}"
    stage negatives python -m unimo evaluate-negatives --checkpoint "$output/pretraining/checkpoints/best" \
        --world "$world" --regions "$output/regions" --captions_per_image 1 \
        --json "$output/negatives.json" --predictions "$output/negatives.jsonl"
}
retrieval() { stage retrieval finetune retrieval captions_train.jsonl retrieval jsonl --data.regions "$output/regions"; }
others() {
    stage captioning finetune captioning captioning_train.jsonl captioning jsonl --data.regions "$output/regions"
    stage statements finetune statements statements_train.tsv statements tsv
}

log=$output/captioning_and_statements.log
source run_scripts/lanes.sh

start prepare
until_fewer_than 1
if [ "$devices" -lt 2 ] || done_before captioning statements || done_before retrieval; then
    start retrieval
    until_fewer_than 1
    start others
else  # two jobs of one process never wait for each other; two processes of one job do at every step
    devices=$((devices / 2))
    export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((cores / 2 > devices ? cores / 2 / devices : 1))}
    echo "== captioning and statements beside retrieval: $log"
    start into_log "$log" "quickstart: captioning or statements" others
    start retrieval
fi
until_fewer_than 1
python -m unimo report --run "$output"
