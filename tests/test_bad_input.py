"""Bad input, and bad times: each ends in bounded time, with one line that says what happened and to whom, and the
proxy goes on serving the others."""
import select
import socket
import time

import pytest

from harness import client, hello, peers, process, raw

pytestmark = pytest.mark.sanitized

# Long enough for those who do nothing wrong, on a busy machine and under a sanitizer.
QUICK = {'timeouts': {'hello': '1s', 'handshake': '1s', 'dial': '1s'}}
BOUND = 10.0


class Case:
    """An oriel, somebody who is to be served all the time, and what becomes of the bad one."""

    def __init__(self, oriel, https):
        self.oriel, self.https = oriel, https
        self.worker = sorted(oriel.processes())

    def ends(self, word, side, *words, count=1):
        """So ended the bad connections, each with one line; and the good one is served, by the same processes."""
        lines = process.wait_until(lambda: len(found := self.oriel.events(type='connection', failure=word)) >= count and found,
                                   f'{count} lines that say {word}\n{self.oriel.said()}', BOUND)
        assert len(lines) == count
        for line in lines:
            assert line['side'] == side and line['client']['addr'].startswith('127.0.0.1:'), line
            for w in words:
                assert w in line['reason'], line['reason']
        self.served()
        return lines[-1]

    def served(self):
        got = client.curl(f'https://{raw.NAME}:{self.https.port}/', proxy=self.oriel, cafile=self.oriel.root)
        assert got.ok().status == 200
        assert sorted(self.oriel.processes()) == self.worker


@pytest.fixture
def case(run_oriel, https):
    return lambda *rules, **top: Case(run_oriel(raw.egress(list(rules) or None, **{**QUICK, **top})), https)


def says(port, data, then=None):
    """What becomes of a connection on which this is said, in bounded time; then(socket) afterwards."""
    begun = time.monotonic()
    with raw.dial(port) as s:
        with_end = s.sendall(data)
        assert with_end is None
        if then:
            then(s)
        got = raw.fate(s)
    assert time.monotonic() - begun < BOUND
    return got


def ends(s):
    s.shutdown(socket.SHUT_WR)


# ---- the ClientHello ----


@pytest.mark.parametrize('data,word', [(b'\0' * 300, 'client-not-tls'), (bytes(range(128, 256)) * 3, 'client-not-tls'),
                                       (b'SSH-2.0-x\r\n', 'client-not-tls'),
                                       (b'\x80\x2e\x01\x03\x01' + bytes(41), 'client-hello-bad')],
                         ids=['zeros', 'high', 'ssh', 'sslv2'])
def test_garbage_is_closed(case, data, word):
    c = case()
    assert says(c.oriel.port, data)[0] in ('close', 'alert')
    c.ends(word, 'client')


@pytest.mark.parametrize('data,alert', [
    (b'\x16\x03\x01\x00\x05hello', 10), (b'\x16\x03\x01\xff\xff' + bytes(65535), 22), (b'\x16\x03\x01\x00\x00', 10),
    (b'\x16\x03\x01\x00\x04\x01\x00\x00\x00', 50), (b'\x16\x03\x01\x00\x04\x01\xff\xff\xff', 50),
    (b'\x16\x07\x07\x00\x05hello', 70)], ids=['text', 'oversized', 'empty', 'empty hello', 'huge hello', 'version'])
@pytest.mark.parametrize('way', ['direct', 'connect'])
def test_garbage_in_tls_records_is_an_alert(case, data, alert, way):
    c = case()
    if way == 'direct':
        got = says(c.oriel.port, data)
    else:
        with client.connect_through(c.oriel.port, raw.NAME, c.https.port) as s:
            s.sendall(data)
            got = raw.fate(s)
    # What cannot be a record at all is no TLS either, to one who has to guess.
    if way == 'direct' and data[1:5] in (b'\x03\x01\xff\xff', b'\x07\x07\0\x05'):
        assert got in (('close', b''), ('reset', b''))
        c.ends('client-not-tls', 'client')
        return
    assert got[0] == 'alert' and got[1] in (alert, 10, 22, 47, 50, 70), got
    c.ends('client-hello-bad', 'client', "the client's ClientHello is malformed")


