#!/usr/bin/env bash
# What lets the tiny model learn how two objects stand to each other? One thing changed in each run, and its curve.
#   bash run_scripts/remedies_shapes.sh WORLD_FOLDER [OUTPUT] [--key.of.the.job value ...]
# WORLD_FOLDER is a quickstart's; shapes_stages.sh tells of JOBS and of starting again. Each remedy has the steps of the first two
# stages of the ablation, 2,500 together, but for those that say otherwise; seed 1 of these stages is the recipe that they are
# compared with, and is there already where OUTPUT is the ablation's. Keys go to every remedy.
set -euo pipefail
source "$(dirname "$0")/folders.sh" remedies "$@"
source "$root/run_scripts/shapes_stages.sh"

one_stage() {  # one_stage NAME OVERRIDES...: no order, everything at once
    local run=$output/$1-seed1; shift
    train reading "$run" 1 --training.num_steps 2500 "$@" "${keys[@]}"
    curve "$run"
}

two_stages() {  # two_stages NAME OVERRIDES...: of the first stage, relations left out as in the recipe
    local run=$output/$1-seed1 reading=$output/reading_$1-seed1; shift
    train reading "$reading" 1 "$@" "${keys[@]}"
    train relations "$run" 1 --init_from "$reading/checkpoints/latest" "${keys[@]}"
    curve "$reading"
    curve "$run"
}

negatives_at_once() {  # contrastive learning over rewritten captions straight after reading
    local run=$output/negatives_at_once-seed1
    train contrast "$run" 1 --init_from "$output/reading-seed1/checkpoints/latest" --training.save_every 500 \
        --training.keep_checkpoints 10 --options.texts "$base/world/texts_train.jsonl" \
        --options.images "$base/world/images_train.jsonl" --data.evaluate "{}" "${keys[@]}"
    curve "$run"
}

longer() {  # as long again
    local run=$output/longer-seed1
    train reading "$run" 1 --init_from "$output/from_the_start-seed1/checkpoints/latest" --training.num_steps 2500 \
        --options.scenegraph_kinds "{object: 1, attribute: 2, relation: 2}" "${keys[@]}"
    curve "$run"
}

beside first_stages-seed1 first_stages 1
beside from_the_start one_stage from_the_start --options.scenegraph_kinds "{object: 1, attribute: 2, relation: 2}"
until_fewer_than 1
beside negatives_at_once negatives_at_once
beside longer longer
beside mostly_relations one_stage mostly_relations --options.scenegraph_kinds "{object: 0.5, attribute: 1.5, relation: 5}"
beside spans two_stages spans --options.scenegraph_mask_ratio 0
beside plain_locations two_stages plain_locations --arch.location_frequencies 0
beside small_weights two_stages small_weights --arch.initializer_range 0.02
until_fewer_than 1
python -m unimo ablation --runs "$output" --json "$output/remedies.json"
