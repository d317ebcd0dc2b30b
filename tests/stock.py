"""Find the train configs of the installed MMAction2."""

import re
from functools import lru_cache

from mmaction_multigrid import multigrid_schedule
from mmengine.config import Config

from mmaction import registry
from .small import load_tool

REGISTRIES = (registry.MODELS, registry.DATASETS, registry.TRANSFORMS,
              registry.DATA_SAMPLERS, registry.HOOKS, registry.LOOPS,
              registry.METRICS, registry.OPTIMIZERS, registry.PARAM_SCHEDULERS,
              registry.VISUALIZERS, registry.VISBACKENDS)


@lru_cache(maxsize=None)
def accepted_configs():
    """Return the 3D recognizers, with ``multigrid = dict()``, by name."""
    survey, accepted = load_tool('maintain/survey_configs'), {}
    for name in survey.stock_configs():
        cfg = Config.fromfile(survey.STOCK / name)
        cfg.multigrid = dict()
        if cfg.model.type != 'Recognizer3D':
            continue
        try:
            multigrid_schedule(cfg)
        except (TypeError, ValueError):
            continue
        accepted[name] = cfg
    return accepted


def find(name):
    """Return the class of a registered name, or None."""
    found = (entry.get(name) for entry in REGISTRIES)
    return next(filter(None, found), None)


def import_types(cfg):
    """Return the text of a config that imports its types."""
    text = re.sub(r"\n *_scope_='mmaction',?", '', Config(cfg).pretty_text)
    types = {
        name: kind
        for name in re.findall(r"type='(\w+)'", text) if (kind := find(name))
    }
    for name, kind in types.items():
        text = f'from {kind.__module__} import {kind.__name__}\n' + (
            text.replace(f"type='{name}'", f'type={name}'))
    return text
