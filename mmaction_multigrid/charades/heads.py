"""Heads for clips of several actions."""

from mmaction.models.heads import I3DHead, SlowFastHead
from mmaction.registry import MODELS
from torch import Tensor

ENSEMBLES = ('max', 'mean')


class _MultiLabel:
    """Binary cross-entropy per class in training; in test the largest (or mean) probability over the views.

    The parameters are the stock head's.

    Args:
        ensemble (str): ``'max'`` or ``'mean'``. Defaults to ``'max'``, as the reference tests Charades.
    """

    def __init__(self, *args, ensemble: str = 'max', **kwargs) -> None:
        if ensemble not in ENSEMBLES:
            raise ValueError(f'cls_head.ensemble = {ensemble!r}: must be one of {", ".join(ENSEMBLES)}')
        self.ensemble = ensemble
        kwargs.setdefault('loss_cls', dict(type='BCELossWithLogits'))
        kwargs.setdefault('multi_class', True)
        super().__init__(*args, **kwargs)

    def average_clip(self, cls_scores: Tensor, num_segs: int = 1) -> Tensor:
        """Probabilities of shape (N, classes) from logits of shape (N * num_segs, classes)."""
        scores = cls_scores.float().sigmoid().view(-1, num_segs, cls_scores.size(-1))
        return scores.amax(1) if self.ensemble == 'max' else scores.mean(1)


@MODELS.register_module()
class MultiLabelSlowFastHead(_MultiLabel, SlowFastHead):
    """``SlowFastHead`` for several labels per clip; arguments as there, and ``ensemble``."""
    __doc__ += _MultiLabel.__doc__


@MODELS.register_module()
class MultiLabelI3DHead(_MultiLabel, I3DHead):
    """``I3DHead`` for several labels per clip; arguments as there, and ``ensemble``."""
    __doc__ += _MultiLabel.__doc__
