"""Where oriel read goes on when others give up: records behind a gap, captures that begin in the middle, secrets of the
application alone; for each cipher and either direction, from conversations of real programs."""
import os
import ssl

import pytest

from harness import reading, vary
from harness.peers import pattern
from harness.reading import read
from harness.scene import NO_ETM, Dialogue, Listener, OpensslServer, Scene, contexts, dark, messages, write_log

V = ssl.TLSVersion
PIECE = 3000  # of a record
SUITES_13 = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256', 'TLS_AES_128_CCM_SHA256', 'TLS_AES_128_CCM_8_SHA256']
OLDER = {
    'TLS 1.0 CBC': (V.TLSv1, 'ECDHE-RSA-AES128-SHA', 0),
    'TLS 1.1 CBC, MAC inside': (V.TLSv1_1, 'ECDHE-RSA-AES256-SHA', NO_ETM),
    'TLS 1.2 CBC': (V.TLSv1_2, 'ECDHE-RSA-AES256-SHA384', 0),
    'TLS 1.2 CBC, MAC inside': (V.TLSv1_2, 'ECDHE-RSA-AES128-SHA256', NO_ETM),
    'TLS 1.2 GCM': (V.TLSv1_2, 'ECDHE-RSA-AES128-GCM-SHA256', 0),
    'TLS 1.2 CCM-8': (V.TLSv1_2, 'ECDHE-ECDSA-AES256-CCM8', 0),
    'TLS 1.2 ChaCha20': (V.TLSv1_2, 'ECDHE-ECDSA-CHACHA20-POLY1305', 0),
}
BOTH = ['client', 'server']


def steps():
    out = [('client', b'first')]
    for i in range(25):
        out += [('server', pattern(PIECE, PIECE * i)), ('client', pattern(PIECE, 7 + PIECE * i))]
    return out + [('server', b'last')]


@pytest.fixture(scope='module', autouse=True)
def can_capture():
    if why := reading.possible():
        pytest.skip(why)


@pytest.fixture(scope='module')
def python(certs, tmp_path_factory):
    with Scene(tmp_path_factory.mktemp('python')) as scene, Listener(scene) as listener:
        for name, (version, cipher, options) in {**OLDER, 'TLS 1.3': (V.TLSv1_3, None, 0)}.items():
            listener.talk(name, *contexts(certs, version, cipher, options), steps())
    return scene


@pytest.fixture(scope='module')
def openssl(certs, tmp_path_factory):
    """All ciphers of TLS 1.3, a HelloRetryRequest, padding."""
    scene = Scene(tmp_path_factory.mktemp('openssl'))
    with scene:
        with OpensslServer(scene, certs.good('rsa2048'), '-ciphersuites', ':'.join(SUITES_13)) as server:
            for suite in SUITES_13:
                with Dialogue(scene, server, suite, '-ciphersuites', suite) as d:
                    for _ in range(12):
                        d.both_say(700)
        with OpensslServer(scene, certs.good(), '-groups', 'P-384', '-record_padding', '600', name='retries') as server:
            with Dialogue(scene, server, 'retry', '-groups', 'X25519:P-384') as d:
                for _ in range(6):
                    d.both_say(700)
    return scene


ALL_13 = [*SUITES_13, 'retry']


def packets_of(scene, name, segment=1400):
    return vary.segmented(vary.load(scene.cut_out(name)), segment)


def lines_of(scene, name):
    """Those of the key log."""
    randoms = list(dict.fromkeys(line[1] for line in scene.log()))
    return [line for line in scene.log() if line[1] == randoms[scene.talks[name].flow - 1]]


def lost(whole, got, piece):
    """How many pieces of the whole got lacks."""
    pieces, at, n = [whole[i:i + piece] for i in range(0, len(whole), piece)], 0, 0
    for p in pieces:
        if got[at:at + len(p)] == p:
            at += len(p)
        else:
            n += 1
    assert at == len(got), 'something that was not said'
    return n


# ---- gaps


@pytest.mark.parametrize('side', BOTH)
@pytest.mark.parametrize('name', [*OLDER, 'TLS 1.3'])
def test_a_lost_segment_costs_the_records_that_touch_it(python, tmp_path, name, side):
    """In CBC with a chained vector (TLS 1.0) the same: it is the last block of the record before."""
    talk = python.talks[name]
    whole, other = (talk.server, 'client') if side == 'server' else (talk.client, 'server')
    begin = 0 if side == 'server' else len(b'first')
    packets = packets_of(python, name)
    data = [i for i in vary.of(packets, python.port, side == 'server') if len(packets[i].payload) == 1400]
    for i in data[4::9]:
        path = vary.save(tmp_path / 'c.pcap', vary.without(packets, i))
        got = reading.said(path, side, keylog=python.keylog)
        # TLS 1.0 of openssl sends one byte of each piece in a record of its own.
        n = lost(whole[begin:], got[begin:], PIECE) if name != 'TLS 1.0 CBC' else (len(whole) - len(got) + PIECE - 1) // PIECE
        assert 1 <= n <= 2, (i, n, dark(path, keylog=python.keylog))
        assert reading.said(path, other, keylog=python.keylog) == getattr(talk, other)
        assert read(path, keylog=python.keylog).status == 3


