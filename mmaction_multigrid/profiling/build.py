"""Builds what is measured: a network and its optimizer."""

from importlib.util import find_spec
from typing import Any, Optional

import torch
from mmaction.registry import MODELS
from mmengine.optim import OptimWrapper, build_optim_wrapper
from torch import nn

from ..schedule import type_name


def build_model(config: dict) -> nn.Module:
    """Build a recognizer with random weights: nothing is downloaded.

    Raises:
        ValueError: It is no recognizer, or cannot be built.
    """
    kind = type_name(config.get('type'))
    package = config.get('_scope_', 'mmaction')
    if find_spec(package) is None:
        raise ValueError(f'model.type = {kind!r}: needs {package}, which is '
                         'not installed here')
    try:
        model = MODELS.build(without_weights(config))
    except ImportError:  # its message says what is missing
        raise
    except Exception as error:  # whatever a class makes of its arguments
        raise ValueError(
            f'model.type = {kind!r}: cannot be built here: '
            f'{type(error).__name__}: {error}') from error
    if not hasattr(model, 'cls_head'):
        raise ValueError(f'model.type = {kind!r}: has no cls_head; only '
                         'recognizers can be measured')
    return model


def without_weights(config: Any) -> Any:
    """The config of a model without the files that its weights come from."""
    if isinstance(config, dict):
        return {key: None if key == 'pretrained' else without_weights(value)
                for key, value in config.items() if key != 'init_cfg'}
    if isinstance(config, (list, tuple)):
        return type(config)(map(without_weights, config))
    return config


def still_optimizer(model: nn.Module, config: Optional[dict],
                    device: str) -> OptimWrapper:
    """The optimizer wrapper of a config, at an lr of 0.

    Raises:
        ValueError: It cannot be built.
    """
    config = dict(config or dict(optimizer=dict(type='SGD', lr=0.)))
    config.pop('accumulative_counts', None)  # every step updates
    if torch.device(device).type == 'cpu' and type_name(
            config.get('type', '')) == 'AmpOptimWrapper':  # it refuses CPUs
        config['type'] = 'OptimWrapper'
        for key in ('loss_scale', 'dtype', 'use_fsdp'):
            config.pop(key, None)
    try:
        wrapper = build_optim_wrapper(model, config)
    except Exception as error:  # whatever a class makes of its arguments
        raise ValueError(f'optim_wrapper: cannot be built here: '
                         f'{type(error).__name__}: {error}') from error
    for group in wrapper.param_groups:
        group['lr'] = 0.
    return wrapper
