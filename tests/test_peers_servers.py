"""Real servers behind oriel, each with curl before it; and the protocols that oriel sees as what they are: HTTP/2,
gRPC, WebSocket."""
import asyncio
import os
import subprocess
import sys

import pytest

from harness import client, oriel, peers, programs
from harness.ports import free_port
from harness.process import Process

NAME = 'www.oriel.test'
TEST_CA = 'CN=Oriel Test Intermediate,O=Oriel Tests'
GRPC = os.path.join(programs.HERE, 'grpc_peer.py')


def config(**observe):
    return {'listeners': [{'bind': '127.0.0.1:PORT', 'default': 'bump'}], 'hosts': {NAME: '127.0.0.1'}, 'observe': observe}


def fetch(through, port, path, *args):
    return client.curl(f'https://{NAME}:{port}{path}', *args, '-w', '%{stderr}%{certs}', proxy=through, cafile=through.root)


def assert_legs(event, through, version, alpn=None):
    near, far = event['tls']['client'], event['tls']['server']
    for leg in (near, far):
        assert (leg['version'], leg.get('alpn')) == ('TLS ' + version, alpn)
        assert leg['cipher'].startswith('TLS_')
    assert (near['issuer'], far['issuer'], far['verdict']) == (through.root_subject(), TEST_CA, 'ok')


# ---- the servers


def go_server(folder, cert, *, version):
    assert version
    port = free_port()
    peer = Process([programs.go_binary(), 'serve', f'127.0.0.1:{port}', cert.chain, cert.key], os.path.join(folder, 'go.log'))
    peer.port = port
    return peer.wait_listening(port)


def s_server(folder, cert, *, version):
    return peers.s_server(folder, cert, '-www', '-tls' + version.replace('.', '_'))


def gnutls_serv(folder, cert, *, version):
    return peers.gnutls_serv(folder, cert, '--http', '--priority', f'NORMAL:-VERS-ALL:+VERS-TLS{version}')


def nginx(http2):
    def begin(folder, cert, *, version):
        return peers.nginx(folder, cert, http2=http2, protocols='TLSv' + version)
    return begin


SERVERS = {
    # name: (how it is started, what curl says, what the answer holds, the ALPN that is agreed)
    'nginx': (nginx(False), ['--http1.1'], b'hello from nginx over HTTP/1.1', 'http/1.1'),
    'nginx-http2': (nginx(True), ['--http2'], b'hello from nginx over HTTP/2.0', 'h2'),
    's_server': (s_server, ['--http1.0'], b's_server', None),
    'gnutls-serv': (gnutls_serv, ['--http1.0'], b'GnuTLS', None),
    'go': (go_server, ['--http1.1', '-d', 'some body'], b'go over HTTP/1.1: POST / some body', 'http/1.1'),
    'go-http2': (go_server, ['--http2', '-d', 'some body'], b'go over HTTP/2.0: POST / some body', 'h2'),
}
CURL_MAX = {'1.2': ['--tls-max', '1.2'], '1.3': ['--tlsv1.3']}


@pytest.mark.parametrize('version', ['1.2', '1.3'])
@pytest.mark.parametrize('kind', list(SERVERS))
def test_a_server_is_reached_and_seen(start, run_oriel, certs, kind, version):
    begin, how, holds, alpn = SERVERS[kind]
    server = start(begin, certs.good(), version=version)
    o = run_oriel(config())
    got = fetch(o, server.port, '/', *how, *CURL_MAX[version]).ok()
    assert holds in got.body
    assert programs.Got(0, b'', got.log, programs.first_pem(got.log)).issuer == o.root_subject()
    event = o.wait_event(type='exchange')
    assert (event['http']['status'], event['http']['url']) == (200, f'https://{NAME}:{server.port}/')
    assert event['response']['bytes'] == len(got.body)
    assert_legs(event, o, version, alpn)
    # The same once more, with nobody in between.
    o.stop()
    assert fetch(o, server.port, '/', *how).code == 7


# ---- HTTP/2: several streams of one connection


