#!/usr/bin/env bash
# Searching drawn pictures in two stages: from a quickstart's pre-training, retrieval that also encodes images and texts
# alone; then its recall by the number of candidates that are read jointly, beside exact retrieval.
#   bash run_scripts/examples/shapes_search.sh [QUICKSTART] [OUTPUT]
# QUICKSTART (default: runs/shapes) holds pretraining/ and regions/. The world is drawn anew, with 1,000 test pictures.
set -euo pipefail
if [ $# -gt 2 ] || [[ "${1-}" == --* ]]; then sed -n '/^#   bash/s/^# */usage: /p' "$0" >&2; exit 2; fi
cd "$(dirname "$0")/../.."
quickstart=$(realpath -m "${1:-runs/shapes}")
output=${2:-runs/shapes_search}
[ -d "$quickstart/pretraining" ] && [ -d "$quickstart/world" ] || { echo "$quickstart: no folder of a quickstart (pretraining/ or world/ is missing)" >&2; exit 2; }
source run_scripts/setup_env.sh
world=$output/world
python -m unimo worlds shapes --output "$world" --num_train 5000 --num_test 1000
python -m unimo regions extract --images "$world/images" --output "$output/regions" --max_regions 8 --grid 0 \
    --codebook "$quickstart/regions"
python -m unimo train --devices "${DEVICES:-1}" --config model_configs/finetune/shapes/retrieval.yaml --resume \
    --output "$output/retrieval" --init_from "$quickstart/pretraining/checkpoints/best" --options.dual_pairs 96 \
    --training.num_steps 2400 --training.best_metric "" --data.regions "$output/regions" \
    --data.train "$world/captions_train.jsonl" --data.evaluate "{}"
head -n 200 "$world/captions_test.jsonl" > "$output/captions_200.jsonl"
search() { python -m unimo index evaluate --checkpoint "$output/retrieval/checkpoints/best" --regions "$output/regions" "$@"; }
search --captions "$output/captions_200.jsonl" --ks 5 10 20 50 --json "$output/200.json"            # exact too: 200,000 pairs
search --captions "$world/captions_test.jsonl" --ks 10 20 50 --exact false --json "$output/1000.json"  # 5 million pairs
