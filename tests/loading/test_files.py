"""Reading annotation lists as MMAction2 does."""

import pytest
from mmaction_multigrid.loading.files import read_list
from mmengine.fileio import list_from_file


@pytest.mark.parametrize('content', [
    'a.mp4 0\nb.mp4 1', 'a.mp4 0\r\n\r\nb.mp4 1\r\n',
    'über\x85 \u2028雲.mp4 0\n\n'
])
def test_lines_are_those_of_mmaction2(tmp_path, content):
    path = tmp_path / 'list.txt'
    path.write_bytes(content.encode())
    expected = [line for line in list_from_file(str(path)) if line.strip()]
    assert read_list(path) == expected
    path.write_bytes(b'\xef\xbb\xbf' + content.encode())
    assert read_list(path) == expected


def test_other_encodings_are_named_with_list_and_line(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_bytes('a.mp4 0\r\n跑步.mp4 0\n'.encode('gbk'))
    with pytest.raises(ValueError, match=r'list\.txt, line 2: is not UTF-8'):
        read_list(path)
    with pytest.raises(
            FileNotFoundError,
            match='none.txt: there is no such list; give an annotation file'):
        read_list(tmp_path / 'none.txt')
