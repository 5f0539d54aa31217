#!/usr/bin/env bash
# VQA v2: DATA holds questions, annotations, answers.json and regions/ as in data/cards/vqa_v2.md.
#   [SIZE=large] [DEVICES=8] bash run_scripts/finetune/vqa.sh DATA CHECKPOINT [OUTPUT] [--key.of.the.job value ...]
exec bash "$(dirname "$0")/run.sh" vqa "$@"
