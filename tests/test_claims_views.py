"""What shows the traffic may be slow, small or gone: the traffic does not notice, and what is left out is counted."""
import fcntl
import gzip
import http.client
import json
import os
import pty
import re
import struct
import subprocess
import termios

import pytest

from harness import client, oriel, peers
from harness.process import wait_until

NAME = 'www.oriel.test'
BODY = b'text that is shown as it is\n' * 2340  # about 64 KiB
CONFIG = {'listeners': [{'bind': '127.0.0.1:PORT', 'default': 'bump'}], 'hosts': {NAME: '127.0.0.1'}}


def admin_path(o):
    return os.path.join(o.dir, 'run', 'oriel', 'admin.sock')


def ask_admin(path, target):
    """(status, body)"""
    done = subprocess.run(['curl', '-sS', '-w', '\n%{http_code}', '--unix-socket', path, f'http://localhost{target}'], capture_output=True,
                          text=True, check=True, timeout=client.TIME)
    body, _, status = done.stdout.rpartition('\n')
    return int(status), body


def flows(o, *args):
    status, out, err = oriel.command(o.dir, 'flows', '--json', *args)
    assert status == 0, err
    return [json.loads(line) for line in out.splitlines()]


def metric(o, name):
    """Its value, from the admin socket."""
    return int(re.search(rf'^{re.escape(name)} (\d+)$', ask_admin(admin_path(o), '/metrics')[1], re.M).group(1))


class Kept:
    """One connection through oriel on which many requests are made."""

    def __init__(self, o, port, cafile):
        self.http = http.client.HTTPSConnection('127.0.0.1', o.port, context=client.context(cafile), timeout=client.TIME)
        self.http.set_tunnel(NAME, port)

    def get(self, path):
        self.http.request('GET', path)
        answer = self.http.getresponse()
        return answer.status, answer.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.http.close()


@pytest.fixture
def nginx(start, certs):
    return start(peers.nginx, certs.good(), extra='gzip off;', files={'big.txt': BODY, **{f'{i}.txt': b'x' for i in range(8)}})


def into(fifo):
    """What goes before oriel's command so that its standard output is the FIFO."""
    return ['sh', '-c', 'exec "$@" >"$0"', fifo]


@pytest.fixture
def unread(tmp_path):
    """A FIFO that takes a pipe full and is read by nobody."""
    path = str(tmp_path / 'unread')
    os.mkfifo(path, 0o600)
    fd = os.open(path, os.O_RDWR)
    yield path
    os.close(fd)


def test_a_reader_that_stops_reading_holds_nobody_up_and_what_is_lost_is_counted(run_oriel, nginx, unread):
    o = run_oriel(CONFIG, prefix=into(unread), args=['--body'])
    with Kept(o, nginx.port, o.root) as c:
        # A body is a line: before 8 MiB wait for the reader nothing is lost.
        assert c.get('/big.txt') == (200, BODY)
        wait_until(lambda: flows(o), 'it is in the store')
        assert metric(o, 'oriel_view_lost_total') == 0
        for _ in range(160):
            assert c.get('/big.txt') == (200, BODY)
    wait_until(lambda: metric(o, 'oriel_view_lost_total') > 0, 'what is lost is counted')
    # Who comes now is served and in the store as before.
    with Kept(o, nginx.port, o.root) as c:
        assert c.get('/1.txt') == (200, b'x')
    wait_until(lambda: flows(o, '--last', '1')[0].get('http', {}).get('url', '').endswith('/1.txt'), 'the last one is in the store')


def test_a_reader_that_is_gone_ends_nothing(run_oriel, nginx, tmp_path):
    path = str(tmp_path / 'left')
    os.mkfifo(path, 0o600)
    fd = os.open(path, os.O_RDWR)
    o = run_oriel(CONFIG, prefix=into(path))
    os.close(fd)
    with Kept(o, nginx.port, o.root) as c:
        for _ in range(3):
            assert c.get('/1.txt') == (200, b'x')
    wait_until(lambda: len(flows(o)) == 3, 'all are in the store')


