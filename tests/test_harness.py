"""The harness tried on itself, without oriel: what the other tests rely on must be right, and must be able to fail."""
import hashlib
import socket
import ssl

import pytest

from harness import capture, client, oriel, peers, pki, process
from harness.ports import free_port

TO_US = '--resolve'


def direct(name, port):
    """curl's way to a server on loopback by its name."""
    return (TO_US, f'{name}:{port}:127.0.0.1')


def url(peer, path='/', name='www.oriel.test'):
    return f'https://{name}:{peer.port}{path}', *direct(name, peer.port)


@pytest.mark.parametrize('kind', list(pki.KEY_TYPES))
def test_nginx_serves_every_type_of_key(start, certs, kind):
    server = start(peers.nginx, certs.good(kind))
    got = client.curl(*url(server), cafile=certs.root.cert).ok()
    assert got.body == b'hello from nginx over HTTP/1.1 to www.oriel.test:%d\n' % server.port
    assert got.issuer == 'O=Oriel Tests; CN=Oriel Test Intermediate'
    assert got.status == 200


def test_nginx_speaks_http2_and_plain_http(start, certs):
    server = start(peers.nginx, certs.good(), http2=True, files={'a.txt': b'abc'})
    got = client.curl(*url(server, '/a.txt'), '--http2', cafile=certs.root.cert).ok()
    assert (got.body, got.alpn) == (b'abc', 'h2')
    plain = start(peers.nginx, name='plain')
    assert b'plain over HTTP/1.1' in client.curl(f'http://127.0.0.1:{plain.port}/').ok().body


@pytest.mark.parametrize('server', [peers.s_server, peers.gnutls_serv])
def test_other_servers_answer(start, certs, server):
    peer = start(server, certs.good())
    got = client.curl(*url(peer), '--http1.0', cafile=certs.root.cert)
    assert got.status == 200 and got.issuer.endswith('Oriel Test Intermediate')


@pytest.mark.parametrize('kind,complaint', [
    ('expired', 'certificate has expired'),
    ('not_yet_valid', 'not yet valid'),
    ('wrong_name', 'no alternative certificate subject name matches'),
    ('self_signed', 'self-signed certificate'),
    ('unknown_issuer', 'unable to get local issuer certificate'),
    ('incomplete', 'unable to get local issuer certificate'),
    ('wrong_purpose', 'unsuitable certificate purpose'),
])
def test_bad_certificates_are_bad_in_the_way_they_say(start, certs, kind, complaint):
    server = start(peers.nginx, getattr(certs, kind)())
    got = client.curl(*url(server), cafile=certs.root.cert)
    assert got.code == 60
    assert complaint.lower().replace('-', ' ') in got.log.lower().replace('-', ' ')


def test_other_certificates_are_what_they_say(certs):
    assert 'CA:TRUE' in certs.ca_as_leaf().text()
    assert 'Subject Alternative Name' not in certs.no_names().text()
    assert 90_000 < len(certs.huge().der()) < 130_000
    assert certs.good('p384').field('issuer') == 'CN=Oriel Test Intermediate,O=Oriel Tests'


def test_bodies_of_any_size_arrive_whole(https, certs, tmp_path):
    count = 3_000_001
    got = client.curl(*url(https, f'/bytes/{count}'), cafile=certs.root.cert).ok()
    assert hashlib.sha256(got.body).hexdigest() == peers.pattern_sha256(count)
    (tmp_path / 'up').write_bytes(got.body)
    for how in ((), ('-H', 'Transfer-Encoding: chunked')):
        up = client.curl(*url(https, '/sha256'), '--data-binary', f'@{tmp_path}/up', *how, cafile=certs.root.cert).ok()
        assert up.body.decode() == f'{peers.pattern_sha256(count)} {count}\n'


def test_a_pattern_is_the_same_wherever_it_is_cut():
    assert peers.pattern(1000, 16390) == peers.pattern(20000)[16390:17390]
    assert peers.pattern(8) != peers.pattern(8, 4)


