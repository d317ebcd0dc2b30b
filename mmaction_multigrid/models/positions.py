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
from .segments import follow_segments
from .windows import follow_windows

# Tokens along time, height and width.
TokenGrid = Tuple[int, int, int]
# Names of parameters that usually hold one vector per position. Backbones
# with such a parameter and without a rule are refused.
_TABLE = re.compile(r'(pos|position|positional|time|temporal)_?'
                    r'(embed|embeds|embedding|embeddings|emb)$')


class PositionTable(NamedTuple):
    """Layout of a parameter (..., tokens, channels) of position embeddings.

    Attributes:
        axes (str): Axes of the rows: ``'t'``, ``'hw'`` or ``'thw'``. The
            index along the last one changes fastest.
        extra (int): Number of first rows that have no position, such as that
            of a class token. Defaults to 0.
    """
    axes: str
    extra: int = 0


@dataclass(frozen=True, eq=False)
class PositionRule:
    """How to interpolate the position embeddings of a backbone.

    Attributes:
        patches (str): Name of the convolution, 2D or 3D, that turns a clip
            into tokens.
        grid (callable): Function that takes the backbone and returns the
            tokens (t, h, w) that it was built for.
        tables (dict[str, PositionTable]): Names and layouts of parameters or
            buffers that hold a vector per position. Names that a backbone
            lacks are skipped.
        attributes (dict[str, callable]): Names of attributes of the backbone
            and its modules that depend on the tokens, with functions that
            return their value for tokens (t, h, w). Defaults to none.
    """
    patches: str
    grid: Callable[[nn.Module], TokenGrid]
    tables: Mapping[str, PositionTable]
    attributes: Mapping[str, Callable[[TokenGrid],
                                      Any]] = field(default_factory=dict)


def _square(frames: int, positions: int) -> TokenGrid:
    return frames, isqrt(positions), isqrt(positions)


# By class name of MMAction2's backbones. None marks a backbone that
# interpolates by itself.
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
        name (str): Class name of the backbone.
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
    """Compute the tokens that a convolution turns a clip into.

    Args:
        patches (nn.Module): The convolution. A 2D one is applied to each
            frame.
        clip (Sequence[int]): Frames, height and width.

    Returns:
        tuple[int, int, int]: Tokens along time, height and width.
    """
    axes = len(patches.kernel_size)
    settings = zip(clip[-axes:], patches.kernel_size, patches.stride,
                   patches.padding)
    return (*clip[:-axes], *((size + 2 * padding - kernel) // stride + 1
                             for size, kernel, stride, padding in settings))


def resample_abs_pos_embed(values: Tensor, table: PositionTable,
                           base: TokenGrid, grid: TokenGrid) -> Tensor:
    """Interpolate a table to other tokens.

    The interpolation is linear in time, and bicubic with antialiasing in
    space, as in timm.

    Args:
        values (Tensor): The table, of shape (..., tokens, channels).
        table (PositionTable): Its layout.
        base (tuple[int]): Tokens (t, h, w) that the table is for.
        grid (tuple[int]): Tokens (t, h, w) to interpolate to.

    Returns:
        Tensor: The new table, or ``values`` itself if the tokens are equal
        along the axes of the table.
    """
    # Axes that the table does not have count as 1, so that one reshape fits
    # all layouts.
    old, new = ([(size if axis in table.axes else 1)
                 for axis, size in zip('thw', tokens)]
                for tokens in (base, grid))
    if old == new:
        return values
    extra, rows = values[..., :table.extra, :], values[..., table.extra:, :]
    x = rows.reshape(*old, -1).permute(0, 3, 1, 2).float()  # (t, c, h, w)
    # Antialiasing also changes values where the size stays.
    if old[1:] != new[1:]:
        x = F.interpolate(x, new[1:], mode='bicubic', antialias=True)
    if old[0] != new[0]:
        times = F.interpolate(x.flatten(1).T[None], new[0], mode='linear')
        x = times[0].T.unflatten(1, x.shape[1:])
    x = x.permute(0, 2, 3, 1).reshape(*rows.shape[:-2], -1, rows.shape[-1])
    return torch.cat((extra, x.to(rows.dtype)), -2)


class InterpolatedPosEmbed:
    """Mixin of backbones that interpolates their tables.

    A table is interpolated to the tokens of the current batch whenever the
    network accesses it. Gradients flow to the one stored parameter, whose
    shape stays.
    """
    rule: PositionRule

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Any:
        """Forward a batch of shape (N, channels, frames, height, width)."""
        grid = token_grid(attrgetter(self.rule.patches)(self), x.shape[-3:])
        self.token_grid = grid
        for module, name in self.attr_targets:
            setattr(module, name, self.rule.attributes[name](grid))
        return super().forward(x, *args, **kwargs)


def _interpolated(name: str, table: PositionTable) -> property:

    def read(self) -> Tensor:
        # A property has priority over nn.Module.__getattr__, which finds
        # parameters and buffers in these dicts.
        held = self._parameters if name in self._parameters else self._buffers
        return resample_abs_pos_embed(held[name], table, self.base_grid,
                                      self.token_grid)

    return property(read)


# One class per backbone class: compiled code is guarded by the class.
@lru_cache(maxsize=None)
def _mix(kind: type, rule: PositionRule, names: Tuple[str, ...]) -> type:
    tables = {name: _interpolated(name, rule.tables[name]) for name in names}
    return type(f'{kind.__name__}OnGrid', (InterpolatedPosEmbed, kind),
                dict(tables, rule=rule))


def interpolate_pos_embeds(model: nn.Module) -> List[str]:
    """Change a model in place so that its positions fit each clip shape.

    Position embeddings are interpolated by the rule of their backbone,
    VideoSwin's smaller windows use the biases of the right offsets, and the
    modules of 2D networks get the number of segments of a batch. Modules,
    tensors and checkpoints stay those of the stock model. At the shape that
    the model was built for its outputs stay the same, bit for bit.

    Args:
        model (nn.Module): The model.

    Returns:
        list[str]: Names of the changed modules.

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
                    'one grid, and no PositionRule is registered for it; call '
                    'mmaction_multigrid.register_position_rule')
        elif _RULES[kind] and not isinstance(module, InterpolatedPosEmbed):
            rule = _RULES[kind]
            # Before the change of class: the rule reads the stored tables.
            module.base_grid = module.token_grid = rule.grid(module)
            module.attr_targets = tuple((part, target)
                                        for part in module.modules()
                                        for target in rule.attributes
                                        if hasattr(part, target))
            tables = (table for table in rule.tables if hasattr(module, table))
            module.__class__ = _mix(type(module), rule, tuple(tables))
        if isinstance(module, InterpolatedPosEmbed):
            followed.append(name)
    return followed + follow_windows(model) + follow_segments(model)


@HOOKS.register_module()
class InterpolatePosEmbedHook(Hook):
    """Interpolate position embeddings, and check the network's sizes."""

    def before_train(self, runner) -> None:
        """Change the model in place.

        Raises:
            ValueError: A position embedding has no rule, or the network
                refuses the smallest clips of the schedule.
        """
        model, loop = unwrap_model(runner.model), runner.train_loop
        interpolate_pos_embeds(model)
        if hasattr(model, 'backbone'):
            sizes = [
                shape[1:] for stage in loop.batch_sampler.stages
                for shape in stage.shapes
            ]
            base = getattr(loop.dataloader.dataset, 'base_shape', max(sizes))
            check_sizes(model, sizes, base)
