"""Mean average precision over classes."""

from typing import Any, List, Sequence

import numpy as np
from mmaction.registry import METRICS
from mmengine.evaluator import BaseMetric
from torch import Tensor


@METRICS.register_module()
class MultiLabelMAP(BaseMetric):
    """Mean over the classes of average precision (scikit-learn's), of those classes that have a positive.

    Gives ``mAP``, from 0 to 1.
    """
    default_prefix = ''

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep scores and labels of a batch."""
        for sample in data_samples:
            self.results.append(tuple(self._read(sample, name).cpu().numpy() for name in ('pred_score', 'gt_label')))

    @staticmethod
    def _read(sample: dict, name: str) -> Tensor:
        return sample[name] if name in sample else sample[f'{name}s']['item']  # the latter in mmaction2 1.1

    def compute_metrics(self, results: List) -> dict:
        """The metric of all clips.

        Raises:
            ImportError: scikit-learn is not installed.
            ValueError: No class has a positive.
        """
        try:
            from sklearn.metrics import average_precision_score
        except ImportError as error:
            raise ImportError(
                'MultiLabelMAP: scikit-learn is needed and cannot be '
                "imported: pip install 'mmaction_multigrid[charades]'"
            ) from error
        scores, labels = (np.stack(column) for column in zip(*results))
        positive = labels.any(axis=0)
        if not positive.any():
            raise ValueError('MultiLabelMAP: no clip has a label, so that there is nothing to measure')
        return dict(mAP=float(average_precision_score(labels[:, positive], scores[:, positive], average='macro')))
