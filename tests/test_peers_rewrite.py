"""The one filter that changes what passes: header fields set in every HTTP/1.1 request. The server must see them, and
nothing else may change, whatever the client sends."""
import asyncio
import base64
import concurrent.futures
import hashlib
import json
import os

import pytest

from harness import client, peers

NAME = 'www.oriel.test'
WANTED = {'X-Oriel': 'seen', 'User-Agent': 'none of yours'}


def config(observe=None, **headers):
    return {'observe': observe or {}, 'listeners': [{'bind': '127.0.0.1:PORT', 'rules': [{'match': {'target': ['*']}, 'do': 'bump', 'set-header': headers or WANTED}]}],
            'hosts': {NAME: '127.0.0.1'}}


class Recorder(peers._Handler):  # what it has for bodies is needed here, too
    """Answers every request with what it was: head as received, and the hash of the body. Keeps them all."""
    requests = []

    def body(self):
        """Chunks may have extensions, and trailers follow them."""
        if 'chunked' not in self.headers.get('Transfer-Encoding', ''):
            yield from super().body()
            return
        while size := int(self.rfile.readline().split(b';')[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def everything(self):
        h, count = hashlib.sha256(), 0
        for part in self.body():
            h.update(part)
            count += len(part)
        got = {'line': self.requestline, 'headers': self.headers.items(), 'size': count, 'sha256': h.hexdigest()}
        self.requests.append(got)
        self.answer(json.dumps(got).encode(), Content_Type='application/json')

    do_GET = do_POST = do_PUT = do_DELETE = do_OPTIONS = everything

    def do_HEAD(self):
        self.requests.append({'line': self.requestline, 'headers': self.headers.items()})
        self.send_response(200)
        self.send_header('Content-Length', '1000')
        self.end_headers()


@pytest.fixture
def recorder(certs):
    with peers.HttpsServer(certs.good()) as server:
        server.RequestHandlerClass = type('Recorder', (Recorder,), {'requests': []})
        server.requests = server.RequestHandlerClass.requests
        yield server


@pytest.fixture
def through(run_oriel):
    return run_oriel(config())


def values(request, name):
    return [v for k, v in request['headers'] if k.lower() == name.lower()]


def assert_set(request):
    for name, value in WANTED.items():
        assert values(request, name) == [value], request


def ask(o, port, *args, path='/'):
    return client.curl(f'https://{NAME}:{port}{path}', *args, proxy=o, cafile=o.root)


@pytest.mark.sanitized
def test_the_server_sees_it_and_all_else_as_it_was(recorder, through):
    got = json.loads(ask(through, recorder.port, '-H', 'X-Own: 1', '-H', 'x-oriel: forged', '-H', 'X-ORIEL: twice', path='/a?b=c').ok().body)
    assert_set(got)
    assert got['line'] == 'GET /a?b=c HTTP/1.1'
    assert (values(got, 'X-Own'), values(got, 'Host'), values(got, 'Accept')) == (['1'], [f'{NAME}:{recorder.port}'], ['*/*'])
    assert len(got['headers']) == 5
    event = through.wait_event(type='exchange')
    assert event['http']['proto'] == 'http1' and event['http']['status'] == 200


@pytest.mark.sanitized
@pytest.mark.parametrize('how', [[], ['-H', 'Transfer-Encoding: chunked'], ['-H', 'Expect: 100-continue'], ['-X', 'PUT']])
def test_bodies_of_either_kind_arrive_whole(recorder, through, tmp_path, how):
    body = peers.pattern(700_001)
    (tmp_path / 'up').write_bytes(body)
    got = json.loads(ask(through, recorder.port, '--data-binary', f'@{tmp_path}/up', *how).ok().body)
    assert_set(got)
    assert (got['size'], got['sha256']) == (len(body), hashlib.sha256(body).hexdigest())
    assert through.wait_event(type='exchange')['request']['bytes'] == len(body)


def talk(o, port, data, answers):
    """Sends the bytes on one connection, reads until there were so many answers and the end: (bytes, how it ended)."""
    with client.tls_through(o.port, NAME, port, o.root) as s:
        s.sendall(data)
        got = b''
        while got.count(b'HTTP/1.1 ') < answers and (part := s.recv(65536)):
            got += part
        return got


CHUNKED = ('POST /chunked HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n'
           '5;ext=1\r\nhello\r\n1\r\n!\r\n0\r\nX-End: yes\r\n\r\n')


def pipeline():
    return ('GET /1 HTTP/1.1\r\nHost: x\r\n\r\n' + CHUNKED + 'POST /3 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nGET '
            'HEAD /4 HTTP/1.1\r\nHost: x\r\n\r\n' + 'GET /5 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n').encode()


def in_pieces(recorder, o, step):
    """Sends the pipeline in pieces of this size; there must be five answers."""
    data = pipeline()
    with client.tls_through(o.port, NAME, recorder.port, o.root) as s:
        for i in range(0, len(data), step):
            s.sendall(data[i:i + step])
        answers, how = client.read_all(s)
    assert how == 'clean' and answers.count(b'HTTP/1.1 200') == 5


@pytest.mark.sanitized
@pytest.mark.parametrize('step', [7, 100000])
def test_requests_in_a_row_are_each_changed(recorder, through, step):
    """Pipelined, in pieces of any size; one body looks like a request."""
    in_pieces(recorder, through, step)
    assert [r['line'].split()[1] for r in recorder.requests] == ['/1', '/chunked', '/3', '/4', '/5']
    for request in recorder.requests:
        assert_set(request)
    assert recorder.requests[1]['sha256'] == hashlib.sha256(b'hello!').hexdigest()
    through.wait_event(type='exchange', count=5)
    assert sorted(e['http']['url'].rsplit('/', 1)[1] for e in through.events(type='exchange')) == ['1', '3', '4', '5', 'chunked']


def test_where_the_pieces_end_does_not_matter(recorder, through):
    """Byte by byte, on several connections at once, so that some come to be read alone."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: in_pieces(recorder, through, 1), range(24)))
    assert len(recorder.requests) == 24 * 5
    for request in recorder.requests:
        assert_set(request)
    assert not [e for e in through.events(type='connection') if e['proto'] != 'http1']


def test_a_kept_connection_is_changed_to_its_end(recorder, through):
    urls = [f'https://{NAME}:{recorder.port}/{i}' for i in range(1, 20)]
    ask(through, recorder.port, *urls).ok()
    assert len(recorder.requests) == 20
    for request in recorder.requests:
        assert_set(request)
    assert len({e['flow'] for e in through.events(type='exchange')}) == 1


def test_a_client_of_http2_is_talked_into_http1(recorder, through):
    got = ask(through, recorder.port, '--http2').ok()
    assert_set(json.loads(got.body))
    event = through.wait_event(type='exchange')
    assert event['tls']['client']['alpn'] == event['tls']['server']['alpn'] == 'http/1.1' == got.alpn


def test_a_websocket_begins_with_it_and_goes_on_untouched(run_oriel, certs):
    websockets = pytest.importorskip('websockets', reason='needs python3-websockets')
    o, seen = run_oriel(config(observe={'headers': True}, **{'X-Oriel': 'seen'})), []
    serving = client.ssl.SSLContext(client.ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certs.good().chain, certs.good().key)

    async def echo(ws, *_):
        seen.append(ws.request_headers.get_all('X-Oriel'))
        async for message in ws:
            await ws.send(message)

    async def run():
        async with websockets.serve(echo, '127.0.0.1', 0, ssl=serving) as server:
            port = server.sockets[0].getsockname()[1]
            tcp = await asyncio.to_thread(client.connect_through, o.port, NAME, port)
            tcp.setblocking(False)
            async with websockets.connect(f'wss://{NAME}:{port}/', sock=tcp, server_hostname=NAME, ssl=client.context(o.root)) as ws:
                for message in ('GET / HTTP/1.1\r\n\r\n', os.urandom(100_000)):
                    await ws.send(message)
                    assert await asyncio.wait_for(ws.recv(), 20) == message
    asyncio.run(run())
    assert seen == [['seen']]
    event = o.wait_event(type='exchange')
    assert event['http']['proto'] == 'websocket' and event['request']['messages'] == 2


SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'
HEAD = 'POST /first HTTP/1.1\r\nHost: x\r\n'
ATTACKS = {
    'length and chunked': HEAD + f'Content-Length: {len(SMUGGLED) + 5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' + SMUGGLED,
    'chunked and length': HEAD + 'Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n' + SMUGGLED,
    'two lengths': HEAD + f'Content-Length: 0\r\nContent-Length: {len(SMUGGLED)}\r\n\r\n' + SMUGGLED,
    'a list of lengths': HEAD + f'Content-Length: 0, {len(SMUGGLED)}\r\n\r\n' + SMUGGLED,
    'a length with a sign': HEAD + 'Content-Length: +0\r\n\r\n' + SMUGGLED,
    'a negative length': HEAD + 'Content-Length: -1\r\n\r\n' + SMUGGLED,
    'a length in hex': HEAD + 'Content-Length: 0x0\r\n\r\n' + SMUGGLED,
    'a length beyond all': HEAD + 'Content-Length: 99999999999999999999999\r\n\r\n' + SMUGGLED,
    'a blank before the colon': HEAD + 'Content-Length : 0\r\n\r\n' + SMUGGLED,
    'another coding': HEAD + 'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n' + SMUGGLED,
    'chunked is not last': HEAD + 'Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n' + SMUGGLED,
    'chunked twice': HEAD + 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' + SMUGGLED,
    'a folded line': HEAD + 'X: a\r\n Content-Length: 0\r\n\r\n' + SMUGGLED,
    'a bare line feed': HEAD.replace('\r\n', '\n') + '\n' + SMUGGLED,
    'a bare carriage return': HEAD + 'X: a\rContent-Length: 9\r\n\r\n' + SMUGGLED,
    'a zero byte': HEAD + 'X: a\0b\r\n\r\n' + SMUGGLED,
    'a name that is none': HEAD + 'Content Length: 0\r\n\r\n' + SMUGGLED,
    'no name': HEAD + ': 0\r\n\r\n' + SMUGGLED,
    'a blank in the target': 'GET /a b HTTP/1.1\r\nHost: x\r\n\r\n' + SMUGGLED,
    'another version': 'GET / HTTP/3.7\r\nHost: x\r\n\r\n' + SMUGGLED,
    'two hosts': 'GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n' + SMUGGLED,
    'the preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + SMUGGLED,
}
# The head is on its way when these come to light: the server may have begun to answer.
LATE = {
    'a chunk size with a sign': HEAD + 'Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n' + SMUGGLED,
    'a chunk size beyond all': HEAD + 'Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n' + SMUGGLED,
    'a chunk longer than it says': HEAD + 'Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n' + SMUGGLED,
}


@pytest.mark.sanitized
def test_what_two_readers_might_read_differently_is_refused(recorder, through):
    """Each ends, with 400 where that can be said, and a line says why; what hides behind it never reaches the server."""
    for count, (what, text) in enumerate({**ATTACKS, **LATE}.items(), 1):
        with client.tls_through(through.port, NAME, recorder.port, through.root) as s:
            s.sendall(text.encode('latin-1'))
            answer, _ = client.read_all(s)
        assert answer.startswith(b'HTTP/1.1 400 ') or what in LATE, (what, answer)
        assert answer.count(b'HTTP/1.1 400 ') <= 1 and b' 200 ' not in answer, (what, answer)
        assert not any('smuggled' in r['line'] for r in recorder.requests), (what, recorder.requests)
        event = through.wait_event(type='connection', count=count)
        assert event['failed'] and event['side'] == 'client' and event['reason'], (what, event)
    # What is right still passes.
    assert_set(json.loads(ask(through, recorder.port).ok().body))


def test_the_answer_is_not_changed(start, certs, run_oriel):
    body = base64.b64encode(os.urandom(30_000))
    server = start(peers.nginx, certs.good(), files={'a.txt': body})
    o = run_oriel(config(**{'X-Oriel': 'seen', 'Accept-Encoding': 'gzip'}))
    got = client.curl(f'https://{NAME}:{server.port}/a.txt', '--compressed', '-H', 'Accept-Encoding:', proxy=o, cafile=o.root).ok()
    assert got.body == body and 'content-encoding: gzip' in got.log.lower()
    assert b'x=seen' in ask(o, server.port, '--compressed', path='/headers').ok().body


def test_a_rule_that_sets_no_header_lets_the_same_bytes_pass(recorder, run_oriel):
    """Observing never judges: the server does."""
    o = run_oriel({'listeners': [{'bind': '127.0.0.1:PORT', 'default': 'bump'}], 'hosts': {NAME: '127.0.0.1'}})
    text = ATTACKS['two hosts'].replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n', 1)
    assert b'HTTP/1.1 200' in talk(o, recorder.port, text.encode(), 1)
    assert values(recorder.requests[0], 'Host') == ['x', 'y'] and values(recorder.requests[0], 'X-Oriel') == []
