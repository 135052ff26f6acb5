"""The ways in: what an explicit listener tells apart by the first bytes, and what is intercepted on its way."""
import os
import pwd
import re
import socket
import ssl
import struct
import threading

import pytest

from harness import client, oriel, peers, process, ways
from harness.ports import free_port

HOSTS = {'www.oriel.test': '127.0.0.1', 'six.oriel.test': '::1', 'other.test': '127.0.0.1'}


@pytest.fixture
def o(run_oriel):
    return run_oriel({'listeners': [{'bind': '127.0.0.1:PORT', 'default': 'bump'}], 'hosts': HOSTS})


def tls_over(raw, name='www.oriel.test', cafile=None):
    """The issuer that a client sees, and the answer to GET /echo."""
    with raw, client.context(cafile, verify=cafile is not None).wrap_socket(raw, server_hostname=name) as s:
        issuer = re.search('Issuer: (.*)', client.certificate_text(s.getpeercert(True))).group(1)
        s.sendall(f'GET /echo HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n'.encode())
        return issuer, client.read_all(s)[0]


# ---- SOCKS5


@pytest.mark.sanitized
@pytest.mark.parametrize('host,bind', [('www.oriel.test', '127.0.0.1'), ('127.0.0.1', '127.0.0.1'), ('::1', '::1'), ('six.oriel.test', '::1')])
def test_socks_with_names_and_addresses(o, certs, host, bind):
    cert = certs.server('ways', names=('www.oriel.test', 'six.oriel.test'))
    with Six(cert, host=bind) if ':' in bind else peers.HttpsServer(cert) as server:
        issuer, answer = tls_over(ways.socks(o.port, host, server.port), cafile=o.root)
    assert 'oriel bump CA' in issuer and b' 200 ' in answer
    event = o.wait_event(type='connection', way='socks5', action='bump')
    shown = f'[{host}]' if ':' in host else host
    assert event['target'] == f'{shown}:{server.port}' and event['tls']['sni'] == 'www.oriel.test'


class Six(peers.HttpsServer):
    address_family = socket.AF_INET6


def test_real_socks_clients(o, https):
    for scheme in ('socks5h', 'socks5'):
        more = ('--resolve', f'www.oriel.test:{https.port}:127.0.0.1') if scheme == 'socks5' else ()
        got = client.curl(f'https://www.oriel.test:{https.port}/echo', *more, proxy=f'{scheme}://127.0.0.1:{o.port}', cafile=o.root).ok()
        assert got.status == 200
    o.wait_event(type='connection', count=2, way='socks5')
    assert {e['target'] for e in o.events(type='connection')} == {f'www.oriel.test:{https.port}', f'127.0.0.1:{https.port}'}


def test_socks_answers_tell_how_the_dial_went(o):
    with peers.RawServer(peers.hangs) as server:
        ways.socks(o.port, 'www.oriel.test', server.port).close()
        process.wait_until(lambda: server.accepted == 1, 'it was dialled before the answer')
    codes = {}
    for what, host, port in (('refused', 'www.oriel.test', free_port()), ('no such name', 'nobody.onion', 443), ('itself', '127.0.0.1', o.port)):
        with pytest.raises(ways.SocksRefused) as refused:
            ways.socks(o.port, host, port)
        codes[what] = refused.value.code
    assert codes == {'refused': 5, 'no such name': 4, 'itself': 2}


@pytest.mark.parametrize('said,answer', [
    (b'\x05\x01\x00\x05\x02\x00\x01\x7f\0\0\x01\0\x50', b'\x05\x00\x05\x07'),       # BIND
    (b'\x05\x01\x00\x05\x03\x00\x01\x7f\0\0\x01\0\x50', b'\x05\x00\x05\x07'),       # UDP ASSOCIATE
    (b'\x05\x01\x00\x05\x01\x00\x09\x7f\0\0\x01\0\x50', b'\x05\x00\x05\x08'),       # an unknown kind of address
    (b'\x05\x01\x00\x05\x01\x00\x03\x05a b.c\0\x50', b'\x05\x00\x05'),              # no name
    (b'\x05\x01\x01', b'\x05\xff'),                                              # GSSAPI only
    (b'\x04\x01\x00\x50\x7f\0\0\x01\0', b'\0\x5b'),                              # SOCKS4
])
def test_other_socks_is_refused_in_its_own_words(o, said, answer):
    with socket.create_connection(('127.0.0.1', o.port), timeout=20) as s:
        s.sendall(said)
        assert client.read_all(s)[0].startswith(answer)
    assert o.wait_event(type='connection', failed=True)


