#!/usr/bin/env bash
# Train on a Slurm cluster: tools/slurm_train.sh PARTITION JOB_NAME CONFIG [flags of tools/train.py]
# GPUS (8), GPUS_PER_NODE (8), CPUS_PER_TASK (5) and SRUN_ARGS set the job's size.
set -euo pipefail
partition=$1 name=$2 config=$3
export MASTER_PORT="${MASTER_PORT:-$((12000 + RANDOM % 20000))}"
# SRUN_ARGS holds several arguments and must be split.
# shellcheck disable=SC2086
exec srun -p "$partition" --job-name="$name" --gres=gpu:"${GPUS_PER_NODE:-8}" \
  --ntasks="${GPUS:-8}" --ntasks-per-node="${GPUS_PER_NODE:-8}" --cpus-per-task="${CPUS_PER_TASK:-5}" \
  --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
  python -u "$(dirname "$0")/train.py" "$config" --launcher slurm "${@:4}"
