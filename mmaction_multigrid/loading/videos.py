"""Finds videos that cannot be decoded, those that end their reader among them.

Training replaces a file that raises an error, and one that makes decord segfault at the cost of a new start of its
workers; it ends where more than a twentieth fails, and validation does at the first. Here a segfault ends a child that
is started anew.
"""

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Iterator, List, Optional, Sequence, Tuple

READER = """
import io, sys
import decord, numpy as np
for line in sys.stdin:
    try:
        with open(line[:-1], 'rb') as file:
            video = decord.VideoReader(io.BytesIO(file.read()), num_threads=1)
        wanted = np.linspace(0, len(video) - 1, min(len(video), 8)).astype(int)
        frames = video.get_batch(wanted).asnumpy()
        if len(frames) == 0 or frames.shape[3:] != (3, ):
            raise ValueError('no frames')
        answer = 'fine'
    except Exception as error:
        answer = f'{type(error).__name__}: {str(error).strip() or "no message"}'.splitlines()[0]
    print(answer, flush=True)
"""


class Reader:
    """A child process that opens videos as the data workers do, started anew when one ends it.

    Args:
        timeout (float): Seconds that one video may take.
    """

    def __init__(self, timeout: float = 60.) -> None:
        self.timeout = timeout
        self._child: Optional[subprocess.Popen] = None

    def read(self, path: str) -> str:
        """What became of a video: ``fine``, an error, ``hang``, or the signal that ended the process."""
        if '\n' in path:
            return 'ValueError: a line break in the name'
        if self._child is None:
            self._child = subprocess.Popen([sys.executable, '-c', READER], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                           stderr=subprocess.DEVNULL, encoding='utf-8', errors='surrogateescape')
        self._child.stdin.write(path + '\n')
        self._child.stdin.flush()
        alarm = threading.Timer(self.timeout, self._child.kill)
        alarm.start()
        try:
            answer = self._child.stdout.readline().strip()
        finally:
            alarm.cancel()
        if answer:
            return answer
        code = self._child.wait()
        self.close()
        if code == -signal.SIGKILL:
            return f'hang: ended after {self.timeout:g} s'
        return f'crash: {signal.Signals(-code).name}' if code < 0 else f'crash: exit status {code}'

    def close(self) -> None:
        """End the child process."""
        if self._child is not None:
            self._child.stdin.close()
            self._child.wait()
            self._child.stdout.close()
            self._child = None


def check_videos(paths: Sequence[str], timeout: float = 60., processes: int = 1) -> Iterator[Tuple[str, str]]:
    """Each path, in order, and what became of it: ``fine``, an error, ``hang: ...`` or ``crash: ...``.

    Args:
        paths: Videos.
        timeout: Seconds that one may take.
        processes: Readers side by side.
    """
    readers: List[Reader] = []
    mine = threading.local()

    def read(path: str) -> Tuple[str, str]:
        if not hasattr(mine, 'reader'):
            mine.reader = Reader(timeout)
            readers.append(mine.reader)
        return path, mine.reader.read(path)

    with ThreadPoolExecutor(processes) as pool:
        try:
            yield from pool.map(read, paths)
        finally:
            pool.shutdown(cancel_futures=True)
            for reader in readers:
                reader.close()
