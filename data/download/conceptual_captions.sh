#!/usr/bin/env bash
# Conceptual Captions: addresses of 3.3 million photographs, given out by a form. See the card.
#   bash data/download/conceptual_captions.sh [FOLDER]
source "$(dirname "${BASH_SOURCE[0]}")/fetch.sh"
dataset conceptual_captions data/conceptual_captions "$@"
by_hand="get Train_GCC-training.tsv from ai.google.com/research/ConceptualCaptions, fetch the photographs (for instance
    with the program img2dataset), and write captions.jsonl as the card says"
expect Train_GCC-training.tsv captions.jsonl
