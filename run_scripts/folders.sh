#!/usr/bin/env bash
# What the scripts that train in a folder of data share: source folders.sh NAME "$@", with FOLDER [OUTPUT] [--key value ...]
# Sets root (the repository), folder, output (default: runs/NAME where the script was called) and keys, and finds the
# environment. Line 3 of the calling script is its usage; a missing folder is told before an environment is made.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ $# -lt 2 ]; then sed -n '3s/^# */usage: /p' "$0" >&2; exit 2; fi
output=$PWD/runs/$1 folder=$(cd "$2" && pwd) || exit 2
shift 2
if [ $# -gt 0 ] && [ "${1#--}" = "$1" ]; then output=$(realpath -m "$1"); shift; fi
keys=("$@")
source "$root/run_scripts/setup_env.sh"
