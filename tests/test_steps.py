"""The seven steps, server first: what the server is offered, what the client gets and when, and how bytes and ends
pass through."""
import contextlib
import hashlib
import os
import select
import socket
import ssl
import struct
import threading
import time

import pytest

from harness import client, hello, peers, process, raw
from harness.oriel import BUILD, ROOT

sanitized = pytest.mark.sanitized

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
# What libssl 3.0 has.
GROUPS = {23, 24, 25, 29, 30, 256, 257, 258, 259, 260}
SIGNATURES = {0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0809, 0x080a, 0x080b, 0x0401, 0x0501,
              0x0601, 0x0303, 0x0203, 0x0301, 0x0201}
SEEDS = ['chromium', 'curl', 'gnutls_default', 'go_mlkem', 'java', 'node', 'nss', 'openssl_all_ciphers', 'openssl_default',
         'openssl_status_alpn', 'openssl_tls12', 'python', 'wget']


@pytest.fixture
def recorder(https):
    with raw.Recorder(https.port) as r:
        yield r


@pytest.fixture
def tunnel(run_oriel):
    """tunnel(port, …): a socket behind CONNECT of an oriel with the configuration given (or that bumps all)."""
    begun, socks = [], []

    def go(port, name=raw.NAME, **config):
        if not begun:
            begun.append(run_oriel(raw.egress(**config)))
        socks.append(client.connect_through(begun[0].port, name, port))
        return socks[-1]
    go.oriel = lambda: begun[0]
    yield go
    for s in socks:
        s.close()


def server_hello(s):
    """What comes until the first handshake message is whole."""
    got = b''
    while not hello.message(got):
        data = s.recv(65536)
        assert data and (got + data)[0] == 22, got + data
        got += data
    return got


def get(oriel, port, *args, name=raw.NAME):
    return client.curl(f'https://{name}:{port}/', *args, proxy=oriel, cafile=oriel.root).ok()


# ---- 1 to 3: who is dialled, and what is offered ----


@sanitized
def test_the_client_hears_nothing_before_the_server_is_done(https, tunnel):
    hold = threading.Event()
    with raw.Recorder(https.port, hold) as held:
        s = tunnel(held.port)
        s.sendall(raw.hello())
        process.wait_until(lambda: held.hellos, 'the server has the ClientHello')
        assert not select.select([s], [], [], 0.3)[0]
        hold.set()
        assert server_hello(s)


def taken(listener):
    """Makes room in the queue."""
    with contextlib.suppress(BlockingIOError):
        listener.accept()[0].close()


