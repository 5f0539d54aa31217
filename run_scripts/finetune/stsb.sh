#!/usr/bin/env bash
# STS-B: DATA holds train.tsv and dev.tsv as in data/cards/stsb.md; CHECKPOINT is one fine-tuned on MNLI.
#   [SIZE=large] [DEVICES=8] bash run_scripts/finetune/stsb.sh DATA CHECKPOINT [OUTPUT] [--key.of.the.job value ...]
exec bash "$(dirname "$0")/run.sh" stsb "$@"