@pytest.mark.sanitized
def test_the_streams_of_http2_are_told_apart(start, run_oriel, certs):
    files = {f'{i}.txt': b'#' * 1000 * i for i in range(1, 6)}
    server = start(peers.nginx, certs.good(), http2=True, files=files, extra='gzip off;')
    o = run_oriel(config())
    base = f'https://{NAME}:{server.port}'
    urls = [f'{base}/{name}' for name in files] + [f'{base}/not-there']
    got = client.curl(urls[0], '--http2', '-Z', '--parallel-max', '6', *urls[1:], proxy=o, cafile=o.root).ok()
    assert got.body.count(b'#') == sum(map(len, files.values()))
    o.wait_event(type='exchange', count=6)
    events = {e['http']['url']: e for e in o.events(type='exchange')}
    assert set(events) == set(urls)
    for url, event in events.items():
        wanted = files.get(url.rsplit('/', 1)[1])
        assert (event['http']['proto'], event['http']['method'], event['http']['version']) == ('http2', 'GET', '2')
        assert event['http']['status'] == (200 if wanted else 404)
        assert not wanted or event['response']['bytes'] == len(wanted)
    # curl waits for the first handshake and puts all on that connection: odd numbers, all different.
    by_flow = {}
    for event in events.values():
        by_flow.setdefault(event['flow'], []).append(event['stream'])
    assert all(len(set(streams)) == len(streams) and all(s % 2 for s in streams) for streams in by_flow.values())
    assert max(map(len, by_flow.values())) > 1


def test_a_connection_of_http2_that_nobody_used_is_still_http2(start, run_oriel, certs):
    """As browsers open them in advance; the server has said hello."""
    server = start(peers.nginx, certs.good(), http2=True)
    o = run_oriel(config())
    with client.tls_through(o.port, NAME, server.port, o.root, alpn=['h2']) as s:
        assert s.recv(100)
    event = o.wait_event(type='connection')
    assert (event['proto'], event['exchanges'], event['failed']) == ('http2', 0, False)


# ---- gRPC

CALLS = {
    # kind: (what the client prints, messages up and down, gRPC's status)
    'unary': ('answer to one\nOK\n', 1, 1, 0),
    'down': ('0: one\n1: one\n2: one\nOK\n', 1, 3, 0),
    'up': ('one+two+three\nOK\n', 3, 1, 0),
    'both': ('ONE\nTWO\nTHREE\nOK\n', 3, 3, 0),
    'error': ('NOT_FOUND nothing of that name\n', 1, None, 5),
    'gzip': ('answer to ' + 'one' * 100 + '\nOK\n', 1, 1, 0),
}


@pytest.fixture(scope='module')
def grpc_server(tmp_path_factory, certs):
    pytest.importorskip('grpc', reason='needs python3-grpcio')
    port, cert = free_port(), certs.good()
    with Process([sys.executable, GRPC, 'serve', port, cert.chain, cert.key], str(tmp_path_factory.mktemp('grpc') / 'log'),
                 env=client.clean_environment()) as server:
        server.port = port
        yield server.wait_listening(port)


def grpc_call(server, proxy, cafile, kind):
    return subprocess.run([sys.executable, GRPC, 'call', f'{NAME}:{server.port}', proxy, str(cafile), kind], capture_output=True, text=True,
                          check=False, env=client.clean_environment(), timeout=60)


@pytest.fixture(scope='module')
def grpc_oriel(tmp_path_factory, certs):
    with oriel.Oriel(tmp_path_factory.mktemp('oriel'), config(bodies=True, headers=True), trust=certs.root.cert) as o:
        yield o


@pytest.mark.sanitized
@pytest.mark.parametrize('kind', list(CALLS))
def test_a_grpc_call_is_seen_as_such(grpc_server, grpc_oriel, kind):
    o, (prints, up, down, status) = grpc_oriel, CALLS[kind]
    got = grpc_call(grpc_server, o.proxy_url, o.root, kind)
    assert got.stdout == prints, got.stderr
    assert (got.returncode == 0) == (status == 0)
    event = o.wait_event(type='exchange', http__url=f'https://{NAME}:{grpc_server.port}/oriel.test.Echo/{kind}')
    assert event['http'] == {'proto': 'grpc', 'version': '2', 'method': 'POST', 'status': 200, 'grpc_status': status,
                             'url': f'https://{NAME}:{grpc_server.port}/oriel.test.Echo/{kind}'}
    assert (event['request'].get('messages'), event['response'].get('messages')) == (up, down)
    near, far = event['tls']['client'], event['tls']['server']
    assert near['alpn'] == far['alpn'] and near['alpn'] in ('h2', 'grpc-exp')
    assert_legs(event, o, '1.3', near['alpn'])
    seen = [m['data'].get('text') for m in o.events(type='message', flow=event['flow']) if m['direction'] == 'down']
    assert seen == ([] if status else prints.removesuffix('OK\n').splitlines())
    if kind == 'gzip':
        asked, = o.events(type='message', flow=event['flow'], direction='up')
        assert (asked['coding'], asked['data']) == ('gzip', {'text': 'one' * 100}) and asked['bytes'] < 100


