"""oriel read on sessions that go on: by session id and by ticket, with a pre-shared key, with data before the handshake
is over; between real programs, byte for byte."""
import os
import shutil
import ssl
import subprocess

import pytest

from harness import legacy, peers, reading
from harness.capture import Capture
from harness.client import clean_environment
from harness.process import PATIENCE, wait_until
from harness.reading import read
from harness.scene import Dialogue, Listener, OpensslServer, Scene, connection, contexts, dark, messages, tshark_said, write_log

V = ssl.TLSVersion
NO_TICKET = ssl.OP_NO_TICKET
PSK = '00112233445566778899aabbccddeeff'


@pytest.fixture(scope='module', autouse=True)
def can_capture():
    if why := reading.possible():
        pytest.skip(why)


def steps(n):
    return [('client', f'client of {n}\n'.encode() * 30), ('server', f'server of {n}\n'.encode() * 300), ('client', b'bye')]


WAYS = {
    'TLS 1.0 session id': (V.TLSv1, 'ECDHE-RSA-AES128-SHA', NO_TICKET),
    'TLS 1.1 ticket': (V.TLSv1_1, 'ECDHE-RSA-AES256-SHA', 0),
    'TLS 1.2 session id': (V.TLSv1_2, 'ECDHE-RSA-AES128-GCM-SHA256', NO_TICKET),
    'TLS 1.2 ticket': (V.TLSv1_2, 'ECDHE-ECDSA-CHACHA20-POLY1305', 0),
    'TLS 1.2 ticket, no EMS': (V.TLSv1_2, 'ECDHE-RSA-AES256-SHA384', 1),
    'TLS 1.3': (V.TLSv1_3, None, 0),
}


@pytest.fixture(scope='module')
def python(certs, tmp_path_factory):
    """Each session three times."""
    with Scene(tmp_path_factory.mktemp('python')) as scene, Listener(scene) as listener:
        for way, (version, cipher, options) in WAYS.items():
            server, client = contexts(certs, version, cipher, options)
            session = None
            for n in range(3):
                session = listener.talk(f'{way}, {n}', server, client, steps(n), session)
    return scene


@pytest.mark.parametrize('n', range(3))
@pytest.mark.parametrize('way', WAYS)
def test_sessions_are_resumed(python, way, n):
    c = python.check(f'{way}, {n}')
    assert c['tls']['client']['resumed'] is (n > 0)
    assert ('Certificate' in messages(python.capture, c['flow'], keylog=python.keylog)) == (n == 0)


@pytest.mark.parametrize('threads', [1, 2])
@pytest.mark.parametrize('way', [w for w in WAYS if w != 'TLS 1.3'])
def test_the_secret_of_the_first_connection_opens_those_that_resume_it(python, tmp_path, way, threads):
    """Their master secret is the same, under another client random. Threads share what they learn of sessions."""
    first = messages_random(python, f'{way}, 0')
    keys = write_log(tmp_path / 'first', [line for line in python.log() if line[1] == first])
    for n in range(3):
        c = python.check(f'{way}, {n}', f'--threads={threads}', keylog=keys)
        assert c['decrypted'] is True
    others = [c for c in read(python.capture, '--json', keylog=keys).connections() if c['flow'] not in
              {python.talks[f'{way}, {n}'].flow for n in range(3)}]
    assert len(others) == len(python.talks) - 3 and not any(c['decrypted'] is True for c in others)


def messages_random(scene, name):
    """The client random of a conversation, by the order of the key log: programs wrote it one after another."""
    randoms = list(dict.fromkeys(line[1] for line in scene.log()))
    assert len(randoms) == len(scene.talks)
    return randoms[scene.talks[name].flow - 1]


def test_a_session_that_is_not_known_is_said(python, tmp_path):
    way = 'TLS 1.2 session id'
    last = python.talks[f'{way}, 2'].flow
    none = write_log(tmp_path / 'none', [line for line in python.log() if line[1] == messages_random(python, 'TLS 1.3, 0')])
    assert 'resumes a session that is not known' in dark(python.capture, keylog=none)[str(last)]


def test_tshark_reads_the_same_of_sessions(python):
    if not shutil.which('tshark'):
        pytest.skip('needs tshark')
    got = tshark_said(python.capture, python.keylog, [python.port], range(len(python.talks)))
    for name, talk in python.talks.items():
        assert got[talk.flow - 1] == (talk.client, talk.server), name


