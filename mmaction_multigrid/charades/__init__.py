"""Charades, which MMAction2 lacks: data set, labels of the sampled span, multi-label heads.

Not imported with the package: a config names it, ``custom_imports = dict(imports=['mmaction_multigrid.charades'])``.
"""

from .dataset import CharadesDataset
from .heads import MultiLabelI3DHead, MultiLabelSlowFastHead
from .labels import LabelSampledActions

__all__ = [
    'CharadesDataset', 'LabelSampledActions', 'MultiLabelI3DHead',
    'MultiLabelSlowFastHead'
]
