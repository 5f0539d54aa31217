#!/usr/bin/env bash
# SST-2 as GLUE gives it: SST-2/{train,dev,test}.tsv.     bash data/download/sst2.sh [FOLDER]
source "$(dirname "${BASH_SOURCE[0]}")/fetch.sh"
dataset sst2 data/glue "$@"
by_hand="download SST-2.zip from gluebenchmark.com/tasks and put it into $folder"
fetch https://dl.fbaipublicfiles.com/glue/data/SST-2.zip
unpack SST-2.zip
expect SST-2/train.tsv SST-2/dev.tsv SST-2/test.tsv