@pytest.mark.sanitized
@pytest.mark.parametrize('name', [*OLDER, 'TLS 1.3'])
def test_many_gaps(python, tmp_path, name):
    """Every tenth segment is missing, in both directions: about as many records are lost, and no more than touch them."""
    talk = python.talks[name]
    packets = packets_of(python, name)
    data = [i for i, p in enumerate(packets) if len(p.payload) == 1400][8::10]
    path = vary.save(tmp_path / 'c.pcap', vary.without(packets, *data))
    for side in BOTH:
        whole, got = getattr(talk, side), reading.said(path, side, keylog=python.keylog)
        missing = sum((packets[i].ports[0] == python.port) == (side == 'server') for i in data)
        assert missing and len(whole) - len(got) <= missing * 2 * PIECE, (side, missing, len(whole) - len(got))


@pytest.mark.parametrize('name', OLDER)
def test_change_cipher_spec_is_missing(python, tmp_path, name):
    """With the rest of a side's handshake. Where keys count on from the first record, they are found all the same."""
    packets = packets_of(python, name)
    for side in BOTH:
        change = bytes([20, 3, {V.TLSv1: 1, V.TLSv1_1: 2, V.TLSv1_2: 3}[OLDER[name][0]], 0, 1, 1])
        [gone] = [i for i in vary.of(packets, python.port, side == 'server') if change in packets[i].payload]
        path = vary.save(tmp_path / 'c.pcap', vary.without(packets, gone))
        for each in BOTH:
            assert reading.said(path, each, keylog=python.keylog) == getattr(python.talks[name], each), (side, each, dark(path, keylog=python.keylog))


def test_a_gap_in_the_certificate(openssl, tmp_path):
    """Of the server's handshake some is missing: its data is read all the same."""
    for suite in SUITES_13:
        packets = packets_of(openssl, suite, 300)
        server = [i for i in vary.of(packets, openssl.port) if len(packets[i].payload) == 300]
        path = vary.save(tmp_path / 'c.pcap', vary.without(packets, server[2], server[3]))
        for side in BOTH:
            assert reading.said(path, side, keylog=openssl.keylog) == getattr(openssl.talks[suite], side), (suite, side)


@pytest.mark.sanitized
def test_the_hellos_are_missing(openssl, tmp_path):
    """TLS 1.3, ClientHello or ServerHello or both lost for good: all that was said is read."""
    for suite in ALL_13:
        packets = packets_of(openssl, suite)
        hello, answer = vary.of(packets, openssl.port, from_server=False)[0], vary.of(packets, openssl.port)[0]
        assert packets[hello].payload[5] == 1 and packets[answer].payload[5] == 2
        for gone in ([hello], [answer], [hello, answer]):
            path = vary.save(tmp_path / 'c.pcap', vary.without(packets, *gone))
            for side in BOTH:
                got = reading.said(path, side, keylog=openssl.keylog)
                assert got == getattr(openssl.talks[suite], side), (suite, gone, side, dark(path, keylog=openssl.keylog))


# ---- a capture that begins in the middle


