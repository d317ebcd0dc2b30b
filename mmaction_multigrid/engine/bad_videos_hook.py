"""Tells which clips could not be loaded."""

from collections import Counter
from pathlib import Path
from typing import Dict, Set

from mmaction.registry import HOOKS
from mmengine.dist import get_rank, is_main_process
from mmengine.hooks import Hook


@HOOKS.register_module()
class BadVideosHook(Hook):
    """Lists clips that could not be loaded, and were replaced by others, in ``work_dir/bad_videos.txt``.

    The workers of rank ``r`` append to ``bad_videos.rank{r}.txt`` as they meet them, so that a killed run leaves its
    list too. After every epoch rank 0 sums these files up, most frequent first, and names new clips in the log.
    Priority NORMAL: it depends on no other hook.
    """
    priority = 'NORMAL'

    def __init__(self) -> None:
        self._named: Set[str] = set()

    def before_train(self, runner) -> None:
        """Tell the data set where to report to, before its workers start."""
        dataset = runner.train_loop.dataloader.dataset
        if hasattr(dataset, 'report_to'):
            dataset.report_to(str(Path(runner.work_dir) / f'bad_videos.rank{get_rank()}.txt'))

    def after_train_epoch(self, runner) -> None:
        """Sum up, and log what is new."""
        if not is_main_process():
            return
        counts, errors = self._read(Path(runner.work_dir))
        new = [name for name in errors if name not in self._named]
        for name in new:
            runner.logger.warning(f'cannot load {name} ({errors[name]}); another clip took its place')
        self._named.update(new)
        if counts:
            lines = [f'{count}\t{name}\t{errors[name]}\n' for name, count in counts.most_common()]
            (Path(runner.work_dir) / 'bad_videos.txt').write_text(''.join(lines), encoding='utf-8')

    def after_train(self, runner) -> None:
        """Say how many there were."""
        if self._named and is_main_process():
            runner.logger.warning(f'{len(self._named)} clips could not be loaded: '
                                  f'{Path(runner.work_dir) / "bad_videos.txt"}')

    @staticmethod
    def _read(folder: Path):
        counts: Counter = Counter()
        errors: Dict[str, str] = {}
        for path in sorted(folder.glob('bad_videos.rank*.txt')):
            for line in path.read_text(encoding='utf-8').splitlines():
                name, _, error = line.partition('\t')
                counts[name] += 1
                errors[name] = error
        return counts, errors
