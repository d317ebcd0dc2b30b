"""Write checkpoints atomically, and remove old ones afterwards."""

import os

import pytest
from mmaction_multigrid.checkpoints.checkpoint_hook import (AtomicLocalBackend,
                                                            atomic_write)


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    backend = AtomicLocalBackend()
    backend.put(b'first', tmp_path / 'a.pth')

    def fail(*args):
        raise OSError(28, 'No space left on device')

    with monkeypatch.context() as patch:
        patch.setattr(os, 'fsync', fail)
        with pytest.raises(OSError, match='No space left'):
            backend.put(b'second', tmp_path / 'a.pth')
    assert [path.name for path in tmp_path.iterdir()] == ['a.pth']
    assert (tmp_path / 'a.pth').read_bytes() == b'first'


def test_an_outdated_file_is_removed_after_the_next_write(tmp_path):
    """Other files that the process writes do not count."""
    backend = AtomicLocalBackend()
    backend.put(b'first', tmp_path / '1.pth')
    backend.remove(tmp_path / '1.pth')
    atomic_write(tmp_path / 'last_checkpoint', b'1.pth')
    assert (tmp_path / '1.pth').exists()
    AtomicLocalBackend().put(b'second', tmp_path / '2.pth')
    assert not (tmp_path / '1.pth').exists()


def test_an_outdated_file_written_again_stays(tmp_path):
    """A ``filename_tmpl`` without ``{}`` gives two checkpoints one name."""
    backend = AtomicLocalBackend()
    (tmp_path / 'folder').mkdir()
    backend.put(b'first', tmp_path / 'a.pth')
    backend.remove(tmp_path / 'folder' / '..' / 'a.pth')
    for content in (b'second', b'third'):
        backend.put(content, str(tmp_path / 'a.pth'))
        assert (tmp_path / 'a.pth').read_bytes() == content
    backend.put(b'fourth', tmp_path / 'b.pth')
    assert (tmp_path / 'a.pth').exists()
