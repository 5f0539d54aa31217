#!/usr/bin/env bash
# Real photographs: regions, pre-training and captioning of a few COCO images.
#   [DEVICES=2] bash run_scripts/examples/coco_mini.sh IMAGES CAPTIONS [OUTPUT]
# IMAGES holds train2017/ and val2017/; CAPTIONS holds captions_train2017.json and captions_val2017.json.
set -euo pipefail
images=$(realpath "${1:?folder with train2017/ and val2017/}")
captions=$(realpath "${2:?folder with captions_train2017.json and captions_val2017.json}")
cd "$(dirname "$0")/../.."
output=${3:-runs/coco_mini}
source run_scripts/setup_env.sh
train=$captions/captions_train2017.json
python -m unimo regions extract --images "$images" --output "$output/regions" --max_regions 36 --grid 3
python -m unimo train-tokenizer --input "$train" --output "$output/tokenizer" --vocab_size 2000
job() { python -m unimo train --config "model_configs/$1.yaml" --resume --devices "${DEVICES:-2}" "${@:2}"; }
job pretrain/coco_mini --output "$output/pretraining" --tokenizer "$output/tokenizer" \
    --data.regions "$output/regions" --options.pairs "$train"
job finetune/examples/coco_mini --output "$output/captioning" --init_from "$output/pretraining/checkpoints/best" \
    --data.regions "$output/regions" --data.train "$train" \
    --data.evaluate "{train: $train, val: $captions/captions_val2017.json}"
python -m unimo report --run "$output/captioning" --images "$images"
