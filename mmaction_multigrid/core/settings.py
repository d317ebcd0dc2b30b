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
        long_cycle (bool): Train coarse to fine within each lr step.
        short_cycle (bool): Change the crop in every iteration.
        epoch_factor (float): Epochs relative to the base config's.
        long_cycle_factors (tuple): (frames, crop) of each shape of the long
            cycle relative to the base shape.
        short_cycle_factors (tuple): Crops of the two additional shapes of
            the short cycle.
        short_cycle_reference (str): These crops are relative to the base
            crop (``'default'``) or to the stage's (``'stage'``).
        bn_base_size (int, optional): Clips that batch-norm statistics are
            computed over. Defaults to the base batch per GPU, at most 8.
        stages (tuple[dict], optional): An explicit schedule instead of both
            cycles: ``epochs``, ``batch_factor``, ``num_frames``,
            ``crop_size`` and, at will, ``lr_factor`` of each stage.
        cycle_ends (tuple[float], optional): Shares of training at which long
            cycles end. Defaults to the lr's decays, and without any to
            (1/3, 2/3, 5/6).
        max_batch_factor (int, optional): The largest batch factor. Defaults
            to None, which means no limit.
        batch_factors (str or tuple): ``'cost'``: batches cost what the base
            batch costs; or (frames, crop, batch factor) of every shape.
        lr_scaling (str, optional): The lr follows the batch factor
            ``'linear'``, by its ``'sqrt'``, or not (``'none'``). Defaults to
            ``'sqrt'`` for Adam and similar optimizers and to ``'linear'``
            for all others.
        crop_multiple (int, optional): Crops of coarse shapes are multiples
            of this number of pixels. Defaults to the network's patch size
            where its position embedding is interpolated, else to 1.
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
