"""Run the comparison of formats on a few clips, with a stand-in archive."""

import sys

from mmengine.config import Config

from ..small import load_tool


def test_rows(small_config, tmp_path, monkeypatch, capsys):
    """What is not installed has no row."""
    plain, cfg = tmp_path / 'plain.py', Config.fromfile(small_config)
    cfg.pop('multigrid'), cfg.pop('runner_type')
    cfg.dump(plain)
    tool = load_tool('benchmark/formats')
    read = []

    def memory(folder, videos):
        return lambda index: read.append(index) or videos[index]

    memory.__name__ = 'litdata'
    monkeypatch.setattr(tool, 'litdata', memory)
    monkeypatch.setitem(sys.modules, 'webdataset', None)
    monkeypatch.setattr('sys.argv', ['formats.py', str(plain), '--clips', '5'])
    tool.main()
    lines = capsys.readouterr().out.splitlines()
    assert 'import of webdataset halted; None in sys.modules' in lines
    rows = dict((line[:11].strip(), line.split()[-2:]) for line in lines[-3:])
    assert list(rows) == ['stock', 'frame store', 'litdata']
    assert all(
        float(ratio) > 0 and float(mib) >= 0 for ratio, mib in rows.values())
    assert rows['stock'][0] == '1.00'
    assert read == [0, 1, 2, 3, 4, 5]
