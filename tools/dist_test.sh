#!/usr/bin/env bash
# Test on the GPUs of one or more machines: tools/dist_test.sh CONFIG CHECKPOINT GPUS [flags of tools/test.py]
# On several machines set NNODES, NODE_RANK and MASTER_ADDR on each.
set -euo pipefail
config=$1 checkpoint=$2 gpus=$3
exec python -m torch.distributed.run \
  --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" --nproc_per_node="$gpus" \
  --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
  "$(dirname "$0")/test.py" "$config" "$checkpoint" --launcher pytorch "${@:4}"
