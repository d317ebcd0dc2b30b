"""Find videos that cannot be decoded, or that crash their decoder.

Videos are opened in child processes, which are started anew after a crash.
"""

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Iterator, Sequence, Tuple

# Source of the child process. It opens videos from memory and with one thread,
# as DecordInit does, and imports no more than that needs.
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
        text = str(error).strip() or 'no message'
        answer = f'{type(error).__name__}: {text}'.splitlines()[0]
    print(answer, flush=True)
"""


def check_videos(paths: Sequence[str],
                 timeout: float = 60.,
                 processes: int = 1) -> Iterator[Tuple[str, str]]:
    """Open videos as the data workers do.

    Args:
        paths (Sequence[str]): The videos.
        timeout (float): Seconds allowed per video. Defaults to 60.
        processes (int): Number of child processes. Defaults to 1.

    Yields:
        tuple[str, str]: Each path, in order, with ``'fine'``, an error,
        ``'hang: ...'`` or ``'crash: ...'``.
    """
    # Each thread of the pool talks to one child.
    local = threading.local()

    def read(path: str) -> Tuple[str, str]:
        # The child reads one path per line.
        if '\n' in path:
            return path, 'ValueError: a line break in the name'
        child = getattr(local, 'child', None)
        if child is None or child.returncode is not None:
            child = local.child = children.enter_context(
                subprocess.Popen([sys.executable, '-c', READER],
                                 stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL,
                                 encoding='utf-8',
                                 errors='surrogateescape'))
        return path, _ask(child, path, timeout)

    with ExitStack() as children, ThreadPoolExecutor(processes) as pool:
        yield from pool.map(read, paths)


def _ask(child: subprocess.Popen, path: str, timeout: float) -> str:
    """Let a child open a video, and return its answer."""
    child.stdin.write(path + '\n')
    child.stdin.flush()
    alarm = threading.Timer(timeout, child.kill)
    alarm.start()
    answer = child.stdout.readline().strip()
    alarm.cancel()
    if answer:
        return answer
    # The child has ended, by itself or by the alarm.
    with child:  # closes its pipes
        code = child.wait()
    if code == -signal.SIGKILL:
        return f'hang: ended after {timeout:g} s'
    return f'crash: {signal.Signals(-code).name}' if code < 0 else (
        f'crash: exit status {code}')
