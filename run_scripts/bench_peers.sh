#!/usr/bin/env bash
# Make .venv-peers, the environment of the programs that `python -m unimo bench` compares with: PyTorch and transformers.
#
#   bash run_scripts/bench_peers.sh      # PYTHON names the interpreter
set -euo pipefail
cd "$(dirname "$0")/.."
"${PYTHON:-python3}" -m venv .venv-peers
.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 transformers==5.24.0
.venv-peers/bin/python -c 'import torch, transformers; print("peers: torch", torch.__version__, "transformers", transformers.__version__)'
