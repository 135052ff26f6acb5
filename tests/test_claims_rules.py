"""Promises about the whole that belong to no verb: which processes there are, and that observing changes nothing."""
import ssl

import pytest

from harness import client, peers
from harness.process import wait_until

NAME = 'www.oriel.test'
CONFIG = {'listeners': [{'bind': '127.0.0.1:PORT', 'default': 'bump'}], 'hosts': {NAME: '127.0.0.1'}}


def names(o):
    """What each of its processes is called."""
    out = []
    for pid in o.processes():
        with open(f'/proc/{pid}/comm', encoding='utf-8') as f:
            out.append(f.read().strip())
    return sorted(out)


@pytest.mark.sanitized
@pytest.mark.threads
def test_every_build_runs_the_same_processes(run_oriel, https):
    o = run_oriel(CONFIG)
    wait_until(lambda: names(o) == ['oriel', 'oriel-keeper', 'oriel-worker'], 'supervisor, keeper and worker')
    assert client.curl(f'https://{NAME}:{https.port}/', proxy=o, cafile=o.root).ok().status == 200
    assert names(o) == ['oriel', 'oriel-keeper', 'oriel-worker']


# ---- observing

# What a parser might tidy up; the last request is none at all.
ODD_UP = [b'GET  /a%2fb?x= HTTP/1.1\r\nhOsT:   www.oriel.test \r\nX-Twice: 1\r\nX-Twice:2\r\nX-Empty:\r\n\r\n',
          b'POST /c HTTP/1.1\r\nHost: www.oriel.test\r\nTransfer-Encoding: chunked\r\n\r\n0005;ext="a b"\r\nhello\r\n00\r\nX-Trailer: t\r\n\r\n',
          b'\x00\x01\x02 no HTTP \xff\r\n']
ODD_DOWN = [b'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 fine and well\r\ncontent-length:\t2\r\nSET-cookie: a=b\r\nset-COOKIE: c=d\r\n\r\nok',
            b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n', b'\xfe\xed and no HTTP either\n']


@pytest.fixture
def odd_server(certs):
    """Takes one piece, answers with one, and so on; keeps what it got."""
    got = []
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certs.good().chain, certs.good().key)

    def behave(conn):
        with serving.wrap_socket(conn, server_side=True) as s:
            for up, down in zip(ODD_UP, ODD_DOWN):
                data = b''
                while len(data) < len(up) and (more := s.recv(65536)):
                    data += more
                got.append(data)
                s.sendall(down)
            s.unwrap()
    with peers.RawServer(behave) as server:
        server.got = got
        yield server


@pytest.mark.sanitized
def test_observing_leaves_every_byte_as_it_was(run_oriel, odd_server):
    o = run_oriel({**CONFIG, 'observe': {'headers': True, 'bodies': True}})
    seen = []
    with client.tls_through(o.port, NAME, odd_server.port, o.root) as s:
        for up, down in zip(ODD_UP, ODD_DOWN):
            s.sendall(up)
            data = b''
            while len(data) < len(down) and (more := s.recv(65536)):
                data += more
            seen.append(data)
    assert (odd_server.got, seen) == (ODD_UP, ODD_DOWN)
    # It was followed as far as it was HTTP, and lived on as bytes.
    line = o.wait_event(type='connection')
    assert line['proto'] == 'bytes' or line['exchanges'] >= 1
    assert not line['failed']
