"""The manual pages hold every verb, option, key and status that the program has, and nothing else."""
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


def usage(*verb):
    return subprocess.run([oriel.BINARY, *verb, '--help'], capture_output=True, text=True, check=True).stdout


def verbs():
    return re.findall(r'^  oriel (\w+)', usage(), re.M)


def listed(text):
    """{--option: its value or ''} of a usage text; letters likewise."""
    out = {}
    for letter, name, value in re.findall(r'^  (?:-(\w),| {3}) --([\w-]+)(?: ([A-Z:]+))?(?=  |$)', text, re.M):
        out['--' + name] = value
        if letter:
            out['-' + letter] = value
    return out


def section(page, title, kind='Sh'):
    return re.search(rf'^\.{kind} {title}\b.*?\n(.*?)(?=^\.S[hs] |\Z)', page, re.M | re.S).group(1)


def documented(part):
    """{--option: its value or ''} of the .It lines."""
    out = {}
    for line in re.findall(r'^\.It (Fl .*)$', part, re.M):
        value = re.search(r'Ns = Ns Ar (\S+)', line)
        for name in re.findall(r'Fl (-?[\w-]+)', line):
            out['-' + name] = value.group(1) if value else ''
    return out


def page():
    return read('man/oriel.1')


def test_every_verb_has_its_part_and_there_is_none_besides():
    assert sorted(re.findall(r'^\.Ss oriel (\w+)', page(), re.M)) == sorted(verbs())
    assert sorted(re.findall(r'^\.Cm (\w+)$', section(page(), 'SYNOPSIS'), re.M)) == sorted([*verbs(), 'help', 'version'])


def test_every_option_of_every_verb_is_there_and_none_besides():
    common = documented(section(page(), 'OPTIONS'))
    assert set(common) == {'-h', '--help', '--version'}
    for verb in verbs():
        has = listed(usage(verb))
        assert has.keys() >= common.keys()
        assert documented(section(page(), f'oriel {verb}', 'Ss')) == {k: v for k, v in has.items() if k not in common}, verb


def test_the_sections_of_a_manual_page_are_there_and_not_empty():
    for title in ('SYNOPSIS', 'DESCRIPTION', 'OPTIONS', 'FILES', 'ENVIRONMENT', 'EXIT STATUS', 'EXAMPLES', 'SECURITY'):
        assert section(page(), title).strip(), title


def test_the_exit_statuses_are_those_of_the_program():
    table = re.findall(r'^\tEXIT_\w+ = (\d),', read('src/base/err.h'), re.M)
    assert table and re.findall(r'^\.It (\d)$', section(page(), 'EXIT STATUS'), re.M) == table


def test_the_options_in_the_examples_exist():
    part = section(page(), 'EXAMPLES')
    used = re.findall(r'oriel (\w+)((?: --?[\w-]+)*)', part)
    assert used
    for verb, options in used:
        assert verb in verbs(), verb
        for option in re.findall(r' (--[\w-]+)', options):
            assert option in listed(usage(verb)), option


def test_every_variable_of_the_program_is_there():
    sources = ''.join(read(os.path.relpath(os.path.join(where, f), ROOT))
                      for room in ('cmd', 'proc') for where, _, names in os.walk(os.path.join(ROOT, 'src', room))
                      for f in names if f.endswith('.c') and not f.endswith('_test.c'))
    reads = set(re.findall(r'paths_env\("(\w+)"', sources))
    told = set(re.findall(r'[A-Z][A-Z_]{3,}', ' '.join(re.findall(r'^\.It Ev (.*)$', page(), re.M))))
    assert 'SSLKEYLOGFILE' in reads and reads | {'NO_COLOR'} == told | ({'PATH'} & reads)


def test_every_key_of_the_configuration_is_there_and_none_besides():
    """doc/oriel.yaml.md is held to the program's tables by the unit test cmd/config_doc."""
    tables = re.findall(r'^## (.*?)\n(.*?)(?=^## |\Z)', read('doc/oriel.yaml.md'), re.M | re.S)
    parts = re.findall(r'^\.Sh (?:KEYS OF )?(\S+(?: LEVEL)?)\n(.*?)(?=^\.Sh |\Z)', read('man/oriel.yaml.5'), re.M | re.S)
    keys = {title.replace('\\-', '-').lower(): re.findall(r'^\.It Ic (\S+)$', text, re.M) for title, text in parts}
    assert len(tables) > 5
    for title, text in tables:
        assert keys.pop(title.lower()) == re.findall(r'^\| `([\w-]+)` ', text, re.M), title
    assert not any(keys.values())


def test_the_printed_configuration_has_only_keys_of_the_manual(tmp_path):
    status, out, _ = oriel.command(tmp_path, 'run', '--print-config')
    known = set(re.findall(r'^\.It Ic (\S+)$', read('man/oriel.yaml.5'), re.M))
    used = set(re.findall(r'^[ -]*([a-z][\w-]*):', out, re.M))
    assert status == 0 and used and used <= known


def test_the_page_of_the_configuration_is_made_from_its_tables():
    done = subprocess.run(['/usr/bin/python3', 'tools/yaml-manual', '--check', 'man/oriel.yaml.5'], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize('name', ['oriel.1', 'oriel.yaml.5'])
def test_mandoc_has_nothing_to_say(name):
    if not shutil.which('mandoc'):
        pytest.skip('needs mandoc')
    done = subprocess.run(['mandoc', '-T', 'lint', '-W', 'warning', os.path.join(ROOT, 'man', name)], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0 and not done.stdout, done.stdout
    assert '.Dd ' in read(f'man/{name}') and '.Sh NAME' in read(f'man/{name}'), 'mdoc'
