"""Resolve the configs on the pages."""

import re

import pytest
from mmaction_multigrid import apply_multigrid
from mmengine.config import Config

from .conftest import ROOT
from .docs.pages import NEW_STYLE, blocks
from .stock import import_types

README = (ROOT / 'README.md').read_text()
STOCK = re.search('^_base_ = .*', README, flags=re.MULTILINE)[0]


@pytest.mark.parametrize('text',
                         blocks(README, 'python') +
                         blocks(NEW_STYLE, 'python'))
def test_configs_train(text, tmp_path):
    (tmp_path / 'config.py').write_text(text)
    if 'read_base' in text:
        (tmp_path / 'stock.py').write_text(STOCK)
        stock = Config.fromfile(tmp_path / 'stock.py').to_dict()
        (tmp_path / 'mine.py').write_text(import_types(stock))
    resolved = apply_multigrid(Config.fromfile(tmp_path / 'config.py'))
    assert resolved.train_cfg == dict(
        type='MultigridTrainLoop', max_epochs=384, eval_freq=3)  # 1.5 x 256
    stages = resolved.train_dataloader.batch_sampler.stages
    assert stages[0].shapes == [(16, 8, 112), (8, 8, 158), (8, 8, 158)]
    assert stages[-1].shapes == [(4, 32, 112), (2, 32, 158), (1, 32, 224)]
    assert resolved.custom_imports.imports == ['mmaction_multigrid']
