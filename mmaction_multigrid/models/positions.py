"""Position embeddings that are interpolated to the tokens of a batch."""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from math import isqrt
from operator import attrgetter, itemgetter
from typing import (Any, Callable, Dict, List, Mapping, NamedTuple, Optional,
                    Sequence, Tuple)

import torch
import torch.nn.functional as F
from mmengine.hooks import Hook
from torch import Tensor, nn

from mmaction.registry import HOOKS
from ..core.batch_norm import unwrap_model
from .input_sizes import check_sizes
from .windows import follow_windows

# Tokens along time, height and width.
TokenGrid = Tuple[int, int, int]
# Names of parameters that hold one vector per position.
_TABLE = re.compile(r'(pos|position|positional|time|temporal)_?'
                    r'(embed|embeds|embedding|embeddings|emb)$')


class PositionTable(NamedTuple):
    """Layout of a parameter (..., tokens, channels) of position embeddings.

    Attributes:
        axes (str): Axes of its rows, ``'t'``, ``'hw'`` or ``'thw'``; the last
            one is the fastest.
        extra (int): Rows before them without a position, such as that of a
            class token. Defaults to 0.
    """
    axes: str
    extra: int = 0


@dataclass(frozen=True, eq=False)
class PositionRule:
    """How to interpolate the position embeddings of a backbone.

    Attributes:
        patches (str): Name of the convolution, 2D or 3D, that makes tokens of
            a clip.
        grid (callable): Function of a backbone as it was built that returns
            the tokens (t, h, w) that its tables are for.
        tables (dict[str, PositionTable]): Parameters or buffers that hold a
            vector per position. Those that a backbone lacks are left out.
        attributes (dict[str, callable]): Attributes of the backbone and of
            its modules that depend on the tokens, and functions of the tokens
            that return them. Defaults to none.
    """
    patches: str
    grid: Callable[[nn.Module], TokenGrid]
    tables: Mapping[str, PositionTable]
    attributes: Mapping[str, Callable[[TokenGrid],
                                      Any]] = field(default_factory=dict)


def _square(frames: int, positions: int) -> TokenGrid:
    return frames, isqrt(positions), isqrt(positions)


# By class name, of MMAction2's backbones. None: it interpolates by itself.
_RULES: Dict[str, Optional[PositionRule]] = dict(
    TimeSformer=PositionRule(
        'patch_embed.projection', lambda module: _square(
            module.num_frames, module.pos_embed.shape[1] - 1),
        dict(pos_embed=PositionTable('hw', 1), time_embed=PositionTable('t')),
        dict(num_frames=itemgetter(0))),
    UniFormerV2=PositionRule('conv1', (lambda module: _square(
        module.transformer.T, module.positional_embedding.shape[0] - 1)),
                             dict(positional_embedding=PositionTable('hw', 1)),
                             dict(T=itemgetter(0))),
    VisionTransformer=PositionRule(
        'patch_embed.projection', lambda module:
        (module.pos_embed.shape[1] //
         (module.grid_size[0] * module.grid_size[1]), *module.grid_size),
        dict(pos_embed=PositionTable('thw')),
        dict(grid_size=itemgetter(slice(1, None)))),
    MViT=None)


def register_position_rule(name: str, rule: Optional[PositionRule]) -> None:
    """Register the position rule of a backbone, or replace it.

    Args:
        name (str): Name of its class.
        rule (PositionRule, optional): The rule; None if the backbone takes
            clips of all shapes by itself.

    Raises:
        TypeError: ``rule`` is no :class:`PositionRule`.
    """
    if rule is not None and not isinstance(rule, PositionRule):
        raise TypeError(f'rule = {rule!r}: must be a PositionRule, or None '
                        'for a backbone that takes all grids by itself')
    _RULES[name] = rule


def token_grid(patches: nn.Module, clip: Sequence[int]) -> TokenGrid:
    """Compute the tokens that a convolution makes of a clip.

    Args:
        patches (nn.Module): The convolution; one in 2D takes every frame.
        clip (Sequence[int]): Frames, height and width.
    """
    axes = len(patches.kernel_size)
    settings = zip(clip[-axes:], patches.kernel_size, patches.stride,
                   patches.padding)
    return (*clip[:-axes], *((size + 2 * padding - kernel) // stride + 1
                             for size, kernel, stride, padding in settings))


