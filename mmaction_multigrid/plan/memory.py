"""How much memory a step takes."""

import ctypes
import gc
from contextlib import suppress
from pathlib import Path
from typing import Optional

import torch


class PeakMemory:
    """Peak memory beyond what was in use when it was made: of the GPU, or, on Linux, of this process."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        if device.type == 'cuda':
            torch.cuda.synchronize(device)
            torch.cuda.reset_peak_memory_stats(device)
            self.before: Optional[int] = torch.cuda.memory_allocated(device)
        else:
            self.before = self._reset()

    @staticmethod
    def _reset() -> Optional[int]:
        gc.collect()
        # What earlier steps freed stays with the process until it is handed back, and would hide what this one takes.
        with suppress(AttributeError, OSError):  # a C library other than glibc
            ctypes.CDLL(None).malloc_trim(0)
        try:
            Path('/proc/self/clear_refs').write_text('5')  # proc(5): resets the peak resident set size
        except OSError:
            return None
        return _status('VmRSS')

    def read(self) -> Optional[int]:
        """Bytes, or None where the system does not tell."""
        if self.before is None:
            return None
        peak = torch.cuda.max_memory_allocated(self.device) if self.device.type == 'cuda' else _status('VmHWM')
        return None if peak is None else max(0, peak - self.before)


def _status(key: str) -> Optional[int]:
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith(f'{key}:'):
            return 1024 * int(line.split()[1])
    return None
