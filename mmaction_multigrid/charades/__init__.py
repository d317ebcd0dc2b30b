"""Charades, which MMAction2 lacks: dataset, labels, multi-label heads.

The package does not import it. A config does, by ``custom_imports =
dict(imports=['mmaction_multigrid', 'mmaction_multigrid.charades'])``.
"""

from .dataset import CharadesDataset, LabelSampledActions
from .heads import MultiLabelI3DHead, MultiLabelSlowFastHead

__all__ = [
    'CharadesDataset', 'LabelSampledActions', 'MultiLabelI3DHead',
    'MultiLabelSlowFastHead'
]
