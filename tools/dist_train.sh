#!/usr/bin/env bash
# Train on the GPUs of one or more machines: tools/dist_train.sh CONFIG GPUS [flags of tools/train.py]
# On several machines set NNODES, NODE_RANK and MASTER_ADDR on each.
set -euo pipefail
config=$1 gpus=$2
exec python -m torch.distributed.run \
  --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" --nproc_per_node="$gpus" \
  --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
  "$(dirname "$0")/train.py" "$config" --launcher pytorch "${@:3}"
