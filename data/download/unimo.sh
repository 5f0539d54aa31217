#!/usr/bin/env bash
# The released English UNIMO models, base and large, and their dictionary. The addresses could not be tried.
#   bash data/download/unimo.sh [FOLDER]
source "$(dirname "${BASH_SOURCE[0]}")/fetch.sh"
dataset unimo data/unimo "$@"
research=https://raw.githubusercontent.com/PaddlePaddle/Research/master/NLP/UNIMO/model_files/dict
by_hand="find the file in the repository github.com/PaddlePaddle/Research, NLP/UNIMO (its README links to the models),
    and put it into $folder"
# the sums were measured on a copy of the repository
fetch $research/unimo_en.encoder.json dict/unimo_en.encoder.json \
    sha256=196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783
fetch $research/unimo_en.vocab.bpe dict/unimo_en.vocab.bpe \
    sha256=1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5
fetch $research/unimo_en.vocab.txt dict/unimo_en.vocab.txt \
    sha256=d0ccae1974ebc4f30ed70d46cbbed4c8af123cdb9c584c0444d8f8b4955aac17
for name in unimo_base_en unimo_large_en; do
    fetch https://unimo.bj.bcebos.com/model/$name.tar.gz
    unpack $name.tar.gz
done
expect dict/unimo_en.vocab.txt unimo_base_en unimo_large_en
