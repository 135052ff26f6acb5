"""`meson install` and the .deb of ./dev package: what lies where, that it runs, and that nothing stays."""
import glob
import gzip
import os
import re
import shutil
import stat
import subprocess
import sysconfig

import pytest

from harness import oriel

pytestmark = [pytest.mark.release, pytest.mark.timeout(500)]
ROOT = oriel.ROOT
LIBDIR = os.path.join('lib', sysconfig.get_config_var('MULTIARCH') or '')

# Relative to the prefix, as `meson install` puts them.
INSTALLED = {
    'bin/oriel',
    f'{LIBDIR}/oriel/liboriel-keys.so',
    'share/man/man1/oriel.1',
    'share/man/man5/oriel.yaml.5',
    'share/bash-completion/completions/oriel',
    'share/zsh/site-functions/_oriel',
    'share/fish/vendor_completions.d/oriel.fish',
    'share/doc/oriel/README.md',
    'share/doc/oriel/LICENSE',
    'share/doc/oriel/oriel.yaml.md',
    'share/doc/oriel/events.schema.json',
    'share/doc/oriel/events.md',
    'share/doc/oriel/fields.md',
    'share/doc/oriel/examples/oriel.yaml',
    'lib/systemd/system/oriel.service',
}


def run(*argv, **how):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                          timeout=400, **how)
    assert done.returncode == 0, f'{argv}: {done.stdout}{done.stderr}'
    return done.stdout


def files(folder):
    return {os.path.relpath(os.path.join(where, name), folder) for where, _, names in os.walk(folder) for name in names}


def read(path):
    with open(path, encoding='utf-8') as f:
        return f.read()


@pytest.fixture(scope='session')
def deb():
    for tool in ('meson', 'dpkg-deb', 'dpkg-shlibdeps'):
        if not shutil.which(tool):
            pytest.skip(f'needs {tool}')
    run(os.path.join(ROOT, 'dev'), 'package')
    found, = glob.glob(os.path.join(ROOT, 'build', 'oriel_*.deb'))
    return found


@pytest.fixture(scope='session')
def unpacked(deb, tmp_path_factory):
    folder = tmp_path_factory.mktemp('deb')
    run('dpkg-deb', '-x', deb, folder)
    return str(folder)


# ---- meson install ----


@pytest.fixture(scope='session')
def staged(deb, tmp_path_factory):
    folder = tmp_path_factory.mktemp('stage')
    run('meson', 'install', '-C', os.path.join(ROOT, 'build', 'deb'), '--no-rebuild',
        env={**os.environ, 'DESTDIR': str(folder)})
    return os.path.join(folder, 'usr')


def test_meson_installs_each_thing_in_its_place(staged):
    got = files(staged)
    examples = {f for f in got if f.startswith('share/doc/oriel/examples/')}
    assert got - examples == INSTALLED - examples
    there = {os.path.relpath(os.path.join(w, n), os.path.join(ROOT, 'deploy'))
             for w, _, names in os.walk(os.path.join(ROOT, 'deploy')) for n in names}
    assert {f.split('examples/')[1] for f in examples} == {f for f in there if f.split('/')[0] not in ('debian', 'systemd')}


def test_what_is_installed_is_root_s_to_change_only(staged):
    for name in files(staged):
        mode = os.stat(os.path.join(staged, name)).st_mode
        assert not mode & (stat.S_IWOTH | stat.S_ISUID | stat.S_ISGID), name


def test_completion_is_what_the_program_says(staged):
    for shell, name in (('bash', 'share/bash-completion/completions/oriel'), ('zsh', 'share/zsh/site-functions/_oriel'),
                        ('fish', 'share/fish/vendor_completions.d/oriel.fish')):
        assert read(os.path.join(staged, name)) == run(os.path.join(staged, 'bin', 'oriel'), 'completion', shell)


def test_the_unit_starts_what_was_installed_and_nothing_enables_it(staged):
    unit = read(os.path.join(staged, 'lib/systemd/system/oriel.service'))
    assert '\nExecStart=/usr/bin/oriel run /etc/oriel/oriel.yaml\n' in unit and '@' not in unit
    assert not glob.glob(os.path.join(staged, '**', '*.wants'), recursive=True)
    analyze = shutil.which('systemd-analyze')
    if analyze:
        done = subprocess.run([analyze, 'verify', '--man=no', os.path.join(staged, 'lib/systemd/system/oriel.service')],
                              capture_output=True, text=True, check=False)
        complaints = [line for line in done.stderr.splitlines() if 'not executable' not in line]
        assert not complaints, done.stderr


