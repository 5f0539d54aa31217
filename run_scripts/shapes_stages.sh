#!/usr/bin/env bash
# What the scripts share that pre-train on the drawn world in stages (ablation_shapes.sh, remedies_shapes.sh), which source this
# after folders.sh: $folder is a quickstart's (world/, regions/, tokenizer/, augmented/), $output holds the runs, and JOBS runs
# go side by side (default: one a core), each with a log beside it. What is done is skipped when the script is started again,
# and what was interrupted goes on.
cd "$root"
base=$folder
jobs=${JOBS:-$(python -c 'from unimo.runtime.settings import usable_cores; print(usable_cores())')}
if [ "$jobs" -gt 1 ]; then export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}; fi
mkdir -p "$output"

train() {  # train STAGE RUN SEED OVERRIDES...
    local stage=$1 run=$2 seed=$3; shift 3
    if [ -f "$run/report.json" ]; then return; fi
    python -m unimo train --config "model_configs/pretrain/shapes_$stage.yaml" --resume --devices 1 --output "$run" \
        --tokenizer "$base/tokenizer" --data.regions "$base/regions" --training.seed "$seed" \
        --options.pairs "$base/world/captions_train.jsonl" --options.contrastive.augmented "$base/augmented" "$@"
}

negatives() {  # negatives CHECKPOINT JSON [--key value ...]
    if [ -f "$2" ]; then return; fi
    python -m unimo evaluate-negatives --checkpoint "$1" --world "$base/world" --regions "$base/regions" --json "$2" "${@:3}"
}

curve() {  # curve RUN: what each checkpoint on the way tells from 200 captions, and the last from all
    local checkpoint step
    for checkpoint in "$1"/checkpoints/step-*; do
        if [ ! -d "$checkpoint" ]; then continue; fi
        step=${checkpoint##*step-}
        negatives "$checkpoint" "$1/negatives-at-$((10#$step)).json" --captions_per_image 1
    done
    negatives "$1/checkpoints/latest" "$1/negatives.json"
}

first_stages() {  # first_stages SEED: captions are learned to be read with their images, then relations
    local reading=$output/reading-seed$1 relations=$output/relations-seed$1
    train reading "$reading" "$1"
    train relations "$relations" "$1" --init_from "$reading/checkpoints/latest"
    curve "$reading"
    curve "$relations"
}

source run_scripts/lanes.sh
beside() {  # beside NAME COMMAND...: as soon as fewer than $jobs are running
    until_fewer_than "$jobs"
    start into_log "$output/$1.log" "$1" "${@:2}"
}
