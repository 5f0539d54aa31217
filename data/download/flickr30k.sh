#!/usr/bin/env bash
# Flickr30k: Karpathy's split with all captions; the photographs are given out by a form.
#   bash data/download/flickr30k.sh [FOLDER]
source "$(dirname "${BASH_SOURCE[0]}")/fetch.sh"
dataset flickr30k data/flickr30k "$@"
by_hand="get caption_datasets.zip from cs.stanford.edu/people/karpathy/deepimagesent into $folder"
fetch https://cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip
unpack caption_datasets.zip
by_hand="ask for the photographs by the form at shannon.cs.illinois.edu/DenotationGraph, and unpack them with
    python -m unimo data extract --archive flickr30k-images.tar.gz --output $folder"
expect dataset_flickr30k.json flickr30k-images