def test_connect_is_answered_when_the_server_is_reached(https, run_oriel):
    """And not before: the server's port is deaf until then."""
    oriel = run_oriel(raw.egress())
    with socket.create_server(('127.0.0.1', 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        held = [socket.socket() for _ in range(4)]
        for s in held:
            s.setblocking(False)
            s.connect_ex(('127.0.0.1', port))
        with raw.dial(oriel.port) as s:
            s.sendall(f'CONNECT {raw.NAME}:{port} HTTP/1.1\r\nHost: x\r\n\r\n'.encode())
            assert not select.select([s], [], [], 0.3)[0]
            for h in held:
                h.close()
            listener.setblocking(False)
            process.wait_until(lambda: taken(listener) or select.select([s], [], [], 0)[0], 'the server is reached')
            assert s.recv(12) == b'HTTP/1.1 200'


@pytest.mark.parametrize('seed', SEEDS)
def test_the_server_is_offered_what_the_client_offered(recorder, tunnel, seed):
    sent = raw.seed(seed)
    s = tunnel(recorder.port)
    s.sendall(sent)
    process.wait_until(lambda: recorder.hellos, 'the server has the ClientHello')
    theirs, ours = hello.ClientHello(sent), recorder.hellos[0]
    has = hello.libssl_ciphers()
    old = [c for c in theirs.ciphers if c in has and c >> 8 != 0x13]
    assert [c for c in ours.ciphers if c >> 8 != 0x13 and c not in (0x00ff, 0x5600)] == old
    assert [c for c in ours.ciphers if c >> 8 == 0x13] == [c for c in theirs.ciphers if c in has and c >> 8 == 0x13]
    assert ours.groups == [g for g in theirs.groups if g in GROUPS]
    assert ours.signatures == [x for x in theirs.signatures if x in SIGNATURES]
    assert set(ours.versions) == {v for v in theirs.versions if v in (0x0303, 0x0304)}
    assert ours.alpn == theirs.alpn and ours.sni == theirs.sni


@sanitized
def test_acme_tls_is_never_offered(recorder, tunnel):
    def alpn(*names):
        return [(16, raw.vector(2, b''.join(raw.vector(1, n) for n in names)))]
    for names in ((b'acme-tls/1', b'h2', b'x'), (b'acme-tls/1',)):
        tunnel(recorder.port).sendall(raw.made_hello(alpn(*names), sni=b'www.oriel.test'))
    process.wait_until(lambda: len(recorder.hellos) == 2, 'both hellos arrive')
    assert sorted(h.alpn for h in recorder.hellos) == [[], ['h2', 'x']]


def test_weak_ciphers_are_never_offered(recorder, tunnel):
    """NULL, anonymous, export, PSK: the client would take them."""
    bad = (0x0000, 0x0001, 0x0002, 0x003b, 0xc006, 0xc010, 0x0018, 0x0034, 0xc018, 0x00a6, 0x0003, 0x0008, 0x0062, 0x008c, 0x00a8)
    tunnel(recorder.port).sendall(raw.made_hello(sni=b'www.oriel.test', ciphers=(*bad, 0x1301, 0xc02b)))
    process.wait_until(lambda: recorder.hellos, 'the server has the ClientHello')
    assert [c for c in recorder.hellos[0].ciphers if c != 0x00ff] == [0x1301, 0xc02b]


@pytest.mark.parametrize('rule,offered,got', [
    ({}, None, [0x0304, 0x0303]), ({'upstream-min-version': '1.3'}, None, [0x0304]), ({}, V12, [0x0303])])
def test_versions_stop_at_the_floor(recorder, tunnel, rule, offered, got):
    tunnel(recorder.port, rules=raw.bump(**rule)).sendall(raw.hello(version=offered))
    process.wait_until(lambda: recorder.hellos, 'the server has the ClientHello')
    assert recorder.hellos[0].versions == got


def test_a_client_of_old_versions_only_is_not_taken_below_the_floor(recorder, tunnel):
    s = tunnel(recorder.port)
    s.sendall(raw.seed('openssl_tls10'))
    assert raw.fate(s) == ('alert', 70)
    assert recorder.hellos == []


# ---- 2: the ClientHello, however it comes ----


def complete(s, sender, https):
    """A whole exchange with a first flight that is sent by sender(socket, bytes)."""
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    tls = raw.Tls(s, send=lambda data: sender(s, data))
    tls.send(b'GET /headers HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    assert tls.receive_all().startswith(b'HTTP/1.1 200 OK')


def byte_by_byte(s, data):
    for i in range(len(data)):
        s.sendall(data[i:i + 1])


def many_records(size):
    def send(s, data):
        s.sendall(raw.records(hello.message(data), size))
    return send


@pytest.mark.parametrize('sender', [byte_by_byte, many_records(1), many_records(3), many_records(100)],
                         ids=['a byte at a time', 'records of a byte', 'records of three', 'records of a hundred'])
def test_a_hello_may_come_in_pieces(https, tunnel, sender):
    complete(tunnel(https.port), sender, https)


@sanitized
def test_a_hello_may_be_split_anywhere(https, run_oriel):
    """Each part only once the one before was read, which an answer to nothing cannot show: the kernel can."""
    oriel = run_oriel(raw.egress())
    length = len(raw.hello())
    for cut in [1, 2, 4, 5, 6, 8, 9, 10, 11, 43, 44, 76, length // 2, length - 1]:
        with client.connect_through(oriel.port, raw.NAME, https.port) as s:
            def halves(s, data, cut=cut):
                s.sendall(data[:cut])
                process.wait_until(lambda: unread(s) == 0, 'the first part is read')
                s.sendall(data[cut:])
            complete(s, halves, https)


def unread(s):
    """Bytes that the other side of a loopback connection has not read yet."""
    mine, theirs = s.getsockname(), s.getpeername()
    with open('/proc/net/tcp', encoding='ascii') as f:
        for line in f.readlines()[1:]:
            words = line.split()
            if words[1].endswith(f':{theirs[1]:04X}') and words[2].endswith(f':{mine[1]:04X}'):
                return int(words[4].split(':')[1], 16)
    return 0


@sanitized
def test_a_hello_with_64_kib_of_extensions(recorder, tunnel):
    big = raw.made_hello([(0x8a8b, bytes(65_000))], sni=b'www.oriel.test')
    assert len(big) > 65_000
    s = tunnel(recorder.port)
    s.sendall(big)
    assert server_hello(s)
    assert recorder.hellos[0].sni == raw.NAME


@pytest.mark.parametrize('seed', sorted(os.listdir(os.path.join(ROOT, 'fuzz', 'corpus', 'client_hello'))))
def test_every_hello_of_real_clients_is_answered(https, tunnel, seed):
    """Post-quantum key shares among them: with a ServerHello. Those made to be bad end with an alert or a close."""
    s = tunnel(https.port, timeouts={'hello': '500ms'})
    s.sendall(raw.seed(seed))
    if not seed.startswith('made_'):
        first = s.recv(5)
        old = seed in ('openssl_tls10', 'openssl_after_retry', 'gnutls_alpn_legacy')
        assert first[0] == 22 or old and first[0] == 21, tunnel.oriel().quiet().said()
    elif select.select([s], [], [], 10)[0]:
        with contextlib.suppress(ConnectionResetError):
            s.recv(65536)
    s.close()
    assert get(tunnel.oriel(), https.port).status == 200


# ---- 5: what the client gets ----


@pytest.mark.parametrize('served,offered,chosen', [
    (('http/1.1',), ('h2', 'http/1.1'), 'http/1.1'), (('h2', 'http/1.1'), ('h2', 'http/1.1'), 'h2'),
    (('http/1.1', 'h2'), ('h2', 'http/1.1'), 'http/1.1'), (('other',), ('other', 'h2'), 'other'),
    ((), ('h2', 'http/1.1'), None), (('h2',), (), None)])
@pytest.mark.parametrize('version', [V12, V13])
def test_the_protocol_is_what_the_server_chose(certs, run_oriel, served, offered, chosen, version):
    with peers.HttpsServer(certs.good(), alpn=served) as server:
        oriel = run_oriel(raw.egress())
        with client.tls_through(oriel.port, raw.NAME, server.port, oriel.root, alpn=offered, version=version) as s:
            assert s.selected_alpn_protocol() == chosen


@sanitized
@pytest.mark.parametrize('up,down,wire', [((V12, V12), None, 'TLS 1.2'), ((V13, V13), None, 'TLS 1.3'),
                                          ((V12, V13), V12, 'TLS 1.2')])
def test_both_versions_on_both_legs(certs, run_oriel, up, down, wire):
    with peers.HttpsServer(certs.good(), versions=up) as server:
        oriel = run_oriel(raw.egress())
        with client.tls_through(oriel.port, raw.NAME, server.port, oriel.root, version=down) as s:
            s.sendall(b'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
            assert client.read_all(s)[0].startswith(b'HTTP/1.1 200')
            assert s.version() == ('TLSv1.2' if down else 'TLSv1.3')
        legs = oriel.wait_event(type='connection')['tls']
        assert legs['server']['version'] == wire
        assert legs['client']['version'] == ('TLS 1.2' if down else 'TLS 1.3')


def test_the_client_gets_no_tickets_and_no_session(https, run_oriel):
    oriel = run_oriel(raw.egress())
    for version in (V12, V13):
        context = client.context(oriel.root, version=version)
        session = None
        for _ in range(2):
            with client.connect_through(oriel.port, raw.NAME, https.port) as tcp:
                with context.wrap_socket(tcp, server_hostname=raw.NAME, session=session) as s:
                    s.sendall(b'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
                    client.read_all(s)
                    session = s.session
                    assert not s.session_reused and not session.has_ticket
                    assert version == V13 or session.id == b''
    assert not oriel.events(tls__client__resumed=True)


@sanitized
@pytest.mark.parametrize('seed', ['openssl_psk_early_data', 'made_early_data_behind', 'openssl_tls12_ticket'])
def test_early_data_and_foreign_tickets_are_never_taken(recorder, tunnel, seed):
    """Without a pre-shared key in the ServerHello there is no early data (RFC 8446, 4.2.10)."""
    s = tunnel(recorder.port)
    s.sendall(raw.seed(seed))
    assert 41 not in hello.server_extensions(server_hello(s))
    up = recorder.hellos[0]
    assert 42 not in up.extensions and up.psk == [] and not up.ticket


# ---- resumption upstream ----


@sanitized
@pytest.mark.parametrize('version', ['TLSv1.2', 'TLSv1.3'])
def test_the_servers_sessions_resume(start, certs, run_oriel, version):
    server = start(peers.nginx, certs.good(), protocols=version)
    oriel = run_oriel(raw.egress(threads=1))
    for _ in range(3):
        assert get(oriel, server.port).status == 200
    process.wait_until(lambda: len(oriel.events(type='connection')) == 3, 'three lines')
    assert [e['tls']['server']['resumed'] for e in oriel.events(type='connection')] == [False, True, True]
    assert {e['tls']['server']['issuer'] for e in oriel.events(type='connection')} == {'CN=Oriel Test Intermediate,O=Oriel Tests'}


@sanitized
def test_each_ticket_is_shown_once(start, certs, run_oriel):
    server = start(peers.nginx, certs.good(), protocols='TLSv1.3')
    with raw.Recorder(server.port) as recorder:
        oriel = run_oriel(raw.egress(threads=1))
        for _ in range(8):
            assert get(oriel, recorder.port).status == 200
        shown = [t for h in recorder.hellos for t in h.psk]
    assert len(shown) == 7 and len(set(shown)) == 7


@sanitized
def test_sessions_are_kept_apart(start, certs, run_oriel):
    """By SNI, ALPN, versions, port, rule and listener; the same again resumes."""
    server = start(peers.nginx, certs.server('two', names=('www.oriel.test', 'other.oriel.test')), http2=True)
    port2 = raw.free_port()
    rules = [{'match': {'target': ['third.test']}, 'do': 'bump'}, raw.CATCH_ALL]
    config = raw.egress(rules, hosts={'third.test': '127.0.0.1'}, threads=1)
    config['listeners'].append({**config['listeners'][0], 'bind': f'127.0.0.1:{port2}'})
    oriel = run_oriel(config)
    resolve = ('--resolve', f'www.oriel.test:{server.port}:127.0.0.1')
    ways = [
        lambda: get(oriel, server.port), lambda: get(oriel, server.port, '--http2'),
        lambda: get(oriel, server.port, name='other.oriel.test'), lambda: get(oriel, server.port, '--tls-max', '1.2'),
        lambda: get(oriel, server.port, '--connect-to', f'::third.test:{server.port}'),
        lambda: client.curl(f'https://{raw.NAME}:{server.port}/', *resolve, proxy=f'http://127.0.0.1:{port2}',
                            cafile=oriel.root).ok(),
    ]
    count = 0
    for expected in (False, True):
        for i, way in enumerate(ways):
            assert way().status == 200
            count += 1
            line = oriel.wait_event(type='connection', count=count)
            assert line['tls']['server']['resumed'] is expected, (i, expected)


@sanitized
def test_a_remembered_chain_is_judged_again(start, certs, run_oriel):
    """It was good when the session began, and expires before it is resumed."""
    brief = certs.server('brief', days=(-1, 3 / 86400))
    server = start(peers.nginx, brief)
    oriel = run_oriel(raw.egress(threads=1))
    url = f'https://{raw.NAME}:{server.port}/'
    verdicts = []

    def expired():
        assert client.curl(url, '-k', proxy=oriel).ok().status == 200
        verdicts.append(oriel.wait_event(type='connection', count=len(verdicts) + 1)['tls']['server'])
        return verdicts[-1]['verdict'] == 'expired'
    process.wait_until(expired, 'the certificate is over', every=0.25)
    assert verdicts[0]['verdict'] == 'ok' and not verdicts[0]['resumed']
    assert all(v['resumed'] for v in verdicts[1:])
    assert 'certificate has expired' in client.curl(url, proxy=oriel, cafile=oriel.root).log


# ---- 7: one connection ----


def test_one_connection_to_the_server_for_each_of_the_clients(recorder, run_oriel):
    oriel = run_oriel(raw.egress())
    url = f'https://{raw.NAME}:{recorder.port}/'
    client.curl(url, url, url, proxy=oriel, cafile=oriel.root).ok()
    assert recorder.server.accepted == 1
    assert oriel.wait_event(type='connection')['exchanges'] == 3
    for _ in range(4):
        get(oriel, recorder.port)
    assert recorder.server.accepted == 5


# ---- ends ----


def serve_tls(certs, behave):
    """A TLS server that does behave(Tls)."""
    return peers.RawServer(lambda conn: behave(raw.Tls(conn, server=certs.good())))


LOTS = peers.pattern(700_000)


@sanitized
def test_the_client_may_end_first(certs, tunnel):
    """The server answers at length after the client's end."""
    got = []

    def behave(tls):
        got.append(tls.receive_all())
        tls.send(LOTS)
        tls.finish()
    with serve_tls(certs, behave) as server:
        tls = raw.Tls(tunnel(server.port))
        tls.send(b'all of it')
        tls.finish()
        assert tls.receive_all() == LOTS
    assert got == [b'all of it']


@sanitized
def test_the_server_may_end_first(certs, tunnel):
    got = []

    def behave(tls):
        tls.send(b'that was all')
        tls.finish()
        got.append(hashlib.sha256(tls.receive_all()).hexdigest())
    with serve_tls(certs, behave) as server:
        tls = raw.Tls(tunnel(server.port))
        assert tls.receive_all() == b'that was all'
        tls.send(LOTS)
        tls.finish()
        process.wait_until(lambda: got, 'the server has all')
    assert got == [hashlib.sha256(LOTS).hexdigest()]


@sanitized
@pytest.mark.parametrize('do', ['bump', 'splice'])
def test_bytes_without_tls_may_end_first_too(tunnel, do):
    got = []

    def behave(conn):
        whole = b''
        while data := conn.recv(65536):
            whole += data
        got.append(whole)
        conn.sendall(LOTS)
    with peers.RawServer(behave) as server:
        s = tunnel(server.port, rules=[{**raw.CATCH_ALL, 'do': do}])
        s.sendall(b'no TLS at all')
        s.shutdown(socket.SHUT_WR)
        assert raw.fate(s) == ('close', LOTS)
    assert got == [b'no TLS at all']
    line = tunnel.oriel().wait_event(type='connection')
    assert line['action'] == ('plain' if do == 'bump' else 'splice') and line['bytes'] == {'up': 13, 'down': len(LOTS)}
    assert do == 'splice' or line['proto'] == 'bytes'


@sanitized
def test_a_plain_request_and_an_end_at_once(start, run_oriel):
    """As `printf … | nc` sends it: the client ends before the server is dialled."""
    server = start(peers.nginx, name='plain')
    oriel = run_oriel(raw.egress())
    with raw.dial(oriel.port) as s:
        s.sendall(f'GET http://{raw.NAME}:{server.port}/ HTTP/1.0\r\n\r\n'.encode())
        s.shutdown(socket.SHUT_WR)
        assert raw.fate(s)[1].startswith(b'HTTP/1.1 200 OK')


@sanitized
def test_half_a_connection_does_not_stay_for_ever(certs, tunnel):
    """idle is long, half-close is short."""
    over = threading.Event()

    def behave(tls):
        tls.receive_all()
        over.wait(30)
    with serve_tls(certs, behave) as server:
        tls = raw.Tls(tunnel(server.port, timeouts={'idle': '1h', 'half-close': '300ms'}))
        tls.finish()
        assert tls.receive_all() == b''
        over.set()
        assert 'idle' in tunnel.oriel().wait_event(type='connection')['reason']


@sanitized
def test_an_idle_connection_is_closed_on_both_sides(certs, tunnel):
    ends = []
    with serve_tls(certs, lambda tls: ends.append(tls.receive_all())) as server:
        tls = raw.Tls(tunnel(server.port, timeouts={'idle': '1s'}))
        before = time.monotonic()
        for _ in range(8):
            tls.send(b'.')
            assert not select.select([tls.sock], [], [], 0.2)[0], 'closed although not idle'
        assert tls.receive_all() == b''
        assert 2.3 < time.monotonic() - before < 20
        process.wait_until(lambda: ends, 'the server sees the end')
    assert ends == [b'.' * 8]
    line = tunnel.oriel().wait_event(type='connection')
    assert 'closed after being idle' in line['reason'] and line['failed'] is False


# ---- back-pressure ----


def worker_memory(oriel):
    """What the processes hold, in bytes."""
    total = 0
    for pid in oriel.processes():
        with open(f'/proc/{pid}/statm', encoding='ascii') as f:
            total += int(f.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')
    return total


FLOOD = 96 << 20


def flood(tls, count, written):
    """Returns the hash of what was sent."""
    h = hashlib.sha256()
    block = peers.pattern(1 << 16)
    for at in range(0, count, len(block)):
        tls.send(block)
        h.update(block)
        written[0] = at + len(block)
    tls.finish()
    return h.hexdigest()


def held_back(written):
    """Waits until the writer makes no progress, and returns how far it came."""
    seen = [-1, time.monotonic()]

    def stuck():
        if written[0] != seen[0]:
            seen[:] = [written[0], time.monotonic()]
        return seen[0] > 0 and time.monotonic() - seen[1] > 0.5
    process.wait_until(stuck, 'the writer is held', timeout=60)
    return written[0]


@sanitized
@pytest.mark.parametrize('way', ['down', 'up'])
def test_a_slow_reader_holds_the_writer(certs, tunnel, way):
    """Nobody reads ahead: what is under way is what the kernel's buffers take, and oriel's memory stays as it was."""
    written, result, may_read = [0], [], threading.Event()

    def drain(tls):
        h, n = hashlib.sha256(), 0
        while data := tls.receive():
            h.update(data)
            n += len(data)
        return h.hexdigest()

    def behave(tls):
        if way == 'down':
            result.append(flood(tls, FLOOD, written))
            return
        may_read.wait(90)
        result.append(drain(tls))
        tls.finish()
    with serve_tls(certs, behave) as server:
        s = tunnel(server.port)
        tls = raw.Tls(s)
        before = worker_memory(tunnel.oriel())
        if way == 'up':
            writer = threading.Thread(target=lambda: result.append(flood(tls, FLOOD, written)), daemon=True)
            writer.start()
        assert held_back(written) < FLOOD / 2
        # A sanitizer keeps what was freed for a while.
        assert worker_memory(tunnel.oriel()) - before < (3 << 20 if BUILD == 'release' else 48 << 20)
        may_read.set()
        if way == 'down':
            result.append(drain(tls))
        process.wait_until(lambda: len(result) == 2, 'all has arrived', timeout=60)
    assert result[0] == result[1]


@sanitized
def test_a_reader_that_is_slow_but_reads_is_not_idle(certs, tunnel):
    """Its connection is older than the idle time when the last byte comes, and nothing new could be read meanwhile."""
    count = 24 << 20
    written = [0]
    with serve_tls(certs, lambda tls: flood(tls, count, written)) as server:
        s = tunnel(server.port, timeouts={'idle': '1s', 'half-close': '1s'})
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        tls = raw.Tls(s)
        got, slow_until = 0, time.monotonic() + 3
        while data := tls.receive():
            got += len(data)
            if time.monotonic() < slow_until:
                select.select([], [], [], 0.02)
    assert got == count


# ---- what TLS may do besides ----


@contextlib.contextmanager
def told_to(tmp_path, *argv):
    """An openssl command that is told by single letters what to do: (process, tell)."""
    read, write = os.pipe()
    with process.Process(['openssl', *argv], tmp_path / 'told.log', stdin=read) as peer:
        os.close(read)
        with open(write, 'wb', buffering=0) as stdin:
            yield peer, lambda line: stdin.write(line.encode() + b'\n')


def s_client_of(oriel, port, *more):
    return ('s_client', '-proxy', f'127.0.0.1:{oriel.port}', '-connect', f'{raw.NAME}:{port}', '-servername', raw.NAME,
            '-CAfile', oriel.root, *more)


@sanitized
@pytest.mark.parametrize('letter', ['K', 'k'])
def test_the_client_may_change_its_keys(https, run_oriel, tmp_path, letter):
    """K asks the other side to do so, too."""
    oriel = run_oriel(raw.egress())
    with told_to(tmp_path, *s_client_of(oriel, https.port, '-tls1_3')) as (peer, tell):
        peer.wait_output('Verify return code: 0')
        for _ in range(3):
            count = peer.output().count('KEYUPDATE')
            tell(letter)
            process.wait_until(lambda count=count: peer.output().count('KEYUPDATE') > count, 'the keys have changed')
        tell('GET /headers HTTP/1.1\nHost: x\n')
        peer.wait_output('HTTP/1.1 200 OK')
    assert oriel.wait_event(type='exchange')['http']['status'] == 200


@sanitized
def test_the_server_may_change_its_keys(certs, run_oriel, tmp_path):
    port, cert = raw.free_port(), certs.good()
    with told_to(tmp_path, 's_server', '-accept', str(port), '-cert', cert.cert, '-key', cert.key, '-cert_chain',
                 cert.chain, '-tls1_3') as (peer, tell):
        peer.wait_listening(port)
        oriel = run_oriel(raw.egress())
        with client.tls_through(oriel.port, raw.NAME, port, oriel.root) as s:
            for letter, text in (('K', 'first'), ('k', 'second'), ('K', 'third')):
                tell(letter)
                # What the client sends is printed once the letter was obeyed: s_server looks at its input first.
                s.sendall(f'up {text}\n'.encode())
                peer.wait_output(f'up {text}')
                tell(text)
                got = b''
                while not got.endswith(text.encode() + b'\n'):
                    got += s.recv(100)


@sanitized
def test_a_client_that_renegotiates_is_told_no(https, run_oriel, tmp_path):
    oriel = run_oriel(raw.egress())
    with told_to(tmp_path, *s_client_of(oriel, https.port, '-tls1_2')) as (peer, tell):
        peer.wait_output('Verify return code: 0')
        tell('R')
        peer.wait_output('no renegotiation')
    assert 'the TLS connection with the client broke' in oriel.wait_event(type='connection')['reason']
    assert get(oriel, https.port).status == 200


@pytest.mark.parametrize('version', ['-tls1_2', '-tls1_3'])
def test_a_server_that_would_like_a_client_certificate(start, certs, run_oriel, version):
    server = start(peers.s_server, certs.good(), version, '-verify', '1', '-www')
    oriel = run_oriel(raw.egress())
    assert get(oriel, server.port, '--http1.0').status == 200


@sanitized
def test_a_server_that_insists_on_a_client_certificate(start, certs, run_oriel):
    oriel = run_oriel(raw.egress())
    old = start(peers.s_server, certs.good(), '-tls1_2', '-Verify', '1', '-www')
    got = client.curl(f'https://{raw.NAME}:{old.port}/', proxy=oriel, cafile=oriel.root)
    assert got.code == 35 and 'handshake failure' in got.log
    oriel.wait_event(type='connection', failure='upstream-alert', side='server')
    new = start(peers.s_server, certs.good(), '-tls1_3', '-Verify', '1', '-www')
    assert client.curl(f'https://{raw.NAME}:{new.port}/', proxy=oriel, cafile=oriel.root).code != 0
    line = oriel.wait_event(type='connection', failure='upstream-alert', side='server', count=2)
    assert 'it asked for a client certificate; there is none' in line['reason']
    assert line['tls']['server']['alert']['name'] == 'certificate_required'
