"""``python -m mmaction_multigrid COMMAND``, and the console script ``mmaction-multigrid``."""

import argparse
import sys
from typing import List, Optional

from .cli import check, report, resolve, schedule, store, videos
from .patches import LEAVE_STACK, change_lines, is_set

PROGRAM = 'mmaction-multigrid'
COMMANDS = dict(schedule=schedule, resolve=resolve, check=check, store=store, videos=videos, report=report)


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description='Multigrid training of video models for MMAction2.',
                                     epilog=f'{PROGRAM} COMMAND --help says more of each.')
    parser.add_argument('--debug', action='store_true', help='show where an error comes from, and what the '
                        'package changed in the installed stack')
    commands = parser.add_subparsers(dest='command', metavar='COMMAND', required=True)
    for name, module in COMMANDS.items():
        text = module.__doc__.splitlines()[0]
        module.add_arguments(commands.add_parser(name, help=text, description=text, epilog=f'{PROGRAM} {module.EXAMPLE}'))
    return parser


def main(argv: Optional[List[str]] = None) -> int:
    """Run a command; its exit status: 2, and one line on stderr, where the user made a mistake."""
    args = build_parser().parse_args(argv)
    if args.debug:
        print(*change_lines(), sep='\n', file=sys.stderr)
    try:
        return COMMANDS[args.command].run(args) or 0
    except (ImportError, OSError, TypeError, ValueError) as error:
        if args.debug:
            raise
        text = ' '.join(str(error).split())
        if isinstance(error, ImportError) and is_set(LEAVE_STACK):
            text += (f'; {LEAVE_STACK} is set: nothing that is missing in '
                     'the installed stack is stood in for')
        print(f'{PROGRAM} {args.command}: {text}', file=sys.stderr)
        return 2


if __name__ == '__main__':
    sys.exit(main())
