#!/usr/bin/env bash
# COCO: photographs of 2014 and the unlabelled ones of 2017, captions, Karpathy's split. About 65 GB.
#   bash data/download/coco.sh [FOLDER]          PARTS="captions" leaves out the photographs
source "$(dirname "${BASH_SOURCE[0]}")/fetch.sh"
dataset coco data/coco "$@"
by_hand="download the archive from cocodataset.org, Karpathy's from cs.stanford.edu/people/karpathy/deepimagesent, into
    $folder"
for year in 2014 2017; do
    fetch http://images.cocodataset.org/annotations/annotations_trainval$year.zip
    unpack annotations_trainval$year.zip
done
fetch http://images.cocodataset.org/annotations/image_info_test2014.zip
fetch http://images.cocodataset.org/annotations/image_info_unlabeled2017.zip
fetch https://cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip
for name in image_info_test2014 image_info_unlabeled2017 caption_datasets; do unpack $name.zip; done
expect annotations/captions_{train,val}2014.json annotations/image_info_unlabeled2017.json dataset_coco.json
if [ "${PARTS:-all}" = captions ]; then exit; fi
for split in train2014 val2014 test2014 test2015 unlabeled2017; do
    fetch http://images.cocodataset.org/zips/$split.zip
    unpack $split.zip
done
expect train2014 val2014 test2014 test2015 unlabeled2017
