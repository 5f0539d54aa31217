#!/usr/bin/env bash
# CoQA: DATA holds coqa-train-v1.0.json and coqa-dev-v1.0.json as in data/cards/coqa.md.
#   [SIZE=large] [DEVICES=8] bash run_scripts/finetune/coqa.sh DATA CHECKPOINT [OUTPUT] [--key.of.the.job value ...]
exec bash "$(dirname "$0")/run.sh" coqa "$@"
