#!/usr/bin/env bash
# What of pre-training helps? The tiny model on the drawn world, with and without each part, and `ablation.json`.
#   bash run_scripts/ablation_shapes.sh WORLD_FOLDER [OUTPUT] [--key.of.the.job value ...]
# WORLD_FOLDER is a quickstart's (world/, regions/, tokenizer/, augmented/). Every run that is done is skipped when it is
# started again, and one that was interrupted goes on. 12 runs; DEVICES: processes of one run. Keys go to every run.
set -euo pipefail
source "$(dirname "$0")/folders.sh" ablation "$@"
cd "$root"
base=$folder

variant() {  # variant NAME SEEDS OVERRIDES...
    local name=$1 seeds=$2 seed run; shift 2
    for seed in $seeds; do
        run=$output/$name-seed$seed
        if [ -f "$run/negatives.json" ]; then continue; fi
        python -m unimo train --config model_configs/pretrain/tiny.yaml --resume --devices "${DEVICES:-1}" --output "$run" \
            --tokenizer "$base/tokenizer" --data.regions "$base/regions" --training.seed "$seed" \
            --options.pairs "$base/world/captions_train.jsonl" --options.texts "$base/world/texts_train.jsonl" \
            --options.images "$base/world/images_train.jsonl" --options.contrastive.augmented "$base/augmented" \
            --data.evaluate "{test: $base/world/retrieval_test.jsonl}" "$@" "${keys[@]}"
        python -m unimo evaluate-negatives --checkpoint "$run/checkpoints/best" --world "$base/world" \
            --regions "$base/regions" --json "$run/negatives.json"
        python -m unimo ablation --runs "$output" --json "$output/ablation.json"
    done
}

variant full "1 2 3"
variant without_cmcl "1 2 3" --options.contrastive.num_pairs 0
variant random_captions "1 2 3" --options.contrastive.counts.rewrites 0 --options.contrastive.counts.similar 0 \
    --options.contrastive.counts.random 4
variant without_retrieval 1 --options.contrastive.counts.images 0 --options.contrastive.counts.texts 0 \
    --options.loss_weights.contrastive 1
variant without_texts 1 --options.shares.texts 0
variant without_images 1 --options.shares.images 0
python -m unimo ablation --runs "$output" --json "$output/ablation.json"
