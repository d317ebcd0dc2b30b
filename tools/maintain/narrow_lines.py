"""Python source on narrower lines: comments, docstrings and strings, which formatters of code leave as they are."""

import ast
import io
import re
import textwrap
import tokenize
from typing import Iterator, List, Optional, Tuple

WIDTH = 79
BULLET = re.compile(r'\s*(-|\d\.) ')
HEADER = re.compile(r'\s*[A-Z]\w+( \w+)?:$')  # of a docstring's section: 'Args:'
# What begins an entry of one: 'name (type): ', 'TypeError, ValueError: '.
ENTRY = re.compile(r"\s*[\w*`.'\[\], ]+(\([^)]*\))?: ")
LITERAL = re.compile(r"""([a-zA-Z]*)('|")(.*)\2""")
BREAKABLE = (ast.Tuple, ast.IfExp, ast.BoolOp, ast.BinOp, ast.Compare)  # once they are in brackets


def wrap_comments(source: str, width: int = WIDTH) -> str:
    """Wrap comments that stand on lines of their own; one behind code that is too long goes above its line."""
    lines = source.split('\n')
    for token in reversed(list(_comments(source))):
        row, column = token.start
        before, text = lines[row - 1][:column], token.string
        if not before.strip() or len(lines[row - 1]) <= width:
            continue
        kept = re.match(r'# noqa(: [A-Z0-9, ]+)?', text)
        text = text[kept.end():].strip() if kept else text.lstrip('# ')
        lines[row - 1] = before + kept.group() if kept else before.rstrip()
        if text:
            lines.insert(row - 1, before[:_indent(before)] + '# ' + text)
    block: List[tokenize.TokenInfo] = []
    for token in [*reversed(list(_comments('\n'.join(lines)))), None]:
        alone = token is not None and token.line.lstrip().startswith('#')
        if block and not (alone and token.start == (block[-1].start[0] - 1, block[-1].start[1])):
            _wrap_block(lines, block[-1].start[0] - 1, block[0].start[0], width)
            block = []
        if alone:
            block.append(token)
    return '\n'.join(lines)


def _comments(source: str) -> Iterator[tokenize.TokenInfo]:
    return (token for token in _tokens(source) if token.type == tokenize.COMMENT)


def _tokens(source: str) -> Iterator[tokenize.TokenInfo]:
    return tokenize.generate_tokens(io.StringIO(source).readline)


def _wrap_block(lines: List[str], begin: int, end: int, width: int) -> None:
    block = lines[begin:end]
    if max(map(len, block)) > width and not block[0].startswith('#!'):
        indent = block[0][:block[0].index('#')] + '# '
        lines[begin:end] = _fill(' '.join(line.strip().lstrip('#') for line in block), indent, indent, width)


def _fill(text: str, first: str, rest: str, width: int) -> List[str]:
    return textwrap.wrap(' '.join(text.split()), width, initial_indent=first, subsequent_indent=rest,
                         break_long_words=False, break_on_hyphens=False)


def wrap_docstrings(source: str, width: int = WIDTH) -> str:
    """Wrap paragraphs and entries of docstrings that have too long a line; examples and tables stay."""
    lines = source.split('\n')
    for node in sorted(_docstrings(ast.parse(source)), key=lambda node: -node.lineno):
        wrapped, block = [], []
        for line in [*lines[node.lineno - 1:node.end_lineno], '']:
            if line.strip():
                block.append(line)
                continue
            wrapped += [*_wrap_paragraph(block, width), '']
            block = []
        lines[node.lineno - 1:node.end_lineno] = wrapped[:-1]
    return '\n'.join(lines)


def _docstrings(tree: ast.AST) -> Iterator[ast.Constant]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            yield node.body[0].value


def _wrap_paragraph(block: List[str], width: int) -> List[str]:
    if max(map(len, block), default=0) <= width or any(line.lstrip().startswith(('>>>', '|', '..')) for line in block):
        return block
    section, items = bool(HEADER.match(block[0])), []
    for line in block:
        entry = (ENTRY if section else BULLET).match(line) and _indent(line) <= _indent(items[-1][0] if items else line)
        if not items or entry or HEADER.match(items[-1][0]) or line.strip() == '"""':
            items.append([line])
        else:
            items[-1].append(line)
    wrapped = []
    for item in items:
        first = item[0][:_indent(item[0])]
        rest = item[1][:_indent(item[1])] if len(item) > 1 else first + ' ' * (4 if section else 0)
        wrapped += item if max(map(len, item)) <= width else _fill(' '.join(item), first, rest, width)
    return wrapped


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def bracket_values(source: str, width: int = WIDTH) -> str:
    """Put what a statement with too long a line assigns or returns into brackets, inside of which it can be broken."""
    lines = source.split('\n')
    for node in ast.walk(ast.parse(source)):
        value = getattr(node, 'value', None)
        if not isinstance(node, (ast.Assign, ast.AugAssign, ast.Return)) or not isinstance(value, BREAKABLE):
            continue
        first, last, begin = node.lineno - 1, node.end_lineno - 1, value.col_offset
        bare = value.end_col_offset == node.end_col_offset and not lines[first].startswith('(', begin)
        if max(map(len, lines[first:last + 1])) > width and value.lineno == node.lineno and bare:
            lines[last] = f'{lines[last][:value.end_col_offset]}){lines[last][value.end_col_offset:]}'
            lines[first] = f'{lines[first][:begin]}({lines[first][begin:]}'
    return '\n'.join(lines)


