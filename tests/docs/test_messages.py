"""Compare the messages on the pages with the strings of the package."""

import ast
import re
from functools import lru_cache
from pathlib import Path

import mmaction_multigrid
import pytest

from .pages import DOCS, blocks

PAGES = [
    DOCS / f'{name}.md' for name in ('troubleshooting', 'schedule', 'data')
]
VALUE = re.compile(r'\d+(?:\.\d+)?|\bnan\b|\.\.\.')


def shown(page):
    """Return lines of text blocks, and first cells of tables of messages."""
    text = page.read_text()
    tables = re.findall(
        r'^\| the message .*\n\|[-|]+\n((?:\|.*\n)+)',
        text,
        flags=re.MULTILINE)
    cells = [
        re.match(r'\| `(.+?)` \|', line)[1] for rows in tables
        for line in rows.splitlines()
    ]
    return [
        line.strip() for block in blocks(text, 'text')
        for line in block.splitlines()
    ] + cells


def literal(node):
    """Return a string of the source without values; of a plural, the
    plural."""
    if isinstance(node, ast.JoinedStr):
        return ''.join(map(literal, node.values))
    if isinstance(node, ast.FormattedValue):
        return (literal(node.value.body)
                if isinstance(node.value, ast.IfExp) else '')
    return (node.value if isinstance(node, ast.Constant)
            and isinstance(node.value, str) else '')


@lru_cache(maxsize=None)
def strings():
    nodes = [
        node for path in Path(mmaction_multigrid.__file__).parent.rglob('*.py')
        for node in ast.walk(ast.parse(path.read_text()))
    ]
    return [
        words(literal(node)) for node in nodes
        if isinstance(node, (ast.Constant, ast.JoinedStr))
    ]


def words(text):
    return ' '.join(VALUE.sub('', text).split())


def unknown(message):
    """Return the clauses of a message that are in no string of the package."""
    clauses = map(words, re.split(r'[:;] ?(?= |$)', message))
    return [
        clause for clause in clauses
        if len(clause) > 8 and not any(clause in string
                                       for string in strings())
    ]


@pytest.mark.parametrize(
    'message', [message for page in PAGES for message in shown(page)])
def test_a_message_is_in_the_code(message):
    assert unknown(message) == []
