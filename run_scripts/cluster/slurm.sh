#!/usr/bin/env bash
# Pre-training on 4 machines with 8 GPUs each, under Slurm. An example: set account and partition. From the repository:
#   sbatch run_scripts/cluster/slurm.sh CONFIG DATA OUTPUT [--key.of.the.job value ...]
#   sbatch run_scripts/cluster/slurm.sh model_configs/pretrain/base.yaml /corpora /runs/pretrain_base
# DATA is the folder that the paths in CONFIG are below; every machine sees it and OUTPUT under these names.
#SBATCH --job-name=unimo
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=64
#SBATCH --time=2-00:00:00
#SBATCH --signal=TERM@300
#SBATCH --requeue
#SBATCH --open-mode=append
set -uo pipefail
if [ $# -lt 3 ]; then echo "usage: sbatch run_scripts/cluster/slurm.sh CONFIG DATA OUTPUT [--key value ...]" >&2; exit 2; fi
cd "${SLURM_SUBMIT_DIR:-.}" || exit 2
master=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1):${MASTER_PORT:-29500}
export MAX_RESTARTS=${MAX_RESTARTS:-20}
export REQUIREMENTS=${REQUIREMENTS:-requirements-gpu.txt}
# SIGTERM comes 5 minutes before the end: the run saves and exits with 75, and the job is put back into the queue
# (since Slurm 22.05 srun does not take --cpus-per-task over from sbatch)
srun --kill-on-bad-exit=0 --cpus-per-task="${SLURM_CPUS_PER_TASK:-64}" bash -c '
    export NODE_RANK=$SLURM_NODEID
    exec bash run_scripts/launch_multi_node.sh "$@"
' _ "$SLURM_NNODES" "$master" "${SLURM_GPUS_ON_NODE:-8}" "$@"
status=$?
if [ "$status" -eq 75 ]; then scontrol requeue "$SLURM_JOB_ID"; fi
exit "$status"
