"""Try multigrid on every train config; put a table into docs/configs.md.

    python tools/maintain/survey_configs.py [--out docs/configs.md]
        [--cache work_dirs/survey.json] [--only PATTERN] [--memory GIB]

Every config trains on made-up videos, pictures, poses and boxes: one step at
each shape of its schedule, through its own pipeline, model, optimizer and the
stock Runner, and one validation batch. Networks have fewer blocks and
channels, and no pretrained weights. Batches have one clip or two. A run that several configs
share is made once. Nothing is downloaded.

Results are kept in the cache as they come, so that an interrupted survey
continues. A config is tested if tests/stock_paths trains, resumes and tests
it with MMAction2's own tools.
"""

import argparse
import json
import math
import os
import re
import resource
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from fnmatch import fnmatch
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from runpy import run_path
from tempfile import TemporaryDirectory
from textwrap import shorten as shorten_text
from typing import Dict, List, Optional

import torch
from mmaction_multigrid import apply_multigrid, multigrid_schedule
from mmaction_multigrid.config.base import with_pipelines
from mmaction_multigrid.core.transform_rules import type_name
from mmaction_multigrid.profiling import without_weights
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from rich.progress import track
from survey_data import (make_data, missing_transforms, narrow,
                         narrow_classes, use_data)
from torch.utils.data import Sampler

import mmaction
from mmaction.registry import DATA_SAMPLERS

ROOT = Path(__file__).resolve().parents[2]
STOCK = Path(mmaction.__file__).parent / '.mim' / 'configs'
# Messages of torch and oneDNN.
OUT_OF_MEMORY = ("can't allocate memory", 'could not create a primitive',
                 'std::bad_alloc')
TOO_LARGE = 'too large to run here'
# Beginnings of the types of models and backbones, and the packages they need.
NEEDS = (('FastRCNN', 'mmdet'), ('VindLU', 'transformers'),
         ('torchvision.', 'torchvision'), ('timm.', 'timm'),
         ('mmpretrain.', 'mmpretrain'), ('mmcls.', 'mmpretrain'),
         ('MobileOneTSM', 'mmpretrain'))
HEADER = """| config | starts | time axis | predicted speed-up | what does not \
follow |
|---|---|---|---|---|
"""
MARK = re.compile('(?<=<!-- table: survey -->).*?(?=<!-- end -->)', re.DOTALL)


def stock_configs() -> List[str]:
    """List the configs that train, relative to STOCK."""
    found = []
    for path in sorted(STOCK.rglob('*.py')):
        if not path.is_relative_to(STOCK / '_base_'):
            cfg = Config.fromfile(path)
            if cfg.get('train_cfg') and cfg.get('train_dataloader'):
                found.append(str(path.relative_to(STOCK)))
    return found


def tested_configs() -> set:
    """List the configs that tests/stock_paths trains."""
    path = ROOT / 'tests' / 'stock_paths' / 'families.py'
    return {family.base for family in run_path(path)['FAMILIES'].values()}


@DATA_SAMPLERS.register_module()
class FirstClips(Sampler):
    """Sample the first clips in order."""

    def __init__(self, dataset, clips: int, **kwargs) -> None:
        self.clips = clips

    def __iter__(self):
        return iter(range(self.clips))

    def __len__(self) -> int:
        return self.clips


class Watch(Hook):
    """Keep the sizes of the inputs that a model gets, and the losses.

    Args:
        axis (int): The axis of the inputs that is time.
    """

    def __init__(self, axis: int) -> None:
        self.axis, self.sizes, self.losses = axis, [], []

    def before_train(self, runner) -> None:
        runner.model.data_preprocessor.register_forward_hook(self._note)

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        # Random weights and labels must not diverge.
        for group in runner.optim_wrapper.param_groups:
            group['lr'] = min(group['lr'], 1e-6)

    def _note(self, module, args, output) -> None:
        if not module.training:
            return
        inputs = output['inputs']
        if isinstance(inputs, dict):  # of several modalities
            inputs = next(iter(inputs.values()))
        shape = inputs.shape
        self.sizes.append((shape[self.axis], min(shape[-2:])))

    def after_train_iter(self, runner, batch_idx, data_batch, outputs) -> None:
        self.losses.append(float(outputs['loss']))


def time_axis(cfg: Config) -> int:
    """Return the axis of a batch that is time, or that holds segments."""
    dataset = next(with_pipelines(cfg.train_dataloader.dataset))
    formats = [step.get('input_format') for step in dataset['pipeline']]
    return 1 if 'NCHW' in formats else -3


def shorten(cfg: Config, folder: Path) -> Config:
    """Return a config with small networks, made-up data and base batch 1."""
    cfg = Config(cfg.to_dict())
    cfg.model = narrow(without_weights(cfg.model.to_dict()), folder)
    for name in ('train_dataloader', 'val_dataloader'):
        loader = cfg[name]
        use_data(loader.dataset, folder)
        loader.update(batch_size=1, num_workers=0, persistent_workers=False)
        (loader.get('collate_fn') or {}).pop('_scope_', None)
    # mmengine refuses mixed precision on CPUs.
    for key in ('type', 'dtype', 'loss_scale', 'use_fsdp'):
        cfg.optim_wrapper.pop(key, None)
    return cfg


