"""Each check is tried on a small tree that it must refuse, and on one that it must pass."""
import importlib.machinery
import importlib.util
import json
import os
import subprocess
import sys

import pytest

TOOLS = os.path.dirname(os.path.abspath(__file__))


@pytest.fixture
def tree(tmp_path):
    """Writes files into a tree of its own and runs a tool there."""

    class Tree:
        root = tmp_path

        def write(self, path, text):
            full = tmp_path / path
            full.parent.mkdir(parents=True, exist_ok=True)
            full.write_text(text, encoding='utf-8')
            return self

        def run(self, tool, *args):
            return subprocess.run([sys.executable, os.path.join(TOOLS, tool), *args], cwd=tmp_path, text=True,
                                  env={**os.environ, 'ORIEL_ROOT': str(tmp_path)}, capture_output=True,
                                  check=False, timeout=60)

        def passes(self, tool, *args):
            done = self.run(tool, *args)
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        def refuses(self, tool, *words, args=()):
            done = self.run(tool, *args)
            assert done.returncode == 1, done.stdout + done.stderr
            for word in words:
                assert word in done.stdout
            return done.stdout

    return Tree()


ROOMS = 'base*:\nwire*: base\nnet: base wire\n'


def function(lines, params='void'):
    return f'int f({params})\n{{\n' + '\tx();\n' * (lines - 3) + '}\n'


class TestRooms:
    def test_passes_what_the_table_allows(self, tree):
        tree.write('rooms.txt', ROOMS).write('src/base/a.h', '').write('src/net/b.c', '#include "base/a.h"\n')
        tree.passes('check-rooms')

    def test_refuses_a_room_above(self, tree):
        tree.write('rooms.txt', ROOMS).write('src/base/a.c', '#include "net/b.h"\n')
        tree.refuses('check-rooms', 'src/base/a.c:1: base may not include "net/b.h"')

    def test_an_include_in_a_comment_is_none(self, tree):
        tree.write('rooms.txt', ROOMS).write('src/base/a.c', '/*\n#include "net/b.h"\n*/\n')
        tree.passes('check-rooms')

    def test_refuses_a_room_that_is_not_in_the_table(self, tree):
        tree.write('rooms.txt', ROOMS).write('src/attic/a.c', '')
        tree.refuses('check-rooms', 'the room attic is not in rooms.txt')

    def test_refuses_a_table_that_is_not_a_ladder(self, tree):
        tree.write('rooms.txt', 'base: wire\nwire: base\n').write('src/base/a.c', '')
        tree.refuses('check-rooms', 'may include only rooms above it')

    def test_refuses_a_system_call_in_a_pure_room(self, tree):
        tree.write('rooms.txt', ROOMS).write('src/wire/a.c', '#include <unistd.h>\nvoid f(void)\n{\n\tread(0, 0, 0);\n}\n')
        tree.refuses('check-rooms', '<unistd.h> in a pure room', 'read() in a pure room')

    def test_a_member_called_like_a_call_is_none(self, tree):
        tree.write('rooms.txt', ROOMS).write('src/wire/a.c', 'x = s->read(1) + s.write(2); y = thread(3);\n')
        tree.passes('check-rooms')


class TestSize:
    def test_passes_short_functions(self, tree):
        tree.write('src/base/a.c', function(60, 'int a, int b, int c, int d, int (*e)(int, int)'))
        tree.passes('check-size')

    def test_refuses_a_function_of_more_than_100_lines(self, tree):
        tree.write('src/base/a.c', function(101))
        tree.refuses('check-size', 'f() has 101 lines, more than 100')

    def test_passes_a_function_of_100_lines(self, tree):
        tree.write('src/base/a.c', function(100))
        tree.passes('check-size')

    def test_refuses_six_parameters(self, tree):
        tree.write('src/base/a.c', function(5, 'int a, int b, int c, int d,\n      int e, int g'))
        tree.refuses('check-size', 'f() has 6 parameters')

    def test_a_comment_with_a_reason_lifts_the_rule_from_one_function(self, tree):
        six = function(5, 'int a, int b, int c, int d, int e, int g')
        tree.write('src/base/a.c', '/* lint-ok: a callback of\n * the library */\n' + six)
        tree.passes('check-size')
        tree.write('src/base/a.c', '/* lint-ok: this one */\n' + six + '\n' + six)
        assert tree.refuses('check-size', 'f() has 6 parameters').count('parameters,') == 1

    def test_refuses_many_long_functions(self, tree):
        for i in range(13):
            tree.write(f'src/base/a{i}.c', function(61))
        tree.refuses('check-size', '13 functions are over 60')