def test_flows_shows_the_last_n(run_oriel, nginx):
    o = run_oriel(CONFIG)
    with Kept(o, nginx.port, o.root) as c:
        for i in range(5):
            c.get(f'/{i}.txt')
    o.wait_event(type='exchange', count=5)
    paths = [e['http']['url'].rsplit('/', 1)[1] for e in flows(o, '--last', '2')]
    assert paths == ['3.txt', '4.txt']
    assert len(flows(o)) == len(flows(o, '--last', '1000')) == 5
    assert [e['n'] for e in flows(o, '--last', '3')] == [3, 4, 5]
    # The socket says the same to everybody.
    status, body = ask_admin(admin_path(o), '/flows?json=1&last=2')
    assert status == 200 and [json.loads(line)['n'] for line in body.splitlines()] == [4, 5]
    assert ask_admin(admin_path(o), '/flows?last=x')[0] == 400


def test_the_store_keeps_as_many_as_it_may(run_oriel, nginx):
    o = run_oriel({**CONFIG, 'observe': {'store': 3}})
    with Kept(o, nginx.port, o.root) as c:
        for i in range(8):
            c.get(f'/{i}.txt')
    o.wait_event(type='exchange', count=8)
    assert [e['n'] for e in flows(o)] == [6, 7, 8]
    status, out, err = oriel.command(o.dir, 'flows', '--curl', '2')
    assert (status, out) != (0, '') and 'no exchange of this number is kept' in err


def terminal():
    """(our end, the terminal's name)"""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack('HHHH', 50, 200, 0, 0))
    return ours, theirs


def test_colour_is_for_a_terminal_only(run_oriel, nginx):
    ours, theirs = terminal()
    o = run_oriel(CONFIG, json_lines=False, prefix=into(os.ttyname(theirs)))
    plain = run_oriel(CONFIG, json_lines=False)
    for each in (o, plain):
        with Kept(each, nginx.port, each.root) as c:
            c.get('/1.txt')
    seen = ''
    while '/1.txt' not in seen:
        seen += os.read(ours, 4096).decode()
    assert re.search('\x1b\\[[0-9;]*m', seen)
    line = plain.wait_line('GET', '/1.txt')
    assert '\x1b' not in line
    # Without the colours it is the same line: all but time, client and duration, and the port.
    coloured = next(each for each in seen.splitlines() if '/1.txt' in each)
    assert re.sub('\x1b\\[[0-9;]*m', '', coloured).split()[3:8] == line.split()[3:8]
    os.close(ours)
    os.close(theirs)


def test_reloads_are_counted(run_oriel):
    o = run_oriel(CONFIG)
    assert (metric(o, 'oriel_reloads_total{result="ok"}'), metric(o, 'oriel_reloads_total{result="failed"}')) == (0, 0)
    o.write_config('listeners: nonsense\n')
    o.wait_line('not reloaded, the old configuration stays')
    wait_until(lambda: metric(o, 'oriel_reloads_total{result="failed"}') == 1, 'a bad file is counted')
    o.write_config(CONFIG)
    o.wait_line('oriel: reloaded')
    wait_until(lambda: metric(o, 'oriel_reloads_total{result="ok"}') == 1, 'a good one, too')


def test_hits_of_every_cache_are_counted(run_oriel, nginx):
    o = run_oriel({**CONFIG, 'threads': 1})
    for _ in range(3):
        with Kept(o, nginx.port, o.root) as c:
            c.get('/1.txt')
    o.wait_event(type='connection', count=3)
    for cache in ('certificate', 'session', 'verdict'):
        misses = metric(o, f'oriel_cache_misses_total{{cache="{cache}"}}')
        assert misses >= 1 and metric(o, f'oriel_cache_hits_total{{cache="{cache}"}}') == 3 - misses, cache
        assert misses < 3, cache
    # The name was new once.
    assert metric(o, 'oriel_mints_total{result="ok"}') == metric(o, 'oriel_cache_misses_total{cache="certificate"}')
    assert metric(o, 'oriel_mints_total{result="failed"}') == 0