# ---- TLS at once, and requests for a server


def test_tls_at_once_goes_to_its_sni_on_the_port(run_oriel, https):
    one = run_oriel({'listeners': [{'bind': '127.0.0.1:PORT', 'default': 'bump', 'port': https.port}], 'hosts': HOSTS})
    got = client.curl(f'https://www.oriel.test:{one.port}/echo', '--resolve', f'www.oriel.test:{one.port}:127.0.0.1', cafile=one.root).ok()
    assert got.issuer.startswith('O=oriel') and got.status == 200
    event = one.wait_event(type='connection', way='tls')
    assert event['target'] == f'www.oriel.test:{https.port}' and event['tls']['server']['verdict'] == 'ok'
    with pytest.raises(ssl.SSLError) as failed:
        tls_over(socket.create_connection(('127.0.0.1', one.port), timeout=20), name=None)
    assert failed.value.reason == 'TLSV1_UNRECOGNIZED_NAME'


@pytest.mark.parametrize('request_line', ['GET / HTTP/1.1', 'OPTIONS * HTTP/1.1', 'POST /x HTTP/1.0'])
def test_requests_for_a_server_get_400_and_an_explanation(o, request_line):
    with socket.create_connection(('127.0.0.1', o.port), timeout=20) as s:
        status, answer = ways.http_exchange(s, f'{request_line}\r\nHost: x\r\n\r\n'.encode())
    assert status == 400 and b'proxy' in answer and b'oriel.internal' in answer


# ---- plain HTTP


@pytest.fixture
def plain():
    with peers.HttpsServer() as server:
        yield server


@pytest.mark.sanitized
def test_plain_http_is_proxied_and_observed(o, plain):
    got = client.curl(f'http://www.oriel.test:{plain.port}/echo?a=b', '-H', 'Proxy-Authorization: Basic eDp5', '-H', 'X-Kept: yes', proxy=o).ok()
    head = got.body.decode()
    assert head.startswith('GET /echo?a=b HTTP/1.1\n') and f'Host: www.oriel.test:{plain.port}\n' in head and 'X-Kept: yes\n' in head
    assert 'Proxy-' not in head and 'Connection: close' in head
    body = 'x' * 300_000
    assert post(o, plain, body).endswith(b' 300000\n')
    first, second = (o.wait_event(type='exchange', way='http', http__method=m) for m in ('GET', 'POST'))
    assert first['http']['url'].startswith(f'http://www.oriel.test:{plain.port}/echo?')
    assert (first['http']['status'], second['http']['status']) == (200, 200)
    assert second['request']['bytes'] == 300_000
    assert o.wait_event(type='connection', way='http')['action'] == 'plain'


def post(o, plain, body):
    """A chunked POST by hand, the head and the first chunks in one write."""
    with socket.create_connection(('127.0.0.1', o.port), timeout=20) as s:
        chunks = b''.join(b'%x\r\n%s\r\n' % (len(part), part) for part in (body[:5].encode(), body[5:].encode())) + b'0\r\n\r\n'
        head = f'POST http://www.oriel.test:{plain.port}/sha256 HTTP/1.1\r\nHost: www.oriel.test\r\nTransfer-Encoding: chunked\r\n\r\n'
        status, answer = ways.http_exchange(s, head.encode() + chunks)
        assert status == 200
        return answer


def test_each_plain_request_goes_to_its_own_server(o, plain):
    """A client keeps its connection to a proxy for whatever comes next."""
    with peers.HttpsServer() as second:
        urls = [f'http://www.oriel.test:{plain.port}/echo/1', f'http://other.test:{second.port}/echo/2', f'http://www.oriel.test:{plain.port}/echo/3']
        got = client.curl(urls[-1], *urls[:-1], proxy=o).ok()
    assert re.findall(rb'GET /echo/(\d)|Host: (\S+)', got.body) == [
        (b'1', b''), (b'', b'www.oriel.test:%d' % plain.port), (b'2', b''), (b'', b'other.test:%d' % second.port), (b'3', b''),
        (b'', b'www.oriel.test:%d' % plain.port)]


