"""`oriel flows`: the last exchanges, as text, as JSON lines, as a curl command."""
import json
import os
import pty
import re
import subprocess

import pytest

from harness import oriel
from harness.client import curl

NAME = 'www.oriel.test'
CONFIG = {'listeners': [{'bind': '127.0.0.1:PORT', 'default': 'bump'}], 'hosts': {NAME: '127.0.0.1'}}


@pytest.fixture
def one(run_oriel):
    return run_oriel(CONFIG)


def flows(one, *args):
    code, out, err = oriel.command(one.dir, 'flows', *args)
    assert (code, err) == (0, '')
    return out


def ask(one, https, path, *args, count):
    curl(f'https://{NAME}:{https.port}{path}', *args, proxy=one, cafile=one.root).ok()
    return one.wait_event(type='exchange', count=count)['n']


@pytest.mark.sanitized
def test_the_last_exchanges_are_shown_as_the_live_lines(one, https):
    assert flows(one) == ''
    for i in range(3):
        ask(one, https, f'/p{i}?token=secret', count=i + 1)
    lines = flows(one).splitlines()
    assert [re.search(r'GET +200 .* (\S+)$', line).group(1) for line in lines] == [f'https://{NAME}:{https.port}/p{i}?token=***' for i in range(3)]
    # Whose process the client is is not looked for long: on a busy machine there may be the address instead.
    assert all(re.match(r'\d\d:\d\d:\d\d\.\d{3} +\d+ (curl|127\.0\.0\.1:\d+) +1\.3 http/1\.1 ', line) for line in lines), lines
    assert flows(one, '--last', '2').splitlines() == lines[1:]
    assert '\x1b' not in ''.join(lines)


@pytest.mark.sanitized
def test_as_json_they_are_the_events_of_run(one, https):
    ask(one, https, '/a', count=1)
    ask(one, https, '/b', count=2)
    got = [json.loads(line) for line in flows(one, '--json', '--last', '1').splitlines()]
    assert [e['http']['url'] for e in got] == [f'https://{NAME}:{https.port}/b']
    assert got == one.events(type='exchange')[1:]


def test_failed_connections_are_among_them(one, https):
    assert curl(f'https://{NAME}:{https.port}/', proxy=one).code == 60
    one.wait_event(type='connection')
    assert re.search(r'failed .*the client', flows(one))


def test_they_are_coloured_on_a_terminal_only(one, https):
    ask(one, https, '/', count=1)
    shown, inside = pty.openpty()
    subprocess.run([oriel.BINARY, 'flows'], env=one.env, stdout=inside, check=True, timeout=20)
    os.close(inside)
    assert b'\x1b[' in os.read(shown, 65536)
    os.close(shown)


def run_command(one, n):
    text = flows(one, '--curl', n)
    done = subprocess.run([oriel.BINARY, 'exec', '--', 'sh', '-c', text], env=one.env, capture_output=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    return text, done.stdout


def test_an_exchange_becomes_a_curl_command_that_asks_the_same(one, https):
    n = ask(one, https, "/it's?q=a%20b&$(x)=`y`", '-H', 'X-Odd: a "b" $c \'d\'', '--globoff', count=1)
    text, body = run_command(one, n)
    assert text.startswith('curl ')
    assert body.startswith(b"GET /it's?q=a%20b&$(x)=`y` HTTP/1.1\n")
    assert b'X-Odd: a "b" $c \'d\'\n' in body


@pytest.mark.sanitized
def test_a_body_that_was_kept_is_in_the_command(run_oriel, https):
    one = run_oriel(CONFIG, args=['--body'])
    n = ask(one, https, '/sha256', '-d', 'a=1&b=it\'s', count=1)
    text, body = run_command(one, n)
    assert not text.startswith('#')
    assert body == curl(f'https://{NAME}:{https.port}/sha256', '-d', 'a=1&b=it\'s', proxy=one, cafile=one.root).body


def test_a_body_that_was_not_kept_is_told_in_a_comment(one, https):
    n = ask(one, https, '/sha256', '-d', 'a=1', count=1)
    text = flows(one, '--curl', n)
    assert re.match(r'# .*body.*\n.*curl ', text, re.S)


@pytest.mark.sanitized
def test_a_number_that_is_not_there_is_one_sentence(one):
    code, out, err = oriel.command(one.dir, 'flows', '--curl', '4711')
    assert (code, out, err) == (1, '', 'oriel: no exchange of this number is kept\n')


def test_another_socket_is_asked_with_admin(run_oriel, https, tmp_path):
    one = run_oriel(CONFIG, args=['--admin', tmp_path / 'a.sock'])
    ask(one, https, '/other', count=1)
    assert '/other' in flows(one, '--admin', tmp_path / 'a.sock')
    assert oriel.command(one.dir, 'flows')[0] == 1