def test_a_hello_that_is_cut_in_the_middle(case):
    c = case()
    data = raw.hello()
    for n in (1, 5, 6, 100, len(data) - 1):
        assert says(c.oriel.port, data[:n], ends) == ('close', b'')
    c.ends('client-closed', 'client', 'in the middle of its', count=5)


def test_a_hello_that_never_ends(case):
    """A byte now and then does not keep it open."""
    c = case()
    data, begun = raw.hello(), time.monotonic()
    with raw.dial(c.oriel.port) as s, pytest.raises((BrokenPipeError, ConnectionResetError)):
        for i in range(200):
            s.sendall(data[i:i + 1])
            time.sleep(0.02)
    assert time.monotonic() - begun > 0.9
    c.ends('client-hello-timeout', 'client')


def test_half_a_hello_and_silence(case):
    c = case()
    assert says(c.oriel.port, raw.hello()[:200]) == ('close', b'')
    c.ends('client-hello-timeout', 'client', 'did not finish its first message in time')


@pytest.mark.parametrize('data', [raw.records(b'\x01\0\xff\xff' + bytes(65535), 1), raw.records(b'\x01\x01\x80\0' + bytes(98304)),
                                  raw.records(b'\x01\x03\0\0' + bytes(3 << 16))],
                         ids=['records of a byte', 'zeros', 'more than the limit'])
def test_extensions_without_end(case, data):
    """What is too large is refused as soon as that is known; the rest is not kept."""
    c = case()

    def behave(s):
        try:
            s.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
    with raw.dial(c.oriel.port) as s:
        behave(s)
        assert raw.fate(s)[0] in ('alert', 'reset')
    c.ends('client-hello-bad', 'client')


@pytest.mark.parametrize('name', [b'www.oriel.test\0.evil.test', b'a/b.oriel.test', b'\x1b[31mred\x07.test', b'x' * 300,
                                  b'127.0.0.1', b'[::1]', b'a b', b'.oriel.test', b'a..b', b'\xff\xfe.test'],
                         ids=['nul', 'slash', 'escape', 'long', 'ip4', 'ip6', 'space', 'dot first', 'empty label', 'not ascii'])
def test_a_server_name_that_is_none(case, name):
    """unrecognized_name, and nothing of it goes to the server."""
    c = case()
    with raw.Recorder(c.https.port) as recorder:
        with client.connect_through(c.oriel.port, raw.NAME, recorder.port) as s:
            s.sendall(raw.made_hello(sni=name))
            assert raw.fate(s) == ('alert', 112)
        assert not any(recorder.first)
    with raw.dial(c.oriel.port) as s:
        s.sendall(raw.made_hello(sni=name))
        assert raw.fate(s) == ('alert', 112)
    c.ends('sni-invalid', 'client', 'a server name that is no host name', count=2)
    assert not [x for line in c.oriel.lines for x in line if ord(x) < 32 or 127 <= ord(x) < 160]


def test_an_empty_or_double_server_name(case):
    c = case()
    for name in (b'', b'a.test\0\0\x06b.test'):
        assert says(c.oriel.port, raw.made_hello(sni=name))[0] == 'alert'
    c.served()


def test_no_server_name(case):
    """Good with CONNECT, which says where to go. Without it nobody knows."""
    c = case()
    with raw.Recorder(c.https.port) as recorder:
        with client.connect_through(c.oriel.port, raw.NAME, recorder.port) as s:
            s.sendall(raw.made_hello())
            assert hello.message(s.recv(65536))[0] == 2
        assert recorder.hellos[0].sni is None
    assert says(c.oriel.port, raw.made_hello()) == ('alert', 112)
    c.ends('sni-invalid', 'client', 'none at all, and nothing else says where to go')


# ---- CONNECT ----


