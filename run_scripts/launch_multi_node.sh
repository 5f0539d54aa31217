#!/usr/bin/env bash
# One job on several machines, over paddle.distributed.launch. Start the same command on every machine:
#   bash run_scripts/launch_multi_node.sh NODES MASTER DEVICES CONFIG DATA [OUTPUT] [--key.of.the.job value ...]
#
#   NODES    machines
#   MASTER   HOST:PORT of the first one, by its name or IPv4 address; it must be reachable from all
#   DEVICES  processes a machine: GPUs, or processes on the CPU
#   CONFIG   yaml of the job, e.g. model_configs/pretrain/base.yaml
#   DATA     folder that the paths in CONFIG are below
#   OUTPUT   run folder (default: runs/ and the name of CONFIG, where the script is called)
#
# DATA and OUTPUT must be on storage that all machines see under the same path. NODE_RANK numbers this machine (default:
# the master counts), MAX_RESTARTS says how often the job is started again from its latest checkpoint (default 10): when a
# process anywhere dies or hangs, every machine's supervisor ends its own, and they meet again at the master. The exit
# status is that of `unimo train`: 2 is a mistake in what was given, 75 a run that was told to stop and saved.
# Logs: OUTPUT/logs/node-*/attempt-<n>/workerlog.<k>; what happened: OUTPUT/events.jsonl.
set -euo pipefail
if [ $# -lt 5 ]; then sed -n '3s/^# */usage: /p' "$0" >&2; exit 2; fi
nodes=$1 master=$2 devices=$3 config=$(realpath -e "$4") || exit 2
name=$(basename "$4" .yaml)
shift 4
source "$(dirname "$0")/folders.sh" "$name" "$@"
cd "$folder"
exec python -m unimo train --config "$config" --resume --nodes "$nodes" --master "$master" \
    --node_rank "${NODE_RANK:--1}" --devices "$devices" --max_restarts "${MAX_RESTARTS:-10}" \
    --output "$output" "${keys[@]}"
