"""oriel read on what happens after a handshake: new keys, by either side and many, authentication after the fact,
renegotiation; and these in a part that was not captured."""
import shutil

import pytest

from harness import peers, reading, vary
from harness.capture import Capture
from harness.client import clean_environment
from harness.legacy import possible
from harness.process import PATIENCE
from harness.reading import read
from harness.scene import Dialogue, OpensslServer, Scene, Speaker, dark, messages, tshark_said, write_log

UPDATED = 'SSL_do_handshake -> 1'


@pytest.fixture(scope='module', autouse=True)
def can_capture():
    if why := reading.possible():
        pytest.skip(why)


def updates(d, client, server):
    """Key updates by each side, which the other is asked to answer (K) or not (k), with words between."""
    for letter in client:
        d.client_does(letter, 'KEYUPDATE').client_says(200).server_says(200)
    for letter in server:
        d.server_does(letter, UPDATED).server_says(200).client_says(200)


@pytest.fixture(scope='module')
def updated(certs, tmp_path_factory):
    with Scene(tmp_path_factory.mktemp('updated')) as scene, OpensslServer(scene, certs.good()) as server:
        for name, client, server_letters in (('client', 'kkkkk', ''), ('server', '', 'kkkkk'), ('asked for', 'KK', 'KK'), ('all of it', 'kKkK' * 3, 'KkKk' * 3)):
            with Dialogue(scene, server, name) as d:
                d.both_say()
                updates(d, client, server_letters)
                d.both_say(1000)
        with Dialogue(scene, server, 'at once', '-ciphersuites', 'TLS_CHACHA20_POLY1305_SHA256') as d:
            d.both_say()
            for _ in range(3):
                d.client_does('k', 'KEYUPDATE').server_does('k', UPDATED)
            d.both_say()
    return scene


ALL = ['client', 'server', 'asked for', 'all of it', 'at once']


def numbered(scene, path):
    """CLIENT_TRAFFIC_SECRET_1 and so on in place of the letter."""
    seen, lines = {}, []
    for label, random, secret in scene.log():
        if label.endswith('_N'):
            seen[label, random] = seen.get((label, random), 0) + 1
            label = label[:-1] + str(seen[label, random])
        lines.append((label, random, secret))
    assert seen
    return write_log(path, lines)


def without_updates(scene, path):
    return write_log(path, [line for line in scene.log() if not line[0].endswith('_N')])


@pytest.mark.parametrize('name', ALL)
def test_key_updates_by_either_side(updated, name):
    updated.check(name)
    assert any(line[0].endswith('_TRAFFIC_SECRET_N') for line in updated.log())
    shown = messages(updated.capture, updated.talks[name].flow, keylog=updated.keylog)
    sent = {'client': (5, 0), 'server': (0, 5), 'asked for': (4, 4), 'all of it': (12 + 6, 12 + 6), 'at once': (3, 3)}[name]
    lines = [line for line in shown.splitlines() if 'KeyUpdate' in line]
    assert (sum('▶' in line for line in lines), sum('◀' in line for line in lines)) == sent, shown


@pytest.mark.parametrize('form', [numbered, without_updates])
def test_key_updates_however_they_are_logged(updated, tmp_path, form):
    keys = form(updated, tmp_path / 'keys')
    for name in ALL:
        updated.check(name, keylog=keys)


