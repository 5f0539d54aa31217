#!/usr/bin/env bash
# CNN/DailyMail: DATA holds train, val and test .source and .target as in data/cards/cnndm.md.
#   [SIZE=large] [DEVICES=8] bash run_scripts/finetune/cnndm.sh DATA CHECKPOINT [OUTPUT] [--key.of.the.job value ...]
exec bash "$(dirname "$0")/run.sh" cnndm "$@"
