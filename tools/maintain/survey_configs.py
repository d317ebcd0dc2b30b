"""Try multigrid on every 3D config that the installed MMAction2 ships, and write the table docs/configs.md.

    python tools/maintain/survey_configs.py [--out docs/configs.md] [--cache work_dirs/survey.json] [--only PATTERN]
    python tools/maintain/survey_configs.py --never-walked

Resolves each config and trains one step of one made-up clip at every shape of its schedule; a model and shapes that
several configs share run once. Nothing is downloaded and no data set is needed. Results are kept in the cache as they
come, so that a broken-off survey goes on where it was.

A config is walked where tests/stock_paths trains, resumes and tests it by
MMAction2's own tools. ``--never-walked`` prints all others, of any task, that
``apply_multigrid`` accepts: nothing is known of them.
"""

import argparse
import json
import os
import resource
import sys
from ast import literal_eval
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import redirect_stdout
from fnmatch import fnmatch
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path
from runpy import run_path
from unittest import mock

import mmaction
import mmengine
import torch
from lr_differences import differences
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from rich.progress import track
from torch import nn

from mmaction_multigrid import apply_multigrid, multigrid_schedule
from mmaction_multigrid.models import FollowsGrid, convert_sub_batch_norm, follow_grid, norm_report
from mmaction_multigrid.profiling import profile_steps, without_weights

ROOT = Path(__file__).resolve().parents[2]
STOCK = Path(mmaction.__file__).parent / '.mim' / 'configs'
OUT_OF_MEMORY = ("can't allocate memory", 'could not create a primitive')  # torch and oneDNN
HEADER = """# Stock configs with multigrid

What the three lines of the README make of every train config of a `Recognizer3D` in MMAction2 {mmaction}. *Walked*: a
test trains it, narrowed, by MMAction2's own tools, on generated videos, through a change of stage; resumes it in
another process to the same weights; and tests its checkpoint. *Accepted*: its schedule can be computed, and one step
was run at each of its shapes; whether it trains is not known. *Refused*: for what reason. Then: how many of its batch
norms follow the stages, of all (those in evaluation mode are frozen by the config); the largest difference between
multigrid's lr over the batch factor and mmengine's own at the corresponding iteration of base training, in shares of
the base lr, after the warm-up; the shapes (frames x crop) at which one training step was run on a made-up clip.
{walked} of {total} are walked, {accepted} more are accepted. *Positions*: none; a position embedding that is
interpolated to the tokens of the batch; or biases that are indexed by the offsets inside of smaller windows
(`mmaction_multigrid/models`, tested against networks built for the coarse shape). Shapes too large for {memory:.0f}
GiB are marked. A single clip shows that a shape works and not what it costs: `mmaction-multigrid check` does. Made by
`python tools/maintain/survey_configs.py` (torch {torch}, mmengine {mmengine}).

| config | result | norms that follow | positions | lr differs by | predicted speed-up | shapes run |
|---|---|---|---|---|---|---|
"""
EPOCH_LENGTH = 20  # iterations of a base epoch in which the lr is compared


def stock_configs(kind: str = 'Recognizer3D') -> list:
    """Paths, relative to the wheel's configs, of all train configs of a class
    of models; of every class where it is ``''``."""
    found = []
    for path in sorted(STOCK.rglob('*.py')):
        if path.is_relative_to(STOCK / '_base_'):
            continue
        try:
            cfg = Config.fromfile(path)
        except Exception:  # configs of other tasks may need what is not installed
            continue
        if (cfg.get('model', {}).get('type') == (kind or cfg.get('model', {}).get('type'))
                and 'train_dataloader' in cfg and cfg.get('train_cfg')):
            found.append(str(path.relative_to(STOCK)))
    return found


def walked_configs() -> set:
    """Paths of the configs that tests/stock_paths walks."""
    path = ROOT / 'tests' / 'stock_paths' / 'families.py'
    return {family.base for family in run_path(str(path))['FAMILIES'].values()}


def never_walked() -> list:
    """Paths of the stock configs of any task that ``apply_multigrid`` accepts
    and no test walks."""
    found = []
    for name in sorted(set(stock_configs('')) - walked_configs()):
        cfg = Config.fromfile(STOCK / name)
        cfg.multigrid = dict()
        try:
            with redirect_stdout(sys.stderr):  # for its warnings
                apply_multigrid(cfg)
        except (TypeError, ValueError):
            continue
        found.append(name)
    return found


def build_skeleton(config: dict) -> nn.Module:
    """Build a network, as one process trains it, without its numbers (on the meta device): in no time and no memory."""
    config = {**without_weights(config), 'data_preprocessor': None}  # which may compute something
    # Some networks read the rates of their drop paths off a tensor.
    with torch.device('meta'), mock.patch('torch.linspace', partial(torch.linspace, device='cpu')):
        return revert_sync_batchnorm(MODELS.build(config))


def norm_layers(config: dict) -> str:
    """How many batch norms of a network follow the stages, of how many, and what the others are."""
    model = build_skeleton(config)
    convert_sub_batch_norm(model)
    model.train()
    report = norm_report(model)
    text = f'{len(report.following)} / {len(report.following) + len(report.frozen) + len(report.unknown)}'
    text += f', {len(report.frozen)} frozen' if report.frozen else ''
    return text + (f', not known: {", ".join(sorted(set(report.unknown.values())))}' if report.unknown else '')


