"""oriel read on TLS 1.0 to 1.3 between real programs: every version, cipher and way of the MAC, byte for byte what was
said, and what tshark reads of the same."""
import os
import shutil
import ssl
import subprocess

import pytest

from harness import peers, reading
from harness.capture import Capture
from harness.client import clean_environment
from harness.legacy import possible
from harness.peers import pattern
from harness.ports import free_port
from harness.process import PATIENCE, Process
from harness.programs import go_binary
from harness.reading import read
from harness.scene import NO_EMS, NO_ETM, Dialogue, Listener, OpensslServer, Scene, contexts, messages, tshark_said

V = ssl.TLSVersion
STEPS = [('client', b'first the client says this'), ('server', pattern(20_000)), ('client', pattern(40_000, 5)), ('server', b'well'), ('client', b'bye')]

# Python's OpenSSL: version, OpenSSL's name of the suite, IANA's.
AEAD_12 = [
    ('ECDHE-ECDSA-AES128-GCM-SHA256', 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256'),
    ('ECDHE-RSA-AES256-GCM-SHA384', 'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384'),
    ('DHE-RSA-AES128-GCM-SHA256', 'TLS_DHE_RSA_WITH_AES_128_GCM_SHA256'),
    ('AES256-GCM-SHA384', 'TLS_RSA_WITH_AES_256_GCM_SHA384'),
    ('ECDHE-ECDSA-AES128-CCM', 'TLS_ECDHE_ECDSA_WITH_AES_128_CCM'),
    ('ECDHE-ECDSA-AES256-CCM', 'TLS_ECDHE_ECDSA_WITH_AES_256_CCM'),
    ('ECDHE-ECDSA-AES128-CCM8', 'TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8'),
    ('ECDHE-ECDSA-AES256-CCM8', 'TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8'),
    ('ECDHE-RSA-CHACHA20-POLY1305', 'TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256'),
    ('DHE-RSA-CHACHA20-POLY1305', 'TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256'),
]
CBC = [
    (V.TLSv1, 'ECDHE-RSA-AES128-SHA', 'TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA'),
    (V.TLSv1, 'AES256-SHA', 'TLS_RSA_WITH_AES_256_CBC_SHA'),
    (V.TLSv1_1, 'ECDHE-ECDSA-AES256-SHA', 'TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA'),
    (V.TLSv1_1, 'DHE-RSA-AES128-SHA', 'TLS_DHE_RSA_WITH_AES_128_CBC_SHA'),
    (V.TLSv1_2, 'ECDHE-RSA-AES128-SHA', 'TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA'),
    (V.TLSv1_2, 'AES128-SHA256', 'TLS_RSA_WITH_AES_128_CBC_SHA256'),
    (V.TLSv1_2, 'DHE-RSA-AES256-SHA256', 'TLS_DHE_RSA_WITH_AES_256_CBC_SHA256'),
    (V.TLSv1_2, 'ECDHE-ECDSA-AES128-SHA256', 'TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256'),
    (V.TLSv1_2, 'ECDHE-RSA-AES256-SHA384', 'TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384'),
]
VERSION_NAMES = {V.TLSv1: 'TLS 1.0', V.TLSv1_1: 'TLS 1.1', V.TLSv1_2: 'TLS 1.2', V.TLSv1_3: 'TLS 1.3'}
OPTIONS = {'': 0, 'mac inside': NO_ETM, 'no ems': NO_EMS, 'mac inside, no ems': NO_ETM | NO_EMS}

ROWS = {f'{iana} {options}'.strip(): (V.TLSv1_2, openssl, OPTIONS[options], iana)
        for openssl, iana in AEAD_12 for options in ('', 'no ems')}
ROWS |= {f'{VERSION_NAMES[version]} {iana} {options}'.strip(): (version, openssl, OPTIONS[options], iana)
         for version, openssl, iana in CBC for options in OPTIONS}

SUITES_13 = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256', 'TLS_AES_128_CCM_SHA256', 'TLS_AES_128_CCM_8_SHA256']


@pytest.fixture(scope='module', autouse=True)
def can_capture():
    if why := reading.possible():
        pytest.skip(why)


@pytest.fixture(scope='module')
def python(certs, tmp_path_factory):
    with Scene(tmp_path_factory.mktemp('python')) as scene, Listener(scene) as listener:
        for name, (version, cipher, options, _) in ROWS.items():
            listener.talk(name, *contexts(certs, version, cipher, options), STEPS)
    return scene


@pytest.fixture(scope='module')
def all_python(python):
    return {c['flow']: c for c in read(python.capture, '--json', keylog=python.keylog).ok().connections()}


@pytest.mark.parametrize('row', ROWS)
def test_every_suite_of_python(python, all_python, row):
    version, _, _, suite = ROWS[row]
    c = all_python[python.talks[row].flow]
    assert c['decrypted'] is True and c['bytes'] == {'up': 40_029, 'down': 20_004}
    assert (c['tls']['client']['version'], c['tls']['client']['cipher']) == (VERSION_NAMES[version], suite)
    for side in ('client', 'server'):
        assert python.said(row, side) == getattr(python.talks[row], side)


def test_each_way_of_the_mac_was_spoken(python):
    """That the rows differ is not only what they ask for: encrypt-then-MAC and the extended master secret were agreed."""
    argv = ['tshark', '-n', '-r', python.capture, '-Y', 'tls.handshake.type == 2', '-T', 'fields', '-e', 'tcp.stream', '-e', 'tls.handshake.extension.type',
            '-d', f'tcp.port=={python.port},tls']
    if not shutil.which('tshark'):
        pytest.skip('needs tshark')
    rows = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()
    agreed = {int(stream) + 1: set(types.split(',')) for stream, types in (row.split('\t') for row in rows)}
    for name, (_, cipher, options, suite) in ROWS.items():
        types = agreed[python.talks[name].flow]
        assert ('23' in types) == (not options & NO_EMS), name
        assert ('22' in types) == ('_CBC_' in suite and not options & NO_ETM), (name, cipher)


def test_tshark_reads_the_same_of_python(python):
    if not shutil.which('tshark'):
        pytest.skip('needs tshark')
    got = tshark_said(python.capture, python.keylog, [python.port], range(len(ROWS)))
    for name, talk in python.talks.items():
        assert got[talk.flow - 1] == (talk.client, talk.server), name


# ---- TLS 1.3 between s_client and s_server: all its suites, and what is there besides data


@pytest.fixture(scope='module')
def openssl_13(certs, tmp_path_factory):
    with Scene(tmp_path_factory.mktemp('openssl')) as scene, \
            OpensslServer(scene, certs.good('rsa2048'), '-ciphersuites', ':'.join(SUITES_13)) as server:
        for suite in SUITES_13:
            with Dialogue(scene, server, suite, '-ciphersuites', suite) as d:
                d.both_say().both_say(3000)
    return scene


@pytest.mark.parametrize('suite', SUITES_13)
def test_every_suite_of_tls_13(openssl_13, suite):
    c = openssl_13.check(suite)
    assert (c['tls']['client']['version'], c['tls']['client']['cipher']) == ('TLS 1.3', suite)


def test_tshark_reads_the_same_of_tls_13(openssl_13):
    if not shutil.which('tshark'):
        pytest.skip('needs tshark')
    got = tshark_said(openssl_13.capture, openssl_13.keylog, [openssl_13.port], range(len(SUITES_13)))
    for suite in SUITES_13:
        talk = openssl_13.talks[suite]
        assert got[talk.flow - 1] == (talk.client, talk.server), suite


@pytest.fixture(scope='module')
def features(certs, tmp_path_factory):
    """Groups that the server does not like, padding, the compatibility mode and without it."""
    scene = Scene(tmp_path_factory.mktemp('features'))
    with scene, OpensslServer(scene, certs.good(), '-groups', 'P-384', '-record_padding', '512', '-num_tickets', '5') as server:
        with Dialogue(scene, server, 'retry', '-groups', 'X25519:P-384', '-record_padding', '1000') as d:
            d.both_say().both_say(2000)
        with Dialogue(scene, server, 'small records', '-groups', 'P-384', '-maxfraglen', '512') as d:
            d.both_say(3000)
        server.stop()
        with OpensslServer(scene, certs.good(), '-groups', 'P-384', '-num_tickets', '5', '-no_middlebox', name='without') as without:
            with Dialogue(scene, without, 'no middlebox', '-groups', 'P-384', '-no_middlebox') as d:
                d.both_say()
            with Dialogue(scene, without, 'retry, no middlebox', '-groups', 'X25519:P-384', '-no_middlebox') as d:
                d.both_say()
    return scene


def ladder(scene, name):
    return messages(scene.capture, scene.talks[name].flow, keylog=scene.keylog)


def test_hello_retry_request(features):
    for name in ('retry', 'retry, no middlebox'):
        c = features.check(name)
        assert c['tls']['client']['group'] == 'secp384r1'
        assert ladder(features, name).count('ClientHello') == 2 and 'HelloRetryRequest' in ladder(features, name)
    assert 'HelloRetryRequest' not in ladder(features, 'no middlebox')


def test_padding_is_taken_off(features):
    talk = features.talks['retry']
    c = features.check('retry')
    assert c['bytes'] == {'up': len(talk.client), 'down': len(talk.server)}


def test_small_records(features):
    """Handshake messages go over several, too."""
    features.check('small records')


def test_compatibility_change_cipher_spec_and_without(features):
    features.check('no middlebox')
    assert 'ChangeCipherSpec' not in ladder(features, 'no middlebox')
    assert ladder(features, 'retry').count('ChangeCipherSpec') == 2


def test_new_session_tickets_are_no_data(features):
    features.check('no middlebox')
    assert ladder(features, 'no middlebox').count('{NewSessionTicket}') == 5


# ---- GnuTLS


GNUTLS = {
    'TLS 1.0 CBC': ('TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA', '-VERS-ALL:+VERS-TLS1.0:-CIPHER-ALL:+AES-128-CBC'),
    'TLS 1.1 CBC, MAC inside': ('TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA', '-VERS-ALL:+VERS-TLS1.1:-CIPHER-ALL:+AES-256-CBC:%NO_ETM'),
    'TLS 1.2 CBC, MAC inside': ('TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256', '-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-CBC:-MAC-ALL:+SHA256:%NO_ETM'),
    'TLS 1.2 CBC, no EMS': ('TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384', '-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-256-CBC:-MAC-ALL:+SHA384:%NO_SESSION_HASH'),
    'TLS 1.2 GCM': ('TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384', '-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-256-GCM'),
    'TLS 1.2 GCM, no EMS': ('TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', '-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-GCM:%NO_SESSION_HASH'),
    'TLS 1.2 CCM-8': ('TLS_RSA_WITH_AES_128_CCM_8', '-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA:-CIPHER-ALL:+AES-128-CCM-8'),
    'TLS 1.2 ChaCha20': ('TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256', '-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+CHACHA20-POLY1305'),
    'TLS 1.3 GCM': ('TLS_AES_256_GCM_SHA384', '-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-256-GCM'),
    'TLS 1.3 CCM': ('TLS_AES_128_CCM_SHA256', '-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-CCM'),
    'TLS 1.3 CCM-8': ('TLS_AES_128_CCM_8_SHA256', '-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-CCM-8'),
    'TLS 1.3 ChaCha20': ('TLS_CHACHA20_POLY1305_SHA256', '-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+CHACHA20-POLY1305'),
    'TLS 1.3 retry': ('TLS_AES_128_GCM_SHA256', '-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM:-GROUP-ALL:+GROUP-SECP521R1:+GROUP-SECP256R1'),
}


def gnutls_echo(scene, name, priority):
    # The server echoes no more than a line of text.
    text = f'{name}: '.encode() + pattern(2500).hex().encode() + b'\n'
    scene.add(name, text, text)
    argv = ['gnutls-cli', '--insecure', '--logfile', scene.file('gnutls-cli.log'), '-p', str(scene.port), '127.0.0.1', '--priority', f'NORMAL:{priority}']
    with open(scene.file('gnutls-cli.err'), 'ab') as err, \
            subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err, env=clean_environment(SSLKEYLOGFILE=scene.keylog)) as client:
        got = bytearray()
        try:
            client.stdin.write(text)
            client.stdin.flush()
            while len(got) < len(text):
                more = os.read(client.stdout.fileno(), 65536)
                assert more, (name, bytes(got[:200]))
                got += more
            client.stdin.close()
            client.wait(PATIENCE)
        finally:
            client.kill()
    assert bytes(got) == text, name


