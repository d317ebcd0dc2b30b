"""The train configs that the installed MMAction2 ships, as ``tools/maintain/survey_configs.py`` finds them."""

from functools import lru_cache

from mmengine.config import Config

from mmaction_multigrid import multigrid_schedule

from .small import load_tool


@lru_cache(maxsize=None)
def accepted_configs():
    """Name and config, with ``multigrid = dict()`` in it, of all that can be trained with multigrid."""
    survey, accepted = load_tool('maintain/survey_configs'), {}
    for name in survey.stock_configs():
        cfg = Config.fromfile(survey.STOCK / name)
        cfg.multigrid = dict()
        try:
            multigrid_schedule(cfg)
        except (TypeError, ValueError):
            continue
        accepted[name] = cfg
    return accepted
