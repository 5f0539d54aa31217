#!/usr/bin/env bash
# Gigaword: DATA holds train, dev and test .src.txt and .tgt.txt as in data/cards/gigaword.md.
#   [SIZE=large] [DEVICES=8] bash run_scripts/finetune/gigaword.sh DATA CHECKPOINT [OUTPUT] [--key.of.the.job value ...]
exec bash "$(dirname "$0")/run.sh" gigaword "$@"
