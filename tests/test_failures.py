"""What the client sees when something fails: the table of src/proxy/failure.c, one test a row. Each holds what the
client saw, and the word, side and sentence of the connection's line."""
import dataclasses
import socket
import ssl
import subprocess

import pytest

from harness import client, peers, process, raw
from harness.ports import free_port

pytestmark = pytest.mark.sanitized

QUICK = {'timeouts': {'hello': '1s', 'dial': '1s', 'handshake': '1s'}}


def failed(oriel, word, side, *words):
    """The line of the connection that failed so."""
    line = oriel.wait_event(type='connection', failure=word)
    assert line['failed'] is True and line['side'] == side, line
    for w in words:
        assert w in line['reason'], line['reason']
    return line


def shake(oriel, port, hello=None, host=raw.NAME):
    """What the client sees that sends its ClientHello after CONNECT."""
    with client.connect_through(oriel.port, host, port) as s:
        s.sendall(hello or raw.hello())
        return raw.fate(s)


def still_serves(oriel, https):
    got = client.curl(f'https://{raw.NAME}:{https.port}/', proxy=oriel, cafile=oriel.root)
    assert got.ok().status == 200


@pytest.fixture
def raw_server():
    running = []

    def begin(behave):
        running.append(peers.RawServer(behave).__enter__())
        return running[-1]
    yield begin
    for server in running:
        server.__exit__(None, None, None)


# ---- reaching the server ----


def test_a_name_that_does_not_exist(run_oriel):
    """Names below .onion never leave the machine."""
    oriel = run_oriel(raw.egress(listener={'port': 4433}))
    assert raw.connect_status(oriel.port, 'nowhere.onion:443') == 502
    failed(oriel, 'dns', 'server', 'the name nowhere.onion cannot be resolved', '`hosts:`')
    s, code = raw.socks_connect(oriel.port, 'nowhere.onion', 443)
    s.close()
    assert code == 4
    with raw.dial(oriel.port) as s:
        s.sendall(raw.hello('nowhere.onion'))
        assert raw.fate(s) == ('alert', 112)
    assert len(oriel.quiet().events(failure='dns')) == 3


def test_a_server_that_refuses_the_connection(run_oriel):
    port = free_port()
    oriel = run_oriel(raw.egress(listener={'port': port}))
    assert raw.connect_status(oriel.port, f'{raw.NAME}:{port}') == 502
    failed(oriel, 'dial-refused', 'server', f'{raw.NAME}:{port} refused the connection', 'Connection refused')
    s, code = raw.socks_connect(oriel.port, raw.NAME, port)
    s.close()
    assert code == 5
    with raw.dial(oriel.port) as s:
        s.sendall(raw.hello())
        assert raw.fate(s) == ('reset', b'')


