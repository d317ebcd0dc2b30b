"""What ``store build`` says, and its exit status, where not all is copied."""

import pytest

from mmaction_multigrid.__main__ import main

from ..videos import encode

SIDES, COMMA = ('--sides', '16'), ('--delimiter', ',')


@pytest.mark.parametrize(('content', 'options', 'status', 'message'), [
    ('a.mp4 0\na.mp4 1\n', SIDES, 0, '1 of these 1 videos'),
    ('odd one.mp4,0\n', (*SIDES, *COMMA), 0, '1 of these 1 videos'),
    ('\ufeffa.mp4 0\n', SIDES, 0, '1 of these 1 videos'),
    ('a.mp4 0\nbad.mp4 1\n', SIDES, 1, '1 videos could not be copied'),
    ('bad.mp4 0\nodd one.mp4 1\n', SIDES, 2,
     'none of these 2 videos could be copied. The first: '),
    ('bad.mp4 0\n', SIDES, 2, '; are --root and --delimiter right?'),
    (None, SIDES, 2, 'list.txt: there is no such list; give an annotation'),
    (None, ('--config', ), 2, "list.txt': there is no such file"),
    ('a.mp4,0\n', (*COMMA, '--config'), 2, "--delimiter ',': the list is"),
])
def test_store_build(tmp_path, capsys, small_config, content, options, status,
                     message):
    encode(tmp_path / 'a.mp4', 4)
    encode(tmp_path / 'odd one.mp4', 4)
    (tmp_path / 'bad.mp4').write_bytes(b'no video')
    if content is not None:
        (tmp_path / 'list.txt').write_text(content, encoding='utf-8')
    command = [tmp_path / 'list.txt', tmp_path / 'store', '--root', tmp_path,
               '--processes', 1, *options]
    if options[-1] == '--config':
        command.append(small_config)
    assert main(['store', 'build', *map(str, command)]) == status
    printed = capsys.readouterr()
    assert message in ' '.join((printed.out + printed.err).split())


def test_a_list_in_the_place_of_the_store(tmp_path, capsys, small_config):
    path = tmp_path / 'list.txt'
    path.write_text('a.mp4 0\n')
    assert main(['store', 'build', str(path), '--config',
                 str(small_config)]) == 2
    assert 'is a file; give the folder of the store' in capsys.readouterr().err
