"""The runner that turns a multigrid config into a resolved one."""

from mmaction.registry import RUNNERS
from mmengine.runner import Runner

from ..config import apply_multigrid


@RUNNERS.register_module()
class MultigridRunner(Runner):
    """The stock ``Runner``, on the resolved config."""

    @classmethod
    def from_cfg(cls, cfg) -> Runner:
        """``Runner.from_cfg(apply_multigrid(cfg))``."""
        return Runner.from_cfg(apply_multigrid(cfg))