@pytest.fixture(scope='module')
def gnutls(certs, tmp_path_factory):
    if why := possible('gnutls-serv', 'gnutls-cli'):
        pytest.skip(why)
    cert = certs.good('rsa2048')
    with Scene(tmp_path_factory.mktemp('gnutls')) as scene, \
            Process(['gnutls-serv', '--port', scene.port, '--echo', '--x509certfile', cert.chain, '--x509keyfile', cert.key, '--priority',
                     'NORMAL:+VERS-TLS1.1:+VERS-TLS1.0:+AES-128-CCM-8:+AES-128-CBC:+AES-256-CBC:+SHA256:+SHA384:-GROUP-ALL:+GROUP-FFDHE2048:+GROUP-SECP256R1'],
                    scene.file('gnutls-serv.log')) as server:
        server.wait_listening(scene.port)
        for name, (_, priority) in GNUTLS.items():
            gnutls_echo(scene, name, priority)
    return scene


@pytest.mark.parametrize('name', GNUTLS)
def test_gnutls(gnutls, name):
    c = gnutls.check(name)
    assert (c['tls']['client']['version'], c['tls']['client']['cipher']) == (name[:7], GNUTLS[name][0])


def test_gnutls_retries(gnutls):
    assert 'HelloRetryRequest' in ladder(gnutls, 'TLS 1.3 retry')


