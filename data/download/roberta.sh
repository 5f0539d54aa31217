#!/usr/bin/env bash
# RoBERTa, base and large, which pre-training starts from.     bash data/download/roberta.sh [FOLDER]
source "$(dirname "${BASH_SOURCE[0]}")/fetch.sh"
dataset roberta data/roberta "$@"
by_hand="download the file from huggingface.co/FacebookAI and put it into $folder/roberta-base (roberta-large)"
for size in base large; do
    for name in config.json vocab.json merges.txt model.safetensors; do
        fetch https://huggingface.co/FacebookAI/roberta-$size/resolve/main/$name roberta-$size/$name
    done
done
expect roberta-{base,large}/{config.json,vocab.json,merges.txt,model.safetensors}