# ---- what the lines say

GZIPPED = gzip.compress(b'a text that was sent with gzip\n')


@pytest.fixture(scope='module')
def shown(tmp_path_factory, certs):
    """The text lines of one exchange each: plain, gzipped, binary and long, with headers and bodies; and the HAR file."""
    folder = tmp_path_factory.mktemp('shown')
    files = {'plain.txt': b'hello\n', 'gz.txt': GZIPPED, 'raw.bin': bytes(range(240, 256)) + b'\0', 'long.txt': b'0123456789abcdef' * 64}
    config = {**CONFIG, 'observe': {'body-max': 256}}
    with peers.nginx(str(folder), certs.good(), files=files, extra='gzip off; location = /gz.txt { add_header Content-Encoding gzip; }') as server, \
            oriel.Oriel(folder, config, trust=certs.root.cert, json_lines=False, args=['-v', '--body', '--har', folder / 'out.har']) as o:
        with Kept(o, server.port, o.root) as c:
            for name, content in files.items():
                assert c.get('/' + name) == (200, content)
        for name in files:
            o.wait_line('200', '/' + name)
        o.wait_line('more bytes')
    with open(folder / 'out.har', encoding='utf-8') as f:
        o.har = json.load(f)['log']
    return o


def part(o, name):
    """What stands between the line of this URL and the line of the next."""
    at = next(i for i, line in enumerate(o.lines) if line.endswith('/' + name))
    end = next((i for i in range(at + 1, len(o.lines)) if not o.lines[i].startswith('   ')), len(o.lines))
    return [line.strip() for line in o.lines[at + 1:end]]


def test_v_adds_headers_of_both_messages(shown):
    lines = part(shown, 'plain.txt')
    assert '> GET /plain.txt HTTP/1.1' in lines and any(line.lower().startswith('> host: ' + NAME) for line in lines)
    assert '< HTTP/1.1 200 OK' in lines and '< Content-Length: 6' in lines


def test_body_adds_text_as_lines_decoded(shown):
    assert '| hello' in part(shown, 'plain.txt')
    assert '| a text that was sent with gzip' in part(shown, 'gz.txt')


def test_a_binary_body_is_hex(shown):
    assert any(line.startswith('000000  f0 f1 f2 f3 f4 f5 f6 f7  f8') for line in part(shown, 'raw.bin'))


def test_a_long_body_is_cut_and_the_rest_counted(shown):
    lines = part(shown, 'long.txt')
    assert sum(line.count('0123456789abcdef') for line in lines) == 16
    assert any('768 more bytes' in line for line in lines)


def test_har_has_every_exchange(shown):
    assert shown.har['version'] == '1.2' and shown.har['creator']['name'] == 'oriel'
    urls = [entry['request']['url'].rsplit('/', 1)[1] for entry in shown.har['entries']]
    assert urls == ['plain.txt', 'gz.txt', 'raw.bin', 'long.txt']
    plain, gz = shown.har['entries'][:2]
    assert (plain['request']['method'], plain['response']['status'], plain['response']['content']['text']) == ('GET', 200, 'hello\n')
    assert gz['response']['content']['text'] == 'a text that was sent with gzip\n'


def test_the_client_process_is_named_where_it_is_local(run_oriel, nginx):
    o = run_oriel(CONFIG)
    with Kept(o, nginx.port, o.root) as c:
        # It is looked up beside the path: on a busy machine the first answers are quicker.
        def named():
            c.get('/1.txt')
            return o.wait_event(type='exchange')['client'].get('pid')
        assert wait_until(named, 'the process is named') == os.getpid()
    assert o.wait_event(type='connection')['client']['pid'] == os.getpid()
