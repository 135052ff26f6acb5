"""oriel read with the secrets of old: a server's RSA key, and key log lines of pre-master and master secrets. Those
lines are made here, with the private key alone, from what the capture has."""
import os
import ssl
import subprocess

import pytest

from harness import reading, vary
from harness.reading import read
from harness.scene import NO_EMS, NO_ETM, Dialogue, Listener, OpensslServer, Scene, contexts, dark, write_log

V = ssl.TLSVersion
STEPS = [('client', b'client ' * 100), ('server', b'server ' * 3000), ('client', b'bye')]
ROWS = {
    'TLS 1.0': (V.TLSv1, 'AES128-SHA', 0),
    'TLS 1.0, no EMS': (V.TLSv1, 'AES256-SHA', NO_EMS),
    'TLS 1.1': (V.TLSv1_1, 'AES128-SHA', NO_ETM),
    'TLS 1.1, no EMS': (V.TLSv1_1, 'AES256-SHA', NO_EMS | NO_ETM),
    'TLS 1.2 GCM': (V.TLSv1_2, 'AES128-GCM-SHA256', 0),
    'TLS 1.2 SHA-384': (V.TLSv1_2, 'AES256-GCM-SHA384', 0),
    'TLS 1.2 SHA-384, no EMS': (V.TLSv1_2, 'AES256-GCM-SHA384', NO_EMS),
    'TLS 1.2 CCM': (V.TLSv1_2, 'AES128-CCM', NO_EMS),
    'TLS 1.2 CBC': (V.TLSv1_2, 'AES256-SHA256', 0),
}


@pytest.fixture(scope='module', autouse=True)
def can_capture():
    if why := reading.possible():
        pytest.skip(why)


@pytest.fixture(scope='module')
def scene(certs, tmp_path_factory):
    """Each is resumed by its session id, once, and then one that has nothing to do with RSA."""
    with Scene(tmp_path_factory.mktemp('rsa')) as scene, Listener(scene) as listener:
        for name, (version, cipher, options) in ROWS.items():
            both = contexts(certs, version, cipher, options | ssl.OP_NO_TICKET)
            session = listener.talk(name, *both, STEPS)
            listener.talk(name + ', resumed', *both, STEPS, session)
        server, client = contexts(certs, V.TLSv1_2, 'AES128-GCM-SHA256', ssl.OP_NO_TICKET)
        server.load_verify_locations(certs.root.cert)
        server.verify_mode = ssl.CERT_OPTIONAL
        client.load_cert_chain(certs.wrong_purpose().chain, certs.wrong_purpose().key)  # which is a client's
        listener.talk('client certificate', server, client, STEPS)
        listener.talk('ephemeral', *contexts(certs, V.TLSv1_2, 'ECDHE-RSA-AES128-GCM-SHA256'), STEPS)
    return scene


@pytest.fixture(scope='module')
def rsa_key(certs):
    return certs.good('rsa2048').key


class Handshake:
    """What one flow's first messages say: the hellos' randoms, the session id, the pre-master secret as it was sent."""

    def __init__(self, packets, server_port, client_port):
        said = {True: b'', False: b''}
        for p in packets:
            if client_port in p.ports:
                said[p.ports[0] == server_port] += p.payload
        client, server = (dict(self.messages(said[side])) for side in (False, True))
        self.client_random, self.server_random = client[1][2:34], server[2][2:34]
        self.session_id = server[2][35:35 + server[2][34]]
        exchange = client.get(16, b'\0\0')
        self.encrypted = exchange[2:2 + int.from_bytes(exchange[:2], 'big')]

    @staticmethod
    def messages(stream):
        """Type and body of the handshake messages before ChangeCipherSpec."""
        plain, at = b'', 0
        while at < len(stream) and stream[at] == 22:
            n = int.from_bytes(stream[at + 3:at + 5], 'big')
            plain += stream[at + 5:at + 5 + n]
            at += 5 + n
        while plain:
            n = int.from_bytes(plain[1:4], 'big')
            yield plain[0], plain[4:4 + n]
            plain = plain[4 + n:]


@pytest.fixture(scope='module')
def handshakes(scene):
    packets = vary.load(scene.capture)
    ports = list(dict.fromkeys(port for p in packets for port in p.ports if port != scene.port))
    return {name: Handshake(packets, scene.port, port) for name, port in zip(scene.talks, ports)}


def premaster(encrypted, key):
    """The RSA arithmetic by openssl; the padding of PKCS #1 is taken off here."""
    done = subprocess.run(['openssl', 'pkeyutl', '-decrypt', '-inkey', key, '-pkeyopt', 'rsa_padding_mode:none'], input=encrypted, capture_output=True,
                          check=True, timeout=60)
    assert done.stdout[:2] == b'\0\2' and done.stdout[-49] == 0
    return done.stdout[-48:]


