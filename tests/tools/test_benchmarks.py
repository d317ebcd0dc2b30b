"""The benchmarks run; what they measure is not a test's to judge."""

import re

from ..small import load_tool


def test_overheads(monkeypatch, capsys):
    monkeypatch.setattr('sys.argv', ['overheads.py', '--repeats', '2'])
    monkeypatch.setattr('logging.disable', lambda level: None)
    load_tool('benchmark/overheads').main()
    figures = re.findall(r'([\d.]+) \(([\d.]+) to ([\d.]+)\)',
                         capsys.readouterr().out)
    assert len(figures) == 7
    for middle, low, high in figures:  # of something that took time
        assert 0 < float(low) <= float(middle) <= float(high)