def test_tshark_reads_the_same_of_gnutls(gnutls):
    if not shutil.which('tshark'):
        pytest.skip('needs tshark')
    got = tshark_said(gnutls.capture, gnutls.keylog, [gnutls.port], range(len(GNUTLS)))
    for name, talk in gnutls.talks.items():
        assert got[talk.flow - 1] == (talk.client, talk.server), name


# ---- nginx and curl; Go


@pytest.mark.parametrize('version', ['1.2', '1.3'])
def test_nginx_and_curl(certs, start, tmp_path, version):
    body = pattern(300_000)
    nginx = start(peers.nginx, certs.good(), files={'page.bin': body})
    capture, keylog = tmp_path / 'c.pcap', tmp_path / 'keys'
    with Capture(capture, f'tcp port {nginx.port}'):
        done = subprocess.run(['curl', '-sS', '--http1.1', f'--tlsv{version}', '--tls-max', version, '--cacert', certs.root.cert, '--resolve',
                               f'www.oriel.test:{nginx.port}:127.0.0.1', f'https://www.oriel.test:{nginx.port}/page.bin'], check=True, capture_output=True,
                              timeout=60, env=clean_environment(SSLKEYLOGFILE=str(keylog)))
    assert done.stdout == body
    [c] = read(capture, '--json', keylog=keylog).ok().connections()
    assert c['tls']['client']['version'] == f'TLS {version}' and c['decrypted'] is True
    head, _, got = reading.said(capture, 'server', keylog=keylog).partition(b'\r\n\r\n')
    assert head.startswith(b'HTTP/1.1 200') and got == body


