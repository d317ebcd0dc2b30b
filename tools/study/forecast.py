"""The forecast that `check` makes of a study's runs, beside the runs that follow it.

    python tools/study/forecast.py MODEL [--data digits|utd|utd7] --variants VARIANT ... [--set KEY=NUMBER] [--seed 0]

For each variant of tools/study/variants.py: measures the steps and the loading as `check` does, trains the run (or
takes the record of one that is finished), and prints a line of a Markdown table: seconds of training and in all,
validation left out, and measured over forecast. Nothing else should run on the machine.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
import variants
from mmengine.registry import init_default_scope
from run import make_data, parse_condition, run_all, run_name

from mmaction_multigrid import multigrid_schedule
from mmaction_multigrid.config.completed import count_clips
from mmaction_multigrid.plan.forecast import Costs, Hours, StepTimes, forecast
from mmaction_multigrid.plan.measure import load_seconds
from mmaction_multigrid.plan.probe import probe_shapes, schedule_shapes


def predict(model: str, data: str, variant: str, conditions: dict) -> Hours:
    """Hours of a run with one worker, by the steps and clips that are measured here and now."""
    cfg = variants.load(model, data, True)
    variants.set_conditions(cfg, conditions)
    multigrid, change, _ = variants.VARIANTS[variant]
    if multigrid and change:
        change(cfg)
    schedule, _ = multigrid_schedule(cfg)
    size = cfg.train_dataloader.batch_size
    shapes = schedule_shapes(schedule)
    probes = list(probe_shapes(
        cfg.model, shapes, size, schedule.settings.bn_clips(size),
        optim_wrapper=cfg.optim_wrapper))
    costs = Costs(StepTimes(probes, size), probes[-1].forward_seconds,
                  load_seconds(cfg, shapes))
    found = forecast(schedule, costs, size, count_clips(cfg.train_dataloader))
    return found.ours if multigrid else found.base


def main() -> int:
    """Forecast, train, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('model', choices=['slowfast', 'i3d', 'i3d-nl'])
    parser.add_argument('--data', choices=['digits', 'utd', 'utd7'], default='digits', help='default: digits')
    parser.add_argument('--variants', nargs='+', required=True, help='of tools/study/variants.py')
    parser.add_argument('--set', type=parse_condition, nargs='+', default=[], metavar='KEY=NUMBER',
                        help='other conditions: clips, epochs, lr, stride, batch')
    parser.add_argument('--seed', type=int, default=0, help='default: 0')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/study/forecasts'), help='where the records go')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/study/forecast_runs'), help='and checkpoints')
    args = parser.parse_args()
    torch.set_num_threads(1)
    init_default_scope('mmaction')
    make_data(args.model, args.data, args.variants)
    args.out.mkdir(parents=True, exist_ok=True)
    conditions, failed = dict(args.set), 0
    for variant in args.variants:
        hours = predict(args.model, args.data, variant, conditions)
        job = dict(model=args.model, data=args.data, variant=variant, conditions=conditions, seed=args.seed, workers=1,
                   alone=True)
        if run_all([job], args.out, args.work_dir):
            failed += 1
            continue
        last = json.loads((args.out / f'{run_name(job)}.json').read_text())['points'][-1]
        steps, whole = 3600 * hours.training, 3600 * (sum(hours) - hours.validation)
        figures = [text for seconds, found in ((steps, last['compute_seconds']), (whole, last['seconds']))
                   for text in (f'{seconds:.0f}', f'{found:.0f}', f'{found / seconds:.2f}')]
        print(f'| {args.model} {args.data} {variant} | {" | ".join(figures)} |', flush=True)
    return failed


if __name__ == '__main__':
    sys.exit(main())
