#!/usr/bin/env bash
# Wikipedia's dump; BookCorpus and OpenWebText have no address that a script could use. About 22 GB. See the card.
#   bash data/download/text_corpora.sh [FOLDER]
source "$(dirname "${BASH_SOURCE[0]}")/fetch.sh"
dataset text_corpora data "$@"
by_hand="choose a dump at dumps.wikimedia.org/enwiki and put its pages-articles file into $folder/bookwiki"
fetch https://dumps.wikimedia.org/enwiki/latest/enwiki-latest-pages-articles.xml.bz2 \
    bookwiki/enwiki-latest-pages-articles.xml.bz2
by_hand="make one text a line of the dump (for instance with the program wikiextractor) and of BookCorpus (the card says
    what became of it) as bookwiki/texts.txt.gz; OpenWebText from skylion007.github.io/OpenWebTextCorpus as
    openwebtext/texts.txt.gz"
expect bookwiki/texts.txt.gz openwebtext/texts.txt.gz