def test_a_plain_upgrade_becomes_another_protocol(o):
    def upgrades(conn):
        head = ways.recv_until(conn, b'\r\n\r\n')
        assert head.startswith(b'GET /chat HTTP/1.1\r\n') and b'Upgrade: thing' in head and b'Connection: Upgrade' in head
        conn.sendall(b'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: thing\r\n\r\n')
        peers.echoes(conn)
    with peers.RawServer(upgrades) as server, socket.create_connection(('127.0.0.1', o.port), timeout=20) as s:
        s.sendall(f'GET http://www.oriel.test:{server.port}/chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: thing\r\n\r\n'.encode())
        assert ways.recv_until(s, b'\r\n\r\n').startswith(b'HTTP/1.1 101 ')
        s.sendall(b'\0\x01 anything')
        assert ways.recv_exactly(s, 11) == b'\0\x01 anything'


def test_plain_http_to_nowhere_is_answered(o):
    def status(url):
        with socket.create_connection(('127.0.0.1', o.port), timeout=20) as s:
            return ways.http_exchange(s, f'GET {url} HTTP/1.1\r\nHost: x\r\n\r\n'.encode())[0]
    assert status(f'http://www.oriel.test:{free_port()}/') == 502
    assert status('http://nobody.onion/') == 502
    assert status(f'http://127.0.0.1:{o.port}/') == 403
    assert status('https://www.oriel.test/') == 501


# ---- what is not TLS


@pytest.mark.parametrize('way', ['connect', 'socks5'])
def test_http_without_tls_in_a_tunnel_is_observed(o, plain, way):
    enter = ways.connect if way == 'connect' else ways.socks
    with enter(o.port, 'www.oriel.test', plain.port) as s:
        status, answer = ways.http_exchange(s, b'GET /echo HTTP/1.1\r\nHost: www.oriel.test\r\nConnection: close\r\n\r\n')
    assert status == 200 and b'GET /echo' in answer
    event = o.wait_event(type='exchange', way=way)
    assert event['http']['url'].startswith('http://') and event['http']['status'] == 200


@pytest.mark.parametrize('way', ['connect', 'socks5'])
def test_bytes_in_a_tunnel_pass(o, way):
    enter = ways.connect if way == 'connect' else ways.socks
    data = bytes(range(256)) * 4000
    with peers.RawServer(peers.echoes) as server, enter(o.port, 'www.oriel.test', server.port) as s:
        threading.Thread(target=s.sendall, args=(b'\xf0' + data,), daemon=True).start()
        assert ways.recv_exactly(s, len(data) + 1) == b'\xf0' + data
    event = o.wait_event(type='connection', way=way)
    assert (event['action'], event['failed']) == ('plain', False)
    assert event['bytes'] == {'up': len(data) + 1, 'down': len(data) + 1}


def test_rules_hold_for_what_is_not_tls(run_oriel):
    rules = [{'match': {'sni': ['*'], 'target': ['other.test']}, 'do': 'splice'}, {'match': {'sni': ['x.test']}, 'do': 'bump'}]
    one = run_oriel({'listeners': [{'bind': '127.0.0.1:PORT', 'rules': rules, 'default': 'block'}], 'hosts': HOSTS})
    with peers.RawServer(peers.echoes) as server:
        with ways.connect(one.port, 'other.test', server.port) as s:
            s.sendall(b'hello')
            assert ways.recv_exactly(s, 5) == b'hello'
        # Without an SNI nothing but the default is left, after 200 an end without a word.
        with ways.connect(one.port, 'www.oriel.test', server.port) as s:
            s.sendall(b'hello')
            assert client.read_all(s)[0] == b''
    one.wait_event(type='connection', count=2)
    assert {e['action'] for e in one.events(type='connection')} == {'splice', 'block'}


