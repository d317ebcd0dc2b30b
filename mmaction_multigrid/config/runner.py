"""Runner that resolves a multigrid config."""

import copy
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner
from torch import nn

from mmaction.registry import RUNNERS
from .resolve import apply_multigrid


@RUNNERS.register_module()
class MultigridRunner:
    """Build the stock ``Runner`` when it is first used.

    :meth:`test` uses the config without ``multigrid``, because the training
    data may be on another machine. Everything else uses the resolved config.

    Args:
        cfg (Config): A multigrid config.
    """

    def __init__(self, cfg: Config) -> None:
        # Through vars, because __setattr__ would build the runner.
        vars(self).update(_cfg=copy.deepcopy(cfg), _runner=None, _trains=False)

    @classmethod
    def from_cfg(cls, cfg: Config) -> 'MultigridRunner':
        """Build from a config, as ``Runner.from_cfg``."""
        return cls(cfg)

    def train(self) -> nn.Module:
        """Train, as ``Runner.train``."""
        return self._build(trains=True).train()

    def test(self) -> dict:
        """Test, as ``Runner.test``."""
        return self._build(trains=False).test()

    def _build(self, trains: bool) -> Runner:
        """Return the runner; build it anew if it cannot train but must."""
        if self._runner is None or trains and not self._trains:
            cfg = copy.deepcopy(self._cfg)
            if not trains:
                cfg.pop('multigrid', None)
            vars(self).update(
                _runner=Runner.from_cfg(apply_multigrid(cfg)), _trains=trains)
        return self._runner

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__'):  # copy and pickle ask for these
            raise AttributeError(name)
        return getattr(self._runner or self._build(trains=True), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._runner or self._build(trains=True), name, value)
