#!/usr/bin/env bash
# MNLI: DATA holds MNLI/ and AX/ as in data/cards/mnli.md.
#   [SIZE=large] [DEVICES=8] bash run_scripts/finetune/mnli.sh DATA CHECKPOINT [OUTPUT] [--key.of.the.job value ...]
exec bash "$(dirname "$0")/run.sh" mnli "$@"
