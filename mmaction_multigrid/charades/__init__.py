"""Charades, which MMAction2 lacks: dataset, labels, multi-label heads.

Not imported with the package: a config names it with ``custom_imports =
dict(imports=['mmaction_multigrid.charades'])``.
"""

from .dataset import CharadesDataset, LabelSampledActions
from .heads import MultiLabelI3DHead, MultiLabelSlowFastHead

__all__ = [
    'CharadesDataset', 'LabelSampledActions', 'MultiLabelI3DHead',
    'MultiLabelSlowFastHead'
]
