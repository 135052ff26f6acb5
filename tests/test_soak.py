"""Much of it: large bodies, many connections one after another and at once, and nothing that is left behind. The
release build is always tried with the numbers that are promised, others with them in ./dev soak only."""
import concurrent.futures
import glob
import hashlib
import os
import resource
import ssl
import subprocess
import threading

import pytest

from harness import client, peers, process, raw
from harness.oriel import BINARY, BUILD, ROOT

MIB = 1 << 20
CHUNK = 1 << 18


@pytest.fixture(scope='module', autouse=True)
def many_descriptors():
    had = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (had[1], had[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, had)


@pytest.fixture
def promised(soaking):
    """promised(small, large): which of the numbers this build is tried with."""
    return (lambda _, large: large) if BUILD == 'release' else soaking


def run_curl(oriel, url, *args, feed=None):
    """curl as a child; (SHA-256 and size of what it got). feed: an iterator of bytes to be sent."""
    argv = ['curl', '-sS', '--http1.1', '--noproxy', '', '-x', oriel.proxy_url, '--cacert', oriel.root, *args, url]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=client.clean_environment()) as p:
        def write():
            for part in feed or ():
                p.stdin.write(part)
            p.stdin.close()
        threading.Thread(target=write, daemon=True).start()
        h, size = hashlib.sha256(), 0
        while part := p.stdout.read(CHUNK):
            h.update(part)
            size += len(part)
        assert p.wait(30) == 0
    return h.hexdigest(), size


@pytest.mark.timeout(600)
def test_a_gib_comes_down_as_it_was(https, run_oriel, promised):
    count = promised(64, 1024) * MIB
    oriel = run_oriel(raw.egress())
    assert run_curl(oriel, f'https://{raw.NAME}:{https.port}/bytes/{count}') == (peers.pattern_sha256(count), count)
    assert oriel.wait_event(type='exchange')['response']['bytes'] == count
    assert oriel.wait_event(type='connection')['bytes']['down'] > count


@pytest.mark.timeout(600)
def test_a_gib_goes_up_as_it_was(https, run_oriel, promised):
    count = promised(64, 1024) * MIB
    oriel = run_oriel(raw.egress())
    parts = (peers.pattern(CHUNK, at) for at in range(0, count, CHUNK))
    said = f'{peers.pattern_sha256(count)} {count}\n'.encode()
    got = run_curl(oriel, f'https://{raw.NAME}:{https.port}/sha256', '-T', '-', feed=parts)
    assert got == (hashlib.sha256(said).hexdigest(), len(said))
    assert oriel.wait_event(type='exchange')['request']['bytes'] == count


REQUEST = b'GET / HTTP/1.1\r\nHost: www.oriel.test\r\nConnection: close\r\n\r\n'


def exchange(oriel, port, context):
    with client.connect_through(oriel.port, raw.NAME, port) as tcp, context.wrap_socket(tcp, server_hostname=raw.NAME) as s:
        s.sendall(REQUEST)
        return client.read_all(s)


def settled(oriel):
    """The number of descriptors once it does not change any more."""
    oriel.quiet(0.5)
    return oriel.descriptor_count()


def given_back(oriel, before):
    """The keeper, which makes keys ahead, may have a file open for a moment."""
    process.wait_until(lambda: settled(oriel) <= before, f'no more than {before} descriptors are open', 30)


def memory(oriel):
    total = 0
    for pid in oriel.processes():
        with open(f'/proc/{pid}/statm', encoding='ascii') as f:
            total += int(f.read().split()[1]) * resource.getpagesize()
    return total


@pytest.mark.sanitized
@pytest.mark.timeout(900)
def test_one_after_another_none_is_lost_and_nothing_stays(start, certs, run_oriel, promised):
    """No descriptor, and no memory."""
    count = promised(300, 10_000)
    server = start(peers.nginx, certs.good())
    oriel = run_oriel(raw.egress())
    context = client.context(oriel.root)
    for _ in range(100):
        exchange(oriel, server.port, context)
    before, held = settled(oriel), memory(oriel)
    for _ in range(count):
        got, how = exchange(oriel, server.port, context)
        assert got.startswith(b'HTTP/1.1 200 OK') and how == 'clean'
    lines = process.wait_until(lambda: len(found := oriel.events(type='connection')) == count + 100 and found, 'all the lines', 60)
    assert not [line for line in lines if line['failed']]
    given_back(oriel, before)
    # Sanitizers keep what was freed.
    assert BUILD != 'release' or memory(oriel) - held < 12 * MIB + 400 * count


