# What every script of this folder does its work with: sourced, never run. A script reads as
#
#   source "$(dirname "${BASH_SOURCE[0]}")/fetch.sh"
#   dataset CARD FOLDER "$@"        # data/cards/CARD.md; files go below FOLDER, or where the first argument says
#   by_hand="what to do where an address is dead"
#   fetch ADDRESS [NAME] [sha256=HEX] [md5=HEX] [size=BYTES]
#   unpack NAME                     # refuses members that would lead outside (python -m unimo data extract)
#   expect FILE...                  # what must be there in the end
#
# A file that is there is not fetched again; one that is half there is gone on with. What was fetched is written to
# sha256sums.txt with its sha256, so that it can be compared later where no checksum was known.
# UNIMO_MIRROR: https://HOST/PATH is read from $UNIMO_MIRROR/HOST/PATH instead.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
script=$(basename "$0")

dataset() {
    case "${3:-}" in -*) echo "usage: bash data/download/$script [FOLDER]     (default: $2)" >&2; exit 2 ;; esac
    card=data/cards/$1.md folder=${3:-$root/$2} by_hand=""
    mkdir -p "$folder"
    folder=$(cd "$folder" && pwd)
    echo "$script: into $folder; read $card first"
}

give_up() {  # give_up MESSAGE: what is wrong, and how to go on
    echo "$script: $1" >&2
    if [ -n "$by_hand" ]; then echo "by hand: $by_hand" >&2; fi
    echo "then start this script again: what is in $folder is not fetched twice. More in $card" >&2
    exit 1
}

fetch() {
    local address=$1 name part check
    shift
    name=$(basename "${address%%\?*}")
    case "${1:-}" in ''|*=*) ;; *) name=$1; shift ;; esac
    if [ -e "$folder/$name" ] || [ -e "$folder/.$name.unpacked" ]; then echo "$name: there already"; return; fi
    part=$folder/$name.part
    mkdir -p "$(dirname "$part")"
    if [ -n "${UNIMO_MIRROR:-}" ]; then address=$UNIMO_MIRROR/${address#*://}; fi
    echo "$name: from $address"
    download "$address" "$part" || give_up "$address could not be fetched; the address may be dead"
    if head -c 200 "$part" | grep -qiE '<(!doctype )?html'; then
        rm "$part"
        give_up "$address gave a page in place of the file; the address may be dead, or want a log-in"
    fi
    for check in "$@"; do
        if ! verify "$part" "$check"; then
            rm "$part"
            give_up "$name: not the file that was expected ($check); it was removed"
        fi
    done
    mv "$part" "$folder/$name"
    (cd "$folder" && sha256sum "$name" >> sha256sums.txt)
}

download() {  # download ADDRESS PART: go on where PART ends
    local bar=(--silent --show-error) reply status=0
    if [ -t 2 ]; then bar=(--progress-bar); fi
    if command -v curl > /dev/null; then
        bar+=(--fail --location --retry 3 --connect-timeout 20 --write-out '%{http_code}' --output "$2" "$1")
        reply=$(curl --continue-at - "${bar[@]}") || status=$?
        # nothing is left to fetch (416), or the server cannot go on within a file (33, 36): once more from the start
        if [ -s "$2" ] && { [ "$reply" = 416 ] || [ $status = 33 ] || [ $status = 36 ]; }; then
            rm "$2"
            status=0
            curl "${bar[@]}" > /dev/null || status=$?
        fi
        return $status
    elif command -v wget > /dev/null; then
        wget --continue --tries=3 --timeout=20 --no-verbose --output-document="$2" "$1"
    else
        give_up "neither curl nor wget is installed"
    fi
}

verify() {  # verify FILE sha256=HEX|md5=HEX|size=BYTES
    case "$2" in
        sha256=*) echo "${2#*=}  $1" | sha256sum --check --status ;;
        md5=*) echo "${2#*=}  $1" | md5sum --check --status ;;
        size=*) [ "$(stat --format=%s "$1")" = "${2#*=}" ] ;;
        *) echo "$script: no such check: $2" >&2; exit 2 ;;
    esac
}

unpack() {
    if [ -e "$folder/.$1.unpacked" ]; then echo "$1: unpacked already"; return; fi
    if [ -z "${VIRTUAL_ENV:-}" ]; then source "$root/run_scripts/setup_env.sh"; fi
    (cd "$root" && python -m unimo data extract --archive "$folder/$1" --output "$folder") ||
        give_up "$1 could not be unpacked"
    touch "$folder/.$1.unpacked"  # the archive itself may now be deleted
}

expect() {
    local name missing=()
    for name in "$@"; do [ -e "$folder/$name" ] || missing+=("$name"); done
    if [ ${#missing[@]} -gt 0 ]; then give_up "still missing in $folder: ${missing[*]}"; fi
    echo "$script: all there"
}
