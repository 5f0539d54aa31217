#!/usr/bin/env bash
# One job on several machines, over paddle.distributed.launch. Start the same command on every machine:
#
#   bash run_scripts/launch_multi_node.sh NODES MASTER DEVICES --config F [--key.of.the.job value ...]
#
#   NODES    machines
#   MASTER   HOST:PORT of the first one; it must be reachable from all
#   DEVICES  processes a machine: GPUs, or processes on the CPU
#
# The run folder (`output`) and the data must be on storage that all machines see under the same path. NODE_RANK numbers
# this machine (default: the master counts), MAX_RESTARTS says how often the job is started again from its latest
# checkpoint (default 10): when a process anywhere dies or hangs, every machine's supervisor ends its own, and they
# meet again at the master. Logs: <output>/logs/node-*/attempt-<n>/workerlog.<k>; what happened: <output>/events.jsonl.
set -euo pipefail
if [ $# -lt 4 ]; then
    sed -n '4p' "$0" | sed 's/^# */usage: /' >&2
    exit 2
fi
nodes=$1 master=$2 devices=$3
shift 3
cd "$(dirname "$0")/.."
source run_scripts/setup_env.sh
exec python -m unimo train --resume --nodes "$nodes" --master "$master" --node_rank "${NODE_RANK:--1}" \
    --devices "$devices" --max_restarts "${MAX_RESTARTS:-10}" "$@"
