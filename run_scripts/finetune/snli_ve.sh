#!/usr/bin/env bash
# SNLI-VE: DATA holds snli_ve_*.jsonl and regions/ as in data/cards/snli_ve.md.
#   [SIZE=large] [DEVICES=8] bash run_scripts/finetune/snli_ve.sh DATA CHECKPOINT [OUTPUT] [--key.of.the.job value ...]
exec bash "$(dirname "$0")/run.sh" snli_ve "$@"
