"""Position embeddings that follow the grid: a network's own table, interpolated to the tokens of the batch."""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from math import isqrt
from operator import attrgetter
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from torch import Tensor, nn

from ..core.batch_norm import unwrap_model
from .reach import check_sizes
from .windows import follow_windows

# Tokens along time, height and width.
TokenGrid = Tuple[int, int, int]
# How parameters are called that hold one vector per position.
_TABLE = re.compile(r'(pos|position|positional|time|temporal)_?(embed|embeds|embedding|embeddings|emb)$')


class PositionTable(NamedTuple):
    """How a parameter of shape (..., tokens, channels) holds a vector per position.

    Attributes:
        axes (str): ``'t'``, ``'hw'`` or ``'thw'``: what its rows run over, the last the fastest.
        extra (int): Rows before them that stand for no position, such as that of a class token.
    """
    axes: str
    extra: int = 0


@dataclass(frozen=True, eq=False)
class PositionRule:
    """How the positions of a backbone follow the grid.

    Attributes:
        patches (str): Name of the convolution, 2D or 3D, that makes tokens of a clip.
        grid (callable): Tokens (t, h, w) that a backbone, as it was built, has tables for.
        tables (dict[str, PositionTable]): Its parameters or buffers that hold a vector per position; those it lacks are
            passed over.
        attributes (dict[str, callable]): What the backbone and modules in it know of the grid: the name of an
            attribute, and what it is for a grid.
    """
    patches: str
    grid: Callable[[nn.Module], TokenGrid]
    tables: Mapping[str, PositionTable]
    attributes: Mapping[str, Callable[[TokenGrid], Any]] = field(default_factory=dict)


def _frames(grid: TokenGrid) -> int:
    return grid[0]


def _square(frames: int, positions: int) -> TokenGrid:
    return frames, isqrt(positions), isqrt(positions)


# By class name, of MMAction2's backbones. None: it interpolates its tables by itself.
_RULES: Dict[str, Optional[PositionRule]] = dict(
    TimeSformer=PositionRule(
        'patch_embed.projection', lambda module: _square(module.num_frames, module.pos_embed.shape[1] - 1),
        dict(pos_embed=PositionTable('hw', 1), time_embed=PositionTable('t')), dict(num_frames=_frames)),
    UniFormerV2=PositionRule(
        'conv1', lambda module: _square(module.transformer.T, module.positional_embedding.shape[0] - 1),
        dict(positional_embedding=PositionTable('hw', 1)), dict(T=_frames)),
    VisionTransformer=PositionRule(
        'patch_embed.projection',
        lambda module: (module.pos_embed.shape[1] // (module.grid_size[0] * module.grid_size[1]), *module.grid_size),
        dict(pos_embed=PositionTable('thw')), dict(grid_size=lambda grid: grid[1:])),
    MViT=None)


def register_position_rule(name: str, rule: Optional[PositionRule]) -> None:
    """Let a backbone of one's own train on all shapes of a schedule.

    Args:
        name: Name of its class.
        rule: How its positions follow the grid; None: it does that by itself.

    Raises:
        TypeError: ``rule`` is no :class:`PositionRule`.
    """
    if rule is not None and not isinstance(rule, PositionRule):
        raise TypeError(f'rule = {rule!r}: must be a PositionRule, or None for a backbone that takes all grids by itself')
    _RULES[name] = rule


def token_grid(patches: nn.Module, clip: Sequence[int]) -> TokenGrid:
    """Tokens that a convolution makes of a clip of (frames, height, width); one in 2D makes them of every frame."""
    space = [(size + 2 * padding - kernel) // stride + 1 for size, kernel, stride, padding in zip(
        reversed(clip), *map(reversed, (patches.kernel_size, patches.stride, patches.padding)))]
    return (*clip[:3 - len(space)], *reversed(space))


