"""Try multigrid on every 3D config; put a table into docs/configs.md.

    python tools/maintain/survey_configs.py [--out docs/configs.md]
        [--cache work_dirs/survey.json] [--only PATTERN] [--memory GIB]

Resolves each config and trains one step of one random clip at every shape of
its schedule; a model and shape that several configs share run once. Nothing is
downloaded and no dataset is needed. Results are kept in the cache as they
come, so that an interrupted survey continues. A config is tested if
tests/stock_paths trains, resumes and tests it with MMAction2's own tools.
"""

import argparse
import json
import os
import re
import resource
from ast import literal_eval
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from fnmatch import fnmatch
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from runpy import run_path

from mmaction_multigrid import multigrid_schedule
from mmaction_multigrid.core.shapes import Shape
from mmaction_multigrid.profiling.network import without_weights
from mmaction_multigrid.profiling.steps import profile_steps
from mmengine.config import Config
from mmengine.registry import init_default_scope
from rich.progress import track

import mmaction

ROOT = Path(__file__).resolve().parents[2]
STOCK = Path(mmaction.__file__).parent / '.mim' / 'configs'
# Messages of torch and oneDNN.
OUT_OF_MEMORY = ("can't allocate memory", 'could not create a primitive')
TOO_LARGE = 'too large to run here'
HEADER = """| config | result | predicted speed-up |
|---|---|---|
"""
MARK = re.compile('(?<=<!-- table: survey -->).*?(?=<!-- end -->)', re.DOTALL)


def stock_configs() -> list:
    """List the train configs of a ``Recognizer3D``, relative to STOCK."""
    found = []
    for path in sorted(STOCK.rglob('*.py')):
        if path.is_relative_to(STOCK / '_base_'):
            continue
        try:
            cfg = Config.fromfile(path)
        except Exception:  # of other tasks, whose needs are not installed
            continue
        if (cfg.get('model', {}).get('type') == 'Recognizer3D'
                and 'train_dataloader' in cfg and cfg.get('train_cfg')):
            found.append(str(path.relative_to(STOCK)))
    return found


def tested_configs() -> set:
    """List the configs that tests/stock_paths trains."""
    path = ROOT / 'tests' / 'stock_paths' / 'families.py'
    return {family.base for family in run_path(path)['FAMILIES'].values()}


def survey(name: str, memory: float) -> dict:
    """Resolve one config and run all of its shapes, in ``memory`` GiB."""
    cfg = Config.fromfile(STOCK / name)
    cfg.multigrid = dict()
    try:
        schedule, _ = multigrid_schedule(cfg)
    except (TypeError, ValueError) as error:
        return dict(refused=str(error))
    model = without_weights(cfg.model.to_dict())
    if ('num_classes' in model.get('cls_head', {})
            and not (model.get('data_preprocessor') or {}).get('blending')):
        model['cls_head']['num_classes'] = 400  # so that datasets share a run
    sizes = sorted(
        {shape[1:]
         for stage in schedule.stages for shape in stage.shapes})
    return dict(
        speedup=schedule.predicted_speedup,
        shapes={
            '{} x {}'.format(*size): run_shape(repr(model), size, memory)
            for size in sizes
        })


@lru_cache(maxsize=None)
def run_shape(model: str, size: tuple, memory: float) -> str:
    """Train a step of one clip; the error, if any."""
    # One that ran out of memory is of no use afterwards.
    with ProcessPoolExecutor(1, mp_context=get_context('fork')) as pool:
        try:
            error = pool.submit(_run_shape, model, size, memory).result()
        except BrokenProcessPool:
            return TOO_LARGE
        except Exception as raised:  # the model cannot be built here
            return str(raised).splitlines()[0]
    return TOO_LARGE if any(text in error for text in OUT_OF_MEMORY) else error


def _run_shape(model: str, size: tuple, memory: float) -> str:
    resource.setrlimit(resource.RLIMIT_DATA,
                       (int(memory * 2**30), resource.RLIM_INFINITY))
    profile, = profile_steps(
        literal_eval(model), [Shape(1, *size)], batch_size=1, repeats=1)
    return '' if profile.works else profile.error or f'loss = {profile.loss}'


def row(name: str, result: dict) -> str:
    """Format one line of the table."""
    short = name[:-len('.py')].split('/', 1)[1].replace('_', '\\_')
    if 'refused' in result:
        return f'| {short} | refused: {result["refused"]} | |'
    shapes = result['shapes'].items()
    failed = '; '.join(f'{size}: {error}' for size, error in shapes
                       if error not in ('', TOO_LARGE))
    outcome = f'fails at {failed}' if failed else (
        'tested' if name in tested_configs() else 'accepted')
    return f'| {short} | {outcome} | {result["speedup"]:.2f} |'


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
    parser.add_argument('--only', default='*', help='pattern of the configs')
    has = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30
    parser.add_argument(
        '--memory',
        type=float,
        default=0.7 * has,
        help='GiB of a step; default: 70 %% of the machine')
    args = parser.parse_args()
    init_default_scope('mmaction')
    results = {}
    if args.cache.is_file():
        results = json.loads(args.cache.read_text())
    names = [name for name in stock_configs() if fnmatch(name, args.only)]
    args.cache.parent.mkdir(parents=True, exist_ok=True)
    for name in track(names, 'configs'):
        results[name] = results.get(name) or survey(name, args.memory)
        args.cache.write_text(json.dumps(results, indent=1))
    rows = [row(name, results[name]) for name in names]
    text = args.out.read_text()
    table = '\n\n' + HEADER + '\n'.join(rows) + '\n\n'
    args.out.write_text(MARK.sub(lambda match: table, text))


if __name__ == '__main__':
    main()