def end_of(https, certs, path):
    """How the answer to a request ends, seen by TLS."""
    with socket.create_connection(('127.0.0.1', https.port)) as raw, \
            client.context(certs.root.cert).wrap_socket(raw, server_hostname='www.oriel.test',
                                                        suppress_ragged_eofs=False) as s:
        s.sendall(f'GET {path} HTTP/1.1\r\nHost: www.oriel.test\r\nConnection: close\r\n\r\n'.encode())
        return client.read_all(s)


def test_an_https_server_ends_cleanly_raggedly_or_by_reset(https, certs):
    body, how = end_of(https, certs, '/bytes/10')
    assert how == 'clean' and body.endswith(peers.pattern(10))
    body, how = end_of(https, certs, '/unclean')
    assert how == 'truncated' and body.endswith(b'no end')
    assert end_of(https, certs, '/cut/100000')[1] in ('reset', 'truncated')


@pytest.mark.parametrize('behave,code', [
    (peers.resets, 35), (peers.closes, 35), (peers.speaks_plaintext, 35), (peers.garbage, 35), (peers.alerts(40), 35),
    (peers.hangs, 28),
])
def test_raw_servers_misbehave_as_told(behave, code):
    with peers.RawServer(behave) as server:
        got = client.curl(*url(server), timeout=2 if code == 28 else 20)
        assert got.code == code, got.log
        assert server.accepted == 1


def test_a_relay_lets_only_a_part_of_the_handshake_through(https, certs):
    with peers.RawServer(peers.relays_part_of(https.port, 200)) as cut:
        assert client.curl(*url(cut), cafile=certs.root.cert).code == 35
    with peers.RawServer(peers.relays_part_of(https.port, 1 << 30)) as whole:
        client.curl(*url(whole, '/echo'), cafile=certs.root.cert).ok()


def test_s_client_reports_failure(start, certs):
    server = start(peers.s_server, certs.good(), '-www')
    status, text = client.s_client('www.oriel.test', server.port, cafile=certs.root.cert, send=b'GET / HTTP/1.0\r\n\r\n')
    assert status == 0 and 'Verify return code: 0' in text
    status, _ = client.s_client('www.oriel.test', server.port, cafile=certs.stranger.cert)
    assert status != 0


def test_a_connect_that_is_refused_raises():
    with peers.RawServer(peers.sends(b'HTTP/1.1 403 Forbidden\r\n\r\n')) as proxy, \
            pytest.raises(AssertionError, match='403'):
        client.connect_through(proxy.port, 'www.oriel.test', 443)


def test_tls_through_a_proxy_yields_the_certificate(https, certs):
    def proxy(conn):
        head = b''
        while b'\r\n\r\n' not in head:
            head += conn.recv(1)
        conn.sendall(b'HTTP/1.1 200 OK\r\n\r\n')
        peers.relays_part_of(https.port, 1 << 30)(conn)
    with peers.RawServer(proxy) as p, client.tls_through(p.port, 'www.oriel.test', https.port, certs.root.cert) as s:
        assert 'Issuer: CN=Oriel Test Intermediate' in client.certificate_text(s.getpeercert(True))
        assert s.version() == 'TLSv1.3'


def test_a_capture_is_decrypted_with_the_keys_and_not_without(as_root, start, certs, tmp_path):
    server = start(peers.nginx, certs.good())
    keys = tmp_path / 'keys'
    with capture.Capture(tmp_path / 'a.pcap', f'tcp port {server.port}') as c:
        client.curl(*url(server, '/nothing'), cafile=certs.root.cert,
                    env=client.clean_environment(SSLKEYLOGFILE=str(keys))).ok()
    assert capture.decrypted_http(c.path, keys, server.port) == ['/nothing', '204']
    assert capture.decrypted_http(c.path, None, server.port) == []


