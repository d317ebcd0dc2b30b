"""What ``store build`` says, and its exit status, where not all is copied."""

import re

import pytest

from mmaction_multigrid.__main__ import main

from ..videos import encode

# What is in the folder; the command's own arguments; exit status, and what it says.
CASES = dict(
    all=('a.mp4 0\na.mp4 1\n', [], 0, '1 of these 1 videos'),
    spaces=('odd one.mp4,0\n', ['--delimiter', ','], 0, '1 of these 1 videos'),
    mark=('\ufeffa.mp4 0\n', [], 0, '1 of these 1 videos'),
    some=('a.mp4 0\nbad.mp4 1\n', [], 1, '1 videos could not be copied'),
    none=('bad.mp4 0\nodd one.mp4 1\n', [], 2,
          'none of these 2 videos could be copied. The first: .*bad.mp4: .*; are --root and --delimiter right'),
    no_list=(None, [], 2, r'list\.txt: there is no such list; give an annotation file'),
    delimiter_of_config=('a.mp4,0\n', ['--delimiter', ',', '--config', 'CONFIG'], 2, r"--delimiter ',': .* --config"),
    encoding=('跑步.mp4 0\n'.encode('gbk'), [], 2, r'list\.txt, line 1: is not UTF-8'))


@pytest.mark.parametrize('case', CASES)
def test_what_it_says(tmp_path, capsys, small_config, case):
    content, options, status, message = CASES[case]
    encode(tmp_path / 'a.mp4', 4)
    encode(tmp_path / 'odd one.mp4', 4)
    (tmp_path / 'bad.mp4').write_bytes(b'no video')
    if content is not None:
        (tmp_path / 'list.txt').write_bytes(content if isinstance(content, bytes) else content.encode())
    options = [str(small_config) if option == 'CONFIG' else option for option in options]
    assert main(['store', 'build', str(tmp_path / 'list.txt'), str(tmp_path / 'store'), '--root', str(tmp_path),
                 '--sides', '16', '--processes', '1', *options]) == status
    printed = capsys.readouterr()
    assert re.search(message, ' '.join((printed.err if status == 2 else printed.out).split()))


def test_a_list_in_the_place_of_the_store(tmp_path, capsys, small_config):
    (tmp_path / 'list.txt').write_text('a.mp4 0\n')
    assert main(['store', 'build', str(tmp_path / 'list.txt'), '--config', str(small_config)]) == 2
    assert 'list.txt: is a file; give the folder of the store after the list' in capsys.readouterr().err


def test_a_list_that_is_missing_from_the_config(tmp_path, capsys, small_config):
    assert main(['store', 'build', str(tmp_path / 'none.txt'), str(tmp_path / 'store'), '--config',
                 str(small_config)]) == 2
    assert 'none.txt\': there is no such file; train_dataloader.dataset needs' in capsys.readouterr().err
