"""Train a model: MMAction2's tools/train.py, flag for flag.

    python tools/train.py CONFIG [--resume] [--amp] [--seed N] [--cfg-options KEY=VALUE ...]
"""

import argparse
import os
import os.path as osp

import torch.distributed as dist
from mmaction.registry import RUNNERS
from mmengine.config import Config, DictAction
from mmengine.runner import Runner

from mmaction_multigrid import apply_multigrid  # heals and registers before a config asks for anything
from mmaction_multigrid.loading.train_data import check_train_data
from mmaction_multigrid.core.transform_rules import type_name


def parse_args(argv=None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Train an action recognizer')
    parser.add_argument('config', help='path of the train config')
    parser.add_argument('--work-dir', help='where logs and checkpoints go; default: work_dirs/ and the config name')
    parser.add_argument('--resume', nargs='?', const='auto',
                        help='go on from this checkpoint; without a path from the last one in the work dir')
    parser.add_argument('--amp', action='store_true', help='train in mixed precision')
    parser.add_argument('--no-validate', action='store_true', help='do not validate while training')
    parser.add_argument('--auto-scale-lr', action='store_true', help='scale the lr to the actual batch size')
    parser.add_argument('--seed', type=int, help='random seed')
    parser.add_argument('--diff-rank-seed', action='store_true', help='another seed on every rank')
    parser.add_argument('--deterministic', action='store_true', help='deterministic cuDNN')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='config settings to override: key=value')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help='set by the launcher')
    args = parser.parse_args(argv)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def load_config(args: argparse.Namespace) -> Config:
    """The config with the command line's settings in it."""
    cfg = Config.fromfile(args.config)
    cfg.launcher = args.launcher
    if args.work_dir or cfg.get('work_dir') is None:
        name = osp.splitext(osp.basename(args.config))[0]
        cfg.work_dir = args.work_dir or osp.join('work_dirs', name)
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.amp:
        kind = type_name(cfg.optim_wrapper.get('type', 'OptimWrapper'))
        if kind not in ('OptimWrapper', 'AmpOptimWrapper'):
            raise ValueError(f'--amp: optim_wrapper.type = {kind!r} has no mixed precision; OptimWrapper has')
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    if args.resume:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    if args.auto_scale_lr:
        cfg.auto_scale_lr.enable = True
    given = dict(seed=args.seed, diff_rank_seed=args.diff_rank_seed, deterministic=args.deterministic)
    if cfg.get('randomness') is None:
        cfg.randomness = given
    else:  # MMAction2's train.py leaves the flags out of account then
        cfg.randomness.update({key: value for key, value in given.items() if value is not None and value is not False})
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    return cfg


def main() -> None:
    """Train."""
    cfg = load_config(parse_args())
    if type_name(cfg.get('runner_type')) == 'MultigridRunner':
        cfg = apply_multigrid(cfg)
    check_train_data(cfg)  # a wrong path is told at once, and not after the model is built
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    runner.train()
    if dist.is_initialized():
        dist.destroy_process_group()  # its threads must not outlive the interpreter


if __name__ == '__main__':
    main()
