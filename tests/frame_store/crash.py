"""Define work for processes that do not import torch."""

import os
import signal


def end_process(source):
    """End the process at one video, as decord does."""
    if source == 'fatal.mp4':
        os.kill(os.getpid(), signal.SIGSEGV)
    return source, None, 'tried'
