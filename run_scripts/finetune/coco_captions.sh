#!/usr/bin/env bash
# COCO captions: DATA holds dataset_coco.json, object_tags.jsonl and regions/ as in data/cards/coco.md.
#   [SIZE=large] [DEVICES=8] bash run_scripts/finetune/coco_captions.sh DATA CHECKPOINT [OUTPUT] [--key.of.the.job value ...]
exec bash "$(dirname "$0")/run.sh" coco_captions "$@"
