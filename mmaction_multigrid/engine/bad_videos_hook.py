"""Tells which clips could not be loaded."""

from collections import Counter
from pathlib import Path
from typing import Dict, Iterator, Tuple

from mmaction.registry import HOOKS
from mmengine.dist import get_rank, is_main_process
from mmengine.hooks import Hook


@HOOKS.register_module()
class BadVideosHook(Hook):
    """Lists files that could not be loaded, and were replaced by others, in ``work_dir/bad_videos.txt``.

    The workers of rank ``r`` append to ``bad_videos.rank{r}.txt`` as they meet them, so that a killed run leaves its
    list too. After every epoch rank 0 sums these files up, most frequent first, and names new clips in the log.
    Files that ended a worker are in ``crashed_videos.rank{r}.txt``, each with the epoch, for a resumed run to leave out.
    Priority NORMAL: it depends on no other hook.
    """
    priority = 'NORMAL'

    def __init__(self) -> None:
        self._read: Dict[Path, int] = {}  # bytes of each report that are counted
        self._counts: Counter = Counter()
        self._errors: Dict[str, str] = {}

    def before_train(self, runner) -> None:
        """Tell the data set where to report to, before its workers start."""
        dataloader, folder = runner.train_loop.dataloader, Path(runner.work_dir)
        if hasattr(dataloader.dataset, 'report_to'):
            dataloader.dataset.report_to(str(folder / f'bad_videos.rank{get_rank()}.txt'))
            crashed = folder / f'crashed_videos.rank{get_rank()}.txt'
            if not runner._resume:
                crashed.unlink(missing_ok=True)
            dataloader.dataset.survive_crashes(dataloader.num_workers, str(crashed))

    def after_train_epoch(self, runner) -> None:
        """Sum up, and log what is new."""
        if not is_main_process():
            return
        folder = Path(runner.work_dir)
        for name, error, outcome in self._new_lines(folder):
            if name not in self._counts:
                runner.logger.warning(f'cannot load {name} ({error}); {outcome}')
                self._errors[name] = error
            self._counts[name] += 1
        if self._counts:
            lines = [f'{count}\t{name}\t{self._errors[name]}\n' for name, count in self._counts.most_common()]
            (folder / 'bad_videos.txt').write_text(''.join(lines), encoding='utf-8')

    def after_train(self, runner) -> None:
        """Say how many there were."""
        if self._counts:
            runner.logger.warning(f'{len(self._counts)} files could not be loaded: '
                                  f'{Path(runner.work_dir) / "bad_videos.txt"}')

    def _new_lines(self, folder: Path) -> Iterator[Tuple[str, str, str]]:
        """Name, error and outcome of what the workers of all ranks on this machine reported since the last call."""
        for path in sorted(folder.glob('bad_videos.rank*.txt')):
            with open(path, 'rb') as file:
                file.seek(self._read.get(path, 0))
                for line in file:
                    if not line.endswith(b'\n'):  # still being written
                        break
                    self._read[path] = self._read.get(path, 0) + len(line)
                    yield tuple(line.decode().rstrip('\n').rsplit('\t', 2))
