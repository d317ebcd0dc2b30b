"""Run ``python -m mmaction_multigrid COMMAND``."""

import argparse
import signal
import sys
from typing import List, Optional

from .cli import check, report, resolve, schedule, store, videos
from .patches import change_lines

PROGRAM = 'mmaction-multigrid'
COMMANDS = dict(
    schedule=schedule,
    resolve=resolve,
    check=check,
    store=store,
    videos=videos,
    report=report)


def main(argv: Optional[List[str]] = None) -> int:
    """Run a command.

    Args:
        argv (list[str], optional): Command and arguments. Defaults to those
            of the process.

    Returns:
        int: Exit status. 2 means an error, which the last line on stderr
            describes, and 130 an interruption by Ctrl-C.
    """
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description='Multigrid training of video models for MMAction2.',
        epilog=f'{PROGRAM} COMMAND --help describes a command.')
    parser.add_argument(
        '--debug',
        action='store_true',
        help='show where an error comes from, and what the package '
        'changed in the installed stack')
    commands = parser.add_subparsers(
        dest='command', metavar='COMMAND', required=True)
    for name, module in COMMANDS.items():
        module.add_arguments(
            commands.add_parser(
                name, help=module.__doc__, description=module.__doc__))
    args = parser.parse_args(argv)
    if args.debug:
        print(*change_lines(), sep='\n', file=sys.stderr)
    try:
        return COMMANDS[args.command].run(args) or 0
    except KeyboardInterrupt:
        print(
            f'{PROGRAM} {args.command}: interrupted; run the same command '
            'again',
            file=sys.stderr)
        return 128 + signal.SIGINT
    # Errors of users, with messages for them. Other types are bugs, whose
    # trace is printed.
    except (ImportError, OSError, TypeError, ValueError) as error:
        if args.debug:
            raise
        print(
            f'{PROGRAM} {args.command}:', *str(error).split(), file=sys.stderr)
        return 2


if __name__ == '__main__':
    sys.exit(main())