def test_a_grpc_client_that_trusts_only_the_server_itself_refuses(grpc_server, grpc_oriel, certs):
    """Its library does not show whom it spoke with: this shows that it was the bump root's certificate."""
    got = grpc_call(grpc_server, grpc_oriel.proxy_url, certs.root.cert, 'unary')
    assert got.stdout.startswith('UNAVAILABLE')
    event = grpc_oriel.wait_event(type='connection', failed=True)
    # It hangs up without an alert.
    assert event['failure'] == 'client-closed'
    assert 'does not trust the bump CA' in event['reason']


def test_grpc_gets_nothing_once_the_proxy_is_stopped(grpc_server, run_oriel):
    o = run_oriel(config()).stop()
    assert grpc_call(grpc_server, o.proxy_url, o.root, 'unary').stdout.startswith('UNAVAILABLE')


# ---- WebSocket


def websocket_talk(o, certs, messages, cafile=None, **how):
    """Sends each message to a server that echoes it; (what came back, the issuer, the server's port)."""
    websockets = pytest.importorskip('websockets', reason='needs python3-websockets')
    ssl = client.ssl
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certs.good().chain, certs.good().key)

    async def echo(ws, *_):
        async for message in ws:
            await ws.send(message)

    async def talk():
        got = []
        async with websockets.serve(echo, '127.0.0.1', 0, ssl=serving) as server:
            port = server.sockets[0].getsockname()[1]
            raw = await asyncio.to_thread(client.connect_through, o.port, NAME, port)
            raw.setblocking(False)
            async with websockets.connect(f'wss://{NAME}:{port}/chat?room=1', sock=raw, server_hostname=NAME,
                                          ssl=client.context(cafile or o.root), **how) as ws:
                pem = ssl.DER_cert_to_PEM_cert(ws.transport.get_extra_info('ssl_object').getpeercert(True))
                for message in messages:
                    await ws.send(message)
                    got.append(await asyncio.wait_for(ws.recv(), 20))
                await ws.ping()
            return got, programs.Got(0, b'', '', pem).issuer, port
    return asyncio.run(talk())


@pytest.mark.sanitized
@pytest.mark.parametrize('compression', ['deflate', None])
def test_a_websocket_is_seen_as_such(run_oriel, certs, compression):
    o = run_oriel(config(bodies=True))
    messages = ['hello', 'a longer text ' * 500, b'\x00\x01binary\xff']
    got, issuer, port = websocket_talk(o, certs, messages, compression=compression)
    assert (got, issuer) == (messages, o.root_subject())
    event = o.wait_event(type='exchange')
    assert event['http'] == {'proto': 'websocket', 'version': '1.1', 'method': 'GET', 'status': 101, 'reason': 'Switching Protocols',
                             'url': f'https://{NAME}:{port}/chat?room=***'}
    # Pings and the close are no messages of anybody's.
    assert (event['request']['messages'], event['response']['messages']) == (3, 3)
    assert_legs(event, o, '1.3', event['tls']['client'].get('alpn'))
    up = [m for m in o.events(type='message') if m['direction'] == 'up']
    assert [m['opcode'] for m in up] == ['text', 'text', 'binary', 'ping', 'close']
    assert up[1]['bytes'] == len(messages[1])


def test_a_websocket_gets_nothing_once_the_proxy_is_stopped(run_oriel, certs):
    o = run_oriel(config()).stop()
    with pytest.raises(OSError):
        websocket_talk(o, certs, ['hello'])
