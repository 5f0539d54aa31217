#!/usr/bin/env bash
# SBU captioned photographs: addresses and captions of a million photographs on Flickr.
#   bash data/download/sbu.sh [FOLDER]
source "$(dirname "${BASH_SOURCE[0]}")/fetch.sh"
dataset sbu data/sbu "$@"
by_hand="download SBUCaptionedPhotoDataset.tar.gz from www.cs.virginia.edu/~vicente/sbucaptions into $folder"
fetch https://www.cs.virginia.edu/~vicente/sbucaptions/SBUCaptionedPhotoDataset.tar.gz
unpack SBUCaptionedPhotoDataset.tar.gz
by_hand="fetch the photographs of dataset/SBU_captioned_photo_dataset_urls.txt (for instance with the program
    img2dataset), and write captions.jsonl as the card says"
expect captions.jsonl
