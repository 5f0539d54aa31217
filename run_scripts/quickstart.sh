#!/usr/bin/env bash
# The whole system on data it makes itself: about 15 minutes on 2 cores.
#
#   bash run_scripts/quickstart.sh [--output DIR]        # DIR holds report.html and report.json at the end
#
# Stages that are done are skipped when it is started again. DEVICES: processes that pre-train together (default: 2, or
# 1 where there is one core); from 2 on, retrieval is fine-tuned beside the two other tasks, each with half of them. The
# results do not depend on it beyond rounding.
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
cores=$(nproc 2>/dev/null || echo 2)
devices=${DEVICES:-$((cores < 2 ? 1 : 2))}
world=$output/world

stage() {  # stage NAME COMMAND...: run once, and keep how long it took and when it began
    local name=$1 began=$EPOCHSECONDS; shift
    if grep -qs "^$name	" "$output/stages.tsv"; then echo "== $name: done before"; return; fi
    echo "== $name"
    "$@"
    printf '%s\t%s\t%s\n' "$name" $((EPOCHSECONDS - began)) "$began" >> "$output/stages.tsv"
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

stage world python -m unimo worlds shapes --output "$world" --num_train 5000
stage regions python -m unimo regions extract --images "$world/images" --output "$output/regions" --max_regions 8 --grid 0
stage tokenizer python -m unimo train-tokenizer --output "$output/tokenizer" --vocab_size 1000 \
    --input "$world/captions_train.jsonl" "$world/captioning_train.jsonl" "$world/texts_train.jsonl"
stage augment python -m unimo augment --config model_configs/augment/shapes.yaml --output "$output/augmented" \
    --pairs.files "[$world/captions_train.jsonl]" --texts "[$world/texts_train.jsonl]" \
    --images "$world/images_train.jsonl" --regions "$output/regions"
stage pretraining job pretrain/tiny.yaml pretraining --tokenizer "$output/tokenizer" --data.regions "$output/regions" \
    --options.pairs "$world/captions_train.jsonl" --options.texts "$world/texts_train.jsonl" \
    --options.images "$world/images_train.jsonl" --options.contrastive.augmented "$output/augmented" \
    --data.evaluate "{test: $world/retrieval_test.jsonl}"
stage negatives python -m unimo evaluate-negatives --checkpoint "$output/pretraining/checkpoints/best" \
    --world "$world" --regions "$output/regions" --captions_per_image 1 \
    --json "$output/negatives.json" --predictions "$output/negatives.jsonl"

retrieval() { stage retrieval finetune retrieval captions_train.jsonl retrieval jsonl --data.regions "$output/regions"; }
others() {
    stage captioning finetune captioning captioning_train.jsonl captioning jsonl --data.regions "$output/regions"
    stage statements finetune statements statements_train.tsv statements tsv
}
if [ "$devices" -lt 2 ]; then
    retrieval
    others
else  # a process on each half of the cores waits for nobody, as two that share every step do
    devices=$((devices / 2))
    export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((cores / 2 > devices ? cores / 2 / devices : 1))}
    log=$output/captioning_and_statements.log
    set -m  # a process group of its own: it can be ended with all that it started
    { trap 'exit 143' TERM; others; } > "$log" 2>&1 < /dev/null &  # ends when its job has saved
    beside=$!
    set +m
    trap 'kill -- "-$beside" 2>/dev/null || true; wait' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    echo "== captioning and statements go on beside it: $log"
    retrieval
    echo "== waiting for captioning and statements"
    wait "$beside" || { status=$?; tail -n 20 "$log" >&2; exit "$status"; }
    trap - EXIT INT TERM
    tail -n 3 "$log"
fi
python -m unimo report --run "$output"
echo "open $output/report.html"