def test_gnutls_resumes(certs, tmp_path):
    """The first connection and those that resume it, with the first one's secret alone where that is enough."""
    if why := legacy.possible('gnutls-serv', 'gnutls-cli'):
        pytest.skip(why)
    server = peers.gnutls_serv(tmp_path, certs.good('rsa2048'), '--echo')
    keylog, capture = tmp_path / 'keys', tmp_path / 'c.pcap'
    with server, Capture(capture, f'tcp port {server.port}'):
        for n, options in enumerate(('-VERS-ALL:+VERS-TLS1.2', '-VERS-ALL:+VERS-TLS1.2:%NO_TICKETS', '-VERS-ALL:+VERS-TLS1.3')):
            argv = ['gnutls-cli', '--insecure', '--resume', '--logfile', tmp_path / 'cli.log', '-p', str(server.port), '127.0.0.1', '--priority',
                    f'NORMAL:{options}']
            text = f'{n} and again\n'.encode()
            with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  env=clean_environment(SSLKEYLOGFILE=str(keylog))) as client:
                client.stdin.write(text)
                client.stdin.flush()
                assert client.stdout.readline() == text
                client.stdin.close()
                client.wait(PATIENCE)
    connections = {c['flow']: c for c in read(capture, '--json', keylog=keylog).ok().connections()}
    assert [connections[n + 1]['tls']['client']['resumed'] for n in range(6)] == [False, True] * 3
    for n in range(3):
        assert reading.said(capture, 'client', flow=2 * n + 2, keylog=keylog) == f'{n} and again\n'.encode()
        assert reading.said(capture, 'server', flow=2 * n + 2, keylog=keylog) == f'{n} and again\n'.encode()


# ---- TLS 1.3: sessions from files, early data, keys agreed on beforehand


def session_of(scene, server, name, *args):
    """Makes a session and keeps it in a file."""
    path = scene.file(name + '.session')
    with Dialogue(scene, server, name, '-sess_out', path, *args) as d:
        d.both_say()
        wait_until(lambda: os.path.exists(path) and os.path.getsize(path), 'the session is there')
    return path


@pytest.fixture(scope='module')
def early(certs, tmp_path_factory):
    """Sessions with early data: taken; refused by another server, by one that has seen it, and by one that asks again."""
    scene = Scene(tmp_path_factory.mktemp('early'))
    data = scene.file('early')
    with open(data, 'wb') as f:
        f.write(b'0 early data comes first\n' * 40)
    with scene:
        with OpensslServer(scene, certs.good(), '-early_data', name='one') as server:
            session = session_of(scene, server, 'first')
            for name in ('taken', 'seen before'):
                with Dialogue(scene, server, name, '-sess_in', session, '-early_data', data) as d:
                    if name == 'taken':
                        server.expect('0 early data comes first\n' * 40)
                    d.both_say().both_say(500)
            session = session_of(scene, server, 'second')
        with OpensslServer(scene, certs.good(), '-early_data', name='other') as server:
            with Dialogue(scene, server, 'other server', '-sess_in', session, '-early_data', data) as d:
                d.both_say()
        with OpensslServer(scene, certs.good(), '-early_data', '-groups', 'P-384', name='retries') as server:
            session = session_of(scene, server, 'third', '-groups', 'P-384')
            with Dialogue(scene, server, 'retry', '-sess_in', session, '-early_data', data, '-groups', 'X25519:P-384') as d:
                d.both_say()
    with open(data, 'rb') as f:
        scene.talks['taken'].client = f.read() + scene.talks['taken'].client
    return scene


def test_psk_resumption_with_early_data(early):
    c = early.check('taken')
    assert c['tls']['client']['resumed'] is True
    steps_shown = messages(early.capture, c['flow'], keylog=early.keylog)
    assert 'EndOfEarlyData' in steps_shown and 'Certificate' not in steps_shown


@pytest.mark.parametrize('why', ['seen before', 'other server', 'retry'])
def test_early_data_that_was_refused_is_not_shown_as_said(early, why):
    c = early.check(why)
    steps_shown = messages(early.capture, c['flow'], keylog=early.keylog)
    assert 'EndOfEarlyData' not in steps_shown
    assert ('HelloRetryRequest' in steps_shown) == (why == 'retry')


def test_early_data_without_its_secret_is_dark_and_the_rest_is_read(early, tmp_path):
    keys = write_log(tmp_path / 'keys', [line for line in early.log() if line[0] != 'CLIENT_EARLY_TRAFFIC_SECRET'])
    flow = early.talks['taken'].flow
    why = dark(early.capture, keylog=keys)
    assert 'CLIENT_EARLY_TRAFFIC_SECRET' in why.pop(str(flow)) and not why
    assert early.said('taken', 'server', keylog=keys) == early.talks['taken'].server
    assert early.talks['taken'].client.endswith(early.said('taken', 'client', keylog=keys))


