"""Runner that resolves a multigrid config."""

import copy

from mmengine.config import Config
from mmengine.runner import Runner
from torch import nn

from mmaction.registry import RUNNERS
from .resolve import apply_multigrid


@RUNNERS.register_module()
class MultigridRunner:
    """Train or test a multigrid config in the stock ``Runner``.

    :meth:`test` uses the config without ``multigrid``, because the training
    data may be on another machine. Code that needs more of a ``Runner`` calls
    ``Runner.from_cfg(apply_multigrid(cfg))``.

    Args:
        cfg (Config): A multigrid config.
    """

    def __init__(self, cfg: Config) -> None:
        self.cfg = copy.deepcopy(cfg)

    @classmethod
    def from_cfg(cls, cfg: Config) -> 'MultigridRunner':
        """Build from a config, as ``Runner.from_cfg``."""
        return cls(cfg)

    def train(self) -> nn.Module:
        """Train, as ``Runner.train``."""
        return Runner.from_cfg(apply_multigrid(self.cfg)).train()

    def test(self) -> dict:
        """Test, as ``Runner.test``."""
        cfg = copy.deepcopy(self.cfg)
        cfg.pop('multigrid', None)
        return Runner.from_cfg(apply_multigrid(cfg)).test()
