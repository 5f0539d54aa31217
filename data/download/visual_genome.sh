#!/usr/bin/env bash
# Visual Genome: region descriptions, questions, and 108,077 photographs. About 15 GB.
#   bash data/download/visual_genome.sh [FOLDER]          PARTS="texts" leaves out the photographs
source "$(dirname "${BASH_SOURCE[0]}")/fetch.sh"
dataset visual_genome data/visual_genome "$@"
by_hand="download the archive from homes.cs.washington.edu/~ranjay/visualgenome/api.html and put it into $folder"
for name in region_descriptions question_answers; do
    fetch https://homes.cs.washington.edu/~ranjay/visualgenome/data/dataset/$name.json.zip
    unpack $name.json.zip
done
expect region_descriptions.json question_answers.json
if [ "${PARTS:-all}" = texts ]; then exit; fi
for name in images images2; do
    fetch https://cs.stanford.edu/people/rak248/VG_100K_2/$name.zip
    unpack $name.zip
done
expect VG_100K VG_100K_2
