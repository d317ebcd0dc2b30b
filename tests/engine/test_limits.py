"""At the end of each stage the log says what limited it."""

import re
from types import SimpleNamespace

import pytest
from mmengine.config import Config

from mmaction_multigrid.loading.data_time import store_command

from ..toy import base_config
from .test_training import interrupted, train


def lines(work_dir):
    log = ''.join(path.read_text() for path in work_dir.rglob('*.log'))
    return sorted(re.findall(r'Multigrid stage (\d)/(\d) is trained: waiting for data \d+ % of [\d.e-]+ s', log))


@pytest.mark.parametrize('workers', [0, 1])
def test_once_for_every_stage(tmp_path, workers):
    runner, _ = train(base_config(tmp_path, workers=workers, num_clips=128))
    count = str(len(runner.train_loop.dataloader.batch_sampler.stages))
    assert lines(tmp_path) == [(str(i + 1), count) for i in range(int(count))]


def test_resumed_in_the_midst_of_a_stage(tmp_path):
    interrupted(base_config(tmp_path, stages=[dict(epochs=4, num_frames=4), dict(epochs=1)]), 2)
    assert lines(tmp_path) == [('1', '2'), ('2', '2')]


def test_no_command_for_clips_without_files(tmp_path):
    """Of the toy's clips, which are made up in memory, no store can be built."""
    cfg = base_config(tmp_path)
    runner, _ = train(cfg)
    assert store_command(cfg, runner.train_loop.dataloader.dataset) is None


def listed(**settings):
    return SimpleNamespace(**{'ann_file': 'train list.txt', 'data_prefix': dict(video='videos'), **settings})


CFG = Config(dict(train_dataloader=dict(dataset=dict(type='VideoDataset'))), filename=__file__)


@pytest.mark.parametrize('dataset', [
    listed(), SimpleNamespace(dataset=listed()), SimpleNamespace(dataset=SimpleNamespace(datasets=[listed(), None]))])
def test_the_command_names_list_folder_and_config(dataset):
    assert store_command(CFG, dataset) == (
        f"python -m mmaction_multigrid store build 'train list.txt' STORE --root videos --config {__file__}")


def test_the_command_where_less_is_known():
    dataset = listed(data_prefix=dict(video=''))
    assert store_command(Config(CFG.to_dict()), dataset).endswith('STORE --root . --config CONFIG')


def test_no_command_beside_a_store():
    cfg = Config(dict(train_dataloader=dict(dataset=dict(pipeline=[dict(type='UseGridStore', store='s')]))))
    assert store_command(cfg, listed()) is None
