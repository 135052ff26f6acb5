"""What oriel read says of connections that stay dark, one sentence each, and its exit status; what is not dark at all."""
import contextlib
import os
import socket
import ssl
import subprocess

import pytest

from harness import legacy, peers, reading, vary
from harness.capture import Capture
from harness.client import clean_environment
from harness.peers import RawServer, pattern
from harness.ports import free_port
from harness.process import PATIENCE, Process
from harness.reading import read
from harness.scene import Listener, Scene, Speaker, connection, contexts, write_log

V = ssl.TLSVersion
STEPS = [('client', b'first'), ('server', pattern(30_000)), ('client', pattern(30_000, 9)), ('server', b'last')]


@pytest.fixture(scope='module')
def scene(certs, tmp_path_factory):
    if why := reading.possible():
        pytest.skip(why)
    with Scene(tmp_path_factory.mktemp('dark')) as scene, Listener(scene) as listener:
        for name, version, cipher in (('TLS 1.2', V.TLSv1_2, 'ECDHE-RSA-AES128-GCM-SHA256'), ('TLS 1.2 CBC', V.TLSv1_2, 'ECDHE-RSA-AES256-SHA384'),
                                      ('TLS 1.3', V.TLSv1_3, None)):
            listener.talk(name, *contexts(certs, version, cipher), STEPS)
    return scene


@pytest.fixture
def alone(scene, tmp_path):
    """alone(name, change): a capture of one conversation, its packets changed."""
    def make(name, change=lambda packets: packets):
        packets = vary.segmented(vary.load(scene.cut_out(name)), 1400)
        return vary.save(tmp_path / 'c.pcap', change(packets))
    return make


def why(capture, *args, keylog=()):
    got = read(capture, '--why', *args, keylog=keylog)
    assert got.status == 3 and len(got.text.splitlines()) == 1, got
    return got.text.split(': ', 1)[1].rstrip()


def of(scene, name):
    """The lines of a conversation in the key log."""
    randoms = list(dict.fromkeys(line[1] for line in scene.log()))
    return [line for line in scene.log() if line[1] == randoms[scene.talks[name].flow - 1]]