def short_run(cfg: Config) -> Config:
    """Resolve a config and leave one step of each shape.

    Each number of frames or segments has an epoch. The smallest clips come in
    a batch of two, and others alone.
    """
    if 'multigrid' in cfg:
        cfg = apply_multigrid(cfg)
        sampler = cfg.train_dataloader.batch_sampler
        sizes = sorted({(*shape[1:], )
                        for stage in sampler.stages
                        for shape in stage['shapes']})
        sampler.stages = [
            dict(
                epochs=1,
                shapes=[(2 if size == sizes[0] else 1, *size) for size in sizes
                        if size[0] == frames])
            for frames in sorted({size[0] for size in sizes})
        ]
        clips = max(
            sum(shape[0] for shape in stage['shapes'])
            for stage in sampler.stages)
        cfg.train_cfg.update(max_epochs=len(sampler.stages), eval_freq=1)
        # Precise BN would load many clips.
        cfg.custom_hooks = [
            hook for hook in cfg.custom_hooks
            if hook['type'] != 'PreciseBNHook'
        ]
    else:
        cfg.train_cfg = dict(by_epoch=True, max_epochs=1)
        clips = 1
    cfg.train_dataloader.sampler = dict(type='FirstClips', clips=clips)
    cfg.default_hooks.checkpoint = None
    for part in ('val', 'test'):
        for key in ('cfg', 'evaluator', 'dataloader'):
            cfg[f'{part}_{key}'] = None
    return cfg.merge_from_dict(
        dict(load_from=None, resume=False, log_level='WARNING')) or cfg


def train(cfg: Config, memory: float) -> dict:
    """Make a short run in this process, which is of no use afterwards.

    Returns:
        dict: ``sizes`` and ``losses`` of the steps, ``warnings`` of the run,
        and ``error``, which is empty if nothing failed.
    """
    resource.setrlimit(resource.RLIMIT_DATA,
                       (int(memory * 2**30), resource.RLIM_INFINITY))
    narrow_classes()
    # The Runner formats its config four times, each for seconds.
    Config.pretty_text = ''
    watch, error = Watch(time_axis(cfg)), ''
    val_dataloader = cfg.val_dataloader
    with TemporaryDirectory() as work_dir:
        try:
            cfg = short_run(cfg)
            cfg.work_dir = work_dir
            runner = Runner.from_cfg(cfg)
            runner.register_hook(watch)
            runner.train()
            model = runner.model.eval()
            with torch.no_grad():
                model.val_step(
                    next(iter(Runner.build_dataloader(val_dataloader))))
            if not all(map(math.isfinite, watch.losses)):
                error = f'losses {watch.losses}'
        except Exception as raised:  # networks raise errors of any type
            error = f'{type(raised).__name__}: {raised}'.splitlines()[0]
        logs = [path.read_text() for path in Path(work_dir).rglob('*.log')]
    return dict(
        sizes=watch.sizes,
        losses=watch.losses,
        warnings=re.findall('WARNING - Multigrid: (.*)', '\n'.join(logs)),
        error=error)


def in_process(cfg: Config, memory: float) -> dict:
    """Make a short run in a process of its own, of at most ``memory`` GiB."""
    with ProcessPoolExecutor(1, mp_context=get_context('fork')) as pool:
        try:
            result = pool.submit(train, cfg, memory).result()
        except BrokenProcessPool:
            result = dict(sizes=[], losses=[], error=TOO_LARGE)
    if any(text in result['error'] for text in OUT_OF_MEMORY):
        result['error'] = TOO_LARGE
    return result


def missing_package(cfg: Config) -> Optional[str]:
    """Name the package that a model needs and that is not installed."""
    backbone = cfg.model.get('backbone') or {}
    names = [str(part.get('type')) for part in (cfg.model, backbone)]
    return next((package for kind, package in NEEDS if any(
        name.startswith(kind) for name in names) and not find_spec(package)),
                None)