def test_namespaces_reach_each_other_through_the_proxy(net, start, certs):
    start(peers.nginx, certs.good(), host='0.0.0.0', port=443, prefix=net.inside('server'))
    start(peers.nginx, certs.good(), host='::', port=444, prefix=net.inside('server'))
    six = ('--resolve', 'www.oriel.test:444:[fd09::2b]')
    client.curl('https://www.oriel.test:444/', *six, cafile=certs.root.cert, prefix=net.inside('client')).ok()
    how = ('--resolve', 'www.oriel.test:443:10.9.0.43')
    got = client.curl('https://www.oriel.test/', *how, cafile=certs.root.cert, prefix=net.inside('client')).ok()
    assert got.body.startswith(b'hello')
    # On the way, not beside it: what the proxy's namespace drops does not arrive.
    net.nft('proxy', 'table ip t { chain f { type filter hook forward priority 0; tcp dport 443 reject; }; }\n')
    assert client.curl('https://www.oriel.test/', *how, prefix=net.inside('client')).code == 7


def test_ports_are_never_given_twice():
    assert len({free_port() for _ in range(50)}) == 50


def test_waiting_ends():
    with pytest.raises(AssertionError, match='the moon falls'):
        process.wait_until(lambda: False, 'the moon falls', timeout=0.1)


def test_a_process_that_ends_early_is_noticed(tmp_path):
    with process.Process(['sh', '-c', 'echo broken; exit 3'], str(tmp_path / 'log')) as p, \
            pytest.raises(AssertionError, match='broken'):
        p.wait_listening(1)


FAKE = '''#!/usr/bin/python3
import json, os, signal, socket, sys, threading
port = int(sys.argv[sys.argv.index("--listen") + 1].split(":")[1])
s = socket.create_server(("127.0.0.1", port))
print(json.dumps({"event": "ready", "leg": {"sni": os.environ.get("SSL_CERT_FILE")}}), flush=True)
print("for people", file=sys.stderr, flush=True)
def stop(*_):
    %s
signal.signal(signal.SIGTERM, stop)
while True:
    signal.pause()
'''


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Puts a program in oriel's place that ends as told."""
    def put(ending):
        at = tmp_path / 'fake-oriel'
        at.write_text(FAKE % ending)
        at.chmod(0o755)
        monkeypatch.setattr(oriel, 'BINARY', str(at))
    return put


def test_oriel_is_started_read_and_stopped(fake, tmp_path, certs):
    fake('sys.exit(0)')
    with oriel.Oriel(tmp_path / 'o', trust=certs.root.cert) as o:
        event = o.wait_event(event='ready', leg__sni=certs.root.cert)
        assert event['leg']['sni'] == certs.root.cert
        assert o.wait_line('for', 'people') == 'for people'
        assert o.events(event='other') == []
        assert o.descriptor_count() >= 4


def test_oriel_that_ends_badly_fails_the_test(fake, tmp_path):
    fake('sys.exit(1)')
    with pytest.raises(AssertionError, match='ended with 1'):
        with oriel.Oriel(tmp_path / 'o'):
            pass


def test_a_sanitizers_report_fails_the_test(fake, tmp_path):
    fake('open(os.environ["ASAN_OPTIONS"].split("log_path=")[1].split(":")[0] + ".1", "w").write("LEAK"), sys.exit(0)')
    with pytest.raises(AssertionError, match='LEAK'):
        with oriel.Oriel(tmp_path / 'o'):
            pass


def test_oriel_that_leaves_a_process_behind_fails_the_test(fake, tmp_path):
    fake('sys.exit(0)')
    o = oriel.Oriel(tmp_path / 'o')
    with process.Process(['sleep', '30'], str(tmp_path / 'log')) as left:
        o.processes = lambda: [o.pid, left.pid]
        with pytest.raises(AssertionError, match='its processes are gone'):
            o.stop()


def test_the_system_trusts_none_of_ours(start, certs):
    """Else the tests of refused certificates would prove nothing."""
    server = start(peers.nginx, certs.good())
    assert client.curl(*url(server)).code == 60
    with pytest.raises(ssl.SSLError), socket.create_connection(('127.0.0.1', server.port)) as raw:
        client.context().wrap_socket(raw, server_hostname='www.oriel.test')
