"""Build the package and install it from its wheel."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parent.parent


def call(*command, cwd=None, status=0, **environment):
    """Run a command, and return its output.

    Of one that has to fail it is the last line of the error.
    """
    result = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        capture_output=True,
        text=True,
        env=dict(os.environ, OMP_NUM_THREADS='1', **environment))
    assert result.returncode == status, (
        result.stdout[-2000:] + result.stderr[-4000:])
    return result.stdout if status == 0 else result.stderr.splitlines()[-1]


def repository_files(*paths):
    """Return the files below these paths that git does not ignore."""
    listed = subprocess.run([
        'git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard',
        *paths
    ],
                            cwd=ROOT,
                            capture_output=True,
                            check=True)
    names = listed.stdout.decode().split('\0')
    return {name for name in names if name and (ROOT / name).exists()}


def build(folder):
    """Build an sdist and a wheel from it, and return their folder."""
    for name in repository_files():
        source, copy = ROOT / name, folder / 'source' / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            copy.symlink_to(source.readlink())
        else:
            copy.write_bytes(source.read_bytes())
    call(
        sys.executable,
        '-m',
        'build',
        '--no-isolation',
        '--outdir',
        folder / 'dist',
        folder / 'source',
        cwd=folder)
    return folder / 'dist'


def environment(folder):
    """Make a virtual environment with the stack and without this package.

    Returns:
        Path: Its Python.
    """
    call(
        sys.executable,
        '-m',
        'venv',
        '--without-pip',
        folder / 'env',
        cwd=folder)
    site = next((folder / 'env').rglob('site-packages'))
    # A plain path: the link to this repository, which a .pth file there
    # holds, is not followed.
    (site / 'stack.pth').write_text(sysconfig.get_path('purelib') + '\n')
    return folder / 'env' / 'bin' / 'python'


def install(dist, folder):
    """Install the wheel into a virtual environment, and return its Python."""
    python = environment(folder)
    wheel, = dist.glob('*.whl')
    call(
        sys.executable,
        '-m',
        'pip',
        '--disable-pip-version-check',
        '--python',
        python,
        'install',
        '--no-deps',
        '--no-index',
        '--ignore-installed',
        wheel,
        cwd=folder)
    return python


class WarmPython:
    """Run scripts as ``python ARGS`` does, without the import of torch.

    Args:
        python (Path): The interpreter.
        folder (Path): For the output of the scripts.
    """

    def __init__(self, python, folder):
        self.out = folder / 'out.txt'
        script = ROOT / 'tests' / 'stock_paths' / 'warm.py'
        # One thread, with which sums have the same last bit everywhere.
        self.process = subprocess.Popen([python, '-W', 'ignore', script],
                                        stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE,
                                        text=True,
                                        cwd=folder,
                                        env=dict(
                                            os.environ, OMP_NUM_THREADS='1'))

    def __call__(self, *args, cwd, status=0):
        """Run a script in a folder, and return its output."""
        task = dict(cwd=str(cwd), out=str(self.out), args=list(map(str, args)))
        self.process.stdin.write(json.dumps(task) + '\n')
        self.process.stdin.flush()
        found = int(self.process.stdout.readline())
        text = self.out.read_text(errors='replace')
        assert found == status, f'exit status {found}\n{text[-6000:]}'
        return text

    def close(self):
        """End the process."""
        # Data workers that this process forked may hold the other end of its
        # input, so that it would never see the end of that.
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
