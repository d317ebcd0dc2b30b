"""Tell errors of a file from errors that end the run."""

import errno
import traceback

import cv2
import numpy as np
import pytest
from mmaction_multigrid import register_transform_rule
from mmaction_multigrid.config.pipeline import wrap
from mmcv.transforms import BaseTransform

from mmaction.registry import TRANSFORMS
from ..core.test_dataset import COARSE
from ..engine.test_training import train
from ..toy import base_config, label_of, pipeline, tolerant_dataset

MACHINE = [
    OSError(getattr(errno, name), name)
    for name in ('ENOSPC', 'EDQUOT', 'ENOMEM', 'EMFILE', 'ENFILE')
]
FILE = [
    TypeError('a'),
    AttributeError('a'),
    ValueError('a'),
    KeyError('a'),
    IndexError('a'),
    RuntimeError('a'),
    AssertionError('a'),
    EOFError('a'),
    OSError('no decoder opens this'),
    OSError(errno.EIO, 'a'),
    FileNotFoundError(errno.ENOENT, 'a'),
    Exception('a'),
]


class _Raise(BaseTransform):
    """Raise an error on clip 0, or on all."""

    def __init__(self, error, always=False):
        # A config holds the text alone.
        self.error = TypeError(error) if isinstance(error, str) else error
        self.always = always

    def transform(self, results):
        if self.always or results['clip'] == 0:
            raise self.error
        return results


@TRANSFORMS.register_module()
class RaiseInTransform(_Raise):
    """Raise it as a step that works on frames."""


@TRANSFORMS.register_module(name='RaiseInReader')
class RaiseInReaderUnderAnotherName(_Raise):
    """Raise it as a step that opens a file."""


register_transform_rule('RaiseInTransform')
register_transform_rule('RaiseInReader', does_io=True)


def failing(tmp_path, step, error, always=False):
    steps = [dict(type=step, error=error, always=always), *pipeline()]
    data = tolerant_dataset(
        dict(
            type='ToyDataset',
            num_clips=24,
            pipeline=[wrap(step) for step in steps]), (8, 16))
    data.watch(report=str(tmp_path / 'report'))
    data.set_epoch(0, 0)
    return data


@pytest.mark.parametrize('step', ['RaiseInTransform', 'RaiseInReader'])
@pytest.mark.parametrize(
    'error',
    [MemoryError('a'),
     ImportError('Please install decord'), *MACHINE],
    ids=repr)
def test_the_machines_errors_end_the_run_at_once(tmp_path, step, error):
    with pytest.raises(type(error)) as raised:
        failing(tmp_path, step, error)[0, COARSE]
    assert raised.value is error
    assert raised.traceback[-1].name == 'transform'
    assert not (tmp_path / 'report').exists()


@pytest.mark.parametrize('error', FILE, ids=repr)
def test_only_a_readers_errors_cost_a_clip(tmp_path, error):
    """Errors of any other transform end the run."""
    data = failing(tmp_path, 'RaiseInReader', error)
    assert data[0, COARSE]['inputs'].shape == (1, 3, 2, 8, 8)
    report = tmp_path / 'report'
    assert report.read_text().startswith('clip 0\t')
    report.unlink()
    with pytest.raises(
            RuntimeError,
            match='^RaiseInTransform failed on clip '
            f'0: {type(error).__name__}: ') as raised:
        failing(tmp_path, 'RaiseInTransform', error)[0, COARSE]
    assert "register_transform_rule('RaiseInTransform', does_io=True)" \
        in str(raised.value)
    assert raised.value.__cause__ is error and not report.exists()


def test_a_mistake_outside_of_the_pipeline(tmp_path, monkeypatch):
    data = failing(tmp_path, 'RaiseInReader', ValueError())
    monkeypatch.setattr(
        type(data.dataset.dataset), 'get_data_info',
        lambda self, index: None + index)
    with pytest.raises(
            RuntimeError,
            match='^ToyDataset failed on clip 1: TypeError: .*NoneType'):
        data[1, COARSE]


def test_a_mistake_has_its_traceback(tmp_path):
    cfg = base_config(tmp_path, workers=1)
    cfg.train_dataloader.dataset.pipeline.insert(
        0, dict(type='RaiseInTransform', error='a mistake'))
    with pytest.raises(RuntimeError, match='a mistake') as raised:
        train(cfg)
    shown = ''.join(
        traceback.format_exception(RuntimeError, raised.value,
                                   raised.value.__traceback__))
    assert 'RaiseInTransform failed on clip 0' in shown
    assert 'raise self.error' in shown
    assert not list(tmp_path.glob('bad_videos*'))


def test_a_broken_picture_is_a_data_error(tmp_path):
    """RawFrameDecode gets None for it, and does not raise."""
    for name in ('fine', 'broken'):
        (tmp_path / name).mkdir()
        for i in range(1, 21):
            cv2.imwrite(
                str(tmp_path / name / f'img_{i:05}.jpg'),
                np.full((48, 64, 3), 10 * i, dtype=np.uint8))
    for path in (tmp_path / 'broken').iterdir():
        path.write_bytes(b'no picture')
    (tmp_path / 'list.txt').write_text('broken 20 0\nfine 20 1\n')
    steps = [
        dict(type='RawFrameDecode') if step['type'] == 'ToyDecode' else step
        for step in pipeline()
    ]
    data = tolerant_dataset(
        dict(
            type='RawframeDataset',
            ann_file=str(tmp_path / 'list.txt'),
            data_prefix=dict(img=str(tmp_path)),
            pipeline=[wrap(step) for step in steps]), (8, 16))
    data.watch(report=str(tmp_path / 'report'))
    data.set_epoch(0, 0)
    assert label_of(data[0, COARSE]).item() == 1
    assert (tmp_path /
            'report').read_text().startswith(f'{tmp_path / "broken"}\t')
