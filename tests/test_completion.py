"""Completion in the shells themselves: what each of them offers for a line that is half written."""
import os
import pty
import re
import select
import shutil
import subprocess
import time

import pytest

from harness import oriel

ACTIONS = {'trust': ['install', 'remove', 'status'], 'secrets': ['add', 'list', 'drop'], 'completion': ['bash', 'zsh', 'fish'],
           'certs': ['self-signed', 'lab', 'show', 'verify']}


def script(shell):
    done = subprocess.run([oriel.BINARY, 'completion', shell], capture_output=True, text=True, check=True)
    assert not done.stderr
    return done.stdout


def usage(*verb):
    done = subprocess.run([oriel.BINARY, *verb, '--help'], capture_output=True, text=True, check=True)
    return done.stdout


def verbs():
    found = re.findall(r'^  oriel (\w+)', usage(), re.M)
    assert 'run' in found and 'completion' in found
    return found


def options(verb):
    """What the usage of the verb lists: --listen, -v ..."""
    lines = re.findall(r'^  ((?:-\w, )? *--[\w-]+)', usage(verb), re.M)
    found = [word for line in lines for word in re.findall(r'-[\w-]+', line)]
    assert '--help' in found and '-h' in found
    return found


def need(shell):
    path = shutil.which(shell)
    if not path:
        pytest.skip(f'needs {shell}')
    return path


@pytest.fixture
def place(tmp_path):
    """A folder with one file and one folder, in which names of verbs must not be mistaken for them."""
    (tmp_path / 'some.yaml').write_text('')
    (tmp_path / 'sub').mkdir()
    (tmp_path / 'run').mkdir()
    os.symlink(oriel.BINARY, tmp_path / 'oriel')
    return tmp_path


# ---- bash ----


def bash(place, *words, rest=''):
    """What the function offers for the words, the last of which is being written."""
    need('bash')
    (place / 'completion').write_text(script('bash'))
    text = 'compopt() { :; }\n. ./completion\nCOMP_WORDS=("$@")\nCOMP_CWORD=$(($# - 1))\n_oriel\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
    done = subprocess.run(['bash', '--norc', '-c', rest + text, 'bash', 'oriel', *words], capture_output=True, text=True,
                          check=True, cwd=place)
    assert not done.stderr
    return done.stdout.split()


def test_bash_offers_every_verb(place):
    assert bash(place, '') == [*verbs(), 'help', 'version']
    assert bash(place, 'tr') == ['trust']
    assert bash(place, 'help', 'ru') == ['run']


def test_bash_offers_every_option_of_every_verb(place):
    for verb in verbs():
        got = [word.rstrip('=') for word in bash(place, verb, '-')]
        assert sorted(got) == sorted(options(verb)), verb


def test_bash_offers_what_a_value_can_be(place):
    assert bash(place, 'run', '--har', 'so') == ['some.yaml']
    assert bash(place, 'run', '--har', '=', 'so') == ['some.yaml'], 'readline takes it apart at ='
    assert 'some.yaml' in bash(place, 'run', '--har', '=')
    assert bash(place, 'run', '--listen', '') == []
    assert bash(place, 'run', 'so') == ['some.yaml']
    assert sorted(bash(place, 'trust', '--system-root', '')) == ['run', 'sub']


def test_bash_offers_the_actions(place):
    for verb, actions in ACTIONS.items():
        assert [w for w in bash(place, verb, '') if not w.startswith('-')] == actions
    assert bash(place, 'flows', 'so') == [], 'takes no file'


def test_bash_offers_commands_behind_the_dashes(place):
    assert 'printf' in bash(place, 'exec', '--', 'print')
    assert bash(place, 'exec', '--', 'cat', 'so') == ['some.yaml']
    assert bash(place, 'exec', '--', 'x', rest='_command_offset() { COMPREPLY=("from $1"); }\n') == ['from', '3']


def test_bash_loads_it_as_a_shell_does(place):
    need('bash')
    done = subprocess.run(['bash', '--norc', '-c', f'. <({oriel.BINARY} completion bash) && complete -p oriel'],
                          capture_output=True, text=True, check=True)
    assert done.stdout == 'complete -F _oriel oriel\n' and not done.stderr


