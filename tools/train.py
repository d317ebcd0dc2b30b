"""Train a model: MMAction2's tools/train.py, flag for flag.

    python tools/train.py CONFIG [--resume] [--amp] [--seed N]
                          [--cfg-options KEY=VALUE ...]

``--seed``, ``--diff-rank-seed`` and ``--deterministic`` also hold where the
config sets ``randomness``, and missing data end a run before it begins.
"""

import random
import runpy
from pathlib import Path

import torch.distributed as dist
from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.core.transform_rules import transform_name, type_name
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

import mmaction
from mmaction.registry import DATASETS, RUNNERS

STOCK = Path(mmaction.__file__).parent / '.mim' / 'tools' / 'train.py'
SEEDS = ('seed', 'diff_rank_seed', 'deterministic')


def check_train_data(cfg: Config) -> None:
    """Build the train dataset of a resolved config and load one clip.

    Raises:
        FileNotFoundError, ValueError: The annotation list is wrong.
        RuntimeError: No file of the list can be loaded.
    """
    dataset = (cfg.get('train_dataloader') or {}).get('dataset')
    if (isinstance(dataset, dict)
            and transform_name(dataset) == 'MultigridDataset'):
        scope = cfg.get('default_scope', 'mmaction')
        with DefaultScope.overwrite_default_scope(scope):
            built = DATASETS.build(dataset)
        # A random clip: the first one may crash its decoder, and then no run
        # with this list would start.
        built[random.randrange(max(1, len(built)))]


def main() -> None:
    """Train."""
    stock = runpy.run_path(str(STOCK))
    args = stock['parse_args']()
    cfg = Config.fromfile(args.config)
    given = {key: getattr(args, key) for key in SEEDS}
    cfg.randomness = {'seed': None, **(cfg.get('randomness') or {})}
    for key, value in given.items():
        if value is not None and value is not False:
            cfg.randomness[key] = value
    cfg = stock['merge_args'](cfg, args)
    if type_name(cfg.get('runner_type')) == 'MultigridRunner':
        cfg = apply_multigrid(cfg)
    check_train_data(cfg)
    runner = (RUNNERS.build if 'runner_type' in cfg else Runner.from_cfg)(cfg)
    runner.train()
    if dist.is_initialized():  # its threads must not outlive the interpreter
        dist.destroy_process_group()


if __name__ == '__main__':
    main()
