"""Write docs/keys.md, the reference of the keys of ``multigrid``: what ``Settings`` says of them, and what it allows.

    python tools/maintain/write_keys.py
"""

import ast
import inspect
import re
from pathlib import Path
from textwrap import fill

from mmaction_multigrid.config.settings import Settings
from mmaction_multigrid.config.settings import NULLABLE

OUT = Path(__file__).resolve().parents[2] / 'docs' / 'keys.md'
HEAD = """# All keys of `multigrid`

Made from `Settings`, which checks them, by `python tools/maintain/write_keys.py`. An unknown key, a wrong type and an
impossible value are errors that name the key, the value and what is allowed. [Choosing the schedule](schedule.md) says
what the keys trade, the [method card](multigrid.md#hyperparameters) when to change them.
"""


def defaults() -> dict:
    """Keys and their defaults; tuples as the source has them, with roots and fractions."""
    body = ast.parse(inspect.getsource(Settings)).body[0].body
    return {node.target.id: ast.unparse(node.value) if isinstance(node.value, ast.Tuple) else
            repr(getattr(Settings, node.target.id)) for node in body if isinstance(node, ast.AnnAssign)}


def meanings() -> dict:
    """Keys and what the docstring says of them, in Markdown."""
    text = inspect.getdoc(Settings).partition('Attributes:\n')[2]
    entries = re.findall(r'^ {4}(\w+) \(.*?\): (.*(?:\n {8}.*)*)', text, flags=re.MULTILINE)
    return {key: re.sub(r':\w+:`\.*(?:\w+\.)*(\w+)`', r'`\1`', ' '.join(said.split())).replace('``', '`')
            for key, said in entries}


def allowed(key: str) -> str:
    """What the error says that a key must be."""
    try:
        Settings.from_dict({key: Settings})  # nothing that any key may be
    except TypeError as error:
        text = str(error).split(f'{Settings!r}: ')[1].replace('must be ', '')
    return f'{text}, or None' if key in NULLABLE and 'None' not in text else text


def page() -> str:
    """The page."""
    said = meanings()
    parts = [HEAD]
    for key, default in defaults().items():
        parts.append(fill(f'Default: `{default}`. Allowed: {allowed(key)}.', 120, break_long_words=False,
                          break_on_hyphens=False))
        parts[-1] = f'## {key}\n\n{parts[-1]}\n\n{fill(said[key], 120, break_long_words=False, break_on_hyphens=False)}\n'
    return '\n'.join(parts)


if __name__ == '__main__':
    OUT.write_text(page(), encoding='utf-8')