def test_shellcheck_has_nothing_to_say():
    done = subprocess.run([need('shellcheck'), '-s', 'bash', '-'], input=script('bash'), capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout


# ---- fish ----


def fish(place, line):
    need('fish')
    (place / 'completion').write_text(script('fish'))
    home = {'HOME': str(place), 'XDG_CONFIG_HOME': str(place / 'run'), 'XDG_DATA_HOME': str(place / 'run'),
            'PATH': f'{place}:/usr/bin:/bin'}
    done = subprocess.run(['fish', '--no-config', '-c', 'source completion; complete -C $argv[1]', line],
                          capture_output=True, text=True, check=True, cwd=place, env=home)
    assert not done.stderr
    return [row.split('\t')[0] for row in done.stdout.splitlines()]


def test_fish_offers_every_verb(place):
    assert sorted(fish(place, 'oriel ')) == sorted([*verbs(), 'help', 'version'])
    assert fish(place, 'oriel help tr') == ['trust']


def test_fish_offers_every_option_of_every_verb(place):
    for verb in verbs():
        got = fish(place, f'oriel {verb} -') + fish(place, f'oriel {verb} --')
        assert {word.rstrip('=') for word in got} == set(options(verb)), verb


def test_fish_offers_what_a_value_can_be(place):
    assert fish(place, 'oriel run --har so') == ['some.yaml']
    assert fish(place, 'oriel run --listen ') == []
    assert fish(place, 'oriel run so') == ['some.yaml']
    assert fish(place, 'oriel flows so') == [], 'takes no file'
    assert sorted(fish(place, 'oriel trust --system-root ')) == ['run/', 'sub/']
    for verb, actions in ACTIONS.items():
        offered = fish(place, f'oriel {verb} ')
        assert [w for w in offered if w in actions] == sorted(actions)
        assert verb == 'certs' or len(offered) == len(actions), 'only certs takes a file instead'


def test_fish_offers_commands_behind_the_dashes(place):
    assert 'printf' in fish(place, 'oriel exec -- print')


# ---- zsh, on a terminal ----


class Zsh:
    def __init__(self, place):
        need('zsh')
        (place / '_oriel').write_text(script('zsh'))
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(place)
            os.execve('/usr/bin/zsh', ['zsh', '-f', '-i'],
                      {'PATH': f'{place}:/usr/bin:/bin', 'HOME': str(place), 'TERM': 'dumb', 'PS1': '', 'LISTMAX': '0'})
        self.wait_ready(f'stty cols 250 rows 200; fpath=({place} $fpath); autoload -U compinit; compinit -D -u; '
                        'setopt no_beep no_auto_menu; LISTMAX=9999; bindkey "^T" list-choices; '
                        "zstyle ':completion:*' list-separator ' '")

    def wait_ready(self, line):
        """The word is made by the shell, so that its echo is not mistaken for it."""
        os.write(self.terminal, (line + '; print rea""dy\n').encode())
        return self.read(lambda text: '\nready' in text.replace('\r', ''))

    def read(self, done, seconds=20):
        text, end = '', time.monotonic() + seconds
        while not done(text):
            assert time.monotonic() < end, f'zsh shows only: {text!r}'
            if select.select([self.terminal], [], [], 0.1)[0]:
                text += os.read(self.terminal, 65536).decode('utf-8', 'replace')
        return text

    def offers(self, line, *words):
        """Lists what can follow; every word must be in the list."""
        os.write(self.terminal, (line + '\x14').encode())
        try:
            text = self.read(lambda text: all(re.search(rf'(?<![\w-]){re.escape(w)}(?![\w-])', text.replace(line, '', 1))
                                              for w in words))
        finally:
            os.write(self.terminal, b'\x15')
        return text

    def close(self):
        os.close(self.terminal)
        os.waitpid(self.pid, 0)


@pytest.fixture
def zsh(place):
    shell = Zsh(place)
    yield shell
    shell.close()


def test_zsh_offers_every_verb(zsh):
    zsh.offers('oriel ', *verbs(), 'help', 'version')


def test_zsh_offers_every_option_of_every_verb(zsh):
    for verb in verbs():
        zsh.offers(f'oriel {verb} -', *options(verb))


def test_zsh_offers_what_a_value_can_be(zsh):
    zsh.offers('oriel run --har=', 'some.yaml')
    zsh.offers('oriel run ', 'some.yaml')
    for verb, actions in ACTIONS.items():
        zsh.offers(f'oriel {verb} ', *actions)


def test_zsh_offers_commands_behind_the_dashes(zsh):
    zsh.offers('oriel exec -- printe', 'printenv')


def test_zsh_loads_it_as_a_shell_does(place):
    need('zsh')
    done = subprocess.run(['zsh', '-f', '-c', 'autoload -U compinit; compinit -D -u; '
                           f'. <({oriel.BINARY} completion zsh); print $_comps[oriel]'], capture_output=True, text=True,
                          check=True, env={'PATH': '/usr/bin:/bin', 'HOME': str(place)})
    assert done.stdout == '_oriel\n' and not done.stderr


def test_another_shell_is_refused():
    done = subprocess.run([oriel.BINARY, 'completion', 'tcsh'], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and not done.stdout and 'bash' in done.stderr
