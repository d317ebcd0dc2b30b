#!/usr/bin/env bash
# Train on the GPUs of one or more machines: tools/dist_train.sh CONFIG GPUS [flags of tools/train.py]
# On several machines set NNODES, NODE_RANK, MASTER_ADDR (of the one with NODE_RANK 0) and PORT on each.
# RESTARTS=3 with the flag --resume: a job whose processes die starts anew by itself, up to three times a machine.
set -euo pipefail
config=$1 gpus=$2 rank=${NODE_RANK:-0} address=${MASTER_ADDR:-127.0.0.1} port=${PORT:-29500}
where=(--node_rank="$rank" --master_addr="$address" --master_port="$port")
if [ "${RESTARTS:-0}" -gt 0 ]; then
  # By itself torchrun lets new processes find the addresses of the dead ones: pytorch issues 135712 and 167288.
  export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1
  where=(--max_restarts="$RESTARTS" --rdzv_backend=c10d --rdzv_endpoint="$address:$port"
    --rdzv_conf="is_host=$((rank == 0))")
fi
exec python -m torch.distributed.run --nnodes="${NNODES:-1}" --nproc_per_node="$gpus" "${where[@]}" \
  "$(dirname "$0")/train.py" "$config" --launcher pytorch "${@:3}"