@pytest.mark.sanitized
def test_a_server_that_speaks_first_is_heard_at_once(run_oriel):
    """Through a tunnel nobody needs to wait for the time of silence."""
    one = run_oriel({'listeners': [{'bind': '127.0.0.1:PORT', 'default': 'bump', 'timeouts': {'silent-client': '9s'}}], 'hosts': HOSTS})
    with peers.RawServer(peers.speaks_first) as server:
        for enter in (ways.connect, ways.socks):
            with enter(one.port, 'www.oriel.test', server.port) as s:
                s.settimeout(5)
                assert ways.recv_until(s, b'\n') == b'220 hello\r\n'
                s.sendall(b'QUIT\r\n')
                assert ways.recv_exactly(s, 6) == b'QUIT\r\n'
    assert one.wait_event(type='connection', count=2, action='plain', failed=False)


def test_a_client_that_waits_a_while_is_bumped_all_the_same(run_oriel, https):
    """Else silence would be the way around inspection."""
    one = run_oriel({'listeners': [{'bind': '127.0.0.1:PORT', 'default': 'bump', 'timeouts': {'silent-client': '50ms'}}], 'hosts': HOSTS})
    raw = ways.connect(one.port, 'www.oriel.test', https.port)
    raw.settimeout(0.3)
    with pytest.raises(TimeoutError):
        raw.recv(1)
    raw.settimeout(20)
    issuer, answer = tls_over(raw, cafile=one.root)
    assert 'oriel bump CA' in issuer and b' 200 ' in answer


# ---- intercepted on the way: network namespaces

SERVER, PROXY = ('10.9.0.43', 'fd09::2b'), ('10.9.0.143', 'fd09::8f')
CLIENTS = ['10.9.0.0/24', 'fd09::/64']
PORTS = {'redirect': 8081, 'tproxy': 8082}


def worker_user():
    """Whom root's worker becomes; its traffic is exempt."""
    try:
        return pwd.getpwnam('oriel').pw_name
    except KeyError:
        return 'nobody'


def rules_of(how, user=None):
    """The file as it is delivered, but for the user."""
    with open(os.path.join(oriel.ROOT, 'deploy', 'nftables', f'{how}.nft'), encoding='utf-8') as f:
        text = f.read()
    assert 'define oriel_user = "oriel"' in text and f'define oriel_port = {PORTS[how]}' in text
    return text.replace('oriel_user = "oriel"', f'oriel_user = "{user or worker_user()}"')


def route_marked(net):
    """As the comment in tproxy.nft says."""
    with open(os.path.join(oriel.ROOT, 'deploy', 'nftables', 'tproxy.nft'), encoding='utf-8') as f:
        commands = re.findall(r'^#\s+(ip .*)$', f.read(), re.M)
    assert len(commands) == 2
    for line in commands:
        for command in line.split(';'):
            net.run('proxy', *command.split())


@pytest.fixture
def between(net, tmp_path, certs):
    """Starts oriel in the proxy's namespace with nftables rules that lead to it."""
    running = []

    def begin(how, user=None, rules=(), **more):
        port = PORTS[how]
        listeners = [{'bind': bind, 'transparent': how, 'clients': CLIENTS, 'rules': list(rules), 'default': 'bump', **more}
                     for bind in (f'0.0.0.0:{port}', f'[::]:{port}')]
        folder = tmp_path / f'oriel{len(running)}'
        folder.mkdir()
        running.append(oriel.Oriel(folder, {'listeners': listeners, 'hosts': {'www.oriel.test': list(SERVER), 'elsewhere.test': '10.9.0.99'}},
                                   trust=certs.root.cert, prefix=net.inside('proxy'), port=port))
        if how == 'tproxy':
            route_marked(net)
        net.nft('proxy', rules_of(how, user))
        return running[-1]
    yield begin
    for one in reversed(running):
        one.stop()


@pytest.fixture
def web(net, start, certs):
    """nginx for HTTPS at the server's two addresses."""
    for host in SERVER:
        start(peers.nginx, certs.good(), host=host, port=443, prefix=net.inside('server'), name=host)


def visit(net, role, address, cafile, *args):
    at = f'[{address}]' if ':' in address else address
    return client.curl('https://www.oriel.test/', '--resolve', f'www.oriel.test:443:{at}', *args, cafile=cafile, prefix=net.inside(role))


