#!/usr/bin/env bash
# What the examples that go on from a quickstart share: source from_quickstart.sh NAME "WORLD FLAGS" "$@"
# Sets quickstart (its folder), output (default: runs/NAME) and world, finds the environment, draws the world with its regions.
if [ $# -gt 4 ] || [[ "${3-}" == --* ]]; then sed -n '/^#   bash/s/^# */usage: /p' "$0" >&2; exit 2; fi
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
quickstart=$(realpath -m "${3:-runs/shapes}") output=${4:-runs/$1} world_flags=$2
if [ ! -d "$quickstart/pretraining" ] || [ ! -d "$quickstart/world" ]; then
    echo "$quickstart: no folder of a quickstart (pretraining/ or world/ is missing)" >&2
    exit 2
fi
source run_scripts/setup_env.sh
world=$output/world
python -m unimo worlds shapes --output "$world" $world_flags  # several words
python -m unimo regions extract --images "$world/images" --output "$output/regions" --max_regions 8 --grid 0 \
    --codebook "$quickstart/regions"
