"""Much at once and much in all: bodies of a GiB, connections in thousands. ./dev soak takes the large numbers."""
import concurrent.futures
import hashlib
import socket
import subprocess
import sys

import pytest

from harness import client, peers
from harness.process import wait_until

NAME = 'www.oriel.test'
CONFIG = {'listeners': [{'bind': '127.0.0.1:PORT', 'default': 'bump'}], 'hosts': {NAME: '127.0.0.1'},
          'limits': {'connections': 20000, 'connections-per-client': 20000}}
MiB, GiB = 1 << 20, 1 << 30
PATTERN = 'import sys; sys.path.insert(0, sys.argv[1])\nfrom harness.peers import pattern\nfor at in range(0, int(sys.argv[2]), 1 << 20): sys.stdout.buffer.write(pattern(1 << 20, at))'


@pytest.fixture
def through(run_oriel):
    return run_oriel(CONFIG)


def curl_argv(o, url, *args):
    return ['curl', '-sS', '--http1.1', '--noproxy', '', '-x', o.proxy_url, '--cacert', o.root, *args, url]


def test_a_gib_comes_down_as_it_was(through, https, soaking):
    size = soaking(256 * MiB, GiB)
    h, count = hashlib.sha256(), 0
    with subprocess.Popen(curl_argv(through, f'https://{NAME}:{https.port}/bytes/{size}'), stdout=subprocess.PIPE, env=client.clean_environment()) as got:
        while data := got.stdout.read(MiB):
            h.update(data)
            count += len(data)
    assert (got.returncode, count, h.hexdigest()) == (0, size, peers.pattern_sha256(size))
    assert through.wait_event(type='exchange')['response']['bytes'] == size


def test_a_gib_goes_up_as_it_was(through, https, soaking):
    size = soaking(256 * MiB, GiB)
    with subprocess.Popen([sys.executable, '-c', PATTERN, __file__.rsplit('/', 1)[0], str(size)], stdout=subprocess.PIPE) as source:
        done = subprocess.run(curl_argv(through, f'https://{NAME}:{https.port}/sha256', '-T', '-'), stdin=source.stdout, capture_output=True, text=True,
                              check=False, env=client.clean_environment(), timeout=110)
    assert done.stdout == f'{peers.pattern_sha256(size)} {size}\n', done.stderr
    assert through.wait_event(type='exchange')['request']['bytes'] == size


def plain(o, port, context):
    raw = client.connect_through(o.port, NAME, port)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with raw, context.wrap_socket(raw, server_hostname=NAME) as s:
        s.sendall(b'GET /ten HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
        return client.read_all(s)[0].endswith(b'\r\n\r\n' + b'x' * 10)


def settled(o, at_most):
    wait_until(lambda: o.descriptor_count() <= at_most, 'its descriptors are as many as before')


@pytest.mark.sanitized
def test_one_after_another_none_is_lost_and_nothing_stays(through, start, certs, soaking):
    server = start(peers.nginx, certs.good(), files={'ten': b'x' * 10})
    context = client.context(through.root)
    assert plain(through, server.port, context)
    through.wait_event(type='connection')
    before = through.descriptor_count()
    count = soaking(300, 10000)
    assert sum(plain(through, server.port, context) for _ in range(count)) == count
    settled(through, before)
    through.wait_event(type='exchange', count=count + 1)


@pytest.mark.sanitized
def test_many_at_once_none_is_lost_and_nothing_stays(through, start, certs, soaking):
    server = start(peers.nginx, certs.good(), files={'ten': b'x' * 10})
    context = client.context(through.root)
    assert plain(through, server.port, context)
    through.wait_event(type='connection')
    before = through.descriptor_count()
    count = soaking(200, 1000)
    held = []
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        def dial(_):
            return context.wrap_socket(client.connect_through(through.port, NAME, server.port, timeout=100), server_hostname=NAME)
        held = list(pool.map(dial, range(count)))
        # All are open now.
        assert through.descriptor_count() >= before + 2 * count

        def ask(s):
            with s:
                s.sendall(b'GET /ten HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
                return client.read_all(s)[0].endswith(b'\r\n\r\n' + b'x' * 10)
        assert sum(pool.map(ask, held)) == count
    settled(through, before)
    through.wait_event(type='exchange', count=count + 1)
