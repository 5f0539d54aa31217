#!/usr/bin/env bash
# CoQA, training and development set.     bash data/download/coqa.sh [FOLDER]
source "$(dirname "${BASH_SOURCE[0]}")/fetch.sh"
dataset coqa data/coqa "$@"
by_hand="download both files from stanfordnlp.github.io/coqa and put them into $folder"
fetch https://nlp.stanford.edu/data/coqa/coqa-train-v1.0.json
fetch https://nlp.stanford.edu/data/coqa/coqa-dev-v1.0.json
expect coqa-train-v1.0.json coqa-dev-v1.0.json
