#!/usr/bin/env bash
# CoLA as GLUE gives it: CoLA/{train,dev,test}.tsv.     bash data/download/cola.sh [FOLDER]
source "$(dirname "${BASH_SOURCE[0]}")/fetch.sh"
dataset cola data/glue "$@"
by_hand="download CoLA.zip from gluebenchmark.com/tasks and put it into $folder"
fetch https://dl.fbaipublicfiles.com/glue/data/CoLA.zip
unpack CoLA.zip
expect CoLA/train.tsv CoLA/dev.tsv CoLA/test.tsv
