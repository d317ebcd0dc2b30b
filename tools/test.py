"""Test a checkpoint: MMAction2's tools/test.py, flag for flag.

    python tools/test.py CONFIG CHECKPOINT [--dump OUT.pkl] [--cfg-options KEY=VALUE ...]
"""

import argparse
import os
import os.path as osp

from mmaction.registry import RUNNERS
from mmengine.config import Config, DictAction
from mmengine.runner import Runner

import mmaction_multigrid  # noqa: F401  heals and registers before a config asks for anything


def parse_args(argv=None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Test an action recognizer')
    parser.add_argument('config', help='path of the config')
    parser.add_argument('checkpoint', help='path of the checkpoint')
    parser.add_argument('--work-dir', help='where the metrics go; default: work_dirs/ and the config name')
    parser.add_argument('--dump', help='write the predictions to this .pkl file')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='config settings to override: key=value')
    parser.add_argument('--show-dir', help='save pictures of the predictions here')
    parser.add_argument('--show', action='store_true', help='show the predictions in a window')
    parser.add_argument('--interval', type=int, default=1, help='show every so many samples')
    parser.add_argument('--wait-time', type=float, default=2, help='seconds to show each for')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help='set by the launcher')
    args = parser.parse_args(argv)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def load_config(args: argparse.Namespace) -> Config:
    """The config with the command line's settings in it."""
    cfg = Config.fromfile(args.config)
    cfg.launcher = args.launcher
    if args.show or args.show_dir:
        if 'visualization' not in cfg.default_hooks:
            raise ValueError("--show, --show-dir: default_hooks.visualization is not set; set it to "
                             "dict(type='VisualizationHook')")
        cfg.default_hooks.visualization.update(enable=True, show=args.show, wait_time=args.wait_time,
                                               out_dir=args.show_dir, interval=args.interval)
    if args.dump:
        if not args.dump.endswith(('.pkl', '.pickle')):
            raise ValueError(f'--dump = {args.dump!r}: must end in .pkl or .pickle')
        evaluators = cfg.test_evaluator if isinstance(cfg.test_evaluator, (list, tuple)) else [cfg.test_evaluator]
        cfg.test_evaluator = [*evaluators, dict(type='DumpResults', out_file_path=args.dump)]
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    if args.work_dir or cfg.get('work_dir') is None:
        name = osp.splitext(osp.basename(args.config))[0]
        cfg.work_dir = args.work_dir or osp.join('work_dirs', name)
    cfg.load_from = args.checkpoint
    return cfg


def main() -> None:
    """Test."""
    cfg = load_config(parse_args())
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    runner.test()


if __name__ == '__main__':
    main()