@pytest.mark.sanitized
@pytest.mark.timeout(900)
def test_many_at_once_none_is_lost_and_nothing_stays(start, certs, run_oriel, promised):
    """All are open before the first of them asks for something."""
    count = promised(200, 1000)
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 3 * count:
        pytest.skip(f'needs a limit of {3 * count} descriptors')
    server = start(peers.nginx, certs.good())
    oriel = run_oriel(raw.egress(timeouts={'handshake': '60s', 'hello': '60s', 'dial': '60s'}))
    context = client.context(oriel.root)
    exchange(oriel, server.port, context)
    before = settled(oriel)

    def dial(_):
        return context.wrap_socket(client.connect_through(oriel.port, raw.NAME, server.port, timeout=120), server_hostname=raw.NAME)

    def ask(s):
        with s:
            s.sendall(REQUEST)
            return client.read_all(s)
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        held = list(pool.map(dial, range(count)))
        assert oriel.descriptor_count() >= before + 2 * count
        got = list(pool.map(ask, held))
    assert all(body.startswith(b'HTTP/1.1 200 OK') and how == 'clean' for body, how in got)
    process.wait_until(lambda: len(oriel.events(type='connection', failed=False)) == count + 1, 'all the lines', 60)
    assert not oriel.events(type='connection', failed=True)
    given_back(oriel, before)


@pytest.mark.sanitized
def test_connections_that_end_badly_leave_nothing_behind(start, certs, run_oriel, soaking):
    """In each state that a connection can be in."""
    count = soaking(200, 4000)
    server = start(peers.nginx, certs.good())
    oriel = run_oriel(raw.egress(timeouts={'hello': '1s', 'handshake': '1s'}))
    context = client.context(oriel.root)
    exchange(oriel, server.port, context)
    before = settled(oriel)
    hello = raw.hello()
    for i in range(count):
        s = raw.dial(oriel.port) if i % 5 == 0 else client.connect_through(oriel.port, raw.NAME, server.port)
        if i % 5 == 2:
            s.sendall(hello[:i % len(hello)])
        elif i % 5 == 3:
            s.sendall(hello)
        elif i % 5 == 4:
            s.sendall(hello)
            s.recv(5)
        if i % 2:
            raw.resets(s)
        s.close()
    given_back(oriel, before)
    assert exchange(oriel, server.port, context)[1] == 'clean'


@pytest.mark.parametrize('version', [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_kept_connection_with_many_requests(start, certs, run_oriel, soaking, version):
    count = soaking(300, 20_000)
    server = start(peers.nginx, certs.good())
    oriel = run_oriel(raw.egress())
    with client.tls_through(oriel.port, raw.NAME, server.port, oriel.root, version=version) as s, s.makefile('rb') as f:
        for i in range(count):
            s.sendall(f'GET /headers HTTP/1.1\r\nHost: x\r\nUser-Agent: {i}\r\n\r\n'.encode())
            while (line := f.readline()) != b'\r\n':
                if line.lower().startswith(b'content-length:'):
                    length = int(line.split(b':')[1])
            assert f.read(length).startswith(f'agent={i} '.encode())
    assert oriel.wait_event(type='connection')['exchanges'] == count


@pytest.mark.sanitized
@pytest.mark.timeout(3600)
def test_captures_that_were_mutated_do_no_harm(soaking):
    """To the whole decrypt engine: no crash, no leak (the build with AddressSanitizer sees them), no hang."""
    program = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(BINARY))), 'src', 'tap', 'mutate_tap')
    if not os.path.exists(program):
        pytest.skip('needs mutate_tap: ninja -C build/asan src/tap/mutate_tap')
    count = soaking(3000, 1_000_000)
    good = sorted(glob.glob(os.path.join(ROOT, 'fuzz', 'corpus', 'tap', '*')))
    done = subprocess.run([program, str(count), '20261121', *good], capture_output=True, text=True, check=False, timeout=3500)
    assert (done.returncode, done.stdout, done.stderr) == (0, f'{count} mutations of {len(good)} inputs\n', '')