def survey(name: str, folder: Path, memory: float, done: dict) -> dict:
    """Try one config.

    Args:
        name (str): The config, below STOCK.
        folder (Path): The made-up data.
        memory (float): GiB of a run.
        done (dict): Results of runs that configs share.
    """
    cfg = Config.fromfile(STOCK / name)
    cfg.multigrid = dict()
    try:
        schedule, _ = multigrid_schedule(cfg)
        apply_multigrid(cfg)
    except (TypeError, ValueError) as error:
        return dict(refused=str(error))
    steps = {
        type_name(step['type'])
        for dataset in with_pipelines(cfg.train_dataloader.dataset)
        for step in dataset['pipeline']
    }
    result = dict(
        speedup=schedule.predicted_speedup,
        kind='segments' if time_axis(cfg) == 1 else 'frames',
        heatmaps='GeneratePoseTarget' in steps,
        left_out=sorted(steps.intersection(missing_transforms())),
        needs=missing_package(cfg))
    if result['needs']:
        return result
    cfg = shorten(cfg, folder)
    shapes = {shape for stage in schedule.stages for shape in stage.shapes}
    parts = [
        cfg.to_dict()[key] for key in ('model', 'train_dataloader',
                                       'val_dataloader', 'optim_wrapper')
    ]
    # Other numbers of classes and another lr share a run.
    job = re.sub("'(num_classes|lr)': [0-9.e-]+", '',
                 repr([sorted(shapes), parts]))
    if job not in done:
        done[job] = in_process(cfg, memory)
        if done[job]['error'] not in ('', TOO_LARGE):
            cfg.pop('multigrid')
            done[job]['base_error'] = in_process(cfg, memory)['error']
    return dict(result, **done[job])


def outcome(name: str, result: dict) -> str:
    """Say whether a config starts."""
    if 'refused' in result:
        return f'refused: {first_sentence(result["refused"])}'
    if result['needs']:
        return f'not run: needs {result["needs"]}'
    if result.get('base_error'):
        return f'fails without multigrid, too: {result["base_error"]}'
    if result['error']:
        sizes = result['sizes'][len(result['losses']):]
        place = ' at {} x {}'.format(*sizes[-1]) if sizes else ''
        return f'fails{place}: {result["error"]}'
    found = 'tested' if name in tested_configs() else 'runs'
    return ' without '.join([found, *result['left_out']])


def first_sentence(message: str, length: int = 160) -> str:
    """Shorten a message to its first sentence."""
    # Values of a config may have any length.
    message = re.sub(r'[({\[].{60,}[)}\]]', '...', message)
    return shorten_text(re.split('; |: multigrid |[.] ', message)[0], length)


def cells(name: str, result: dict) -> List[str]:
    """Format the cells of a config behind its name."""
    axis = notes = speedup = ''
    if 'speedup' in result:
        speedup = f'{result["speedup"]:.2f}'
    if result.get('losses'):
        lengths, crops = map(set, zip(*result['sizes']))
        axis = result['kind'] if len(lengths) > 1 else 'none'
        notes = ', '.join(text for text, holds in (
            (result['kind'], len(lengths) == 1),
            ('crops', len(crops) == 1),
            ('sigma of heatmaps', result['heatmaps'])) if holds)
    return [
        text.replace('|', '\\|').replace('_', '\\_').replace('*', '\\*')
        for text in (outcome(name, result), axis, speedup, notes)
    ]


def table(results: Dict[str, dict]) -> str:
    """Format the table: configs of a folder with the same cells are a row."""
    rows: Dict[tuple, List[str]] = {}
    folders = Counter(os.path.dirname(name) for name in results)
    for name, result in results.items():
        folder, file = os.path.split(name)
        rows.setdefault((folder, *cells(name, result)), []).append(file[:-3])
    counts = Counter()
    lines = []
    for (folder, *row), files in rows.items():
        counts[row[0].split(' ')[0].rstrip(':')] += len(files)
        names = '<br>'.join(files)
        if len(files) == folders[folder] > 1:
            names = f'\\* ({len(files)} configs)'
        first = f'{folder}/{names}'.replace('_', '\\_')
        lines.append(f'| {" | ".join([first, *row])} |')
    counted = ', '.join(f'{counts[kind]} {kind}' for kind in counts)
    return (f'\n\n{len(results)} configs: {counted}.\n\n{HEADER}' +
            '\n'.join(lines) + '\n\n')


def main() -> None:
    """Survey all and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--out',
        type=Path,
        help='page to put the table into',
        default=ROOT / 'docs' / 'configs.md')
    parser.add_argument(
        '--cache',
        type=Path,
        help='results so far',
        default=ROOT / 'work_dirs' / 'survey.json')
    parser.add_argument(
        '--only', default='*', help='pattern of the configs to run')
    parser.add_argument(
        '--memory', type=float, default=8., help='GiB of a run; default: 8')
    args = parser.parse_args()
    init_default_scope('mmaction')
    results, done = {}, {}
    if args.cache.is_file():
        results = json.loads(args.cache.read_text())
    names = stock_configs()
    chosen = [
        name for name in names if fnmatch(name, args.only)
        and (name not in results or results[name].get('needs'))
    ]
    args.cache.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        make_data(Path(folder))
        for name in track(chosen, 'configs'):
            results[name] = survey(name, Path(folder), args.memory, done)
            args.cache.write_text(json.dumps(results, indent=1))
    found = {name: results[name] for name in names if name in results}
    args.out.write_text(
        MARK.sub(lambda match: table(found), args.out.read_text()))


if __name__ == '__main__':
    main()
