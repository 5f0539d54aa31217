#!/usr/bin/env bash
# MNLI and the diagnostic set (AX) as GLUE gives them: MNLI/*.tsv, AX/diagnostic.tsv.
#   bash data/download/mnli.sh [FOLDER]
source "$(dirname "${BASH_SOURCE[0]}")/fetch.sh"
dataset mnli data/glue "$@"
by_hand="download both from gluebenchmark.com/tasks, and put MNLI.zip and AX/diagnostic.tsv into $folder"
fetch https://dl.fbaipublicfiles.com/glue/data/MNLI.zip
unpack MNLI.zip
fetch https://dl.fbaipublicfiles.com/glue/data/AX.tsv AX/diagnostic.tsv
expect MNLI/train.tsv MNLI/dev_matched.tsv MNLI/dev_mismatched.tsv MNLI/test_matched.tsv MNLI/test_mismatched.tsv \
    AX/diagnostic.tsv
