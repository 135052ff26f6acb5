"""The house: how it is built, what lies in the tree, and ./dev itself on a machine that lacks everything."""
import json
import os
import re
import shutil
import subprocess

import pytest

from harness import oriel

pytestmark = pytest.mark.release
ROOT = oriel.ROOT


def read(path):
    with open(os.path.join(ROOT, path), encoding='utf-8') as f:
        return f.read()


def introspect(build, what):
    folder = os.path.join(ROOT, 'build', build)
    if not os.path.exists(os.path.join(folder, 'build.ninja')):
        pytest.skip(f'build/{build} was not made')
    done = subprocess.run(['meson', 'introspect', '--' + what, folder], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def options(build):
    return {o['name']: o['value'] for o in introspect(build, 'buildoptions')}


@pytest.mark.parametrize('build,compiler', [('release', 'gcc'), ('asan', 'clang'), ('tsan', 'clang')])
def test_it_is_c17_and_warnings_are_errors_with_both_compilers(build, compiler):
    o = options(build)
    assert (o['c_std'], o['werror'], o['warning_level']) == ('c17', True, '3')
    sources = [s for t in introspect(build, 'targets') for s in t['target_sources'] if s.get('language') == 'c']
    assert sources and all(any(compiler in word for word in s['compiler']) for s in sources)


def test_the_sanitizers_are_on_where_they_should_be():
    assert options('asan')['b_sanitize'] == 'address,undefined'
    assert options('tsan')['b_sanitize'] == 'thread'
    assert options('release')['b_sanitize'] == 'none' and options('release')['b_ndebug'] == 'false'


def test_every_file_with_code_has_a_unit_test_beside_it_or_a_room_that_has():
    rooms = [r for r in os.listdir(os.path.join(ROOT, 'src')) if os.path.isdir(os.path.join(ROOT, 'src', r))]
    for room in rooms:
        files = os.listdir(os.path.join(ROOT, 'src', room))
        if any(f.endswith('.c') and f != 'main.c' for f in files):
            assert any(f.endswith('_test.c') for f in files), f'src/{room} has no unit test'


def test_every_fuzz_target_has_a_corpus_that_is_replayed():
    targets = [f[:-2] for f in os.listdir(os.path.join(ROOT, 'fuzz')) if f.endswith('.c') and f not in ('replay.c', 'mutate.c')]
    tests = {t['name'] for t in introspect('asan', 'tests')}
    assert targets
    for target in targets:
        assert f'fuzz/{target}' in tests, f'fuzz/{target}.c is not built'
        assert os.listdir(os.path.join(ROOT, 'fuzz', 'corpus', target)), f'{target} has no corpus'


def test_the_licence_is_apache_2():
    text = read('LICENSE')
    assert 'Apache License' in text and 'Version 2.0, January 2004' in text and 'END OF TERMS AND CONDITIONS' in text
    assert "license: 'Apache-2.0'" in read('meson.build')


def test_the_readme_begins_with_one_screen_and_the_two_commands():
    text = read('README.md')
    screen = '\n'.join(text.splitlines()[:40])
    assert './dev run' in screen and './dev test' in screen
    assert os.path.exists(os.path.join(ROOT, 'doc/architecture.md'))
    assert os.path.exists(os.path.join(ROOT, 'doc/threat-model.md'))


def test_links_between_the_documents_lead_somewhere():
    done = subprocess.run(['/usr/bin/python3', os.path.join(ROOT, 'tools/check-links')], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout


def test_lint_runs_every_check():
    body = re.search(r'^cmd_lint\(\)\n\{(.*?)^\}', read('dev'), re.M | re.S).group(1)
    for check in [f for f in os.listdir(os.path.join(ROOT, 'tools')) if f.startswith('check-')]:
        if check not in ('check-claims', 'check-links'):
            assert f'tools/{check}' in body
    assert 'check_format' in body and 'run-tidy' in body and 'check_shell' in body and 'check_warnings' in body
    assert 'check_cppcheck' in body


def test_cppcheck_finds_what_it_should_and_nothing_here(tmp_path):
    """The function of ./dev itself, once on a tree with a fault and once on ours."""
    if not shutil.which('cppcheck'):
        pytest.skip('needs cppcheck')
    functions = re.search(r'^sources\(\)\n.*?^\}', read('dev'), re.M | re.S).group(0) + \
        re.search(r'^check_cppcheck\(\)\n.*?^\}', read('dev'), re.M | re.S).group(0).join(('\n', '\n'))
    os.makedirs(tmp_path / 'bad' / 'src')
    os.symlink(os.path.join(ROOT, 'tools'), tmp_path / 'bad' / 'tools')
    (tmp_path / 'bad' / 'src' / 'bad.c').write_text('int f(void)\n{\n\tint a[2];\n\ta[2] = 1;\n\treturn a[0];\n}\n')

    def check(folder):
        return subprocess.run(['bash', '-c', 'set -o pipefail\n' + functions + 'check_cppcheck'], cwd=folder,
                              capture_output=True, text=True, check=False)
    bad, good = check(tmp_path / 'bad'), check(ROOT)
    assert bad.returncode != 0 and 'arrayIndexOutOfBounds' in bad.stderr
    assert good.returncode == 0, good.stderr


def test_ci_runs_what_people_run():
    text = read('.ci/run')
    assert './dev lint' in text and './dev test' in text


# ---- ./dev on a machine of which nothing is true but what the stubs say ----


@pytest.fixture
def machine(tmp_path):
    """A PATH on which no package is installed; apt-get and sudo write down how they were called."""
    stubs = tmp_path / 'bin'
    stubs.mkdir()
    log = tmp_path / 'log'

    def stub(name, text):
        (stubs / name).write_text('#!/bin/sh\n' + text)
        (stubs / name).chmod(0o755)

    # What ./dev itself needs of a bare system.
    for name in ('bash', 'sh', 'dirname', 'sort', 'id', 'env', 'grep', 'cat', 'rm', 'chmod', 'mkdir', 'sed', 'find'):
        os.symlink(f'/usr/bin/{name}', stubs / name)
    stub('dpkg-query', 'exit 1\n')
    stub('apt-get', f'echo "apt-get $*" >>{log}\n')
    stub('sudo', f'echo "sudo $1" >>{log}\nexec "$@"\n')

    class Machine:
        def remove(self, name):
            (stubs / name).unlink()

        def am(self, uid):
            (stubs / 'id').unlink()
            stub('id', f'echo {uid}\n')

        def run(self, *args):
            done = subprocess.run([os.path.join(ROOT, 'dev'), *args], capture_output=True, text=True, check=False,
                                  stdin=subprocess.DEVNULL, env={'PATH': str(stubs), 'HOME': str(tmp_path)}, timeout=60)
            return done, log.read_text() if log.exists() else ''
    return Machine()


def without_guard():
    """Else the test itself would write /usr/sbin/policy-rc.d."""
    if not os.path.exists('/usr/sbin/policy-rc.d'):
        pytest.skip('would write /usr/sbin/policy-rc.d on this machine')


def test_deps_prints_what_is_missing_before_it_installs_it(machine):
    without_guard()
    machine.am(0)
    done, log = machine.run('deps', 'build')
    assert done.returncode == 0, done.stderr
    first = done.stderr.splitlines()[0]
    assert 'missing' in first and 'libssl-dev' in first and 'libuv1-dev' in first
    assert 'cmocka' not in first, 'only what builds'
    assert re.search(r'apt-get .*update', log) and re.search(r'apt-get .*install .*libssl-dev', log)
    assert 'sudo' not in log


def test_deps_uses_sudo_only_when_not_root(machine):
    without_guard()
    machine.am(1000)
    done, log = machine.run('deps', 'build')
    assert done.returncode == 0 and log.startswith('sudo apt-get')


def test_deps_without_root_and_sudo_says_so(machine):
    without_guard()
    machine.am(1000)
    machine.remove('sudo')
    done, log = machine.run('deps', 'build')
    assert done.returncode == 1 and 'no sudo' in done.stderr and not log


def test_deps_elsewhere_than_debian_prints_the_list(machine):
    machine.remove('apt-get')
    done, log = machine.run('deps', 'build')
    assert done.returncode == 0 and 'not Debian' in done.stderr and 'libssl-dev' in done.stderr and not log


def test_an_unknown_command_is_refused_with_the_list(machine):
    done, _ = machine.run('fly')
    assert done.returncode == 1
    assert 'no command is called fly' in done.stderr and './dev COMMAND' in done.stderr


def test_help_names_every_command_that_there_is(machine):
    done, _ = machine.run('help')
    defined = set(re.findall(r'^cmd_(\w+)\(\)', read('dev'), re.M))
    listed = set(re.findall(r'^  (\w+)', done.stdout, re.M))
    assert listed == defined