class TestBanned:
    @pytest.mark.parametrize('room,text,word', [
        ('wire', 'strcpy(a, b);', 'strcpy'),
        ('wire', 'n = sscanf(a, "%d", &b);', 'sscanf'),
        ('wire', 'p = malloc(3);', 'malloc'),
        ('proxy', 'free (p);', 'free'),
        ('pki', 'now = time(NULL);', 'time'),
        ('net', 'x = rand();', 'rand'),
        ('proxy', '#include <openssl/ssl.h>', 'openssl/ssl.h only in tls'),
        ('proxy', '#include <uv.h>', 'uv.h only in net'),
        ('wire', 'if (memcmp(a->secret, b, n) == 0)\n\t;', 'secret_equal'),
        ('wire', 'if (bytes_equal(f(a, g(b)), key_password(c)))\n\t;', 'secret_equal'),
        ('wire', '#define TRY(x) \\\n\tif (x) \\\n\t\treturn -1', 'a macro that returns'),
        ('wire', 'typedef struct flow flow_t;', 'never flow_t'),
        ('wire', 'void f(void)\n{\n#ifdef LINUX\n#endif\n}', '#if in a function'),
    ])
    def test_refuses(self, tree, room, text, word):
        tree.write(f'src/{room}/a.c', text + '\n')
        tree.refuses('check-banned', word)

    @pytest.mark.parametrize('room,text', [
        ('base', 'p = malloc(3); free(p);'),
        ('net', 'now = time(NULL); #include <uv.h>'),
        ('tls', '#include <openssl/ssl.h>'),
        ('wire', 'mem_free(p); x->free(p); timeout(3); /* strcpy(a, b) */ s = "sprintf(";'),
        ('wire', 'if (bytes_equal(a, f(b)) && secret_equal(c, d))\n\treturn is_secret(e);'),
        ('wire', '/* lint-ok: the library wants it */\nfree(p);'),
    ])
    def test_passes(self, tree, room, text):
        tree.write(f'src/{room}/a.c', text + '\n')
        tree.passes('check-banned')

    def test_refuses_an_umbrella(self, tree):
        tree.write('src/wire/all.h', ''.join(f'#include "wire/x{i}.h"\n' for i in range(11)))
        tree.refuses('check-banned', 'umbrella')


class TestWords:
    @pytest.mark.parametrize('text', ['TO' 'DO: later', '/* FIX' 'ME */', 'see /wo' 'rk/x', 'as iss' 'ue 3 says', 'x = 1; '])
    def test_refuses(self, tree, text):
        tree.write('src/base/a.c', text + '\n')
        tree.refuses('check-words', 'src/base/a.c:1:')

    def test_passes_ordinary_words(self, tree):
        tree.write('src/base/a.c', '/* network/working, method of a todolist, reissue 12 */\n')
        tree.passes('check-words')


class TestLinks:
    DEV = "commands='\nrun   |x|y\ntest  |x|y\n'\n"

    def test_refuses_a_dead_link_and_an_unknown_command(self, tree):
        tree.write('dev', self.DEV).write('README.md', '[a](doc/none.md) and `./dev fly`\n')
        tree.refuses('check-links', 'no file doc/none.md', 'no command ./dev fly')

    def test_passes_living_ones(self, tree):
        tree.write('dev', self.DEV).write('doc/a.md', '[b](../README.md#top) [c](https://oriel.test/)\n')
        tree.write('README.md', '[a](doc/a.md), `./dev test`\n')
        tree.passes('check-links')