def test_refused_early_data_needs_no_secret(early, tmp_path):
    keys = write_log(tmp_path / 'keys', [line for line in early.log() if line[0] != 'CLIENT_EARLY_TRAFFIC_SECRET'])
    for name in ('seen before', 'other server', 'retry'):
        early.check(name, keylog=keys)


def test_nginx_answers_before_the_handshake_is_over(certs, start, tmp_path):
    """0.5-RTT: the answer to early data goes out behind the server's Finished, before the client's has come."""
    body = peers.pattern(3000)
    nginx = start(peers.nginx, certs.good(), files={'page.bin': body}, extra='ssl_early_data on;')
    capture, keylog, session, request = (tmp_path / n for n in ('c.pcap', 'keys', 'session', 'request'))
    request.write_bytes(b'GET /page.bin HTTP/1.0\r\nHost: www.oriel.test\r\n\r\n')

    def ask(*args):
        return subprocess.run(['openssl', 's_client', '-connect', f'127.0.0.1:{nginx.port}', '-servername', 'www.oriel.test', '-keylogfile', keylog, '-ign_eof',
                               *args], input=request.read_bytes() if '-sess_out' in args else b'', capture_output=True, check=False, timeout=60).stdout
    tries = range(2, 12)  # on a busy machine the client's Finished may come first
    with Capture(capture, f'tcp port {nginx.port}'):
        assert body in ask('-sess_out', session)
        for _ in tries:
            assert body in ask('-sess_in', session, '-early_data', request)

    def place(shown, *words):
        return next(i for i, line in enumerate(shown.splitlines()) if all(w in line for w in words))
    early = 0
    for flow in tries:
        assert reading.said(capture, 'client', flow=flow, keylog=keylog) == request.read_bytes()
        assert reading.said(capture, 'server', flow=flow, keylog=keylog).endswith(b'\r\n\r\n' + body)
        shown = messages(capture, flow, keylog=keylog)
        early += place(shown, '◀', '{application data}') < place(shown, '▶', '{Finished}')
    assert early
    assert connection(capture, 2, keylog=keylog)['decrypted'] is True
    read(capture, keylog=keylog).ok()


@pytest.fixture(scope='module')
def psk(certs, tmp_path_factory):
    with Scene(tmp_path_factory.mktemp('psk')) as scene, OpensslServer(scene, certs.good('rsa2048'), '-psk', PSK, '-cipher', 'ALL:PSK:@SECLEVEL=0',
                                                                         '-ciphersuites', 'TLS_AES_128_GCM_SHA256') as server:
        for name, options in {
                'TLS 1.3': ['-tls1_3', '-ciphersuites', 'TLS_AES_128_GCM_SHA256'],
                'PSK-AES128-GCM-SHA256': ['-tls1_2'],
                'PSK-AES128-CBC-SHA256': ['-tls1_2'],
                'PSK-AES256-CCM8': ['-tls1_2'],
                'PSK-CHACHA20-POLY1305': ['-tls1_2', '-no_ticket'],
                'PSK-AES256-CBC-SHA': ['-tls1_1'],
                'ECDHE-PSK-AES128-CBC-SHA256': ['-tls1_2'],
                'DHE-PSK-AES256-GCM-SHA384': ['-tls1_2'],
                'RSA-PSK-AES128-GCM-SHA256': ['-tls1_2'],
        }.items():
            cipher = [] if name == 'TLS 1.3' else ['-cipher', name + ':@SECLEVEL=0']
            with Dialogue(scene, server, name, '-psk', PSK, *options, *cipher) as d:
                d.both_say().both_say(1000)
    return scene


def test_external_psk(psk):
    for name in psk.talks:
        psk.check(name)
    assert psk.connection('TLS 1.3')['tls']['client']['resumed'] is True


def test_the_psk_alone_opens_what_nothing_else_went_into(psk, tmp_path):
    none = tmp_path / 'none'
    none.write_text('', encoding='ascii')
    plain = {name for name in psk.talks if name.startswith('PSK-')}
    for name in plain:
        psk.check(name, '--psk', PSK, keylog=none)
    stays = dark(psk.capture, '--psk', PSK, keylog=none)
    assert set(stays) == {str(t.flow) for n, t in psk.talks.items() if n not in plain}
    assert read(psk.capture, '--psk', PSK, keylog=none).status == 3
    wrong = dark(psk.capture, '--psk', '00' * 16, keylog=none)
    assert all('the PSK' in wrong[str(psk.talks[name].flow)] for name in plain)
