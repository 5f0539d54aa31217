#!/usr/bin/env bash
# Real photographs: regions, contrastive pre-training and captioning of a few COCO images, each with a report to look at.
#   [DEVICES=2] [TEXTS=FILE] bash run_scripts/examples/coco_mini.sh IMAGES CAPTIONS [OUTPUT]
# IMAGES holds train2017/ and val2017/; CAPTIONS holds captions_train2017.json and captions_val2017.json. TEXTS, one a line
# (.gz is unpacked), are free texts to retrieve sentences from and to pre-train on; without them images alone are retrieved,
# among those that no captions name.
set -euo pipefail
images=$(realpath "${1:?folder with train2017/ and val2017/}")
captions=$(realpath "${2:?folder with captions_train2017.json and captions_val2017.json}")
free=()
if [ -n "${TEXTS:-}" ]; then free=("$(realpath "$TEXTS")"); fi
cd "$(dirname "$0")/../.."
output=${3:-runs/coco_mini}
source run_scripts/setup_env.sh
train=$captions/captions_train2017.json val=$captions/captions_val2017.json
python -m unimo regions extract --images "$images" --output "$output/regions" --max_regions 36 --grid 3
python -m unimo train-tokenizer --input "$train" "${free[@]}" --output "$output/tokenizer" --vocab_size 2000
python -m unimo augment --config model_configs/augment/coco_mini.yaml --output "$output/augmented" --pairs.files "[$train]" \
    --regions "$output/regions" --held_out "[$val]" ${free:+--texts "[$free]"}
job() { python -m unimo train --config "model_configs/$1.yaml" --resume --devices "${DEVICES:-2}" "${@:2}"; }
job pretrain/coco_mini --output "$output/pretraining" --tokenizer "$output/tokenizer" --data.regions "$output/regions" \
    --options.pairs "$train" --options.contrastive.augmented "$output/augmented" \
    ${free:+--options.texts "$free" --options.shares.texts 0.2}
job finetune/examples/coco_mini --output "$output/captioning" --init_from "$output/pretraining/checkpoints/best" \
    --data.regions "$output/regions" --data.train "$train" --data.evaluate "{train: $train, val: $val}"
for run in pretraining captioning; do python -m unimo report --run "$output/$run" --images "$images"; done