@pytest.mark.parametrize('version', [0, 1], ids=['IPv4', 'IPv6'])
@pytest.mark.parametrize('how', ['redirect', 'tproxy'])
def test_intercepted_connections_are_bumped(between, net, web, how, version):
    o = between(how)
    got = visit(net, 'client', SERVER[version], o.root).ok()
    assert got.issuer.startswith('O=oriel') and got.body.startswith(b'hello from ' + SERVER[version].encode())
    event = o.wait_event(type='connection', way=how)
    at = f'[{SERVER[version]}]' if version else SERVER[version]
    assert event['target'] == f'{at}:443' and event['action'] == 'bump' and event['tls']['sni'] == 'www.oriel.test'
    assert event['client']['addr'].startswith('[fd09::5]:' if version else '10.9.0.5:')
    assert event['tls']['server']['remote'] == f'{at}:443' and event['tls']['server']['verdict'] == 'ok'


@pytest.mark.parametrize('how', ['redirect', 'tproxy'])
def test_own_traffic_is_exempt(between, net, web, how):
    """Programs of the proxy's own machine are intercepted, too; oriel's connections are not."""
    o = between(how)
    for version in (0, 1):
        got = visit(net, 'proxy', SERVER[version], o.root).ok()
        assert got.issuer.startswith('O=oriel')
    o.wait_event(type='connection', count=2)
    assert {e['client']['addr'].rsplit(':', 1)[0] for e in o.events(type='connection')} == {'10.9.0.143', '[fd09::8f]'}
    # The exemption is what does it: for another user it is not made, and what oriel sends comes back to it.
    net.nft('proxy', rules_of(how, 'daemon'))
    assert visit(net, 'client', SERVER[0], o.root, '--max-time', '2').code != 0


def test_udp_443_is_rejected(between, net):
    for how in ('redirect', 'tproxy'):
        between(how)

        def refused(address):
            with socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.settimeout(10)
                s.connect((address, 443))
                # Programs of the machine itself are told at once, others by ICMP.
                with pytest.raises((ConnectionRefusedError, PermissionError)):
                    s.send(b'\xc0 a QUIC packet')
                    s.recv(1)
                return True
        for role in ('client', 'proxy'):
            for address in SERVER:
                assert net.within(role, lambda a=address: refused(a))


@pytest.mark.parametrize('how', ['redirect', 'tproxy'])
def test_splice_rules_with_names_apply_to_addresses(between, net, web, how, certs):
    o = between(how, rules=[{'match': {'sni': ['www.oriel.test', 'elsewhere.test']}, 'do': 'splice'}])
    assert visit(net, 'client', SERVER[0], certs.root.cert).ok().issuer.endswith('Oriel Test Intermediate')
    # elsewhere.test is not at this address: whoever says so is looked at.
    got = client.curl('https://elsewhere.test/', '--resolve', 'elsewhere.test:443:10.9.0.43', '-k', cafile=o.root, prefix=net.inside('client'))
    assert got.issuer.startswith('O=oriel')
    reason = o.wait_event(type='connection', action='bump')['reason']
    assert 'rule 1 did not splice: SNI elsewhere.test and target 10.9.0.43:443 differ' in reason


@pytest.mark.parametrize('how', ['redirect', 'tproxy'])
def test_its_own_address_is_refused(between, net, how):
    """Who connects to the listener itself was not redirected; dialling on would be a loop."""
    o = between(how)
    for address in PROXY:
        with net.within('client', lambda a=address: socket.create_connection((a, PORTS[how]), timeout=10)) as s:
            s.sendall(ways.client_hello('www.oriel.test'))
            assert ways.alert_of(s) in (None, 49)
    event = o.wait_event(type='connection', count=2)
    assert event['failure'] == 'dial-denied' and event['failed']
    assert re.search("oriel itself|oriel's own listener|this machine's own address", event['reason'])


@pytest.mark.parametrize('how', ['redirect', 'tproxy'])
def test_connect_is_nothing_special_on_its_way(between, net, how):
    """It is a request to the server that the client dialled, and goes there as it is."""
    recorder = ways.Recorder(lambda conn: conn.sendall(b'HTTP/1.1 405 Not here\r\nContent-Length: 0\r\n\r\n'))
    asked = b'CONNECT 10.9.0.143:22 HTTP/1.1\r\nHost: 10.9.0.143:22\r\n\r\n'

    def take(conn):
        recorder.first.append(ways.recv_until(conn, b'\r\n\r\n'))
        recorder.then(conn)
    with net.within('server', lambda: peers.RawServer(take, host='10.9.0.43', port=80)) as _:
        o = between(how)
        with net.within('client', lambda: socket.create_connection(('10.9.0.43', 80), timeout=20)) as s:
            s.sendall(asked)
            assert ways.recv_until(s, b'\r\n\r\n').startswith(b'HTTP/1.1 405 ')
    assert recorder.first == [asked]
    assert o.wait_event(type='connection')['target'] == '10.9.0.43:80'


