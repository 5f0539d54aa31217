#!/usr/bin/env bash
# SQuAD question generation: DATA holds src- and tgt- files as in data/cards/squad_qg.md.
#   [SIZE=large] [DEVICES=8] bash run_scripts/finetune/squad_qg.sh DATA CHECKPOINT [OUTPUT] [--key.of.the.job value ...]
exec bash "$(dirname "$0")/run.sh" squad_qg "$@"
