"""Input of a schedule: base training and settings."""

from dataclasses import dataclass
from math import sqrt
from typing import Optional, Tuple, Union

from .shapes import Shape

# Float tolerance for comparing epochs, which are sums of fractions.
EPS = 1e-9


@dataclass(frozen=True)
class BaseTraining:
    """The base config's training.

    Attributes:
        num_frames (int): Frames of a clip.
        crop_size (int): Side of the crop in pixels.
        max_epochs (int): Epochs of training.
        milestones (tuple[int]): Epochs at which the lr decays.
        gamma (float or tuple[float]): Factor of each decay, or a tuple of
            the lr's factor after each. Defaults to 0.1.
        warmup_epochs (float): Length of the warm-up. Defaults to 0.
        warmup_factor (float): Factor of the lr at its start. Defaults to 1.
        frame_multiple (int): The network takes clips of a multiple of this
            number of frames. Defaults to 1.
        crop_multiple (int): Crops are multiples of this number of pixels.
            Defaults to 1.
        segments (bool): Whether the frames are segments of a video for a 2D
            network. Defaults to False.
    """
    num_frames: int
    crop_size: int
    max_epochs: int
    milestones: Tuple[int, ...] = ()
    gamma: Union[float, Tuple[float, ...]] = 0.1
    warmup_epochs: float = 0.
    warmup_factor: float = 1.
    frame_multiple: int = 1
    crop_multiple: int = 1
    segments: bool = False

    @property
    def shape(self) -> Shape:
        """Shape: The base shape."""
        return Shape(1, self.num_frames, self.crop_size)

    def num_decays(self, epoch: float) -> int:
        """Count the milestones up to an epoch."""
        return sum(milestone <= epoch + EPS for milestone in self.milestones)

    def decay(self, count: int) -> float:
        """Compute the factor of the lr after ``count`` milestones."""
        # Schedulers that overlap decay by different factors, hence a tuple.
        if isinstance(self.gamma, tuple):
            return (1., *self.gamma)[count]
        return self.gamma**count


@dataclass(frozen=True)
class ScheduleSettings:
    """Settings of a schedule. The defaults are the paper's.

    Attributes:
        long_cycle (bool): Whether training passes from coarse to fine shapes
            between two decays of the lr.
        short_cycle (bool): Whether the crop changes in every iteration.
        epoch_factor (float): Number of epochs relative to the base config.
        long_cycle_factors (tuple): Frames and crop of each shape of the long
            cycle, relative to the base shape.
        short_cycle_factors (tuple): Crops of the two additional shapes of
            the short cycle, relative to ``short_cycle_reference``.
        short_cycle_reference (str): ``'default'`` is the base crop, as in
            the reference code; ``'stage'`` is the crop of the stage.
        bn_base_size (int, optional): Number of clips in a group for
            batch-norm statistics. Defaults to the base batch per GPU, at most
            8.
        stages (tuple[dict], optional): An explicit schedule instead of both
            cycles. Each stage has ``epochs`` and may have ``batch_factor``
            (default: equal cost), ``num_frames``, ``crop_size`` (default: the
            base shape) and ``lr_factor`` (default: by ``lr_scaling``).
        cycle_ends (tuple[float], optional): Shares of training at which long
            cycles end. Defaults to the decays of the lr, or to (1/3, 2/3, 5/6)
            if it has none.
        max_batch_factor (int, optional): The largest batch factor. Defaults
            to None, which means no limit.
        batch_factors (str or tuple): ``'cost'`` gives all batches the cost of
            the base batch. A list sets the batch factor of every (frames,
            crop).
        lr_scaling (str, optional): How the lr depends on the batch factor:
            ``'linear'``, ``'sqrt'`` (its square root) or ``'none'``. Defaults
            to ``'sqrt'`` for Adam and similar optimizers and to ``'linear'``
            for all others.
        crop_multiple (int, optional): Crops of coarse shapes are multiples
            of this number of pixels. Defaults to the patch size of networks
            whose position embeddings are interpolated, and to 1 for others.
    """
    long_cycle: bool = True
    short_cycle: bool = True
    epoch_factor: float = 1.5
    long_cycle_factors: Tuple[Tuple[float, float], ...] = (
        (1 / 4, sqrt(1 / 2)),
        (1 / 2, sqrt(1 / 2)),
        (1 / 2, 1.),
        (1., 1.),
    )
    short_cycle_factors: Tuple[float, ...] = (1 / 2, sqrt(1 / 2))
    short_cycle_reference: str = 'default'
    bn_base_size: Optional[int] = None
    stages: Optional[Tuple[dict, ...]] = None
    cycle_ends: Optional[Tuple[float, ...]] = None
    max_batch_factor: Optional[int] = None
    batch_factors: Union[str, Tuple[Tuple[int, int, int], ...]] = 'cost'
    lr_scaling: Optional[str] = None
    crop_multiple: Optional[int] = None
