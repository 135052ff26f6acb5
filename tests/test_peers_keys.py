"""The key log: the secrets of both legs, the same that the peers have, in time, and good for tshark."""
import concurrent.futures
import os
import re

import pytest

from harness import capture, client, peers

NAME = 'www.oriel.test'
LINE = re.compile(r'^([A-Z_0-9]+) ([0-9a-f]{64}) ([0-9a-f]{64}|[0-9a-f]{96})$')
LABELS_13 = {'CLIENT_HANDSHAKE_TRAFFIC_SECRET', 'SERVER_HANDSHAKE_TRAFFIC_SECRET', 'CLIENT_TRAFFIC_SECRET_0', 'SERVER_TRAFFIC_SECRET_0',
             'EXPORTER_SECRET'}
LABELS = {'1.2': {'CLIENT_RANDOM'}, '1.3': LABELS_13}
CURL = {'1.2': ['--tls-max', '1.2'], '1.3': ['--tlsv1.3']}


def config(host='127.0.0.1', **keylog):
    return {'listeners': [{'bind': '127.0.0.1:PORT', 'default': 'bump'}], 'hosts': {NAME: host}, 'observe': {'keylog': keylog} if keylog else {}}


def secrets(path):
    """{client random: {label: secret}}; every line has to be a whole one. Comments are the peers'."""
    out = {}
    with open(path, encoding='ascii') as f:
        for line in f:
            if line.startswith('#'):
                continue
            m = LINE.match(line.rstrip('\n'))
            assert m and line.endswith('\n'), line
            out.setdefault(m.group(2), {})[m.group(1)] = m.group(3)
    return out


@pytest.mark.parametrize('version', ['1.2', '1.3'])
def test_it_holds_what_the_peers_have_themselves(start, run_oriel, certs, tmp_path, version):
    """curl on one side and s_server on the other write their own."""
    far_keys, near_keys, keys = tmp_path / 'far', tmp_path / 'near', tmp_path / 'keys'
    server = start(peers.s_server, certs.good(), '-www', '-keylogfile', far_keys, '-tls' + version.replace('.', '_'))
    o = run_oriel(config(path=str(keys)))
    client.curl(f'https://{NAME}:{server.port}/', '--http1.0', *CURL[version], proxy=o, cafile=o.root,
                env=client.clean_environment(SSLKEYLOGFILE=str(near_keys))).ok()
    o.wait_event(type='exchange')
    ours, theirs = secrets(keys), {**secrets(near_keys), **secrets(far_keys)}
    assert len(ours) == 2 and ours == theirs
    assert [set(labels) for labels in ours.values()] == [LABELS[version]] * 2
    assert os.stat(keys).st_mode & 0o777 == 0o600
    assert o.wait_line('session secrets', str(keys))


def test_sslkeylogfile_is_honoured_and_said(run_oriel, https, tmp_path):
    keys = tmp_path / 'keys'
    o = run_oriel(config(), env={'SSLKEYLOGFILE': str(keys)})
    assert o.wait_line('session secrets', str(keys), 'SSLKEYLOGFILE')
    client.curl(f'https://{NAME}:{https.port}/', proxy=o, cafile=o.root).ok()
    assert len(secrets(keys)) == 2


def test_without_either_there_is_none_and_nothing_is_said(run_oriel, https):
    o = run_oriel(config())
    client.curl(f'https://{NAME}:{https.port}/', proxy=o, cafile=o.root).ok()
    assert 'secret' not in o.said()


def test_the_keys_are_there_before_the_first_application_data(run_oriel, certs, tmp_path):
    """Looked at when the first byte arrives, at the client and at the server."""
    keys, at_server = tmp_path / 'keys', []
    context = client.ssl.SSLContext(client.ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certs.good().chain, certs.good().key)

    def behave(conn):
        with context.wrap_socket(conn, server_side=True) as s:
            s.sendall(b'hello')
            s.recv(1)
            at_server.append(secrets(keys))
            s.sendall(b'bye')

    o = run_oriel(config(path=str(keys)))
    with peers.RawServer(behave) as server, client.tls_through(o.port, NAME, server.port, o.root) as s:
        assert s.recv(5) == b'hello'
        at_client = secrets(keys)
        s.sendall(b'x')
        assert s.recv(3) == b'bye'
    for seen in (at_client, at_server[0]):
        assert [set(labels) for labels in seen.values()] == [LABELS_13] * 2


def test_lines_of_many_connections_at_once_stay_whole(run_oriel, https, tmp_path):
    keys = tmp_path / 'keys'
    o = run_oriel(config(path=str(keys)))

    def one(_):
        with client.tls_through(o.port, NAME, https.port, o.root) as s:
            s.sendall(b'GET /bytes/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
            client.read_all(s)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(40)))
    seen = secrets(keys)
    assert len(seen) == 80 and all(set(labels) == LABELS_13 for labels in seen.values())


@pytest.mark.parametrize('limits,legs', [
    ({'remote': ['127.0.0.2']}, {'far'}),
    ({'remote': ['127.0.0.1']}, {'near'}),
    ({'local': ['127.0.0.0/8']}, {'near', 'far'}),
    ({'local': ['127.0.0.0/8'], 'remote': ['127.0.0.2/31']}, {'far'}),
    ({'local': ['10.0.0.0/8']}, set()),
    ({'remote': ['10.0.0.0/8', '::/0']}, set()),
])
def test_addresses_of_either_end_say_whose_keys_are_written(run_oriel, certs, tmp_path, limits, legs):
    """The server is at 127.0.0.2, the client at 127.0.0.1."""
    keys, near_keys = tmp_path / 'keys', tmp_path / 'near'
    o = run_oriel(config(host='127.0.0.2', path=str(keys), **limits))
    with peers.HttpsServer(certs.good(), host='127.0.0.2') as server:
        client.curl(f'https://{NAME}:{server.port}/', proxy=o, cafile=o.root, env=client.clean_environment(SSLKEYLOGFILE=str(near_keys))).ok()
    near, seen = set(secrets(near_keys)), set(secrets(keys))
    assert {'near' if random in near else 'far' for random in seen} == legs and len(seen) == len(legs)


@pytest.mark.parametrize('version', ['1.2', '1.3'])
@pytest.mark.parametrize('proto', ['http/1.1', 'h2'])
def test_tshark_reads_either_leg_with_it(as_root, start, run_oriel, certs, tmp_path, proto, version):
    keys = tmp_path / 'keys'
    server = start(peers.nginx, certs.good(), http2=proto == 'h2', files={'a.txt': b'abc'}, protocols='TLSv' + version)
    o = run_oriel(config(path=str(keys)))
    with capture.Capture(tmp_path / 'near.pcap', f'tcp port {o.port}') as near, capture.Capture(tmp_path / 'far.pcap', f'tcp port {server.port}') as far:
        client.curl(f'https://{NAME}:{server.port}/a.txt', '--http2' if proto == 'h2' else '--http1.1', *CURL[version], proxy=o, cafile=o.root).ok()
        o.wait_event(type='exchange')
    # What CONNECT leads to has the port of the server.
    tunnel = ('-d', f'tcp.port=={o.port},http')
    read = ['/a.txt', '200']
    assert capture.decrypted_http(far.path, keys, server.port) == read
    assert capture.decrypted_http(near.path, keys, server.port, more=tunnel)[-2:] == read
    assert capture.decrypted_http(far.path, None, server.port) == []
    assert '/a.txt' not in capture.decrypted_http(near.path, None, server.port, more=tunnel)
