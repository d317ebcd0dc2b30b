"""Heads that classify clips with several labels."""

from torch import Tensor

from mmaction.models.heads import I3DHead, SlowFastHead
from mmaction.registry import MODELS


class _MultiLabel:
    """Binary cross-entropy of each class, and the maximum over all views."""

    def __init__(self, *args, **kwargs) -> None:

        defaults = dict(
            loss_cls=dict(type='BCELossWithLogits'), multi_class=True)
        super().__init__(*args, **{**defaults, **kwargs})

    def average_clip(self, cls_scores: Tensor, num_segs: int = 1) -> Tensor:
        """Merge the views of each video, as the reference tests Charades.

        Args:
            cls_scores (Tensor): Logits of shape (N * num_segs, classes).
            num_segs (int): Views of a video. Defaults to 1.

        Returns:
            Tensor: Probabilities of shape (N, classes).
        """
        # In float32, because the sigmoid saturates in half precision.
        return cls_scores.float().sigmoid().view(-1, num_segs,
                                                 cls_scores.size(-1)).amax(1)


@MODELS.register_module()
class MultiLabelSlowFastHead(_MultiLabel, SlowFastHead):
    """``SlowFastHead`` for several labels per clip, of the same parameters.

    The loss is the binary cross-entropy of each class. In tests, the
    probability of a class is the largest one of all views. Args: as for
    ``SlowFastHead``.
    """


@MODELS.register_module()
class MultiLabelI3DHead(_MultiLabel, I3DHead):
    """``I3DHead`` for several labels per clip, of the same parameters.

    The loss is the binary cross-entropy of each class. In tests, the
    probability of a class is the largest one of all views. Args: as for
    ``I3DHead``.
    """
