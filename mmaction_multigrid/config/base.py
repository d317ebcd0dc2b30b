"""What a stock config says about its training."""

from typing import Any, Iterator, List, Mapping, Optional, Sequence, Tuple

from mmaction.registry import TRANSFORMS

from ..schedule import BaseTraining, LRCurve
from ..schedule.lr import CURVES


def type_name(value: Any) -> str:
    """Name of a config's ``type``, which may be a string with a scope, or a class."""
    return value.rsplit('.', 1)[-1] if isinstance(value, str) else getattr(value, '__name__', str(value))


def read_epochs(train_cfg: Optional[Mapping]) -> int:
    """Epochs of an epoch-based ``train_cfg``.

    Raises:
        ValueError: There is none, or it is not epoch-based.
    """
    if not isinstance(train_cfg, Mapping):
        raise ValueError(f'train_cfg = {train_cfg!r}: multigrid needs the train_cfg of an epoch-based base config')
    kind = type_name(train_cfg.get('type', 'EpochBasedTrainLoop' if train_cfg.get('by_epoch', True) else
                                   'IterBasedTrainLoop'))
    if kind != 'EpochBasedTrainLoop':
        raise ValueError(f'train_cfg.type = {kind!r}: multigrid trains in epochs and needs EpochBasedTrainLoop')
    epochs = train_cfg.get('max_epochs')
    if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1:
        raise ValueError(f'train_cfg.max_epochs = {epochs!r}: must be an integer of at least 1')
    return epochs


def pipelines(dataset: Any) -> Iterator[List]:
    """Every pipeline in the config of a data set, those of wrapped data sets among them."""
    if isinstance(dataset, Mapping):
        if isinstance(dataset.get('pipeline'), (list, tuple)) and dataset['pipeline']:
            yield dataset['pipeline']
        for key in ('dataset', 'datasets'):
            yield from pipelines(dataset.get(key))
    elif isinstance(dataset, (list, tuple)):
        for entry in dataset:
            yield from pipelines(entry)


def read_clip(train_dataloader: Optional[Mapping]) -> Tuple[int, int, Optional[int]]:
    """Frames, crop and frame interval of the clips of a ``train_dataloader``.

    Raises:
        ValueError: There is no train pipeline, or pipelines of different clips, or a transform without a rule.
    """
    if not isinstance(train_dataloader, Mapping):
        raise ValueError(f'train_dataloader = {train_dataloader!r}: multigrid needs the one of a base config')
    found = list(pipelines(train_dataloader.get('dataset')))
    if not found:
        raise ValueError('train_dataloader.dataset has no pipeline: multigrid needs a base config with a train pipeline')
    clips = {TRANSFORMS.get('MultigridTransform').base_shape(pipeline) for pipeline in found}
    if len(clips) > 1:
        raise ValueError(f'train_dataloader.dataset has pipelines for clips of different (frames, crop, interval): '
                         f'{sorted(clips, key=str)}; multigrid needs one')
    return clips.pop()


def read_base(cfg: Mapping) -> Tuple[BaseTraining, Optional[int]]:
    """The base training of a config, and the frame interval of its clips.

    Raises:
        ValueError: The config cannot be trained with multigrid; the message says why.
    """
    max_epochs = read_epochs(cfg.get('train_cfg'))
    num_frames, crop_size, interval = read_clip(cfg.get('train_dataloader'))
    optimizer = (cfg.get('optim_wrapper') or {}).get('optimizer') or {}
    lr = read_lr(cfg.get('param_scheduler'), max_epochs, optimizer.get('lr'))
    return BaseTraining(num_frames, crop_size, max_epochs, **lr), interval


def read_lr(schedulers: Any, max_epochs: int, base_lr: Optional[float]) -> dict:
    """The lr part of :class:`BaseTraining`: decays, warm-up and curves.

    Args:
        schedulers: ``param_scheduler`` of the config: a dict, a list of them, or None for a constant lr.
        max_epochs: Epochs of base training.
        base_lr: The optimizer's lr, to which an ``eta_min`` is relative.

    Raises:
        ValueError: A scheduler is none that multigrid can follow.
    """
    result = dict(milestones=(), gamma=0.1, warmup_epochs=0., warmup_factor=1., curves=())
    if schedulers is None:
        return result
    if isinstance(schedulers, Mapping):
        if 'type' not in schedulers:
            raise ValueError('param_scheduler is a dict of several optimizers: multigrid schedules one')
        schedulers = [schedulers]
    for scheduler in schedulers:
        kind = type_name(scheduler['type'])
        if not scheduler.get('by_epoch', True):
            raise ValueError(f'param_scheduler: {kind} counts iterations (by_epoch=False), whose number multigrid '
                             'changes; give its begin and end in epochs, with convert_to_iter_based=True')
        if kind in ('MultiStepLR', 'StepLR'):
            if result['milestones']:
                raise ValueError('param_scheduler: multigrid follows one step schedule, and this config has two')
            result.update(milestones=_milestones(scheduler, kind, max_epochs), gamma=scheduler.get('gamma', 0.1))
        elif kind == 'LinearLR' and scheduler.get('begin', 0) == 0 and scheduler.get('end_factor', 1.) == 1.:
            result.update(warmup_epochs=float(scheduler.get('end', max_epochs)),
                          warmup_factor=float(scheduler.get('start_factor', 1 / 3)))
        elif kind in CURVES:
            result['curves'] += (_curve(scheduler, kind, max_epochs, base_lr), )
        else:
            raise ValueError(f'param_scheduler: multigrid cannot follow {kind}; it can follow MultiStepLR, StepLR, '
                             f'{", ".join(CURVES)}')
    return result


def _milestones(scheduler: Mapping, kind: str, max_epochs: int) -> tuple:
    begin, end = scheduler.get('begin', 0), min(scheduler.get('end', max_epochs), max_epochs)
    if kind == 'StepLR':
        steps: Sequence[int] = range(scheduler['step_size'], end - begin, scheduler['step_size'])
    else:
        steps = sorted(scheduler['milestones'])
    return tuple(begin + step for step in steps if 0 < begin + step < end)


def _curve(scheduler: Mapping, kind: str, max_epochs: int, base_lr: Optional[float]) -> LRCurve:
    begin = scheduler.get('begin', 0)
    end = min(scheduler.get('end', max_epochs), begin + (scheduler.get('T_max') or max_epochs))
    args = dict(type=kind, begin=float(begin), end=float(end))
    if kind in ('CosineAnnealingLR', 'PolyLR'):
        ratio = scheduler.get('eta_min_ratio')
        if ratio is None:
            eta_min = scheduler.get('eta_min') or 0.
            if eta_min and not base_lr:
                raise ValueError(f'param_scheduler: {kind}.eta_min = {eta_min!r} needs optim_wrapper.optimizer.lr')
            ratio = eta_min / base_lr if eta_min else 0.
        args.update(floor=float(ratio), rate=float(scheduler.get('power', 1.)))
    elif kind == 'ExponentialLR':
        args.update(rate=float(scheduler['gamma']))
    elif kind == 'LinearLR':
        args.update(start=float(scheduler.get('start_factor', 1 / 3)), floor=float(scheduler.get('end_factor', 1.)))
    else:
        args.update(start=float(scheduler.get('factor', 1 / 3)), floor=1.)
    return LRCurve(**args)
