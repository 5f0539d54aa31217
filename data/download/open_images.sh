#!/usr/bin/env bash
# OpenImages: photographs without text for pre-training. The list of their ids; the photographs are many. See the card.
#   bash data/download/open_images.sh [FOLDER]
source "$(dirname "${BASH_SOURCE[0]}")/fetch.sh"
dataset open_images data/openimages "$@"
by_hand="get the list of boxable training images from storage.googleapis.com/openimages/web/download.html into $folder"
fetch https://storage.googleapis.com/openimages/2018_04/train/train-images-boxable-with-rotation.csv
by_hand="fetch as many of the photographs as you have room for (the CVDF's bucket open-images-dataset holds them), make
    region features, and write images.jsonl as the card says"
expect images.jsonl