NONSENSE = [b'CONNECT\r\n\r\n', b'CONNECT  HTTP/1.1\r\n\r\n', b'CONNECT x HTTP/1.1\r\nHost: x\r\n\r\n',
            b'CONNECT x:0 HTTP/1.1\r\nHost: x\r\n\r\n', b'CONNECT x:99999 HTTP/1.1\r\nHost: x\r\n\r\n',
            b'CONNECT x:44x HTTP/1.1\r\nHost: x\r\n\r\n', b'CONNECT [::1 HTTP/1.1\r\nHost: x\r\n\r\n',
            b'CONNECT a b:1 HTTP/1.1\r\nHost: x\r\n\r\n', b'CONNECT x\0:443 HTTP/1.1\r\nHost: x\r\n\r\n',
            b'CONNECT u:p@x:443 HTTP/1.1\r\nHost: x\r\n\r\n', b'CONNECT http://x:443/ HTTP/1.1\r\nHost: x\r\n\r\n',
            b'CONNECT x:443 HTTP/9.9\r\nHost: x\r\n\r\n', b'CONNECT x:443 HTTP/1.1\r\nHo st: x\r\n\r\n',
            b'CONNECT x:443 HTTP/1.1\r\n folded\r\n\r\n', b'CONNECT ' + b'x' * 70_000 + b':443 HTTP/1.1\r\n\r\n',
            b'CONNECT x:443 HTTP/1.1\r\n' + b'A: b\r\n' * 20_000 + b'\r\n']


@pytest.mark.parametrize('data', NONSENSE, ids=range(len(NONSENSE)))
def test_connect_with_nonsense(case, data):
    """A status of the client's fault, and an end."""
    c = case()
    with raw.dial(c.oriel.port) as s:
        try:
            s.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        how, got = raw.fate(s)
    assert how == 'reset' or got.startswith((b'HTTP/1.1 4', b'HTTP/1.1 5')) or b' ' not in data and not got, got
    c.ends('client-not-tls', 'client')


def test_connect_that_is_cut_or_slow(case):
    c = case()
    assert says(c.oriel.port, b'CONNECT www.oriel.te', ends) == ('close', b'')
    c.ends('client-closed', 'client')
    assert says(c.oriel.port, b'CONNECT www.oriel.te')[0] == 'close'
    c.ends('client-hello-timeout', 'client')


def test_connect_to_oriel_itself(case):
    """By address and by name; through the front door and through the admin socket's neighbour."""
    c = case(hosts={'me.test': '127.0.0.1', 'me6.test': '::ffff:127.0.0.1'})
    for target in ('127.0.0.1', 'localhost', 'me.test', 'me6.test', '[::ffff:127.0.0.1]', '0.0.0.0', '127.1.2.3'):
        status = raw.connect_status(c.oriel.port, f'{target}:{c.oriel.port}')
        # Another address of loopback, where nobody listens; localhost has one, too.
        assert status == 403 or status == 502 and target in ('127.1.2.3', 'localhost'), target
    assert not c.oriel.events(type='connection', target=f'127.0.0.1:{c.oriel.port}', action='bump')
    c.served()


METADATA = ['169.254.169.254', '[::ffff:169.254.169.254]', '[fe80::1]', '[fd00:ec2::254]', '100.100.100.200', '168.63.129.16',
            'meta.test', 'meta6.test']


def test_connect_to_metadata_addresses(net, run_oriel):
    """From another machine, in namespaces that lead nowhere."""
    config = raw.egress(hosts={'meta.test': '169.254.169.254', 'meta6.test': 'fd00:ec2::254'},
                        listener={'bind': '0.0.0.0:PORT', 'clients': ['10.9.0.0/24', '127.0.0.0/8']})
    oriel = run_oriel(config, prefix=net.inside('proxy'))
    for i, target in enumerate(METADATA):
        got = net.run('client', 'curl', '-sv', '-g', '-x', f'http://10.9.0.143:{oriel.port}', f'https://{target}/', check=False)
        assert '403 Forbidden' in got.stderr, (target, got.stderr)
        line = oriel.wait_event(type='connection', failure='dial-denied', count=i + 1)
        assert line['side'] == 'client' and 'metadata' in line['reason']


# ---- the server ----


def broken_chain_server(certificates):
    """A TLS 1.2 server as far as its Certificate message, which holds these."""
    listed = b''.join(raw.vector(3, c) for c in certificates)
    body = raw.vector(3, listed)
    server_hello = b'\x03\x03' + bytes(range(32)) + b'\0' + b'\xc0\x2b' + b'\0'
    flight = raw.records(b'\x02' + raw.vector(3, server_hello) + b'\x0b' + raw.vector(3, body) + b'\x0e\0\0\0')
    return peers.RawServer(peers.sends(flight.replace(b'\x16\x03\x01', b'\x16\x03\x03'), peers.hangs))