def test_the_example_is_a_configuration_that_is_right(staged):
    said = run(os.path.join(staged, 'bin', 'oriel'), 'run', '--check',
               os.path.join(staged, 'share/doc/oriel/examples/oriel.yaml'))
    assert 'in order' in said


def test_what_is_installed_finds_its_library(staged):
    library = os.path.join(staged, LIBDIR, 'oriel', 'liboriel-keys.so')
    assert run(os.path.join(staged, 'bin', 'oriel'), 'keys', '--preload-path').strip() == library


# ---- the package ----


def test_the_package_says_what_it_is(deb):
    fields = dict(re.findall(r'^(\w[\w-]*): (.*)$', run('dpkg-deb', '-f', deb), re.M))
    assert fields['Package'] == 'oriel'
    assert fields['Version'] == re.search(r"version: '(.*?)'", read(os.path.join(ROOT, 'meson.build'))).group(1)
    assert fields['Architecture'] == run('dpkg', '--print-architecture').strip()
    assert re.search(r'\blibssl3\w* \(>= ', fields['Depends']) and 'libuv1' in fields['Depends']
    assert int(fields['Installed-Size']) > 100


def test_the_package_has_no_scripts_and_no_conffiles(deb, tmp_path):
    run('dpkg-deb', '-e', deb, tmp_path / 'control')
    assert files(tmp_path / 'control') == {'control', 'md5sums'}


def test_the_package_holds_what_meson_installs_in_debian_s_places(unpacked):
    got = files(os.path.join(unpacked, 'usr'))
    wanted = {f'{f}.gz' if '/man/' in f else f for f in INSTALLED}
    wanted = wanted - {'share/zsh/site-functions/_oriel', 'share/doc/oriel/LICENSE'} | {
        'share/zsh/vendor-completions/_oriel', 'share/doc/oriel/copyright', 'share/doc/oriel/changelog.gz'}
    assert {f for f in got if not re.match(r'share/doc/oriel/examples/(?!oriel\.yaml)', f)} == wanted
    assert os.listdir(unpacked) == ['usr'], 'nothing in /etc, nothing started'


def test_everything_in_the_package_is_root_s(deb):
    rows = run('dpkg-deb', '-c', deb).splitlines()
    assert rows and all(row.split()[1] == 'root/root' for row in rows)


def test_the_sums_are_those_of_the_files(deb, unpacked, tmp_path):
    run('dpkg-deb', '-e', deb, tmp_path / 'control')
    run('md5sum', '--check', '--strict', '--quiet', tmp_path / 'control' / 'md5sums', cwd=unpacked)
    assert len(read(tmp_path / 'control' / 'md5sums').splitlines()) == len(files(unpacked))


def test_the_manual_pages_in_the_package_are_whole(unpacked):
    for page in ('man1/oriel.1', 'man5/oriel.yaml.5'):
        with gzip.open(os.path.join(unpacked, 'usr/share/man', page + '.gz'), 'rt', encoding='utf-8') as f:
            assert f.read() == read(os.path.join(ROOT, 'man', os.path.basename(page)))


def test_it_installs_runs_and_leaves_nothing_when_removed(as_root, deb, tmp_path):
    root, state = tmp_path / 'root', tmp_path / 'root/var/lib/dpkg'
    for folder in ('updates', 'info', 'triggers'):
        (state / folder).mkdir(parents=True)
    for name in ('status', 'available'):
        (state / name).write_text('')

    def dpkg(*args):
        # The libraries are those of this system: the scratch root knows of no package.
        return run('dpkg', f'--root={root}', '--force-depends', f'--log={tmp_path}/log', *args)

    def present():
        return {f for f in files(root) if not f.startswith('var/lib/dpkg/')}
    dpkg('--install', deb)
    assert 'usr/bin/oriel' in present()
    assert run(root / 'usr/bin/oriel', 'version').startswith('oriel ')
    assert 'installed' in run('dpkg-query', f'--admindir={state}', '-W', '-f', '${db:Status-Status}', 'oriel')
    dpkg('--remove', 'oriel')
    assert present() == set()
    assert not (root / 'usr').exists() or not any((root / 'usr').rglob('*oriel*'))
    assert subprocess.run(['dpkg-query', f'--admindir={state}', '-W', 'oriel'], capture_output=True,
                          check=False).returncode == 1, 'nothing is left to purge'