def positions(config: dict) -> str:
    """How a network knows where a token is, and how that follows the grid."""
    model = build_skeleton(config)
    followed = follow_grid(model)
    if any(isinstance(module, FollowsGrid) for module in model.modules()):
        return 'interpolated'
    if followed:
        return 'indexed'
    return 'interpolated by itself' if type(model.backbone).__name__ == 'MViT' else 'none'


def survey(name: str, memory: float) -> dict:
    """Resolve one config and run all of its shapes, in ``memory`` GiB."""
    cfg = Config.fromfile(STOCK / name)
    cfg.multigrid = dict()
    try:
        schedule, _ = multigrid_schedule(cfg)
    except (TypeError, ValueError) as error:
        return dict(refused=str(error))
    by_size = {shape[1:]: shape for stage in schedule.stages for shape in stage.shapes}
    model = without_weights(cfg.model.to_dict())
    if 'num_classes' in model.get('cls_head', {}) and not (model.get('data_preprocessor') or {}).get('blending'):
        model['cls_head']['num_classes'] = 400  # so that data sets with more of them share a run
    lr = max(differences(cfg, EPOCH_LENGTH, cfg.optim_wrapper.optimizer.lr))
    return dict(speedup=schedule.predicted_speedup, norms=norm_layers(model), positions=positions(model), lr=lr,
                **run_shapes(repr(model), tuple(by_size[size] for size in sorted(by_size)), memory))


@lru_cache(maxsize=None)
def run_shapes(model: str, shapes: tuple, memory: float) -> dict:
    """Train a step of one clip at every shape, coarse to fine."""
    result: dict = dict(ran=[], failed=[], too_large=[])
    while shapes:  # each time in a process of its own: one that ran out of memory is of no use afterwards
        with ProcessPoolExecutor(1, mp_context=get_context('fork')) as pool:
            try:
                found = pool.submit(run_while_it_fits, model, shapes, memory).result()
            except BrokenProcessPool:
                found = [('too_large', '')]
        for shape, (kind, error) in zip(shapes, found):
            result[kind].append(f'{shape.num_frames} x {shape.crop_size}{error}')
        shapes = shapes[len(found):]
    return result


def run_while_it_fits(model: str, shapes: tuple, memory: float) -> list:
    """Run shapes until one of them takes more than ``memory`` GiB; a (result, error) for each that was tried."""
    resource.setrlimit(resource.RLIMIT_DATA, (int(memory * 2**30), resource.RLIM_INFINITY))
    found = []
    try:
        for probe in profile_steps(
                literal_eval(model),
                [shape._replace(batch_factor=1) for shape in shapes],
                batch_size=1, repeats=1):
            error = probe.error or f'loss = {probe.loss}'
            if any(text in error for text in OUT_OF_MEMORY):
                return [*found, ('too_large', '')]
            found.append(('ran', '') if probe.works else ('failed', f': {error}'))
    except Exception as error:  # the model cannot be built here
        return [('failed', f': {type(error).__name__}: {error}'.splitlines()[0])] * len(shapes)
    return found


def row(name: str, result: dict) -> str:
    """One line of the table."""
    short = name[:-len('.py')].split('/', 1)[1].replace('_', '\\_')
    if 'refused' in result:
        return f'| {short} | refused: {result["refused"]} | | | | | |'
    outcome = 'walked' if name in walked_configs() else 'accepted'
    outcome = outcome if not result['failed'] else 'fails at ' + '; '.join(result['failed'])
    shapes = result['ran'] + [f'{size} (too large to run here)' for size in result['too_large']]
    return (f'| {short} | {outcome} | {result["norms"]} | {result["positions"]} | {result["lr"]:.0e} | '
            f'{result["speedup"]:.2f} | {", ".join(shapes)} |')


def main() -> None:
    """Survey all and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', type=Path, default=ROOT / 'docs' / 'configs.md', help='table to write')
    parser.add_argument('--cache', type=Path, default=ROOT / 'work_dirs' / 'survey.json', help='results so far')
    parser.add_argument('--only', default='*', help='pattern of the configs to try; default: all')
    has = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30
    parser.add_argument('--memory', type=float, default=0.7 * has,
                        help='GiB that a step may take; default: 70 %% of what the machine has')
    parser.add_argument('--never-walked', action='store_true', help='print the accepted configs that no test walks')
    args = parser.parse_args()
    init_default_scope('mmaction')
    if args.never_walked:
        names = never_walked()
        print(*names, f'{len(names)} stock configs are accepted and were never trained with multigrid', sep='\n')
        return
    results = json.loads(args.cache.read_text()) if args.cache.is_file() else {}
    names = [name for name in stock_configs() if fnmatch(name, args.only)]
    for name in track(names, 'configs'):
        if name not in results:
            results[name] = survey(name, args.memory)
            args.cache.parent.mkdir(parents=True, exist_ok=True)
            args.cache.write_text(json.dumps(results, indent=1))
    accepted = sum('refused' not in results[name] and not results[name]['failed'] for name in names)
    walked = len(walked_configs() & set(names))
    text = HEADER.format(mmaction=mmaction.__version__, torch=torch.__version__, mmengine=mmengine.__version__,
                         accepted=accepted - walked, walked=walked, total=len(names), memory=args.memory)
    args.out.write_text(text + '\n'.join(row(name, results[name]) for name in names) + '\n')
    print(f'{args.out}: {walked} of {len(names)} walked, {accepted - walked} more accepted')


if __name__ == '__main__':
    main()
