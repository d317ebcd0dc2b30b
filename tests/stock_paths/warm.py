"""Fork a process that has imported torch for every script.

    python warm.py     and, a line of JSON each on its input: {"cwd": FOLDER,
                       "out": FILE, "args": [SCRIPT or "-m", ...]}

It answers with the exit status of each. Importing torch, mmengine, mmcv,
scipy and decord takes longer than most of what the tests run; nothing of
MMAction2 or of this package is imported before the fork.
"""

import json
import multiprocessing.process
import os
import runpy
import sys
import traceback
from pathlib import Path

import cv2
import decord  # noqa: F401
import mmcv  # noqa: F401
import mmengine.runner  # noqa: F401
import scipy.stats  # noqa: F401
import torch._dynamo  # noqa: F401  the first optimizer imports it


def run(args):
    """Run a script, or a module, as ``python ARGS`` does."""
    if args[0] == '-m':
        sys.argv = args[1:]
        sys.path[0] = os.getcwd()
        runpy.run_module(args[1], run_name='__main__', alter_sys=True)
    else:
        sys.argv = args
        sys.path[0] = os.path.dirname(args[0])
        runpy.run_path(args[0], run_name='__main__')


def child(task):
    """Become the process of a task."""
    os.chdir(task['cwd'])
    # Where processes that the script spawns look for it.
    multiprocessing.process.ORIGINAL_DIR = task['cwd']
    out = os.open(task['out'], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(out, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    status = 0
    try:
        run(task['args'])
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else bool(
            error.code)
    except BaseException:
        traceback.print_exc()
        status = 1
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(int(status))


if __name__ == '__main__':
    cv2.setNumThreads(1)
    runpy.run_path(str(Path(__file__).parent.parent / 'plain_text.py'))
    for line in sys.stdin:
        process = os.fork()
        if not process:
            child(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
