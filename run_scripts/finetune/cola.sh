#!/usr/bin/env bash
# CoLA: DATA holds train.tsv and dev.tsv as in data/cards/cola.md.
#   [SIZE=large] [DEVICES=8] bash run_scripts/finetune/cola.sh DATA CHECKPOINT [OUTPUT] [--key.of.the.job value ...]
exec bash "$(dirname "$0")/run.sh" cola "$@"
