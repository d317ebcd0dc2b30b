"""Segments of videos: their lists, and the frames that are sampled."""

import pytest
from mmaction_multigrid.frame_store import build
from mmaction_multigrid.frame_store.index import Index
from mmaction_multigrid.frame_store.sources import sources_of
from mmaction_multigrid.loading.segments import frames_of_segment
from mmengine.config import Config

from mmaction.registry import DATASETS
from ..videos import encode

STEPS = [
    dict(type='DecordInit'),
    dict(type='LimitToSegment'),
    dict(type='SampleFrames', clip_len=4, test_mode=True)
]


def dataset(folder, lines, **settings):
    listed = folder / 'list.txt'
    listed.write_text(lines)
    return dict(
        dict(
            type='VideoSegmentDataset',
            ann_file=str(listed),
            pipeline=STEPS,
            data_prefix=dict(video=str(folder))), **settings)


@pytest.mark.parametrize(('segment', 'expected'), [
    ((1, 2, 'seconds'), (25, 50)),
    ((0.5, 0.9, 'seconds'), (12, 22)),
    ((0.08, 0.36, 'seconds'), (2, 9)),
    ((2, 100, 'seconds'), (50, 60)),
    ((3, 7, 'frames'), (3, 7)),
    ((3, 70, 'frames'), (3, 60)),
])
def test_frames_of_a_segment(segment, expected):
    """At 25 frames a second, of 60 frames."""
    assert frames_of_segment(segment, 25, 60) == expected


@pytest.mark.parametrize(('segment', 'fps', 'message'), [
    ((60, 70, 'frames'), 25, 'holds none of the 60 frames'),
    ((0.43, 0.45, 'seconds'), 25, 'holds none of the 60 frames'),
    ((1, 2, 'seconds'), 0, 'only DecordInit tells the rate'),
])
def test_segments_without_frames(segment, fps, message):
    with pytest.raises(ValueError, match=message):
        frames_of_segment(segment, fps, 60)


def test_clips_stay_in_their_segments(tmp_path):
    encode(tmp_path / 'a.mp4', 60)
    data = DATASETS.build(
        dataset(tmp_path, 'a.mp4 0.4 0.56 3\na.mp4 1 1.16 2\n'))
    assert [clip['label'] for clip in data] == [3, 2]
    assert [clip['frame_inds'].tolist() for clip in data] == [[10, 11, 12, 13],
                                                              [25, 26, 27, 28]]


@pytest.mark.parametrize(('lines', 'settings', 'message'), [
    ('a.mp4 0 1 0\na.mp4 0\n', {}, "list.txt, line 2: 'a.mp4 0' must hold"),
    ('a.mp4 0 1\n', {}, 'line 1: .* must hold file, beginning, end and'),
    ('a.mp4,0,1,0\n', {}, "separated by ' '"),
    ('a.mp4 2 1 0\n', {}, 'must end after it begins'),
    ('a.mp4 -1 1 0\n', {}, 'must end after it begins'),
    ('a.mp4 nan nan 0\n', {}, 'must end after it begins'),
    ('', dict(unit='ms'), "unit = 'ms': must be one of seconds, frames"),
    ('', dict(pipeline=STEPS[:1]), "lacks dict\\(type='LimitToSegment'\\)"),
])
def test_what_is_refused(tmp_path, lines, settings, message):
    with pytest.raises(ValueError, match=message):
        DATASETS.build(dataset(tmp_path, lines, **settings))


def test_a_store_holds_the_segments_only(tmp_path):
    encode(tmp_path / 'a.mp4', 60)
    cfg = Config(
        dict(
            train_dataloader=dict(
                dataset=dataset(
                    tmp_path,
                    'a.mp4,10,17,1,0\na.mp4,20,31,1,2\n',
                    unit='frames',
                    pipeline=[*STEPS, dict(type='DecordDecode')],
                    delimiter=',',
                    multi_class=True,
                    num_classes=3))))
    store = tmp_path / 'store'
    assert build.build(sources_of(cfg), store, [32])['videos'] == 2
    videos = Index(store).videos
    assert sorted(videos['copies']['rows'][:, 0].tolist()) == [8, 12]
    # The reader's number, from which a segment is cut.
    assert videos['frames'].tolist() == [60, 60]
