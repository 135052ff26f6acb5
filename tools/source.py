"""What the checks share: the tree's files, and C text without comments and strings."""
import os
import re
import subprocess
import sys

ROOT = os.environ.get('ORIEL_ROOT') or os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
LINE_OF_INCLUDE = re.compile(r'^\s*#\s*include\s*([<"][^>"]+[>"])', re.M)


def read(path):
    with open(os.path.join(ROOT, path), encoding='utf-8', errors='surrogateescape') as f:
        return f.read()


def c_files(*folders):
    """The C files below the folders, as paths from the root, sorted."""
    out = []
    for folder in folders:
        for at, _, names in os.walk(os.path.join(ROOT, folder)):
            out += [os.path.relpath(os.path.join(at, n), ROOT) for n in names if n.endswith(('.c', '.h'))]
    return sorted(out)


def blank(text, keep_comments=False):
    """The text with comments and the contents of strings replaced by spaces; lines stay lines."""
    def white(m):
        s = m.group(0)
        if keep_comments and s.startswith('/'):
            return s
        inner = re.sub(r'[^\n]', ' ', s)
        return inner if s.startswith('/') else s[0] + inner[1:-1] + s[-1]
    return NOT_CODE.sub(white, text)


def includes(text):
    """Each #include as (line, name with its quotes)."""
    # Comments first, so that an include inside one does not count; strings stay.
    plain = re.sub(r'/\*.*?\*/|//[^\n]*', lambda m: re.sub(r'[^\n]', ' ', m.group(0)), text, flags=re.S)
    return [(plain.count('\n', 0, m.start(1)) + 1, m.group(1)) for m in LINE_OF_INCLUDE.finditer(plain)]


def is_test(path):
    return path.endswith('_test.c')


def tracked_files():
    """All files of the project: what git knows or would add; without git, everything but builds."""
    done = subprocess.run(['git', 'ls-files', '-co', '--exclude-standard'], cwd=ROOT, capture_output=True,
                          text=True, check=False)
    if done.returncode == 0:
        return sorted(p for p in set(done.stdout.splitlines()) if os.path.isfile(os.path.join(ROOT, p)))
    out = []
    for at, dirs, names in os.walk(ROOT):
        dirs[:] = [d for d in dirs if not d.startswith(('.', 'build')) or d == '.ci']
        out += [os.path.relpath(os.path.join(at, n), ROOT) for n in names]
    return sorted(out)


class Complaints:
    """Collects what is wrong and ends the program with it."""

    def __init__(self):
        self.count = 0

    def add(self, path, line, what):
        self.count += 1
        print(f'{path}:{line}: {what}' if line else f'{path}: {what}')

    def end(self):
        sys.exit(1 if self.count else 0)
