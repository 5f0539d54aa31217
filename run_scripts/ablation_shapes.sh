#!/usr/bin/env bash
# What of pre-training helps? The tiny model on the drawn world, with and without each part, and `ablation.json`.
#   bash run_scripts/ablation_shapes.sh WORLD_FOLDER [OUTPUT] [--key.of.the.job value ...]
# WORLD_FOLDER is a quickstart's. The first two stages of a seed, in which captions and images are learned to be read, are
# trained once and shared by the variants, which differ in the third; shapes_stages.sh tells of JOBS and of starting again.
# Keys go to every run of the third stage. The weight of contrastive learning is the number of a pair's positives, over which
# the recipe takes a mean: 1 for the pair itself.
set -euo pipefail
source "$(dirname "$0")/folders.sh" ablation "$@"
source "$root/run_scripts/shapes_stages.sh"

variant() {  # variant NAME SEED OVERRIDES...
    local run=$output/$1-seed$2 seed=$2; shift 2
    until [ -f "$output/relations-seed$seed/report.json" ]; do sleep 1; done  # of another lane
    train contrast "$run" "$seed" --init_from "$output/relations-seed$seed/checkpoints/latest" \
        --options.texts "$base/world/texts_train.jsonl" --options.images "$base/world/images_train.jsonl" \
        --data.evaluate "{test: $base/world/retrieval_test.jsonl}" "$@" "${keys[@]}"
    negatives "$run/checkpoints/latest" "$run/negatives.json"
}

for seed in 1 2 3; do beside "first_stages-seed$seed" first_stages "$seed"; done
for seed in 1 2 3; do
    beside "full-seed$seed" variant full "$seed"
    beside "random_captions-seed$seed" variant random_captions "$seed" --options.contrastive.counts.rewrites 0 \
        --options.contrastive.counts.similar 0 --options.contrastive.counts.random 7
    beside "without_cmcl-seed$seed" variant without_cmcl "$seed" --options.contrastive.num_pairs 0
done
beside without_retrieval-seed1 variant without_retrieval 1 --options.contrastive.counts.images 0 \
    --options.contrastive.counts.texts 0 --options.loss_weights.contrastive 1
beside without_texts-seed1 variant without_texts 1 --options.shares.texts 0 --options.contrastive.counts.texts 0 \
    --options.loss_weights.contrastive 2
beside without_images-seed1 variant without_images 1 --options.shares.images 0 --options.contrastive.counts.images 0 \
    --options.loss_weights.contrastive 2
beside any_positive-seed1 variant any_positive 1 --options.contrastive.needed any \
    --options.loss_weights.contrastive 1  # the paper's equation as it is written
until_fewer_than 1
python -m unimo ablation --runs "$output" --json "$output/ablation.json"