def resample_abs_pos_embed(values: Tensor, table: PositionTable, base: TokenGrid, grid: TokenGrid) -> Tensor:
    """Interpolate a table to other tokens: linearly in time, bicubic with antialias in space, as timm does in images.

    Args:
        values: Of shape (..., tokens, channels).
        table: What its rows are.
        base: Tokens (t, h, w) that it is for.
        grid: Those that it shall be for. Where they are the same along its axes, ``values`` itself is returned.
    """
    (t, *space), (new_t, *new_space) = [[size if axis in table.axes else 1 for axis, size in zip('thw', tokens)]
                                        for tokens in (base, grid)]
    if [t, *space] == [new_t, *new_space]:
        return values
    extra, rows = values[..., :table.extra, :], values[..., table.extra:, :]
    x = rows.reshape(t, *space, -1).permute(0, 3, 1, 2).float()  # (t, channels, h, w)
    if space != new_space:
        x = F.interpolate(x, new_space, mode='bicubic', antialias=True)
    if t != new_t:
        shape = new_t, *x.shape[1:]
        x = F.interpolate(x.flatten(1).T[None], new_t, mode='linear')[0].T.reshape(shape)
    x = x.permute(0, 2, 3, 1).reshape(*rows.shape[:-2], -1, rows.shape[-1])
    return torch.cat((extra, x.to(rows.dtype)), -2)


class InterpolatedPosEmbed:
    """Mixed into the class of a backbone: its tables are those of the tokens of the last batch.

    They are computed when the network reads them, so that gradients reach the one parameter, which stays as it is.
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
        values = self._parameters[name] if name in self._parameters else self._buffers[name]
        return resample_abs_pos_embed(values, table, self.base_grid, self.token_grid)

    return property(read)


@lru_cache(maxsize=None)
def _following(kind: type, rule: PositionRule, names: Tuple[str, ...]) -> type:
    tables = {name: _reader(name, rule.tables[name]) for name in names}
    return type(f'{kind.__name__}OnGrid', (InterpolatedPosEmbed, kind), dict(tables, rule=rule))


def _rule_of(module: nn.Module) -> Tuple[bool, Optional[PositionRule]]:
    """Whether there is a rule for the class of a module, or for one that it is derived from, and the rule."""
    for kind in type(module).__mro__:
        if kind.__name__ in _RULES:
            return True, _RULES[kind.__name__]
    return False, None


def _follow(module: nn.Module, rule: PositionRule) -> None:
    module.base_grid = module.token_grid = rule.grid(module)
    module.attr_targets = tuple((part, name) for part in module.modules() for name in rule.attributes if hasattr(part, name))
    held = {**module._parameters, **module._buffers}
    module.__class__ = _following(type(module), rule, tuple(name for name in rule.tables if name in held))


def _check_no_table(name: str, module: nn.Module) -> None:
    for table in filter(_TABLE.search, (*module._parameters, *module._buffers)):
        raise ValueError(
            f'{name}.{table} of {type(module).__name__}: a position embedding of one grid, and nobody has said how it '
            'follows others; mmaction_multigrid.register_position_rule does')


def interpolate_pos_embeds(model: nn.Module) -> List[str]:
    """Have the positions that a model knows follow the grid, in place: same modules, same tensors.

    Position embeddings are interpolated by the rule of their class; VideoSwin's windows get the biases of their own
    offsets. At the shape that the network was built for it is the stock one, bit for bit. A checkpoint is a stock
    checkpoint.

    Returns:
        list[str]: Names of the modules that follow.

    Raises:
        ValueError: A module has a table of positions, and there is no rule for its class.
    """
    followed = []
    for name, module in model.named_modules():
        known, rule = _rule_of(module)
        if not known:
            _check_no_table(name, module)
        if rule is not None and not isinstance(module, InterpolatedPosEmbed):
            _follow(module, rule)
        if isinstance(module, InterpolatedPosEmbed):
            followed.append(name)
    return followed + follow_windows(model)


@HOOKS.register_module()
class InterpolatePosEmbedHook(Hook):
    """Interpolate position embeddings, and check the network's sizes.

    Its priority is NORMAL.
    """
    priority = 'NORMAL'

    def before_train(self, runner) -> None:
        """Change the model in place.

        Raises:
            ValueError: A position embedding has no rule, or the network
                cannot take the smallest clips of the schedule.
        """
        model, loop = unwrap_model(runner.model), runner.train_loop
        changed = interpolate_pos_embeds(model)
        if changed:
            runner.logger.info(
                'Multigrid: positions follow the grid in '
                f'{len(changed)} modules, {changed[0]} first')
        if hasattr(model, 'backbone'):
            sizes = {
                shape[1:]
                for stage in loop.batch_sampler.stages
                for shape in stage.shapes
            }
            base = getattr(loop.dataloader.dataset, 'base_shape', max(sizes))
            check_sizes(model, list(sizes), base)
