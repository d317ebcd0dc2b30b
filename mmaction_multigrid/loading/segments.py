"""Segments of untrimmed videos: a dataset and a transform."""

from os import path as osp
from typing import Any, List, Tuple

from mmcv.transforms import BaseTransform

from mmaction.datasets import VideoDataset
from mmaction.registry import DATASETS, TRANSFORMS
from ..core.transform_rules import register_transform_rule, transform_name
from .train_data import read_list

UNITS = ('seconds', 'frames')


@DATASETS.register_module()
class VideoSegmentDataset(VideoDataset):
    """Dataset of segments of videos.

    A line of ``ann_file`` holds the file, the beginning, the end and the
    label of a segment, such as ``match.mp4 12.5 20 3``. The pipeline needs
    :class:`LimitToSegment`.

    Args:
        ann_file (str): The annotation file.
        pipeline (list[dict]): The transforms.
        unit (str): Unit of beginning and end: ``'seconds'``, or ``'frames'``
            that count from 0. The frame at the end is not part of the
            segment. Defaults to ``'seconds'``.
        **kwargs (Any): As for ``VideoDataset``.

    Raises:
        ValueError: A line or the unit is wrong, or the pipeline lacks
            ``LimitToSegment``.
    """

    def __init__(self,
                 ann_file: str,
                 pipeline: List[dict],
                 *,
                 unit: str = UNITS[0],
                 **kwargs: Any) -> None:
        if unit not in UNITS:
            raise ValueError(f'VideoSegmentDataset.unit = {unit!r}: must be '
                             f'one of {", ".join(UNITS)}')
        if pipeline and LimitToSegment.__name__ not in map(
                transform_name, pipeline):
            raise ValueError('VideoSegmentDataset.pipeline: lacks '
                             "dict(type='LimitToSegment'); put it behind the "
                             'transform that opens the video')
        self.unit = unit
        super().__init__(ann_file, pipeline, **kwargs)

    def load_data_list(self) -> List[dict]:
        """Read the annotation file."""
        return [
            self._read(line, f'{self.ann_file}, line {number}')
            for number, line in enumerate(read_list(self.ann_file), 1)
        ]

    def _read(self, line: str, where: str) -> dict:
        try:
            name, begin, end, *labels = line.strip().split(self.delimiter)
            segment = float(begin), float(end), self.unit
            label = list(map(int, labels))
            label = label if self.multi_class else label[0]
        except (ValueError, IndexError):
            raise ValueError(
                f'{where}: {line!r} must hold file, beginning, end and label, '
                f'separated by {self.delimiter!r}') from None
        if not 0 <= segment[0] < segment[1]:
            raise ValueError(f'{where}: {line!r} must end after it begins')
        folder = self.data_prefix.get('video') or ''
        return dict(
            filename=osp.join(folder, name), label=label, segment=segment)


def frames_of_segment(segment: Tuple[float, float, str], fps: float,
                      total: int) -> Tuple[int, int]:
    """Convert a segment to numbers of frames.

    Args:
        segment (tuple[float, float, str]): Beginning, end and their unit.
        fps (float): Frames per second of the video; 0 if unknown.
        total (int): Frames of the video.

    Returns:
        tuple[int, int]: Its first frame and the one behind its last.

    Raises:
        ValueError: It holds no frame, or the rate is needed and unknown.
    """
    begin, end, unit = segment
    if unit == 'seconds':
        if not fps:
            raise ValueError(f'segment = {segment}: only DecordInit tells the '
                             "rate of a video; use it, or unit='frames'")
        begin, end = begin * fps, end * fps
    first, last = round(begin), min(round(end), total)
    if first >= last:
        raise ValueError(f'segment = {segment}: holds none of the {total} '
                         'frames of its video')
    return first, last


@TRANSFORMS.register_module()
class LimitToSegment(BaseTransform):
    """Let the following transforms sample from the segment of a clip.

    It belongs between the transforms that open the video and that sample.

    Required Keys: segment, total_frames, avg_fps for seconds.

    Modified Keys: total_frames, start_index.
    """

    def transform(self, results: dict) -> dict:
        """Set the first frame and the number of frames.

        Raises:
            ValueError: See :func:`frames_of_segment`.
        """
        first, last = frames_of_segment(results['segment'],
                                        results.get('avg_fps', 0.),
                                        results['total_frames'])
        results.update(start_index=first, total_frames=last - first)
        return results


# A segment behind the end of its file is an error of the file.
register_transform_rule('LimitToSegment', does_io=True)
