#!/usr/bin/env bash
# VQA v2: questions and annotations; the photographs are COCO's.     bash data/download/vqa_v2.sh [FOLDER]
source "$(dirname "${BASH_SOURCE[0]}")/fetch.sh"
dataset vqa_v2 data/vqa_v2 "$@"
by_hand="download the archive from visualqa.org/download.html and put it into $folder"
for name in v2_Questions_{Train,Val,Test}_mscoco v2_Annotations_{Train,Val}_mscoco; do
    fetch https://s3.amazonaws.com/cvmlp/vqa/mscoco/vqa/$name.zip
    unpack $name.zip
done
expect v2_OpenEnded_mscoco_{train2014,val2014,test2015,test-dev2015}_questions.json \
    v2_mscoco_{train2014,val2014}_annotations.json