def bad(line, n=None):
    return (*line[:2], 'ab' * (n or len(line[2]) // 2))


# ---- the sentences


@pytest.mark.parametrize('name', ['TLS 1.2', 'TLS 1.3'])
def test_no_secret_for_this_client_random(scene, alone, tmp_path, name):
    lines = of(scene, name)
    others = write_log(tmp_path / 'others', [line for line in scene.log() if line not in lines])
    assert why(alone(name), keylog=others) == f'no secret for client random {lines[0][1][:8]}…'
    assert why(alone(name)) == f'no secret for client random {lines[0][1][:8]}…'


def test_the_secrets_of_one_side_only(scene, alone, tmp_path):
    for label, other, who, has in (('CLIENT', 'SERVER', 'server', 'client'), ('SERVER', 'CLIENT', 'client', 'server')):
        keys = write_log(tmp_path / label, [line for line in of(scene, 'TLS 1.3') if not line[0].startswith(other)])
        assert why(alone('TLS 1.3'), keylog=keys).startswith(f'no secret of the {who} for client random')
        assert reading.said(alone('TLS 1.3'), has, keylog=keys) == getattr(scene.talks['TLS 1.3'], has)


@pytest.mark.parametrize('label', ['CLIENT_HANDSHAKE_TRAFFIC_SECRET', 'SERVER_HANDSHAKE_TRAFFIC_SECRET', 'CLIENT_TRAFFIC_SECRET_0', 'SERVER_TRAFFIC_SECRET_0'])
def test_a_secret_whose_tag_fails_is_named(scene, alone, tmp_path, label):
    """A wrong handshake secret matters only without that of the traffic."""
    spare = label.replace('HANDSHAKE_TRAFFIC_SECRET', 'TRAFFIC_SECRET_0')
    lines = [bad(line) if line[0] == label else line for line in of(scene, 'TLS 1.3') if line[0] == label or line[0] != spare]
    assert f'the {label} for client random {lines[0][1][:8]}… opens no record' == why(alone('TLS 1.3'), keylog=write_log(tmp_path / 'keys', lines))


@pytest.mark.parametrize('name', ['TLS 1.2', 'TLS 1.2 CBC'])
def test_a_master_secret_whose_tag_fails_is_named(scene, alone, tmp_path, name):
    lines = [bad(line) for line in of(scene, name)]
    keys = write_log(tmp_path / 'keys', lines)
    assert why(alone(name), keylog=keys) == f'the CLIENT_RANDOM for client random {lines[0][1][:8]}… opens no record'


def without_handshake(packets):
    """From the third of the longer segments on."""
    long = [i for i, p in enumerate(packets) if len(p.payload) == 1400]
    return packets[long[3]:]


def test_the_handshake_was_not_captured(scene, alone, tmp_path):
    capture = alone('TLS 1.2', without_handshake)
    assert why(capture) == 'the handshake was not captured, and no traffic secret is known'
    others = write_log(tmp_path / 'others', [bad(line) for line in of(scene, 'TLS 1.3')])
    assert why(alone('TLS 1.3', without_handshake), keylog=others).startswith('the handshake was not captured, and none of ')


def test_a_cipher_that_is_not_known(certs, tmp_path):
    """GOST's, which GnuTLS speaks."""
    if reason := legacy.possible('gnutls-serv', 'gnutls-cli', 'certtool'):
        pytest.skip(reason)
    key, cert = tmp_path / 'key', tmp_path / 'cert'
    template = tmp_path / 'template'
    template.write_text('cn = localhost\nexpiration_days = 2\nsigning_key\nencryption_key\ntls_www_server\n', encoding='ascii')
    for argv in (['--generate-privkey', '--key-type', 'gost12-256', '--curve', 'TC26-256-B', '--outfile', key],
                 ['--generate-self-signed', '--load-privkey', key, '--template', template, '--outfile', cert]):
        done = subprocess.run(['certtool', *map(str, argv)], capture_output=True, check=False, timeout=60)
        if done.returncode:
            pytest.skip('this GnuTLS has no GOST')
    port, capture, keylog = free_port(), tmp_path / 'c.pcap', tmp_path / 'keys'
    priority = 'NORMAL:-VERS-ALL:+VERS-TLS1.2:+CIPHER-GOST-ALL:+MAC-GOST-ALL:+KX-GOST-ALL:+SIGN-GOST-ALL:+GROUP-GOST-ALL'
    with Process(['gnutls-serv', '--port', port, '--echo', '--x509certfile', cert, '--x509keyfile', key, '--priority', priority],
                 tmp_path / 'serv.log') as server:
        server.wait_listening(port)
        with Capture(capture, f'tcp port {port}'):
            only = 'NONE:+VERS-TLS1.2:+CIPHER-GOST-ALL:+MAC-GOST-ALL:+KX-GOST-ALL:+SIGN-GOST-ALL:+GROUP-GOST-ALL:+COMP-NULL'
            with subprocess.Popen(['gnutls-cli', '--insecure', '--logfile', tmp_path / 'cli.log', '-p', str(port), '127.0.0.1', '--priority', only],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=clean_environment(SSLKEYLOGFILE=str(keylog))) as client:
                with contextlib.suppress(OSError):
                    client.stdin.write(b'what\n')
                    client.stdin.flush()
                assert client.stdout.readline() == b'what\n', (tmp_path / 'cli.log').read_text()
                client.stdin.close()
                client.wait(PATIENCE)
    assert 'GOST' in why(capture, keylog=keylog) and 'not supported' in why(capture, keylog=keylog)


def test_packets_that_were_cut_off(scene, alone):
    """With a snapshot length that leaves the handshake, of small packets, and cuts the rest."""
    assert 'cut off when they were captured' in why(alone('TLS 1.3', lambda packets: [p.cut(900) for p in packets]), keylog=scene.keylog)


@pytest.mark.parametrize('name', ['TLS 1.2', 'TLS 1.2 CBC', 'TLS 1.3'])
def test_a_gap_is_said_with_its_bytes(scene, alone, name):
    def lost(packets):
        long = [i for i, p in enumerate(packets) if len(p.payload) == 1400]
        return vary.without(packets, long[5], long[6])
    sentence = why(alone(name, lost), keylog=scene.keylog)
    assert sentence.startswith('a gap of ') and int(sentence.split()[3]) >= 2800, sentence


@pytest.mark.parametrize('which, name', enumerate(['ClientHello', 'ServerHello']))
def test_a_hello_is_missing(scene, alone, which, name):
    """Up to TLS 1.2 keys come from the randoms of both. In TLS 1.3 the secret is enough: the rest is read."""
    def lost(packets):
        return vary.without(packets, [i for i, p in enumerate(packets) if p.payload][which])
    assert why(alone('TLS 1.2', lost), keylog=scene.keylog) == f'the {name} was not captured, and no traffic secret is known'
    capture = alone('TLS 1.3', lost)
    assert why(capture, keylog=scene.keylog).startswith('a gap of ')
    for side in ('client', 'server'):
        assert reading.said(capture, side, keylog=scene.keylog) == getattr(scene.talks['TLS 1.3'], side)


# ---- searches end


def test_the_budget_of_a_search_is_said_when_it_is_spent(scene, alone, tmp_path):
    """Thousands of secrets, and a capture that begins in the middle."""
    keys = tmp_path / 'many'
    with open(keys, 'w', encoding='ascii') as f:
        for n in range(600):
            for label in ('CLIENT_TRAFFIC_SECRET_0', 'SERVER_TRAFFIC_SECRET_0'):
                f.write(f'{label} {n:064x} {os.urandom(48).hex()}\n')
    sentence = why(alone('TLS 1.3', without_handshake), keylog=keys)
    assert 'given up after' in sentence and int(sentence.split()[-2]) <= 1 << 22, sentence


# ---- exit statuses


def test_exit_statuses(scene, alone, tmp_path):
    capture = alone('TLS 1.3')
    whole, part, fault = read(capture, keylog=scene.keylog), read(capture), read(tmp_path / 'none')
    assert (whole.status, part.status, fault.status) == (0, 3, 1)
    assert whole.err == '' and '1 of 1 encrypted connections could not be read' in part.err and fault.err.count('\n') == 1
    assert read(capture, '--why', keylog=scene.keylog).ok().text == ''
    # A fault counts more than what is dark.
    cut = tmp_path / 'cut.pcap'
    with open(capture, 'rb') as f:
        cut.write_bytes(f.read()[:-5])
    assert read(cut).status == 1 and 'dark' in read(cut).text
    # With --flow it is that connection's.
    keys = write_log(tmp_path / 'k', of(scene, 'TLS 1.2'))
    assert [read(scene.capture, f'--flow={n}', keylog=keys).status for n in (1, 2, 3)] == [0, 3, 3]


def test_the_line_of_a_connection_says_whether_it_was_decrypted(scene, tmp_path):
    keys = write_log(tmp_path / 'k', of(scene, 'TLS 1.2'))
    seen = {n: connection(scene.capture, t.flow, keylog=keys)['decrypted'] for n, t in scene.talks.items()}
    assert seen.pop('TLS 1.2') is True
    for name, what in seen.items():
        assert what == {'why': 'no-secret', 'reason': f'no secret for client random {of(scene, name)[0][1][:8]}…'}


# ---- QUIC and DTLS; what ended before encryption


def test_dtls_is_dark(certs, tmp_path):
    """Between openssl's two ends."""
    if reason := reading.possible():
        pytest.skip(reason)
    port, cert = free_port(), certs.good()
    capture, keylog = tmp_path / 'c.pcap', tmp_path / 'keys'
    with Capture(capture, f'udp port {port}'), \
            Speaker(['openssl', 's_server', '-dtls', '-accept', f'127.0.0.1:{port}', '-cert', cert.cert, '-key', cert.key], tmp_path / 'server.log') as server:
        server.expect('ACCEPT')
        with subprocess.Popen(['openssl', 's_client', '-dtls', '-connect', f'127.0.0.1:{port}', '-keylogfile', keylog], stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as client:
            client.stdin.write(b'1 datagram\n')
            client.stdin.flush()
            server.expect('1 datagram')
            client.stdin.close()
            client.wait(PATIENCE)
    got = read(capture, '--why', keylog=keylog)
    assert got.status == 3 and got.text.split()[0] == 'u1' and got.text.rstrip().endswith('dark: DTLS is not decrypted yet'), got.text


@pytest.mark.parametrize('what', ['quic', 'dtls'])
def test_quic_and_dtls_of_others_are_dark(shared, what):
    folder = os.path.join(shared, 'captures/illustrated', what)
    if not os.path.isdir(folder):
        pytest.skip(f'needs ../shared/captures/illustrated/{what}')
    capture = os.path.join(folder, 'capture.pcap')
    got = read(capture, '--why', keylog=os.path.join(folder, 'keylog.txt'))
    assert got.status == 3 and got.text.rstrip().endswith(f'dark: {what.upper()} is not decrypted yet'), got.text


def read_of(capture):
    """Nothing is dark in it."""
    got = read(capture, '--json').ok()
    assert read(capture, '--why').ok().text == '' and not any(c['encrypted'] for c in got.connections())
    return got.connections()


def capture_of(tmp_path, port, act, more=''):
    if reason := reading.possible():
        pytest.skip(reason)
    with Capture(tmp_path / 'c.pcap', f'port {port}{more}'):
        act()
    return tmp_path / 'c.pcap'


def test_a_connection_that_was_refused_is_not_dark(tmp_path):
    port = free_port()

    def knock():
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(('127.0.0.1', port), PATIENCE)
    [c] = read_of(capture_of(tmp_path, port, knock))
    assert c['failed'] is True and 'refused' in str(c)


def test_plain_tcp_and_udp_are_not_dark(tmp_path):
    with RawServer(peers.echoes) as server:
        def talk():
            with socket.create_connection(('127.0.0.1', server.port), PATIENCE) as s, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
                for data in (b'hello\n', bytes(range(256)) * 40, b'\x16\x03 is no record'):
                    s.sendall(data)
                    assert reading.receive(s, len(data)) == data
                u.sendto(b'hello\n', ('127.0.0.1', server.port))
        capture = capture_of(tmp_path, server.port, talk)
    tcp = [c for c in read_of(capture) if c['flow'] == 1]
    assert len(tcp) == 1 and reading.said(capture, 'server') == b'hello\n' + bytes(range(256)) * 40 + b'\x16\x03 is no record'


@pytest.mark.parametrize('behave', [peers.resets, peers.closes, peers.alerts(40), peers.alerts(70), peers.speaks_plaintext], ids=['reset', 'close', 'alert', 'version', 'plain'])
def test_a_handshake_that_was_refused_is_not_dark(certs, tmp_path, behave):
    with RawServer(behave) as server:
        def knock():
            done = subprocess.run(['openssl', 's_client', '-connect', f'127.0.0.1:{server.port}'], input=b'', capture_output=True, check=False, timeout=60)
            assert done.returncode == 1
        capture = capture_of(tmp_path, server.port, knock)
    assert len(read_of(capture)) == 1


def test_no_version_or_cipher_in_common_is_not_dark(certs, tmp_path):
    """openssl's own refusals, by alert."""
    with peers.s_server(str(tmp_path), certs.good(), '-www', '-tls1_3') as server:
        def knock():
            for args in (['-tls1_2'], ['-tls1_3', '-ciphersuites', 'TLS_AES_128_CCM_8_SHA256']):
                done = subprocess.run(['openssl', 's_client', '-connect', f'127.0.0.1:{server.port}', *args], input=b'', capture_output=True, check=False,
                                      timeout=60)
                assert done.returncode == 1
        capture = capture_of(tmp_path, server.port, knock)
    assert [c['failed'] for c in read_of(capture)] == [True, True]


def test_a_client_that_refuses_the_certificate_ends_what_was_encrypted(certs, tmp_path):
    """In TLS 1.2 that is before encryption, in TLS 1.3 behind the server's first encrypted records."""
    for version, encrypted in (('-tls1_2', False), ('-tls1_3', True)):
        folder = tmp_path / version
        folder.mkdir()
        with peers.s_server(str(folder), certs.self_signed(), '-www', version) as server:
            def knock():
                done = subprocess.run(['openssl', 's_client', '-connect', f'127.0.0.1:{server.port}', '-verify_return_error', '-keylogfile', folder / 'keys'],
                                      input=b'', capture_output=True, check=False, timeout=60)
                assert done.returncode == 1
            capture = capture_of(folder, server.port, knock)
        assert connection(capture, 1)['encrypted'] is encrypted
        assert read(capture).status == (3 if encrypted else 0)
        if encrypted:
            read(capture, keylog=folder / 'keys').ok()
