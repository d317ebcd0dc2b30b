"""Which layers of a model become sub-batch norms, and how many splits they have."""

from collections import Counter
from contextlib import contextmanager
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from mmengine.model.utils import _BatchNormXd
from mmengine.utils.dl_utils.parrots_wrapper import SyncBatchNorm as MMEngineSyncBatchNorm
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from .sub_batch_norm import SubBatchNorm, SubBatchNorm1d, SubBatchNorm2d, SubBatchNorm3d, SubSyncBatchNorm

SUB_CLASSES: Dict[type, type] = {
    nn.BatchNorm1d: SubBatchNorm1d,
    nn.BatchNorm2d: SubBatchNorm2d,
    nn.BatchNorm3d: SubBatchNorm3d,
    nn.SyncBatchNorm: SubSyncBatchNorm,
    MMEngineSyncBatchNorm: SubSyncBatchNorm,
    _BatchNormXd: SubSyncBatchNorm
}


def _sub_class(module: nn.Module) -> Optional[type]:
    kind = type(module)
    # mmcv's own synchronised batch norm is no _BatchNorm, but has all that one has. mmcv-lite comes without it.
    if kind.__name__ == 'SyncBatchNorm' and kind.__module__.startswith('mmcv.ops.'):
        return SubSyncBatchNorm
    return SUB_CLASSES.get(kind)


def _splits_by_itself(module: nn.Module) -> bool:
    """Whether it is MMAction2's own sub-batch norm, which holds two batch norms of different width."""
    return type(module).__name__ == 'SubBatchNorm3D'


def _batch_norms(model: nn.Module) -> Iterator[Tuple[str, nn.Module]]:
    """Names and modules of all batch norms, without those inside of one that splits by itself."""
    inside: Tuple[str, ...] = ()
    for name, module in model.named_modules():
        if name.startswith(inside):
            continue
        if _splits_by_itself(module):
            inside += (f'{name}.' if name else '', )
            yield name, module
        elif isinstance(module, _BatchNorm) or _sub_class(module):
            yield name, module


def convert_sub_batch_norm(model: nn.Module) -> List[SubBatchNorm]:
    """Turn every batch norm of a model into a :class:`SubBatchNorm`, in place: same module, same tensors.

    Subclasses other than those that mmcv and mmengine put in their place are left alone; :func:`norm_report` names them.

    Returns:
        list: The layers, those converted before among them.
    """
    layers = []
    for _, module in _batch_norms(model):
        if sub_class := _sub_class(module):
            module.__class__ = sub_class
        if isinstance(module, SubBatchNorm):
            layers.append(module)
    return layers


class NormReport(NamedTuple):
    """Which batch norms of a converted model follow the stages.

    Attributes:
        following (list[SubBatchNorm]): In training mode, so that their statistics are over groups of clips.
        frozen (list[str]): Names of those in evaluation mode, which use their running statistics.
        unknown (dict[str, str]): Names of those that train as they are, and their classes.
    """
    following: List[SubBatchNorm]
    frozen: List[str]
    unknown: Dict[str, str]

    def __str__(self) -> str:
        count = len(self.following) + len(self.frozen) + len(self.unknown)
        if not count:
            return 'the network has no batch norm'
        kinds = Counter(type(layer).__name__ for layer in self.following)
        text = f'{len(self.following)} of {count} batch norms follow the stages'
        if kinds:
            text += f' ({", ".join(f"{number} {name}" for name, number in kinds.items())})'
        if self.frozen:
            text += f'; {len(self.frozen)} are frozen, in evaluation mode'
        if self.unknown:
            text += f'; {len(self.unknown)} are of classes that are not known'
        return text


def norm_report(model: nn.Module) -> NormReport:
    """Sort the batch norms of a model, converted and in training mode, by what becomes of them."""
    report = NormReport([], [], {})
    for name, module in _batch_norms(model):
        if not module.training:
            report.frozen.append(name)
        elif isinstance(module, SubBatchNorm):
            report.following.append(module)
        else:
            report.unknown[name] = type(module).__name__
    return report


def set_bn_splits(layers: List[SubBatchNorm], num_splits: int, process_group=None) -> None:
    """Set the number of splits, and the processes that share statistics, of all layers.

    Raises:
        ValueError: ``num_splits`` is not a positive integer.
    """
    if isinstance(num_splits, bool) or not isinstance(num_splits, int) or num_splits < 1:
        raise ValueError(f'num_splits = {num_splits!r}: must be an integer of at least 1')
    for layer in layers:
        layer.num_splits = num_splits
        layer.process_group = process_group


@contextmanager
def whole_batches(model: nn.Module) -> Iterator[None]:
    """Inside the ``with`` block, statistics are over whole batches.

    The splits are those of a stage's own batch; another batch, such as the base batch of precise BN, they would
    cut into groups too small to have a variance between clips.
    """
    layers = [module for module in model.modules() if isinstance(module, SubBatchNorm)]
    saved = [layer.num_splits for layer in layers]
    for layer in layers:
        layer.num_splits = 1
    try:
        yield
    finally:
        for layer, num_splits in zip(layers, saved):
            layer.num_splits = num_splits
