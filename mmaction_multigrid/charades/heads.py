"""Classify clips of several actions."""

from torch import Tensor

from mmaction.models.heads import I3DHead, SlowFastHead
from mmaction.registry import MODELS

ENSEMBLES = ('max', 'mean')


class _MultiLabel:
    """Binary cross-entropy of each class, for several labels per clip.

    The parameters are the stock head's.

    Args:
        *args: As for the stock head.
        ensemble (str): Joins the probabilities of the views of a video in
            tests: ``'max'``, as the reference tests Charades, or ``'mean'``.
            Defaults to ``'max'``.
        **kwargs: As for the stock head.

    Raises:
        ValueError: ``ensemble`` is another.
    """

    def __init__(self, *args, ensemble: str = 'max', **kwargs) -> None:
        if ensemble not in ENSEMBLES:
            raise ValueError(f'cls_head.ensemble = {ensemble!r}: must be '
                             f'one of {", ".join(ENSEMBLES)}')
        self.ensemble = ensemble
        super().__init__(
            *args, **{
                'loss_cls': dict(type='BCELossWithLogits'),
                'multi_class': True,
                **kwargs
            })

    def average_clip(self, cls_scores: Tensor, num_segs: int = 1) -> Tensor:
        """Join the views of each video.

        Args:
            cls_scores (Tensor): Logits of shape (N * num_segs, classes).
            num_segs (int): Views of a video. Defaults to 1.

        Returns:
            Tensor: Probabilities of shape (N, classes).
        """
        scores = cls_scores.float().sigmoid().view(-1, num_segs,
                                                   cls_scores.size(-1))
        return scores.amax(1) if self.ensemble == 'max' else scores.mean(1)


@MODELS.register_module()
class MultiLabelSlowFastHead(_MultiLabel, SlowFastHead):
    """``SlowFastHead`` for several labels per clip."""
    __doc__ += _MultiLabel.__doc__


@MODELS.register_module()
class MultiLabelI3DHead(_MultiLabel, I3DHead):
    """``I3DHead`` for several labels per clip."""
    __doc__ += _MultiLabel.__doc__