def test_a_hybrid_group_between_programs_in_go(certs, tmp_path):
    """X25519MLKEM768 is Go's first choice from 1.24 on."""
    binary, port = go_binary(), free_port()
    # A program that is built outside a module behaves as one of an old Go, without this.
    hybrid = {'GODEBUG': 'tlsmlkem=1'}
    capture, keylog = tmp_path / 'c.pcap', tmp_path / 'keys'
    cert = certs.good(name='localhost')
    with Process([binary, 'serve', f'127.0.0.1:{port}', cert.chain, cert.key], tmp_path / 'go.log', env=clean_environment(**hybrid)) as server:
        server.wait_listening(port)
        with Capture(capture, f'tcp port {port}'):
            done = subprocess.run([binary, 'get', f'https://localhost:{port}/hybrid', '1.3', 'http/1.1'], check=False, capture_output=True, timeout=60,
                                  env=clean_environment(SSLKEYLOGFILE=str(keylog), SSL_CERT_FILE=certs.root.cert, **hybrid))
    assert done.returncode == 0, done.stderr
    [c] = read(capture, '--json', keylog=keylog).ok().connections()
    assert c['decrypted'] is True
    if c['tls']['client']['group'] == 'x25519':
        pytest.skip('this Go has no hybrid group')
    assert c['tls']['client']['group'] == 'X25519MLKEM768'
    assert reading.said(capture, 'server', keylog=keylog).endswith(b'\r\n\r\n' + done.stdout)
    assert b'go over HTTP/1.1: GET /hybrid' in done.stdout
