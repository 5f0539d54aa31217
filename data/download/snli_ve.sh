#!/usr/bin/env bash
# SNLI-VE: snli_ve_{train,dev,test}.jsonl about the photographs of Flickr30k. See the card: its authors give a program.
#   bash data/download/snli_ve.sh [FOLDER]
source "$(dirname "${BASH_SOURCE[0]}")/fetch.sh"
dataset snli_ve data/snli_ve "$@"
by_hand="download snli_1.0.zip from nlp.stanford.edu/projects/snli and put it into $folder"
fetch https://nlp.stanford.edu/projects/snli/snli_1.0.zip
unpack snli_1.0.zip
by_hand="follow the README of github.com/necla-ml/SNLI-VE, whose program makes the files from $folder/snli_1.0 and
    Flickr30k's split; put snli_ve_{train,dev,test}.jsonl into $folder"
expect snli_ve_{train,dev,test}.jsonl