def test_the_line_of_an_update_opens_what_the_first_line_does_not(updated, tmp_path):
    """From the middle, with the secrets of later generations only."""
    keys = write_log(tmp_path / 'keys', [line for line in updated.log() if line[0].endswith('_N')])
    cut = updated.cut_out('all of it')
    packets = vary.load(cut)
    path = vary.save(tmp_path / 'c.pcap', packets[len(packets) * 2 // 3:])
    for side in ('client', 'server'):
        got, whole = reading.said(path, side, keylog=keys), getattr(updated.talks['all of it'], side)
        assert got and whole.endswith(got), (side, got, read(path, '--why', keylog=keys).text)


def test_tshark_reads_the_same_of_updates(updated):
    if not shutil.which('tshark'):
        pytest.skip('needs tshark')
    got = tshark_said(updated.capture, updated.keylog, [updated.port], range(len(ALL)))
    for name, talk in updated.talks.items():
        assert got[talk.flow - 1] == (talk.client, talk.server), name


def records_of(packets, port, from_server):
    """Indices of segments that are one record of application data."""
    return [i for i in vary.of(packets, port, from_server) if packets[i].payload[0] == 23]


def what_is_left(whole, got):
    """got is the whole without some lines."""
    lines, at = whole.splitlines(True), 0
    for line in got.splitlines(True):
        assert line in lines[at:], line
        at = lines.index(line, at) + 1
    return len(lines) - len(got.splitlines())


@pytest.mark.parametrize('form', [None, without_updates])
@pytest.mark.parametrize('from_server', [True, False])
def test_key_updates_in_a_part_that_was_not_captured(updated, tmp_path, from_server, form):
    """Each KeyUpdate alone, with the record after it, and up to three of them at once: what follows is read."""
    keys = form(updated, tmp_path / 'keys') if form else updated.keylog
    side = 'server' if from_server else 'client'
    talk = updated.talks[side]
    packets = vary.load(updated.cut_out(side))
    records = records_of(packets, updated.port, from_server)
    short = [i for i in records if len(packets[i].payload) == 5 + 5 + 1 + 16]  # KeyUpdate: 5 bytes, its type, the tag
    assert len(short) == 5
    cases = [([i], 0) for i in short] + [([i, records[records.index(i) + 1]], 1) for i in short]
    at = records.index(short[0])
    for n in (3, 5):
        lost = records[at:at + n]
        cases.append((lost, sum(i not in short for i in lost)))
    for lost, lines in cases:
        path = vary.save(tmp_path / 'c.pcap', vary.without(packets, *lost))
        got = reading.said(path, side, keylog=keys)
        assert what_is_left(getattr(talk, side), got) == lines, (lost, got[-300:], read(path, '--why', keylog=keys).text)
        other = 'client' if from_server else 'server'
        assert reading.said(path, other, keylog=keys) == getattr(talk, other)
        assert read(path, keylog=keys).status == 3


@pytest.mark.parametrize('version, command, shown', [('1.3', '^rekey^', '{KeyUpdate}'), ('1.2', '^renegotiate^', '{ClientHello}')])
def test_new_keys_of_gnutls(certs, tmp_path, version, command, shown):
    """Which logs no line for a KeyUpdate, and one for each renegotiation."""
    if why := possible('gnutls-serv', 'gnutls-cli'):
        pytest.skip(why)
    cert, keylog, priority = certs.good('rsa2048'), tmp_path / 'keys', f'NORMAL:-VERS-ALL:+VERS-TLS{version}'
    said = b''
    with peers.gnutls_serv(str(tmp_path), cert, '--echo') as server, Capture(tmp_path / 'c.pcap', f'tcp port {server.port}'), \
            Speaker(['gnutls-cli', '--insecure', '--inline-commands', '-p', str(server.port), '127.0.0.1', '--priority', priority], tmp_path / 'cli.log',
                    env=clean_environment(SSLKEYLOGFILE=str(keylog))) as client:
        client.expect('Simple Client Mode')
        for n in range(4):
            line = f'{n} said with key {n}\n'.encode() * 3
            said += line
            client.tell(line)
            client.expect(line.decode())
            client.tell(command.encode() + b'\n')
            client.expect('Rekey was completed' if version == '1.3' else 'Handshake was completed')
        client.popen.stdin.close()
        client.popen.wait(PATIENCE)
    for side in ('client', 'server'):
        assert reading.said(tmp_path / 'c.pcap', side, keylog=keylog) == said
    assert messages(tmp_path / 'c.pcap', 1, keylog=keylog).count(shown) >= 4
    read(tmp_path / 'c.pcap', keylog=keylog).ok()


# ---- authentication after the handshake, renegotiation


def test_authentication_after_the_handshake(certs, tmp_path):
    """The client is asked for its certificate in the midst of the conversation."""
    who = certs.good('rsa2048')
    with Scene(tmp_path) as scene, OpensslServer(scene, certs.good(), '-verify', '3', '-CAfile', certs.root.cert) as server:
        with Dialogue(scene, server, 'later', '-enable_pha', '-cert', who.cert, '-key', who.key, '-cert_chain', who.chain) as d:
            d.both_say()
            for _ in range(2):
                d.server.tell(b'c\n')
                d.server.expect('SSL_do_handshake -> 1')
                d.both_say(300)
                d.client_does('k', 'KEYUPDATE').both_say()
    scene.check('later')
    shown = messages(scene.capture, 1, keylog=scene.keylog)
    # In the handshake itself both show theirs; then twice the client again.
    assert shown.count('{CertificateRequest}') == 3 and shown.count('{CertificateVerify}') == 4
    assert sum('{Certificate}' in line and '▶' in line for line in shown.splitlines()) == 3
    assert shown.count('{KeyUpdate}') == 2


RENEGOTIATED = ['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-SHA384', 'ECDHE-ECDSA-CHACHA20-POLY1305']


@pytest.fixture(scope='module')
def renegotiated(certs, tmp_path_factory):
    with Scene(tmp_path_factory.mktemp('renegotiated')) as scene, \
            OpensslServer(scene, certs.good(), '-tls1_2', '-client_renegotiation', '-legacy_renegotiation') as server:
        for cipher in RENEGOTIATED:
            with Dialogue(scene, server, cipher, '-tls1_2', '-cipher', cipher, '-legacy_renegotiation') as d:
                d.both_say(300)
                for _ in range(2):
                    d.client_does('R', 'RENEGOTIATING').both_say(300)
                d.server.tell(b'r\n')
                d.server.expect('SSL_do_handshake -> 1')
                d.both_say(300)
    return scene


@pytest.mark.parametrize('cipher', RENEGOTIATED)
def test_renegotiation(renegotiated, cipher):
    renegotiated.check(cipher)
    shown = messages(renegotiated.capture, renegotiated.talks[cipher].flow, keylog=renegotiated.keylog)
    assert shown.count('{ClientHello}') == 3 and shown.count('{HelloRequest}') == 1, shown


def test_tshark_reads_the_same_of_renegotiation(renegotiated):
    if not shutil.which('tshark'):
        pytest.skip('needs tshark')
    got = tshark_said(renegotiated.capture, renegotiated.keylog, [renegotiated.port], range(len(RENEGOTIATED)))
    for cipher, talk in renegotiated.talks.items():
        assert got[talk.flow - 1] == (talk.client, talk.server), cipher


def test_a_renegotiation_whose_secret_is_missing_is_dark_from_there_on(renegotiated, tmp_path):
    """The conversation up to it is read."""
    cipher = RENEGOTIATED[0]
    keys = write_log(tmp_path / 'keys', renegotiated.log()[:1])
    why = dark(renegotiated.capture, keylog=keys)['1']
    assert 'no secret for client random' in why
    for side in ('client', 'server'):
        whole = getattr(renegotiated.talks[cipher], side)
        assert renegotiated.said(cipher, side, keylog=keys) == whole.splitlines(True)[0]