@pytest.mark.parametrize('certificates', [[], [b''], [b'\x30\x03\x02\x01\x01'], [bytes(2000)]],
                         ids=['none', 'empty', 'no certificate', 'zeros'])
def test_a_server_that_shows_no_certificate(case, certificates):
    c = case()
    with broken_chain_server(certificates) as server:
        with client.connect_through(c.oriel.port, raw.NAME, server.port) as s:
            s.sendall(raw.hello())
            assert raw.fate(s)[0] == 'alert'
    c.ends('upstream-handshake', 'server', f'the TLS handshake with {raw.NAME}:{server.port} failed')


def chain_of(certs, tag, *ders):
    """The good certificate, followed by what is none of its issuers."""
    good = certs.server(tag)
    with open(good.chain, 'w', encoding='ascii') as f:
        f.write(''.join(raw.pem(d) for d in (good.der(), *ders)))
    return good


def test_a_server_with_a_chain_that_does_not_fit(start, certs, case):
    """Strangers, doubles: what is missing is not found among them; once it was seen elsewhere they do no harm."""
    c = case(threads=1)
    stranger = certs.stranger.der()
    for i, more in enumerate(([stranger], [stranger] * 8, [certs.root.der()] * 3, [certs.good('p384').der()])):
        server = start(peers.nginx, chain_of(certs, f'broken-{i}', *more))
        got = client.curl(f'https://{raw.NAME}:{server.port}/', proxy=c.oriel, cafile=c.oriel.root)
        assert got.code == (0 if i else 60), got.log
        c.ends('client-rejects-certificate', 'client')


def test_a_server_with_very_many_certificates(start, certs, case):
    c = case()
    for count, code in ((12, 0), (60, 35)):
        server = start(peers.nginx, chain_of(certs, f'many-{count}', *[certs.intermediate.der()] * count))
        got = client.curl(f'https://{raw.NAME}:{server.port}/', proxy=c.oriel, cafile=c.oriel.root)
        assert got.code == code
    c.ends('upstream-handshake', 'server', 'the peer sent 61 certificates')


@pytest.mark.parametrize('size,code', [(80 * 1024, 0), (140 * 1024, 35)])
def test_a_huge_certificate(start, certs, case, size, code):
    """libssl takes 100 KiB of certificates. What it takes is mimicked, what not is an end with the reason."""
    c = case(timeouts={'hello': '2s', 'handshake': '10s'})
    server = start(peers.nginx, certs.huge(size))
    got = client.curl(f'https://{raw.NAME}:{server.port}/', proxy=c.oriel, cafile=c.oriel.root)
    assert got.code == code, got.log
    if code:
        c.ends('upstream-handshake', 'server', 'a handshake message is longer than is allowed')
    c.served()


def test_a_ca_certificate_as_its_own(start, certs, case):
    c = case()
    server = start(peers.nginx, certs.ca_as_leaf())
    assert client.curl(f'https://{raw.NAME}:{server.port}/', proxy=c.oriel, cafile=c.oriel.root).ok().status == 200
    c.served()


@pytest.mark.parametrize('manner,word', [(peers.resets, 'upstream-reset'), (peers.hangs, 'upstream-timeout'),
                                         (peers.speaks_plaintext, 'upstream-not-tls'), (peers.garbage, 'upstream-not-tls'),
                                         (lambda conn: conn.recv(65536), 'upstream-closed')],
                         ids=['resets', 'hangs', 'plaintext', 'garbage', 'closes'])
def test_a_server_that_misbehaves(case, manner, word):
    c = case()
    with peers.RawServer(manner) as server:
        with client.connect_through(c.oriel.port, raw.NAME, server.port) as s:
            s.sendall(raw.hello())
            assert raw.fate(s)[0] in ('close', 'reset')
    c.ends(word, 'server', f'{raw.NAME}:{server.port}')


def test_a_server_that_goes_mad_after_the_handshake(certs, case):
    """Its records cannot be decrypted: the client hears of a reset, not of something that looks like an end."""
    c = case()

    def behave(conn):
        raw.Tls(conn, server=certs.good())
        conn.sendall(b'\x17\x03\x03\x00\x40' + bytes(64))
        while conn.recv(65536):
            pass
    with peers.RawServer(behave) as server:
        with client.connect_through(c.oriel.port, raw.NAME, server.port) as s:
            tls = raw.Tls(s)
            assert raw.fate(tls.sock)[0] == 'reset'
    c.ends('upstream-alert', 'server', 'the TLS connection with the server broke')


