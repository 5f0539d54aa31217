#!/usr/bin/env bash
# SQuAD question generation, the split of Du et al., 2017.     bash data/download/squad_qg.sh [FOLDER]
source "$(dirname "${BASH_SOURCE[0]}")/fetch.sh"
dataset squad_qg data/squad_qg "$@"
by_hand="take data/processed/{src,tgt}-{train,dev,test}.txt of the repository github.com/xinyadu/nqg into $folder"
for split in train dev test; do
    fetch https://raw.githubusercontent.com/xinyadu/nqg/master/data/processed/src-$split.txt
    fetch https://raw.githubusercontent.com/xinyadu/nqg/master/data/processed/tgt-$split.txt
done
expect {src,tgt}-{train,dev,test}.txt
