"""Write docs/keys.md, the reference of the keys of ``multigrid``: what
``Settings`` says of them, and what it allows.

python tools/maintain/write_keys.py
"""

import ast
import inspect
import re
from pathlib import Path
from textwrap import fill

from mmaction_multigrid.config.settings import Settings
from mmaction_multigrid.core.settings import ScheduleSettings

OUT = Path(__file__).resolve().parents[2] / 'docs' / 'keys.md'
HEAD = """# All keys of `multigrid`

Made from the settings' classes by `python tools/maintain/write_keys.py`. An
unknown key, a wrong type and an impossible value are errors that name the key,
the value and what is allowed. [Choosing a
schedule](schedule.md) says when to change them.
"""


def defaults() -> dict:
    """Return keys and defaults; tuples as the source writes them."""
    found = {}
    for kind in (ScheduleSettings, Settings):
        for node in ast.parse(inspect.getsource(kind)).body[0].body:
            if isinstance(node, ast.AnnAssign):
                key = node.target.id
                is_tuple = isinstance(node.value, ast.Tuple)
                found[key] = ast.unparse(node.value) if is_tuple else repr(
                    getattr(Settings, key))
    return found


def meanings() -> dict:
    """Return keys and their documentation in Markdown."""
    found = {}
    for kind in (ScheduleSettings, Settings):
        text = inspect.getdoc(kind).partition('Attributes:\n')[2]
        for key, said in re.findall(r'^ {4}(\w+) \(.*?\): (.*(?:\n {8}.*)*)',
                                    text, re.M):
            said = re.sub(r':\w+:`\.*(?:\w+\.)*(\w+)`', r'`\1`',
                          ' '.join(said.split()))
            found[key] = said.replace('``', '`')
    return found


def allowed(key: str) -> str:
    """Return what the error of a key says is allowed."""
    try:
        Settings.from_dict({key: Settings})  # wrong for every key
    except TypeError as error:
        text = str(error).split(f'{Settings!r}: ')[1].replace('must be ', '')
    nullable = getattr(Settings, key) is None and 'None' not in text
    return f'{text}, or None' if nullable else text


def _fill(text: str) -> str:
    return fill(text, 120, break_long_words=False, break_on_hyphens=False)


def page() -> str:
    """Return the page."""
    said, parts = meanings(), [HEAD]
    for key, default in defaults().items():
        line = _fill(f'Default: `{default}`. Allowed: {allowed(key)}.')
        parts.append(f'## {key}\n\n{line}\n\n{_fill(said[key])}\n')
    return '\n'.join(parts)


if __name__ == '__main__':
    OUT.write_text(page(), encoding='utf-8')