def test_a_client_that_goes_mad_after_the_handshake(case):
    c = case()
    with client.connect_through(c.oriel.port, raw.NAME, c.https.port) as s:
        tls = raw.Tls(s)
        tls.sock.sendall(b'\x17\x03\x03\x00\x40' + bytes(64))
        assert raw.fate(tls.sock)[0] == 'close'
    c.ends('client-alert', 'client', 'the TLS connection with the client broke')


# ---- bad times ----


def test_a_full_disk_under_the_key_log(as_root, run_oriel, https, tmp_path):
    """A page of memory as a disk. Traffic goes on, the lines say that the keys are not there."""
    disk = tmp_path / 'disk'
    disk.mkdir()
    mount = f'mount -t tmpfs -o size=4k tmpfs {disk} && exec "$@"'
    oriel = run_oriel(raw.egress(observe={'keylog': {'path': str(disk / 'keys')}}),
                      prefix=['unshare', '-m', 'sh', '-c', mount, 'sh'])
    url = f'https://{raw.NAME}:{https.port}/'
    for i in range(12):
        assert client.curl(url, proxy=oriel, cafile=oriel.root).ok().status == 200
        line = oriel.wait_event(type='connection', count=i + 1)
    assert 'its secrets are not all in the key log: No space left on device' in line['reason'] and line['failed'] is False
    assert not oriel.events(type='connection')[0].get('reason')


def answered(socks):
    return len(select.select(socks, [], [], 0)[0])


@pytest.mark.parametrize('limit', [64, 256])
def test_no_descriptors_left(run_oriel, https, limit):
    """More clients than descriptors: nobody is dropped without a word, and once some have gone all are served again,
    by the same processes. With a limit that leaves room for it, those that are too many only wait."""
    oriel = run_oriel(raw.egress(timeouts={'hello': '60s'}, threads=1),
                      prefix=['sh', '-c', f'ulimit -n {limit}; exec "$@"', 'sh'])
    # Its processes have all descriptors that they give to each other: there would be no room for them later.
    assert client.curl(f'https://{raw.NAME}:{https.port}/', proxy=oriel, cafile=oriel.root).ok()
    before = sorted(oriel.processes())
    held = [raw.dial(oriel.port) for _ in range(150)]
    for s in held:
        s.sendall(f'CONNECT {raw.NAME}:{https.port} HTTP/1.1\r\nHost: x\r\n\r\n'.encode())
    count = process.wait_until(lambda: answered(held), 'some are answered')
    while count != (count := answered(oriel.quiet(0.5) and held)):
        pass
    said = [s.recv(12) for s in select.select(held, [], [], 0)[0]]
    assert 10 < len(said) <= 150 and set(said) <= {b'HTTP/1.1 200', b'HTTP/1.1 503'}
    refused = said.count(b'HTTP/1.1 503')
    assert refused > 0 if limit == 64 else refused == 0 and len(said) < 150
    for s in held:
        s.close()
    if refused:
        line = oriel.wait_event(type='connection', failure='no-descriptors', side='client', count=refused)
        assert 'oriel has no file descriptors left' in line['reason'] and 'ulimit -n' in line['reason']
    process.wait_until(lambda: client.curl(f'https://{raw.NAME}:{https.port}/', proxy=oriel, cafile=oriel.root).code == 0,
                       'it serves again', timeout=30)
    assert sorted(oriel.processes()) == before


def test_a_thousand_bad_ones_hold_up_nobody(case):
    """Connections that do every kind of harm, all at once, and one that is served meanwhile."""
    c = case(timeouts={'hello': '2s', 'handshake': '2s'})
    bad = [b'', b'\x16', b'\x16\x03\x01\xff\xff', b'CONNECT', b'GET / HTTP/1.1\r\n', b'\x05\x01', b'\0', raw.hello()[:99]]
    held = []
    for i in range(400):
        s = raw.dial(c.oriel.port)
        s.sendall(bad[i % len(bad)])
        held.append(s)
    c.served()
    for i, s in enumerate(held):
        if i % 3 == 0:
            raw.resets(s)
    c.served()
    for i, s in enumerate(held):
        if i % 3:
            raw.fate(s)
            s.close()
    c.served()
