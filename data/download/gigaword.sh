#!/usr/bin/env bash
# Gigaword headlines: {train,dev,test}.{src,tgt}.txt. There is no address that a script could use: see the card.
#   bash data/download/gigaword.sh [FOLDER]
source "$(dirname "${BASH_SOURCE[0]}")/fetch.sh"
dataset gigaword data/gigaword "$@"
by_hand="download the archive that github.com/harvardnlp/sent-summary links to (Google Drive, in a browser), unpack it,
    and put its line pairs into $folder as {train,dev,test}.{src,tgt}.txt"
expect {train,dev,test}.{src,tgt}.txt
