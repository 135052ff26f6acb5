"""A rule with `set-header`: HTTP/1.1 requests are terminated and written anew, and nothing else is touched."""
import socket
import threading

import pytest

from harness import client, peers, ways

REFUSED = 400


@pytest.fixture
def rewriting(run_oriel):
    """Starts oriel with one rule; value: of the header."""
    def begin(value='oriel'):
        rules = [{'match': {'target': ['*']}, 'do': 'bump', 'set-header': {'X-Seen-By': value}}]
        return run_oriel({'listeners': [{'bind': '127.0.0.1:PORT', 'rules': rules}], 'hosts': {'www.oriel.test': '127.0.0.1'}})
    return begin


def heads(conn, count):
    """So many request heads as they come."""
    data, out = b'', []
    while len(out) < count:
        while b'\r\n\r\n' in data:
            head, data = data.split(b'\r\n\r\n', 1)
            out.append(head)
        if len(out) < count:
            more = conn.recv(65536)
            if not more:
                break
            data += more
    return out, data


OK = b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'


def test_every_request_on_a_connection_has_the_header(rewriting, https):
    o = rewriting()
    body = client.curl(f'https://www.oriel.test:{https.port}/echo', '-H', 'X-Seen-By: somebody', proxy=o, cafile=o.root).ok().body
    assert b'X-Seen-By: oriel\n' in body and b'somebody' not in body
    with client.tls_through(o.port, 'www.oriel.test', https.port, o.root, alpn=['h2', 'http/1.1']) as s:
        assert s.selected_alpn_protocol() == 'http/1.1'
        for path in ('/echo/1', '/echo/2'):
            s.sendall(f'GET {path} HTTP/1.1\r\nHost: www.oriel.test\r\n\r\n'.encode())
            head = ways.recv_until(s, b'\r\n\r\n')
            length = int(head.lower().split(b'content-length: ')[1].split(b'\r\n')[0])
            assert b'X-Seen-By: oriel' in ways.recv_exactly(s, length)
    up = client.curl(f'https://www.oriel.test:{https.port}/sha256', '-H', 'Transfer-Encoding: chunked', '--data-binary', 'x' * 100000,
                     proxy=o, cafile=o.root).ok().body
    assert up.endswith(b' 100000\n')


@pytest.mark.sanitized
def test_requests_that_grow_wait_for_a_slow_server(rewriting):
    """A thousand small requests become eight megabytes, which nobody reads at first."""
    count, value = 1000, 'v' * 8000
    seen, all_sent = [], threading.Event()

    def slow(conn):
        assert all_sent.wait(20)
        seen.extend(heads(conn, count)[0])
        conn.sendall(OK)
    with peers.RawServer(slow) as server:
        o = rewriting(value)
        with client.connect_through(o.port, 'www.oriel.test', server.port) as s:
            for i in range(count):
                s.sendall(f'GET /{i} HTTP/1.1\r\nHost: x\r\n\r\n'.encode())
            # The end comes behind all of it.
            s.shutdown(socket.SHUT_WR)
            all_sent.set()
            assert ways.recv_until(s, b'ok').endswith(b'ok')
    assert [head.split()[1] for head in seen] == [b'/%d' % i for i in range(count)]
    assert all(value.encode() in head for head in seen)


UPGRADE = b'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: thing\r\n\r\n'


@pytest.mark.parametrize('answer,switches', [
    ([b'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: thing\r\n\r\n'], True),
    # After another answer, and cut where it hurts.
    ([b'HTTP/1.1 103 Early Hints\r\n\r\nHT', b'TP/1.1 1', b'01 S\r\nConnection: upgrade\r\nUpgrade: thing\r\n\r', b'\n'], True),
    ([b'HTTP/1.1 100 Continue\r\n\r\n', OK[:9], OK[9:]], False),
    ([OK.replace(b'200', b'426')], False),
])
def test_the_answer_to_an_upgrade_decides_how_it_goes_on(rewriting, answer, switches):
    after, rest = b'GET /after HTTP/1.1\r\nHost: x\r\n\r\n', []

    def serve(conn):
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        assert b'X-Seen-By: oriel' in heads(conn, 1)[0][0]
        for piece in answer[:-1]:
            conn.sendall(piece)
            # What the client sent early has to wait for the whole answer.
            conn.settimeout(0.05)
            with pytest.raises(TimeoutError):
                conn.recv(1)
        conn.settimeout(20)
        conn.sendall(answer[-1])
        rest.append(heads(conn, 1)[0][0])
        conn.sendall(b'the end')
    with peers.RawServer(serve) as server:
        o = rewriting()
        with client.connect_through(o.port, 'www.oriel.test', server.port) as s:
            s.sendall(UPGRADE + after)
            assert ways.recv_until(s, b'the end').endswith(b'the end')
    assert rest == [after[:-4] if switches else after[:-4] + b'\r\nX-Seen-By: oriel']


def test_what_is_not_http_passes_as_it_is(rewriting):
    with peers.RawServer(peers.speaks_first) as server:
        o = rewriting()
        with client.connect_through(o.port, 'www.oriel.test', server.port) as s:
            assert ways.recv_until(s, b'\n') == b'220 hello\r\n'
            s.sendall(b'EHLO me\r\n\0\xff')
            assert ways.recv_exactly(s, 11) == b'EHLO me\r\n\0\xff'
    assert '`set-header` does not apply' in o.wait_event(type='connection')['reason']


def test_a_request_that_two_parsers_could_read_differently_is_refused(rewriting):
    recorder = ways.Recorder()
    with peers.RawServer(recorder) as server:
        o = rewriting()
        with client.connect_through(o.port, 'www.oriel.test', server.port) as s:
            status, answer = ways.http_exchange(
                s, b'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n')
        assert status == REFUSED and b'X-Oriel-Reason' in answer
    event = o.wait_event(type='connection', failed=True)
    assert event['failure'] == 'request-refused' and 'cannot be written anew' in event['reason']
    assert recorder.first in ([], [b''])