def resample_abs_pos_embed(values: Tensor, table: PositionTable,
                           base: TokenGrid, grid: TokenGrid) -> Tensor:
    """Interpolate a table to other tokens.

    It is linear in time and bicubic with antialias in space, as timm does it
    for images.

    Args:
        values (Tensor): The table, of shape (..., tokens, channels).
        table (PositionTable): Its layout.
        base (tuple[int]): Tokens (t, h, w) that it is for.
        grid (tuple[int]): Tokens to interpolate it to.

    Returns:
        Tensor: ``values`` itself where the tokens are the same along the axes
        of the table.
    """
    old, new = ([(size if axis in table.axes else 1)
                 for axis, size in zip('thw', tokens)]
                for tokens in (base, grid))
    if old == new:
        return values
    extra, rows = values[..., :table.extra, :], values[..., table.extra:, :]
    x = rows.reshape(*old, -1).permute(0, 3, 1, 2).float()  # (t, c, h, w)
    if old[1:] != new[1:]:
        x = F.interpolate(x, new[1:], mode='bicubic', antialias=True)
    if old[0] != new[0]:
        times = F.interpolate(x.flatten(1).T[None], new[0], mode='linear')
        x = times[0].T.unflatten(1, x.shape[1:])
    x = x.permute(0, 2, 3, 1).reshape(*rows.shape[:-2], -1, rows.shape[-1])
    return torch.cat((extra, x.to(rows.dtype)), -2)


class InterpolatedPosEmbed:
    """Mixed into the class of a backbone to interpolate its tables.

    A table is interpolated to the tokens of the last batch when the network
    reads it: gradients reach the one parameter, which stays as it is.
    """
    rule: PositionRule

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Any:
        """Forward a batch of shape (N, channels, frames, height, width)."""
        grid = token_grid(attrgetter(self.rule.patches)(self), x.shape[-3:])
        self.token_grid = grid
        for module, name in self.attr_targets:
            setattr(module, name, self.rule.attributes[name](grid))
        return super().forward(x, *args, **kwargs)


def _reader(name: str, table: PositionTable) -> property:

    def read(self) -> Tensor:
        held = self._parameters if name in self._parameters else self._buffers
        return resample_abs_pos_embed(held[name], table, self.base_grid,
                                      self.token_grid)

    return property(read)


@lru_cache(maxsize=None)
def _mix(kind: type, rule: PositionRule, names: Tuple[str, ...]) -> type:
    tables = {name: _reader(name, rule.tables[name]) for name in names}
    return type(f'{kind.__name__}OnGrid', (InterpolatedPosEmbed, kind),
                dict(tables, rule=rule))


def interpolate_pos_embeds(model: nn.Module) -> List[str]:
    """Let the positions of a model follow the clip shape, in place.

    Position embeddings are interpolated by the rule of their class, and
    VideoSwin's windows get the biases of their own offsets. Modules, tensors
    and checkpoints stay those of the stock model, and so do its outputs at
    the shape that it was built for, bit for bit.

    Returns:
        list[str]: Names of the modules that follow.

    Raises:
        ValueError: A module has a table of positions, and no rule is
            registered for its class.
    """
    followed = []
    for name, module in model.named_modules():
        kinds = [kind.__name__ for kind in type(module).__mro__]
        kind = next(filter(_RULES.__contains__, kinds), None)
        if kind is None:
            for table in filter(_TABLE.search,
                                (*module._parameters, *module._buffers)):
                raise ValueError(
                    f'{name}.{table} of {kinds[0]}: a position embedding of '
                    'one grid, and no PositionRule is registered for it; '
                    'mmaction_multigrid.register_position_rule does that')
        elif _RULES[kind] and not isinstance(module, InterpolatedPosEmbed):
            rule = _RULES[kind]
            module.base_grid = module.token_grid = rule.grid(module)
            module.attr_targets = tuple((part, target)
                                        for part in module.modules()
                                        for target in rule.attributes
                                        if hasattr(part, target))
            tables = (table for table in rule.tables if hasattr(module, table))
            module.__class__ = _mix(type(module), rule, tuple(tables))
        if isinstance(module, InterpolatedPosEmbed):
            followed.append(name)
    return followed + follow_windows(model)


@HOOKS.register_module()
class InterpolatePosEmbedHook(Hook):
    """Interpolate position embeddings, and check the network's sizes."""

    def before_train(self, runner) -> None:
        """Change the model in place.

        Raises:
            ValueError: A position embedding has no rule, or the network
                cannot take the smallest clips of the schedule.
        """
        model, loop = unwrap_model(runner.model), runner.train_loop
        changed = interpolate_pos_embeds(model)
        if changed:
            runner.logger.info('Multigrid: positions follow the grid in '
                               f'{len(changed)} modules, {changed[0]} first')
        if hasattr(model, 'backbone'):
            sizes = [
                shape[1:] for stage in loop.batch_sampler.stages
                for shape in stage.shapes
            ]
            base = getattr(loop.dataloader.dataset, 'base_shape', max(sizes))
            check_sizes(model, sizes, base)
