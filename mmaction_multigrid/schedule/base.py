"""What the schedule needs to know of a base config."""

from dataclasses import dataclass
from typing import Callable, Optional, Tuple, Union

from .shapes import Shape

# Epochs that are added up from fractions: a decay that is so near has come.
NEARLY = 1e-9


@dataclass(frozen=True)
class BaseTraining:
    """What the schedule needs to know of the base config.

    Attributes:
        num_frames (int): Frames of a clip.
        crop_size (int): Side of the crop in pixels.
        max_epochs (int): Epochs of training.
        milestones (tuple[int]): Epochs at which the lr decays.
        gamma (float or tuple[float]): Factor of each decay; a tuple: of the lr after each.
        warmup_epochs (float): Length of the warm-up.
        warmup_factor (float): Factor of the lr at which the warm-up starts.
        curve (callable, optional): Factor of the lr at an epoch of base training where it is more than a step
            function, decays included, warm-up left out.
        frame_multiple (int): The network takes clips of a multiple of so many frames.
        crop_multiple (int): Its crops are multiples of so many pixels: of its patches.
    """
    num_frames: int
    crop_size: int
    max_epochs: int
    milestones: Tuple[int, ...] = ()
    gamma: Union[float, Tuple[float, ...]] = 0.1
    warmup_epochs: float = 0.
    warmup_factor: float = 1.
    curve: Optional[Callable[[float], float]] = None
    frame_multiple: int = 1
    crop_multiple: int = 1

    @property
    def shape(self) -> Shape:
        """The base shape."""
        return Shape(1, self.num_frames, self.crop_size)

    def num_decays(self, epoch: float) -> int:
        """Milestones up to an epoch."""
        return sum(milestone <= epoch + NEARLY for milestone in self.milestones)

    def decay(self, count: int) -> float:
        """Factor of the lr after so many milestones."""
        if isinstance(self.gamma, tuple):
            return (1., *self.gamma)[count]
        return self.gamma**count
