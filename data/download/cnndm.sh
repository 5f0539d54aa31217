#!/usr/bin/env bash
# CNN/DailyMail as line pairs: cnn_cln/{train,val,test}.{source,target}.     bash data/download/cnndm.sh [FOLDER]
source "$(dirname "${BASH_SOURCE[0]}")/fetch.sh"
dataset cnndm data/cnndm "$@"
by_hand="make the line pairs from github.com/abisee/cnn-dailymail, and put them into $folder/cnn_cln"
fetch https://cdn-datasets.huggingface.co/summarization/cnn_dm_v2.tgz
unpack cnn_dm_v2.tgz
expect cnn_cln/{train,val,test}.{source,target}
