#!/usr/bin/env bash
# Questions about drawn pictures, then visual entailment, from a quickstart's pre-training, in a larger world of the same kind.
#   bash run_scripts/examples/shapes_questions.sh [QUICKSTART] [OUTPUT]
# QUICKSTART (default: runs/shapes) holds pretraining/, regions/ and world/. 20,000 pictures with 6 questions each are drawn anew;
# the test pictures hold combinations of colour and shape that none of them shows.
set -euo pipefail
source "$(dirname "$0")/from_quickstart.sh" shapes_questions "--num_train 20000 --questions_per_image 6" "$@"
job() {  # job NAME INIT_FROM: train, choose the checkpoint by dev
    python -m unimo train --devices "${DEVICES:-1}" --config "model_configs/finetune/shapes/$1.yaml" --resume \
        --output "$output/$1" --init_from "$2" --data.regions "$output/regions" \
        --data.train "$world/$1_train.jsonl" --data.evaluate "{dev: $world/$1_dev.jsonl, test: $world/$1_test.jsonl}"
}
job questions "$quickstart/pretraining/checkpoints/best"
job entailment "$output/questions/checkpoints/best"
