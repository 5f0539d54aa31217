#!/usr/bin/env bash
# Flickr30k retrieval: DATA holds dataset_flickr30k.json and regions/ as in data/cards/flickr30k.md.
#   [SIZE=large] [DEVICES=8] bash run_scripts/finetune/flickr30k.sh DATA CHECKPOINT [OUTPUT] [--key.of.the.job value ...]
exec bash "$(dirname "$0")/run.sh" flickr30k "$@"
