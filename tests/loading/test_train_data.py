"""Read the lists of the training data, or raise one error."""

from contextlib import nullcontext

import pytest
from mmaction_multigrid.loading.train_data import read_list
from mmengine.config import Config
from mmengine.fileio import list_from_file

from mmaction.registry import RUNNERS
from ..toy import tolerant_dataset
from .test_broken import _Raise


@pytest.mark.parametrize('content', [
    'a.mp4 0\nb.mp4 1', 'a.mp4 0\r\n\r\nb.mp4 1\r\n',
    'über\x85 \u2028雲.mp4 0\n\n'
])
def test_lines_equal_mmaction2s(tmp_path, content):
    path = tmp_path / 'list.txt'
    path.write_bytes(content.encode())
    expected = [line for line in list_from_file(str(path)) if line.strip()]
    assert read_list(path) == expected
    path.write_bytes(b'\xef\xbb\xbf' + content.encode())
    assert read_list(path) == expected


def listed(folder, content, kind='VideoDataset', **settings):
    (folder / 'list.txt').write_bytes(content)
    return dict(
        dict(
            type=kind,
            data_root=str(folder),
            ann_file='list.txt',
            pipeline=[dict(type='DecordInit')],
            data_prefix=dict(img='', video='')), **settings)


WRONG = dict(
    missing=(b'a 0', dict(ann_file='no_list.txt'), FileNotFoundError,
             r'no_list\.txt: there is no such list'),
    encoding=('跑步 0\n'.encode('gbk'), {}, ValueError,
              r'list\.txt: is not UTF-8'),
    word=(b'a 0\nb walk', {}, ValueError, "list.txt': 'b walk' must be"),
    space=(b'a 0\nb c 1', {}, ValueError, "list.txt': 'b c 1' must be"),
    share=(b'a 9 0\nb 9 1.5', dict(kind='RawframeDataset'), ValueError,
           "list.txt': 'b 9 1.5' must be"))


@pytest.mark.parametrize('lazy_init', [False, True])
@pytest.mark.parametrize('wrong', WRONG)
def test_a_wrong_list_is_named(tmp_path, wrong, lazy_init):
    content, settings, error, message = WRONG[wrong]
    (tmp_path / 'fine').mkdir()
    parts = [
        listed(tmp_path / 'fine', b'a 0\n'),
        listed(tmp_path, content, **settings, lazy_init=lazy_init)
    ]
    with pytest.raises(error, match=message):
        tolerant_dataset(
            dict(
                type='RepeatDataset',
                times=2,
                dataset=dict(type='ConcatDataset', datasets=parts)), (8, 16))


@pytest.mark.parametrize(('line', 'settings', 'wrong'), [
    ('b 0', {}, None),
    ('b 1', {}, None),
    ('b 2', {}, 2),
    ('b -1', {}, -1),
    ('b -100', {}, None),
    ('b 1 2', dict(multi_class=True, num_classes=3), None),
])
def test_an_unknown_class_is_an_error(tmp_path, line, settings, wrong):
    """Classes are limited by the head."""
    data = tolerant_dataset(
        listed(tmp_path, f'a 0\n{line}\n'.encode(), **settings), (8, 16))
    message = f"list.txt': .*b has class {wrong}, but num_classes = 2 "
    with nullcontext() if wrong is None else pytest.raises(
            ValueError, match=message):
        data.check_classes(2)
    data.dataset.dataset.pipeline.transforms.append(_Raise(ValueError()))
    data.check_classes(2)  # which may give a clip another class


def test_an_unknown_class_ends_a_run_before_its_first_iteration(
        small_config, tmp_path):
    cfg = Config.fromfile(small_config)
    cfg.work_dir, cfg.model.cls_head.num_classes = str(tmp_path), 1
    with pytest.raises(ValueError, match='has class 1, but num_classes = 1'):
        RUNNERS.build(cfg).train()
