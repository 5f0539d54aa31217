#!/usr/bin/env bash
# STS-B as GLUE gives it: STS-B/{train,dev,test}.tsv.     bash data/download/stsb.sh [FOLDER]
source "$(dirname "${BASH_SOURCE[0]}")/fetch.sh"
dataset stsb data/glue "$@"
by_hand="download STS-B.zip from gluebenchmark.com/tasks and put it into $folder"
fetch https://dl.fbaipublicfiles.com/glue/data/STS-B.zip
unpack STS-B.zip
expect STS-B/train.tsv STS-B/dev.tsv STS-B/test.tsv
