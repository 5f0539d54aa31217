#!/usr/bin/env bash
# SST-2: DATA holds train.tsv and dev.tsv as in data/cards/sst2.md.
#   [SIZE=large] [DEVICES=8] bash run_scripts/finetune/sst2.sh DATA CHECKPOINT [OUTPUT] [--key.of.the.job value ...]
exec bash "$(dirname "$0")/run.sh" sst2 "$@"
