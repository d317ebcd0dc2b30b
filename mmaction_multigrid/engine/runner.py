"""The runner that turns a multigrid config into a resolved one."""

import copy
from typing import Any

from mmaction.registry import RUNNERS
from mmengine.config import Config
from mmengine.runner import Runner
from torch import nn

from ..config import apply_multigrid


@RUNNERS.register_module()
class MultigridRunner:
    """The stock ``Runner``, built when it is known what for.

    :meth:`test` needs nothing of the training, whose data may be on another
    machine: it takes the config without ``multigrid``. For everything else
    the runner is of the resolved config.

    Args:
        cfg (Config): A multigrid config.
    """

    def __init__(self, cfg: Config) -> None:
        vars(self).update(_cfg=copy.deepcopy(cfg), _runner=None, _trains=False)

    @classmethod
    def from_cfg(cls, cfg: Config) -> 'MultigridRunner':
        """As ``Runner.from_cfg``."""
        return cls(cfg)

    def train(self) -> nn.Module:
        """Train, as ``Runner.train`` with the resolved config."""
        return self._build(trains=True).train()

    def test(self) -> dict:
        """Test, as ``Runner.test``."""
        return self._build(trains=False).test()

    def _build(self, trains: bool) -> Runner:
        """A runner that can train, or whichever there is already."""
        if self._runner is None or trains and not self._trains:
            cfg = copy.deepcopy(self._cfg)
            if not trains:
                cfg.pop('multigrid', None)
            vars(self).update(_runner=Runner.from_cfg(apply_multigrid(cfg)),
                              _trains=trains)
        return self._runner

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__'):  # asked for by copy and pickle
            raise AttributeError(name)
        return getattr(self._runner or self._build(trains=True), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._runner or self._build(trains=True), name, value)