def nothing(tmp_path):
    return write_log(tmp_path / 'nothing', [])


def firsts(scene):
    return [name for name in scene.talks if name in ROWS or name == 'client certificate']


def test_an_rsa_key_opens_what_was_exchanged_with_it(scene, rsa_key, tmp_path):
    """And the sessions that resume it."""
    none = nothing(tmp_path)
    for name in scene.talks:
        if name != 'ephemeral':
            scene.check(name, '--rsa-key', rsa_key, keylog=none)
    stays = dark(scene.capture, '--rsa-key', rsa_key, keylog=none)
    assert set(stays) == {str(scene.talks['ephemeral'].flow)} and 'no secret' in stays.popitem()[1]
    assert read(scene.capture, '--rsa-key', rsa_key, keylog=none).status == 3


def test_an_rsa_key_opens_what_is_renegotiated(certs, rsa_key, tmp_path):
    """The extended master secret is made of messages that were encrypted themselves."""
    with Scene(tmp_path) as scene, OpensslServer(scene, certs.good('rsa2048'), '-tls1_2', '-client_renegotiation', '-cipher', 'AES128-SHA256') as server:
        with Dialogue(scene, server, 'again', '-tls1_2', '-cipher', 'AES128-SHA256', '-no_ticket') as d:
            for _ in range(3):
                d.both_say().client_does('R', 'RENEGOTIATING').both_say()
    scene.check('again', '--rsa-key', rsa_key, keylog=nothing(tmp_path))


def test_several_rsa_keys_of_which_one_fits(scene, rsa_key, certs, tmp_path):
    other = certs.key('rsa3072')
    scene.check('TLS 1.2 GCM', '--rsa-key', other, '--rsa-key', rsa_key, keylog=nothing(tmp_path))
    assert read(scene.capture, '--rsa-key', other, keylog=nothing(tmp_path)).status == 3


def test_a_file_that_is_no_rsa_key(scene, certs, tmp_path):
    for path in (certs.key('p256'), scene.keylog, tmp_path / 'none'):
        got = read(scene.capture, '--rsa-key', path, keylog=nothing(tmp_path))
        assert got.status == 1 and got.err.count('\n') == 1 and str(path) in got.err, got


@pytest.mark.parametrize('case', [str.lower, str.upper])
def test_lines_of_premaster_secrets_by_client_random(scene, handshakes, rsa_key, tmp_path, case):
    lines = [('PMS_CLIENT_RANDOM', case(handshakes[name].client_random.hex()), case(premaster(handshakes[name].encrypted, rsa_key).hex()))
             for name in firsts(scene)]
    keys = write_log(tmp_path / 'keys', lines)
    for name in scene.talks:
        if name != 'ephemeral':
            scene.check(name, keylog=keys)


@pytest.mark.parametrize('case', [str.lower, str.upper])
def test_lines_of_premaster_secrets_by_what_was_sent(scene, handshakes, rsa_key, tmp_path, case):
    """RSA, the first 8 bytes of the encrypted secret, the secret."""
    lines = [('RSA', case(handshakes[name].encrypted[:8].hex()), case(premaster(handshakes[name].encrypted, rsa_key).hex())) for name in firsts(scene)]
    keys = write_log(tmp_path / 'keys', lines)
    for name in scene.talks:
        if name != 'ephemeral':
            scene.check(name, keylog=keys)


def test_lines_of_master_secrets_by_session_id(scene, handshakes, tmp_path):
    """RSA Session-ID:… Master-Key:…, as openssl s_client prints them; here from the other form of the same secret."""
    masters = {random: secret for label, random, secret in scene.log() if label == 'CLIENT_RANDOM'}
    lines = []
    for name in [*firsts(scene), 'ephemeral']:
        h = handshakes[name]
        if h.session_id:
            lines.append(('RSA', f'Session-ID:{h.session_id.hex().upper()}', f'Master-Key:{masters[h.client_random.hex()].upper()}'))
    assert len(lines) >= len(ROWS)
    keys = write_log(tmp_path / 'keys', lines)
    for name in scene.talks:
        if name != 'ephemeral':
            scene.check(name, keylog=keys)


def test_wrong_premaster_secrets_are_said_by_the_name_of_their_line(scene, handshakes, tmp_path):
    names = firsts(scene)
    wrong = os.urandom(48).hex()
    for label, key in (('PMS_CLIENT_RANDOM', lambda h: h.client_random), ('RSA', lambda h: h.encrypted[:8])):
        keys = write_log(tmp_path / label, [(label, key(handshakes[name]).hex(), wrong) for name in names])
        why = dark(scene.capture, keylog=keys)
        for name in names:
            assert label in why[str(scene.talks[name].flow)] and 'opens no record' in why[str(scene.talks[name].flow)], why
