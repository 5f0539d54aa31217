#!/usr/bin/env bash
# Region features of COCO by the bottom-up-attention detector, 36 boxes an image. About 25 GB (train and val 2014).
#   bash data/download/bottom_up_attention.sh [FOLDER]
# FEATURES names another archive: trainval (10 to 100 boxes), test2014_36, test2015_36, test2014, test2015.
source "$(dirname "${BASH_SOURCE[0]}")/fetch.sh"
dataset bottom_up_attention data/bottom_up_attention "$@"
features=${FEATURES:-trainval_36}
by_hand="see the pretrained features of github.com/peteanderson80/bottom-up-attention; put $features.zip into $folder"
fetch https://storage.googleapis.com/up-down-attention/$features.zip
unpack $features.zip
expect "$features"