@pytest.mark.sanitized
@pytest.mark.parametrize('name', ALL_13)
def test_from_the_middle_with_each_cipher(openssl, tmp_path, name):
    """All secrets of the key log may be it: those of six conversations."""
    packets = packets_of(openssl, name)
    data = [i for i, p in enumerate(packets) if len(p.payload) > 700 and p.payload[0] == 23]
    begin = data[len(data) // 2]
    path = vary.save(tmp_path / 'c.pcap', packets[begin:])
    for side in BOTH:
        lines = getattr(openssl.talks[name], side).splitlines(True)
        count = sum((packets[i].ports[0] == openssl.port) == (side == 'server') for i in data if i >= begin)
        got = reading.said(path, side, keylog=openssl.keylog)
        assert count > 2 and got == b''.join(lines[-count:]), (name, side, dark(path, keylog=openssl.keylog))


@pytest.mark.parametrize('side', BOTH)
def test_from_the_middle_with_the_secret_of_one_side(openssl, tmp_path, side):
    for name in SUITES_13:
        keys = write_log(tmp_path / 'keys', [line for line in lines_of(openssl, name) if line[0] == f'{side.upper()}_TRAFFIC_SECRET_0'])
        packets = packets_of(openssl, name)
        path = vary.save(tmp_path / 'c.pcap', packets[len(packets) // 2:])
        got, whole = reading.said(path, side, keylog=keys), getattr(openssl.talks[name], side)
        assert len(got) > 1500 and whole.endswith(got), (name, dark(path, keylog=keys))
        other = BOTH[side == 'client']
        assert reading.said(path, other, keylog=keys) == b'' and read(path, keylog=keys).status == 3


@pytest.mark.parametrize('side', BOTH)
def test_one_direction_alone_from_the_middle(openssl, tmp_path, side):
    """As a tap on one fibre has it."""
    packets = packets_of(openssl, SUITES_13[1])
    own = [p for p in packets if (p.ports[0] == openssl.port) == (side == 'server')]
    path = vary.save(tmp_path / 'c.pcap', own[len(own) // 2:])
    got, whole = reading.said(path, side, keylog=openssl.keylog), getattr(openssl.talks[SUITES_13[1]], side)
    assert len(got) > 1500 and whole.endswith(got), dark(path, keylog=openssl.keylog)


def test_from_the_middle_of_a_record(openssl, tmp_path):
    """The first segment begins anywhere."""
    name = SUITES_13[0]
    packets = packets_of(openssl, name, 250)
    data = [i for i, p in enumerate(packets) if len(p.payload) == 250]
    for begin in data[20:40:3]:
        path = vary.save(tmp_path / 'c.pcap', packets[begin + 1:])
        for side in BOTH:
            got, whole = reading.said(path, side, keylog=openssl.keylog), getattr(openssl.talks[name], side)
            assert got and whole.endswith(got), (begin, side, dark(path, keylog=openssl.keylog))


@pytest.mark.parametrize('ports', [(50_000, 40_000), (40_000, 50_000), (50_001, 40_000), (40_001, 50_000)])
def test_from_the_middle_whatever_the_ports_look_like(openssl, tmp_path, ports):
    """Where nothing but the ports says who the client is, the secret that fits does."""
    client, server = ports
    name = SUITES_13[1]
    packets = packets_of(openssl, name)
    turned = [p.patched(p.tcp, '>HH', *((server, client) if p.ports[0] == openssl.port else (client, server))) for p in packets]
    path = vary.save(tmp_path / 'c.pcap', turned[len(turned) // 2:])
    both = [reading.said(path, side, keylog=openssl.keylog) for side in BOTH]
    for side in BOTH:
        whole = getattr(openssl.talks[name], side)
        assert any(len(got) > 1500 and whole.endswith(got) for got in both), (side, dark(path, keylog=openssl.keylog))
    [c] = read(path, '--json', keylog=openssl.keylog).connections()
    # The addresses are told before anything is decrypted; that they are the wrong way round is said.
    guessed = c['client']['addr'] == f'127.0.0.1:{client}'
    assert ('as its secret says' in c.get('note', '')) != guessed, c


def test_from_the_middle_among_many_secrets(openssl, tmp_path):
    """Two hundred connections more in the key log, before and after."""
    name = SUITES_13[2]
    keys = tmp_path / 'many'
    with open(keys, 'w', encoding='ascii') as f:
        for n in range(200):
            if n == 100:
                with open(openssl.keylog, encoding='ascii') as own:
                    f.write(own.read())
            for label in ('CLIENT_TRAFFIC_SECRET_0', 'SERVER_TRAFFIC_SECRET_0'):
                f.write(f'{label} {n:064x} {os.urandom(32 + n % 2 * 16).hex()}\n')
    packets = packets_of(openssl, name)
    path = vary.save(tmp_path / 'c.pcap', packets[len(packets) // 2:])
    for side in BOTH:
        got, whole = reading.said(path, side, keylog=keys), getattr(openssl.talks[name], side)
        assert len(got) > 1500 and whole.endswith(got), dark(path, keylog=keys)


# ---- the secrets of the application alone


@pytest.mark.parametrize('name', ALL_13)
def test_the_secrets_of_the_application_alone(openssl, tmp_path, name):
    keys = write_log(tmp_path / 'keys', [line for line in openssl.log() if line[0] in ('CLIENT_TRAFFIC_SECRET_0', 'SERVER_TRAFFIC_SECRET_0')])
    openssl.check(name, keylog=keys)
    shown = messages(openssl.capture, openssl.talks[name].flow, keylog=keys)
    assert ('HelloRetryRequest' in shown) == (name == 'retry') and '{Certificate}' not in shown and '{NewSessionTicket}' in shown


@pytest.mark.threads
@pytest.mark.parametrize('threads', [1, 2])
def test_threads_find_the_same(python, openssl, tmp_path, threads):
    """Searches of several flows at once, each with its part of the budget."""
    for scene in (python, openssl):
        packets = vary.load(scene.capture)
        long = [i for i, p in enumerate(packets) if len(p.payload) > 600]
        path = vary.save(tmp_path / 'c.pcap', vary.without(packets, *long[5::17]))
        got = read(path, '--json', '-v', '--body', f'--threads={threads}', keylog=scene.keylog)
        assert got.status == 3 and got.out == read(path, '--json', '-v', '--body', '--threads=1', keylog=scene.keylog).out
