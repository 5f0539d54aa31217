#!/usr/bin/env bash
# Searching drawn pictures in two stages: from a quickstart's pre-training, retrieval that also encodes images and texts
# alone; then its recall by the number of candidates that are read jointly, beside exact retrieval.
#   bash run_scripts/examples/shapes_search.sh [QUICKSTART] [OUTPUT]
# QUICKSTART (default: runs/shapes) holds pretraining/, regions/ and world/. The world is drawn anew, with 1,000 test pictures.
set -euo pipefail
source "$(dirname "$0")/from_quickstart.sh" shapes_search "--num_train 5000 --num_test 1000" "$@"
python -m unimo train --devices "${DEVICES:-1}" --config model_configs/finetune/shapes/retrieval.yaml --resume \
    --output "$output/retrieval" --init_from "$quickstart/pretraining/checkpoints/best" --options.dual_pairs 96 \
    --training.num_steps 2400 --training.best_metric "" --data.regions "$output/regions" \
    --data.train "$world/captions_train.jsonl" --data.evaluate "{}"
head -n 200 "$world/captions_test.jsonl" > "$output/captions_200.jsonl"
search() { python -m unimo index evaluate --checkpoint "$output/retrieval/checkpoints/best" --regions "$output/regions" "$@"; }
search --captions "$output/captions_200.jsonl" --ks 5 10 20 50 --json "$output/200.json"            # exact too: 200,000 pairs
search --captions "$world/captions_test.jsonl" --ks 10 20 50 --exact false --json "$output/1000.json"  # 5 million pairs