@pytest.mark.parametrize('how', ['redirect', 'tproxy'])
def test_a_silent_client_is_dialled_through(between, net, how):
    """After two seconds, for protocols in which the server speaks first."""
    with net.within('server', lambda: peers.RawServer(peers.speaks_first, host='10.9.0.43', port=443)) as server:
        o = between(how)
        with net.within('client', lambda: socket.create_connection(('10.9.0.43', 443), timeout=20)) as s:
            s.settimeout(1)
            with pytest.raises(TimeoutError):
                s.recv(1)
            assert server.accepted == 0
            s.settimeout(10)
            assert ways.recv_until(s, b'\n') == b'220 hello\r\n'
            s.sendall(b'EHLO\r\n')
            assert ways.recv_exactly(s, 6) == b'EHLO\r\n'
    event = o.wait_event(type='connection', way=how)
    assert (event['action'], event['failed']) == ('plain', False)


@pytest.mark.parametrize('how', ['redirect', 'tproxy'])
def test_metadata_and_link_local_addresses_are_refused(between, net, how):
    o = between(how)
    for address in ('169.254.169.254', '169.254.1.1'):
        with net.within('client', lambda a=address: socket.create_connection((a, 80), timeout=10)) as s:
            s.sendall(b'GET /latest/meta-data/ HTTP/1.1\r\nHost: x\r\n\r\n')
            try:
                assert s.recv(1) == b''
            except ConnectionResetError:
                pass
        event = o.wait_event(type='connection', target=f'{address}:80')
        assert event['failure'] == 'dial-denied' and re.search('link-local|metadata', event['reason'])


def test_clients_of_other_ranges_are_turned_away(between, net):
    o = between('redirect', clients=['10.9.0.77/32'])
    assert visit(net, 'client', SERVER[0], o.root).code != 0
    assert '`clients:` does not allow' in o.wait_event(type='connection')['reason']


# ---- an egress for others


def test_an_egress_for_a_network(net, tmp_path, web, certs):
    """Clients of 10.9.0.0/24 use 10.9.0.143 as their proxy, by CONNECT, SOCKS5, or TLS at once."""
    listener = {'bind': '10.9.0.143:8080', 'clients': ['10.9.0.0/24'], 'default': 'bump'}
    config = {'listeners': [listener], 'hosts': {'www.oriel.test': '10.9.0.43'}}
    with oriel.Oriel(tmp_path, config, trust=certs.root.cert, prefix=net.inside('proxy'), port=8080) as o:
        for proxy in ('http://10.9.0.143:8080', 'socks5h://10.9.0.143:8080'):
            got = client.curl('https://www.oriel.test/', proxy=proxy, cafile=o.root, prefix=net.inside('client')).ok()
            assert got.issuer.startswith('O=oriel') and got.body.startswith(b'hello')
        at_once = client.curl('https://www.oriel.test:8080/', '--resolve', 'www.oriel.test:8080:10.9.0.143', cafile=o.root,
                              prefix=net.inside('client')).ok()
        assert at_once.issuer.startswith('O=oriel')
        o.wait_event(type='connection', count=3)
        assert {e['way']: e['target'] for e in o.events(type='connection')} == {'connect': 'www.oriel.test:443', 'socks5': 'www.oriel.test:443', 'tls': 'www.oriel.test:443'}


def test_the_packed_address_is_what_was_asked_for():
    """The harness: SOCKS addresses in all three forms."""
    assert ways.socks_target('127.0.0.1') == b'\x01\x7f\0\0\x01'
    assert ways.socks_target('::1') == b'\x04' + struct.pack('>QQ', 0, 1)
    assert ways.socks_target('a.b') == b'\x03\x03a.b'