@pytest.fixture
def deaf_port():
    """A port on which connecting takes for ever: the kernel's queue is full."""
    with socket.create_server(('127.0.0.1', 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        held = [socket.socket() for _ in range(4)]
        for s in held:
            s.setblocking(False)
            s.connect_ex(('127.0.0.1', port))
        yield port
        for s in held:
            s.close()


def test_a_server_that_does_not_answer_the_dial(run_oriel, deaf_port):
    oriel = run_oriel(raw.egress(listener={'port': deaf_port}, **QUICK))
    assert raw.connect_status(oriel.port, f'{raw.NAME}:{deaf_port}') == 504
    failed(oriel, 'dial-timeout', 'server', 'did not answer in time')
    s, code = raw.socks_connect(oriel.port, raw.NAME, deaf_port)
    s.close()
    assert code == 6
    with raw.dial(oriel.port) as s:
        s.sendall(raw.hello())
        assert raw.fate(s) == ('close', b'')


def test_no_route_to_the_server(run_oriel, net):
    """In a namespace of its own: there is none but to the test's own addresses."""
    config = raw.egress(listener={'bind': '127.0.0.1:PORT', 'port': 443}, hosts={'far.test': '192.0.2.1'})
    oriel = run_oriel(config, prefix=net.inside('proxy'))
    got = net.run('proxy', 'curl', '-sv', '-x', f'http://127.0.0.1:{oriel.port}', 'https://far.test/', check=False)
    assert '502 Bad Gateway' in got.stderr
    failed(oriel, 'dial-unreachable', 'server', 'there is no route to far.test:443')
    got = net.run('proxy', 'curl', '-sv', '-x', f'socks5h://127.0.0.1:{oriel.port}', 'https://far.test/', check=False)
    assert '(3)' in got.stderr, got.stderr


def test_an_address_that_needs_a_word_from_a_rule(run_oriel):
    """oriel itself, by CONNECT, by SOCKS, and by the SNI of a client that came straight to it."""
    port = free_port()
    oriel = run_oriel(raw.egress(listener={'port': port}), port=port)
    assert raw.connect_status(oriel.port, f'127.0.0.1:{port}') == 403
    failed(oriel, 'dial-denied', 'client', f'oriel does not connect to 127.0.0.1:{port}')
    s, code = raw.socks_connect(oriel.port, raw.NAME, port)
    s.close()
    assert code == 2
    with raw.dial(oriel.port) as s:
        s.sendall(raw.hello())
        assert raw.fate(s) == ('alert', 49)


# ---- the server's handshake ----


@pytest.mark.parametrize('code,name', [(40, 'handshake_failure'), (70, 'protocol_version'), (71, 'insufficient_security'),
                                       (80, 'internal_error'), (112, 'unrecognized_name'),
                                       (120, 'no_application_protocol')])
def test_an_alert_before_the_certificate_is_the_clients_alert(run_oriel, raw_server, code, name):
    server = raw_server(peers.alerts(code))
    oriel = run_oriel(raw.egress())
    assert shake(oriel, server.port) == ('alert', code)
    line = failed(oriel, 'upstream-alert', 'server', f'{raw.NAME}:{server.port}')
    assert line['tls']['server']['alert'] == {'name': name, 'code': code, 'sent': False}
    assert line['tls']['client']['alert'] == {'name': name, 'code': code, 'sent': True}


@pytest.mark.parametrize('kind', ['s_server', 'gnutls_serv'])
def test_a_real_servers_alert_is_the_clients_alert(start, certs, run_oriel, kind):
    """The client has nothing that the server would take: it hears the same as without oriel."""
    if kind == 's_server':
        server = start(peers.s_server, certs.good(), '-tls1_3', '-www')
    else:
        server = start(peers.gnutls_serv, certs.good(), '--http', '--priority', 'NORMAL:-VERS-ALL:+VERS-TLS1.3')
    oriel = run_oriel(raw.egress())
    hello = raw.hello(version=ssl.TLSVersion.TLSv1_2)
    with raw.dial(server.port) as s:
        s.sendall(hello)
        direct = raw.fate(s)
    assert direct[0] == 'alert' and shake(oriel, server.port, hello) == direct
    failed(oriel, 'upstream-alert', 'server')


def test_a_reset_is_a_reset(run_oriel, raw_server):
    server = raw_server(peers.resets)
    oriel = run_oriel(raw.egress())
    assert shake(oriel, server.port) == ('reset', b'')
    failed(oriel, 'upstream-reset', 'server', f'{raw.NAME}:{server.port} reset the connection')


def test_a_reset_in_the_middle_of_the_handshake_is_a_reset(start, certs, run_oriel, raw_server):
    real = start(peers.s_server, certs.good())

    def behave(conn):
        with raw.dial(real.port) as up:
            up.sendall(conn.recv(65536))
            conn.sendall(up.recv(200))
        raw.resets(conn)
    server = raw_server(behave)
    oriel = run_oriel(raw.egress())
    assert shake(oriel, server.port) == ('reset', b'')
    failed(oriel, 'upstream-reset', 'server')


def test_silence_is_a_time_out(run_oriel, raw_server):
    server = raw_server(peers.hangs)
    oriel = run_oriel(raw.egress(**QUICK))
    assert shake(oriel, server.port) == ('close', b'')
    line = failed(oriel, 'upstream-timeout', 'server', f'{raw.NAME}:{server.port} did not answer in time')
    assert 300 <= line['duration_ms'] < 5000


def test_a_server_without_tls_is_a_close_with_the_reason(run_oriel, raw_server):
    server = raw_server(peers.speaks_plaintext)
    oriel = run_oriel(raw.egress())
    assert shake(oriel, server.port) == ('close', b'')
    failed(oriel, 'upstream-not-tls', 'server', f'{raw.NAME}:{server.port} does not speak TLS on this port', 'splice')


def test_an_end_in_the_handshake_is_a_close(start, certs, run_oriel, raw_server):
    real = start(peers.s_server, certs.good())
    for count in (0, 5, 100, 400):
        server = raw_server(peers.relays_part_of(real.port, count))
        oriel = run_oriel(raw.egress())
        assert shake(oriel, server.port) == ('close', b''), count
        # Who hangs up at once may do so before the client's first word has come.
        failed(oriel, 'upstream-closed', 'server', 'in the TLS handshake' if count else 'closed the connection')


@pytest.mark.parametrize('said', [b'\x16\x03\x03\0\x05\x02\0\0\x01\x07', b'\x16\x03\x03\xff\xff' + bytes(70000),
                                  b'\x17\x03\x03\0\x10' + bytes(16)], ids=['short', 'oversized', 'out of turn'])
def test_tls_that_breaks_is_handshake_failure(run_oriel, raw_server, said):
    server = raw_server(peers.sends(said, peers.hangs))
    oriel = run_oriel(raw.egress())
    assert shake(oriel, server.port) == ('alert', 40)
    failed(oriel, 'upstream-handshake', 'server', f'the TLS handshake with {raw.NAME}:{server.port} failed')


def test_no_version_in_common_is_protocol_version(https, run_oriel):
    oriel = run_oriel(raw.egress(raw.bump(**{'upstream-min-version': '1.3'})))
    assert shake(oriel, https.port, raw.hello(version=ssl.TLSVersion.TLSv1_2)) == ('alert', 70)
    failed(oriel, 'protocol-version', 'server', '`upstream-min-version:`')
    still_serves(oriel, https)


def test_nothing_else_in_common_is_handshake_failure(https, run_oriel):
    """No cipher that libssl has."""
    oriel = run_oriel(raw.egress())
    assert shake(oriel, https.port, raw.made_hello(sni=raw.NAME.encode(), ciphers=(0x00c6, 0xfefe))) == ('alert', 40)
    failed(oriel, 'upstream-handshake', 'server')
    still_serves(oriel, https)


# ---- certificates and rules ----


def test_block_is_access_denied(start, certs, run_oriel):
    server = start(peers.s_server, certs.expired())
    oriel = run_oriel(raw.egress(raw.bump(**{'invalid-upstream': 'block'})))
    assert shake(oriel, server.port) == ('alert', 49)
    line = failed(oriel, 'upstream-certificate', 'server', 'does not verify', 'expired', '`invalid-upstream: mirror`')
    assert line['action'] == 'block'


def test_a_rule_that_blocks(https, run_oriel):
    rules = [{'match': {'target': ['bad.test']}, 'do': 'block'}, {'match': {'sni': ['www.oriel.test']}, 'do': 'block'},
             raw.CATCH_ALL]
    oriel = run_oriel(raw.egress(rules, hosts={'bad.test': '127.0.0.1', 'good.test': '127.0.0.1'}))
    assert raw.connect_status(oriel.port, f'bad.test:{https.port}') == 403
    failed(oriel, 'policy-block', 'client', f'a rule blocks bad.test:{https.port}')
    s, code = raw.socks_connect(oriel.port, 'bad.test', https.port)
    s.close()
    assert code == 2
    assert shake(oriel, https.port, host='good.test') == ('alert', 49)
    assert len(oriel.quiet().events(type='connection', failure='policy-block', action='block')) == 3


def test_a_client_that_may_not_come(https, run_oriel):
    oriel = run_oriel(raw.egress(listener={'clients': ['192.0.2.0/24']}))
    with raw.dial(oriel.port) as s:
        assert raw.fate(s) == ('close', b'')
    failed(oriel, 'policy-block', 'client', '`clients:` does not allow this client')
    with raw.dial(oriel.port) as s:
        assert raw.fate(s) == ('close', b'')


def test_too_many_connections_of_one_client_are_reset(https, run_oriel):
    oriel = run_oriel(raw.egress(limits={'connections-per-client': 2}, threads=1))
    with raw.dial(oriel.port), raw.dial(oriel.port):
        assert raw.fate_of_new(oriel.port) == ('reset', b'')
        failed(oriel, 'limit', 'client', 'too many connections')
    process.wait_until(lambda: client.curl(f'https://{raw.NAME}:{https.port}/', proxy=oriel, cafile=oriel.root).code == 0,
                       'the places are free again')


def of_version_6(certs):
    """A certificate of a version that is none. OpenSSL takes it."""
    good = certs.server('version-6')
    der = good.der()
    at = der.index(b'\xa0\x03\x02\x01\x02')
    assert at < 12
    with open(good.cert, 'w', encoding='ascii') as f:
        f.write(ssl.DER_cert_to_PEM_cert(der[:at + 4] + b'\x05' + der[at + 5:]))
    return dataclasses.replace(good, chain=good.cert)


def test_a_certificate_that_cannot_be_mimicked(start, certs, https, run_oriel):
    server = start(peers.s_server, of_version_6(certs))
    oriel = run_oriel(raw.egress())
    assert shake(oriel, server.port) == ('alert', 80)
    failed(oriel, 'mint-failed', 'server', f'no certificate could be made for {raw.NAME}:{server.port}', 'splice')
    still_serves(oriel, https)


# ---- chains ----


def test_an_incomplete_chain_is_completed_from_what_was_seen(start, certs, run_oriel):
    whole, part = start(peers.nginx, certs.good()), start(peers.nginx, certs.incomplete())
    oriel = run_oriel(raw.egress(threads=1))
    assert client.curl(f'https://{raw.NAME}:{whole.port}/', proxy=oriel, cafile=oriel.root).ok().status == 200
    got = client.curl(f'https://{raw.NAME}:{part.port}/', proxy=oriel, cafile=oriel.root).ok()
    assert 'oriel bump CA' in got.issuer and 'untrusted' not in got.issuer
    assert oriel.wait_event(type='connection', target=f'{raw.NAME}:{part.port}')['tls']['server']['verdict'] == 'ok'


def test_an_incomplete_chain_is_left_incomplete_otherwise(start, certs, run_oriel):
    part = start(peers.nginx, certs.incomplete())
    oriel = run_oriel(raw.egress())
    got = client.curl(f'https://{raw.NAME}:{part.port}/', proxy=oriel, cafile=oriel.root)
    assert got.code == 60 and 'unable to get local issuer certificate' in got.log
    line = failed(oriel, 'client-rejects-certificate', 'client')
    assert line['tls']['server']['verdict'] == 'incomplete'
    assert line['tls']['client']['alert']['name'] == 'unknown_ca'


# ---- the client's handshake ----


@pytest.mark.parametrize('version', [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_that_refuses_our_certificate(https, certs, run_oriel, version):
    oriel = run_oriel(raw.egress())
    with pytest.raises(ssl.SSLCertVerificationError):
        with client.tls_through(oriel.port, raw.NAME, https.port, certs.root.cert, version=version):
            pass
    line = failed(oriel, 'client-rejects-certificate', 'client', 'oriel trust install')
    assert line['tls']['client']['alert']['name'] == 'unknown_ca'
    still_serves(oriel, https)


def test_a_client_that_ends_the_handshake_with_an_alert(https, run_oriel):
    oriel = run_oriel(raw.egress())
    with client.connect_through(oriel.port, raw.NAME, https.port) as s:
        s.sendall(raw.hello(version=ssl.TLSVersion.TLSv1_2))
        assert s.recv(5)[0] == 22
        s.sendall(b'\x15\x03\x03\0\x02\x02\x28')
        raw.fate(s)
    failed(oriel, 'client-alert', 'client', 'alert handshake_failure')
    still_serves(oriel, https)


@pytest.mark.parametrize('how,word', [('reset', 'client-reset'), ('close', 'client-closed'), ('wait', 'client-timeout')])
def test_a_client_that_leaves_the_handshake(https, run_oriel, how, word):
    oriel = run_oriel(raw.egress(**QUICK))
    s = client.connect_through(oriel.port, raw.NAME, https.port)
    s.sendall(raw.hello())
    assert s.recv(5)[0] == 22
    if how == 'reset':
        raw.resets(s)
    else:
        if how == 'close':
            s.shutdown(socket.SHUT_WR)
        assert raw.fate(s)[0] == 'close'
    s.close()
    failed(oriel, word, 'client')
    still_serves(oriel, https)


# ---- the end ----


def test_the_servers_end_without_close_notify_is_the_clients(https, run_oriel):
    oriel = run_oriel(raw.egress())
    with client.tls_through(oriel.port, raw.NAME, https.port, oriel.root) as s:
        s.sendall(b'GET /unclean HTTP/1.1\r\nHost: x\r\n\r\n')
        got, how = client.read_all(s)
    assert got.endswith(b'no end') and how == 'truncated'
    assert oriel.wait_event(type='connection')['tls']['server']['end'] == 'truncated'


def test_the_servers_close_notify_is_the_clients(https, run_oriel):
    oriel = run_oriel(raw.egress())
    with client.tls_through(oriel.port, raw.NAME, https.port, oriel.root) as s:
        s.sendall(b'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
        got, how = client.read_all(s)
        s.unwrap()
    assert b'200 OK' in got and how == 'clean'
    assert oriel.wait_event(type='connection')['tls']['server']['end'] == 'clean'


@pytest.mark.parametrize('clean', [True, False])
def test_the_clients_end_is_what_the_server_gets(certs, run_oriel, clean):
    """With close_notify or without it, as the client ended."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certs.good().chain, certs.good().key)
    context.options &= ~getattr(ssl, 'OP_IGNORE_UNEXPECTED_EOF', 0)
    saw = []

    def behave(conn):
        with context.wrap_socket(conn, server_side=True, suppress_ragged_eofs=False) as s:
            saw.append(client.read_all(s))
            if clean:
                s.unwrap()
    oriel = run_oriel(raw.egress())
    with peers.RawServer(behave) as server:
        with client.tls_through(oriel.port, raw.NAME, server.port, oriel.root) as s:
            s.sendall(b'last words')
            if clean:
                s.settimeout(5)
                s.unwrap()
            else:
                s.shutdown(socket.SHUT_WR)
            process.wait_until(lambda: saw, 'the server sees the end')
    assert saw == [(b'last words', 'clean' if clean else 'truncated')]
    assert oriel.wait_event(type='connection')['tls']['client']['end'] == ('clean' if clean else 'truncated')


def test_the_servers_reset_in_the_middle_is_the_clients(https, run_oriel):
    oriel = run_oriel(raw.egress())
    with client.tls_through(oriel.port, raw.NAME, https.port, oriel.root) as s:
        s.sendall(b'GET /cut/1000000 HTTP/1.1\r\nHost: x\r\n\r\n')
        assert raw.fate(raw.beneath(s))[0] == 'reset'
    line = oriel.wait_event(type='connection')
    assert line['tls']['server']['end'] == 'reset' and 'the server reset the connection' in line['reason']


def test_the_clients_reset_in_the_middle_is_the_servers(certs, run_oriel):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certs.good().chain, certs.good().key)
    saw = []

    def behave(conn):
        s = context.wrap_socket(conn, server_side=True)
        s.sendall(s.recv(10))
        with raw.beneath(s) as tcp:
            saw.append(raw.fate(tcp))
    oriel = run_oriel(raw.egress())
    with peers.RawServer(behave) as server:
        with client.tls_through(oriel.port, raw.NAME, server.port, oriel.root) as s:
            s.sendall(b'something')
            assert s.recv(10) == b'something'
            raw.resets(s)
            process.wait_until(lambda: saw, 'the server sees the reset')
    assert saw == [('reset', b'')]
    line = oriel.wait_event(type='connection')
    assert line['tls']['client']['end'] == 'reset' and 'the client reset the connection' in line['reason']
