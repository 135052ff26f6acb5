"""What shows the traffic may be slow, small or gone: the traffic does not notice, and what is left out is counted."""
import fcntl
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


def flows(o, *args):
    status, out, err = oriel.command(o.dir, 'flows', '--json', *args)
    assert status == 0, err
    return [json.loads(line) for line in out.splitlines()]


def metric(o, name):
    """Its value, from the admin socket."""
    done = subprocess.run(['curl', '-sS', '--unix-socket', os.path.join(o.dir, 'run', 'oriel', 'admin.sock'), 'http://localhost/metrics'],
                          capture_output=True, text=True, check=True, timeout=client.TIME)
    return int(re.search(rf'^{re.escape(name)} (\d+)$', done.stdout, re.M).group(1))


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
    assert re.sub('\x1b\\[[0-9;]*m', '', seen).split()[3:8] == line.split()[3:8]
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
