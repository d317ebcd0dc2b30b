"""Try multigrid on every train config; put a table into docs/survey.md.

    python tools/maintain/survey_configs.py [--out docs/survey.md]
        [--cache work_dirs/survey.json] [--only PATTERN] [--memory GIB]

Every config trains on made-up videos, pictures, poses and boxes: one step at
each shape of its schedule, through its own pipeline, model, optimizer and the
stock Runner, and one validation batch. Networks have fewer blocks and
channels, and no pretrained weights. Batches have one clip or two. A run that
several configs share is made once. Nothing is downloaded.

Results are kept in the cache as they come, so that an interrupted survey
continues. A config is tested if a test trains, resumes and tests it with
MMAction2's own tools. Detection needs mmdet. Without its dependencies, with
mmdet alone in FOLDER, it runs by

    PYTHONPATH=tools/maintain python tests/detection/stand_ins.py FOLDER \\
        tools/maintain/survey_configs.py --only 'detection/*'
"""

import argparse
import json
import os
import re
from collections import Counter
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path
from runpy import run_path
from tempfile import TemporaryDirectory
from textwrap import shorten as shorten_text
from typing import Dict, List

from mmaction_multigrid import multigrid_schedule
from mmaction_multigrid.config.base import with_pipelines
from mmaction_multigrid.core.transform_rules import type_name
from mmengine.config import Config
from mmengine.registry import init_default_scope
from rich.progress import track
from survey_data import MISSING, make_data
from survey_run import TOO_LARGE, in_process, shorten, time_axis

import mmaction

ROOT = Path(__file__).resolve().parents[2]
STOCK = Path(mmaction.__file__).parent / '.mim' / 'configs'
COLUMNS = ('config', 'starts', 'time axis', 'predicted speed-up',
           'does not follow')
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
    """List the configs that tests train with MMAction2's own tools."""
    tests = ROOT / 'tests'
    families = run_path(tests / 'stock_paths' / 'families.py')['FAMILIES']
    return {
        f'detection/{run_path(tests / "detection" / "configs.py")["AVA"]}.py',
        *(family.base for family in families.values())
    }


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
        left_out=sorted(steps.intersection(MISSING)),
        needs=cfg.model.type == 'FastRCNN' and not find_spec('mmdet'))
    if result['needs']:
        return result
    cfg = shorten(cfg, folder)
    parts = [
        sorted({s
                for stage in schedule.stages for s in stage.shapes}),
        *(cfg[key].to_dict() for key in ('model', 'train_dataloader',
                                         'val_dataloader', 'optim_wrapper'))
    ]
    # Other numbers of classes and another lr share a run.
    job = re.sub("'(num_classes|lr)': [0-9.e-]+", '', repr(parts))
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
        return 'not run: needs mmdet'
    if result.get('base_error'):
        return f'fails without multigrid, too: {result["base_error"]}'
    if result['error']:
        sizes = result['sizes'][len(result['losses']):]
        place = ' at {} x {}'.format(*sizes[-1]) if sizes else ''
        verb = 'not run' if result['error'] == TOO_LARGE else 'fails'
        return f'{verb}{place}: {result["error"]}'
    found = 'tested' if name in tested_configs() else 'runs'
    return ' without '.join([found, *result['left_out']])


def first_sentence(message: str, length: int = 160) -> str:
    """Shorten a message to its first sentence."""
    # Values of a config may have any length.
    message = re.sub(r'[({\[].{60,}[)}\]]', '...', message)
    return shorten_text(re.split('; |, so |[.] ', message)[0], length)


def cells(name: str, result: dict) -> List[str]:
    """Format the cells of a config behind its name."""
    axis = notes = speedup = ''
    if 'speedup' in result:
        speedup = f'{result["speedup"]:.2f}'
    if result.get('losses'):
        lengths, crops = map(set, zip(*result['sizes']))
        axis = result['kind'] if len(lengths) > 1 else 'none'
        fixed = {
            result['kind']: len(lengths) == 1,
            'crops': len(crops) == 1,
            'sigma of heatmaps': result['heatmaps']
        }
        notes = ', '.join(text for text in fixed if fixed[text])
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
    counts: Dict[str, int] = Counter()
    lines = [f'| {" | ".join(COLUMNS)} |', '|---' * len(COLUMNS) + '|']
    for (folder, *row), files in rows.items():
        counts[re.match(r'not run|\w+', row[0])[0]] += len(files)
        names = '<br>'.join(files)
        if len(files) == folders[folder] > 1:
            names = f'\\* ({len(files)} configs)'
        names = f'{folder}/{names}'.replace('_', '\\_')
        lines.append(f'| {" | ".join([names, *row])} |')
    counted = ', '.join(f'{counts[kind]} {kind}' for kind in counts)
    return '\n'.join(
        ['\n', f'{len(results)} configs: {counted}.', '', *lines, '\n'])


def main() -> None:
    """Survey all and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--out',
        type=Path,
        help='page to put the table into',
        default=ROOT / 'docs' / 'survey.md')
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
        name for name in names if fnmatch(name, args.only) and (
            name not in results or results[name].get('needs'))
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