def split_strings(source: str, width: int = WIDTH) -> str:
    """Lay strings on lines that are too long out anew, at their spaces, as literals that Python joins again."""
    lines = source.split('\n')
    docstrings = {(node.lineno, node.col_offset) for node in _docstrings(ast.parse(source))}
    for run, depth, hangs in reversed(list(_runs(source))):
        (row, begin), (last, end) = run[0].start, run[-1].end
        fits = not hangs and all(len(lines[token.start[0] - 1]) <= width for token in run)
        if fits or run[0].start in docstrings or any(token.start[0] != token.end[0] for token in run):
            continue
        behind = len(lines[last - 1]) - end
        room = len(run[0].string) - 2 if hangs else width - begin - (depth == 0) - (behind if behind < 30 else 2)
        literals = _literals([token.string for token in run], max(room, 40))
        text = f'\n{" " * begin}'.join(literals)
        text = text if depth or len(literals) == 1 else f'({text})'
        lines[row - 1:last] = (lines[row - 1][:begin] + text + lines[last - 1][end:]).split('\n')
    return '\n'.join(lines)


def _runs(source: str) -> Iterator[Tuple[List[tokenize.TokenInfo], int, bool]]:
    """Strings that Python joins; how deep they are in brackets; whether they hang below an equals sign."""
    run: List[tokenize.TokenInfo] = []
    before: Optional[tokenize.TokenInfo] = None
    depth = 0
    for token in _tokens(source):
        if token.type == tokenize.STRING:
            run.append(token)
        elif token.type != tokenize.NL:
            if run:
                yield run, depth, before is not None and before.string == '=' and before.start[0] < run[0].start[0]
            run, before = [], token
            depth += (token.string in '([{') - (token.string in ')]}') if token.type == tokenize.OP else 0


def _literals(texts: List[str], room: int) -> List[str]:
    """Literals of about ``room`` characters for those that are joined."""
    parts = [LITERAL.fullmatch(text) for text in texts]
    if None in parts or not _alike(parts):
        return texts if len(texts) == 1 else [literal for text in texts for literal in _literals([text], room)]
    prefix, quote = max(part.group(1) for part in parts), parts[0].group(2)
    pieces = ['']
    for word in _words(''.join(part.group(3) for part in parts), 'f' in prefix):
        if pieces[-1] and len(prefix + pieces[-1] + word) + 2 > room:
            pieces.append('')
        pieces[-1] += word
    return [_literal(prefix, quote, piece) for piece in pieces]


def _literal(prefix: str, quote: str, body: str) -> str:
    """As the linters want it: f-strings have something to be filled in, double quotes have single ones in them."""
    prefix = prefix if '{' in body or '}' in body else prefix.replace('f', '')
    quote = quote if "'" in body or '"' in body else "'"
    return f'{prefix}{quote}{body}{quote}'


def _alike(parts: List[re.Match]) -> bool:
    """Whether the text of these literals may be joined: of plain ones and f-strings if no plain one has brackets."""
    prefixes = {part.group(1) for part in parts}
    plain = ''.join(part.group(3) for part in parts if not part.group(1))
    return len({part.group(2) for part in parts}) == 1 and (
        len(prefixes) == 1 or (prefixes == {'', 'f'} and '{' not in plain and '}' not in plain))


def _words(body: str, filled: bool) -> Iterator[str]:
    """The text of a literal, cut behind its spaces, but for those in what is filled in."""
    depth = begin = 0
    for i, char in enumerate(body):
        depth += (char == '{') - (char == '}') if filled else 0
        if char == ' ' and depth == 0 and body[i + 1:i + 2] not in ('', ' '):
            yield body[begin:i + 1]
            begin = i + 1
    yield body[begin:]


def same_code(before: str, after: str) -> bool:
    """Whether two sources are the same program, docstrings left aside."""
    return _without_docstrings(before) == _without_docstrings(after)


def _without_docstrings(source: str) -> str:
    tree = ast.parse(source)
    for docstring in _docstrings(tree):
        docstring.value = ''
    return ast.dump(tree)