class TestClaims:
    def results(self, tree, **outcomes):
        lines = [json.dumps({'id': k, 'outcome': v}) for k, v in outcomes.items()]
        tree.write('results/x.jsonl', '\n'.join(lines) + '\n')
        return tree

    def claims(self, tree, *rows):
        tree.write('claims.tsv', '# comment\n' + ''.join('\t'.join(r) + '\n' for r in rows))
        return ('--results', 'results', 'claims.tsv')

    def test_counts_what_is_shown_cannot_be_and_is_open(self, tree):
        self.results(tree, **{'tests/a.py::x[1]': 'passed', 'base/buf:grows': 'passed', 's': 'skipped'})
        args = self.claims(tree, ('1', 'A', 'p', 'tests/a.py::x base/buf'), ('2', 'B', 'p', 'cannot: no such machine'),
                           ('3', 'C', 'p', 'open:'), ('4', 'C', 'p', 's'))
        assert 'promises: 4; 1 shown, 1 cannot, 1 open, 1 skipped here' in tree.passes('check-claims', *args)

    @pytest.mark.parametrize('row,word', [
        (('1', 'A', 'p', 'tests/none.py::x'), 'did not run'),
        (('1', 'A', 'p', 'good bad'), 'bad failed'),
        (('1', 'A', 'p'), '3 columns'),
        (('1', 'Z', 'p', 'good'), 'step Z'),
        (('1', 'A', 'p', 'cannot: '), 'needs a reason'),
    ])
    def test_refuses(self, tree, row, word):
        self.results(tree, good='passed', bad='failed')
        tree.refuses('check-claims', word, args=self.claims(tree, row))

    def test_one_failure_of_a_parameter_fails_the_promise(self, tree):
        self.results(tree, **{'t.py::x[1]': 'passed', 't.py::x[2]': 'failed'})
        tree.refuses('check-claims', 't.py::x failed', args=self.claims(tree, ('1', 'A', 'p', 't.py::x')))

    def test_refuses_the_same_id_twice(self, tree):
        self.results(tree, good='passed')
        rows = (('1', 'A', 'p', 'good'), ('1', 'A', 'q', 'good'))
        tree.refuses('check-claims', '1 is there twice', args=self.claims(tree, *rows))


class TestSum:
    def test_adds_everything_up_and_ends_with_the_line(self, tree):
        tree.write('r/a.jsonl', '{"id": "a", "outcome": "passed"}\n{"id": "b", "outcome": "skipped", "why": "w"}\n')
        tree.write('r/b.jsonl', '{"id": "c", "outcome": "passed"}\n')
        out = tree.passes('sum-tests', 'r')
        assert 'skipped: b: w' in out
        assert out.splitlines()[-1] == '2 passed, 0 failed, 1 skipped'

    def test_a_failure_fails(self, tree):
        tree.write('r/a.jsonl', '{"id": "a", "build": "asan", "outcome": "failed"}\n{"id": "b", "outcome": "passed"}\n')
        assert tree.refuses('sum-tests', 'failed: a (asan)', args=('r',)).splitlines()[-1] == '1 passed, 1 failed'

    def test_a_failed_lint_fails(self, tree):
        tree.write('r/a.jsonl', '{"id": "a", "outcome": "passed"}\n')
        tree.refuses('sum-tests', 'failed: ./dev lint', '1 passed, 1 failed', args=('--lint', '1', 'r'))
        assert '2 passed, 0 failed' in tree.passes('sum-tests', '--lint', '0', 'r')

    def test_nothing_at_all_is_a_failure(self, tree):
        tree.write('r/a.jsonl', '')
        tree.refuses('sum-tests', '0 passed, 0 failed', args=('r',))


class TestUnitTests:
    def load(self):
        loader = importlib.machinery.SourceFileLoader('unit_tests', os.path.join(TOOLS, 'unit-tests'))
        module = importlib.util.module_from_spec(importlib.util.spec_from_loader('unit_tests', loader))
        loader.exec_module(module)
        return module

    def test_reads_the_cases_of_cmocka(self):
        text = '[ RUN      ] grows\n[       OK ] grows\n[  FAILED  ] shrinks\n[  FAILED  ] tests: 1 test(s)\n'
        got = self.load().cases({'name': 'base/buf', 'result': 'FAIL', 'stdout': text})
        assert got == [('base/buf:grows', 'passed'), ('base/buf:shrinks', 'failed')]

    def test_a_program_that_dies_after_good_cases_has_failed(self):
        text = '[       OK ] grows\nERROR: AddressSanitizer\n'
        got = self.load().cases({'name': 'base/buf', 'result': 'FAIL', 'stdout': text})
        assert got == [('base/buf:grows', 'passed'), ('base/buf', 'failed')]

    def test_other_programs_count_once(self):
        assert self.load().cases({'name': 'fuzz/sni', 'result': 'OK', 'stdout': '7 inputs\n'}) == [('fuzz/sni', 'passed')]
        assert self.load().cases({'name': 'fuzz/sni', 'result': 'TIMEOUT'}) == [('fuzz/sni', 'failed')]
