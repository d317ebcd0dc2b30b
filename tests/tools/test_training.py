"""Train with our tools and with MMAction2's own."""

import pytest
from mmaction_multigrid.__main__ import main
from mmengine.runner import Runner

from ..small import STOCK_TOOLS, load_tool, scalars


@pytest.mark.parametrize('resolve', [False, True])
def test_the_stock_train_script_trains_the_same(trained, small_config, python,
                                                tmp_path, resolve):
    """The resolved config needs the stock Runner only."""
    config = small_config
    if resolve:
        config = tmp_path / 'resolved.py'
        main(['resolve', str(small_config), str(config)])
        assert 'runner_type' not in config.read_text()
    python(STOCK_TOOLS / 'train.py', config, '--work-dir', 'run', cwd=tmp_path)
    assert scalars(tmp_path / 'run') == scalars(trained)


def test_resumed_by_flag(trained, small_config, tmp_path, monkeypatch):
    """Train the rest of the run from the first checkpoint on."""
    monkeypatch.setenv('LOCAL_RANK', '0')
    monkeypatch.setattr('sys.argv', [
        'train.py',
        str(small_config), '--work-dir',
        str(tmp_path), '--resume',
        str(min(trained.glob('epoch_?.pth')))
    ])
    load_tool('train').main()
    rest, straight = ([dict(entry, loss=None) for entry in scalars(folder)]
                      for folder in (tmp_path, trained))
    assert rest == straight[-len(rest):]
    assert 0 < len(rest) < len(straight)


@pytest.fixture
def train(tmp_path, monkeypatch, small_config):
    """Start tools/train.py, and return the config of its runner."""

    def call(text, *flags):
        config, seen = tmp_path / 'config.py', []
        config.write_text(f"_base_ = ['{small_config}']\n{text}\n")
        monkeypatch.setattr(Runner, 'from_cfg', lambda cfg: seen.append(cfg))
        monkeypatch.setattr('sys.argv', ['train.py', str(config), *flags])
        monkeypatch.setenv('LOCAL_RANK', '0')
        with pytest.raises(AttributeError, match='train'):  # of None
            load_tool('train').main()
        return seen[0]

    return call


@pytest.mark.parametrize(('flags', 'expected'), [
    ((), dict(seed=5, deterministic=True)),
    (('--seed', '0', '--diff-rank-seed'),
     dict(seed=0, deterministic=True, diff_rank_seed=True)),
    (('--deterministic', '--cfg-options', 'randomness.seed=7'),
     dict(seed=7, deterministic=True)),
])
def test_the_seed_of_the_command_line_comes_first(train, flags, expected):
    text = 'randomness = dict(seed=5, deterministic=True)'
    assert train(text, *flags).randomness == expected


def test_the_data_is_checked_before_the_model_is_built(train):
    with pytest.raises(
            RuntimeError,
            match='100 clips in a row cannot be loaded; the last one: gone/'
            '.*Check ann_file and data_prefix'):
        train('train_dataloader = dict(dataset=dict('
              "data_prefix=dict(video='gone')))")
