"""oriel read on captures of others, with what those who made them say of each. They lie beside the checkout where there
are any."""
import os
import shutil

import pytest

from harness import reading
from harness.reading import read
from harness.scene import dark, messages, tshark_said

SUITES = {
    'tls1.2_aes256.pcap': ('TLS 1.2', 'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384'),
    'tls1.3_aes128.pcap': ('TLS 1.3', 'TLS_AES_128_GCM_SHA256'),
    'tls1.3_aes256gcm.pcap': ('TLS 1.3', 'TLS_AES_256_GCM_SHA384'),
    'tls1.3_ccm.pcap': ('TLS 1.3', 'TLS_AES_128_CCM_SHA256'),
    'tls1.3_ccm8.pcap': ('TLS 1.3', 'TLS_AES_128_CCM_8_SHA256'),
    'tls1.3_chacha.pcap': ('TLS 1.3', 'TLS_CHACHA20_POLY1305_SHA256'),
    'tls1.3_curl_google.pcap': ('TLS 1.3', 'TLS_AES_256_GCM_SHA384'),
    'tls1.3_keyupdates_aes256.pcap': ('TLS 1.3', 'TLS_AES_256_GCM_SHA384'),
    'tls1.3_session_resumption.pcap': ('TLS 1.3', 'TLS_AES_256_GCM_SHA384'),
}


@pytest.fixture
def captures(shared):
    """captures(name): the path of one of them."""
    def find(*name):
        path = os.path.join(shared, 'captures', *name)
        if not os.path.exists(path):
            pytest.skip(f'needs ../shared/captures/{"/".join(name)}')
        return path
    return find


def both(path, keylog, flow=1):
    return tuple(reading.said(path, side, flow=flow, keylog=keylog) for side in ('client', 'server'))


def of_tshark(path, keylog, port):
    if not shutil.which('tshark'):
        pytest.skip('needs tshark')
    return tshark_said(path, keylog, [port], [0])[0]


@pytest.mark.parametrize('name', SUITES)
def test_samples_of_ssldump(captures, name):
    path, keys = captures('ssldump', name), captures('ssldump', 'log.txt')
    [c] = [c for c in read(path, '--json', keylog=keys).ok().connections() if c['flow'] == 1]
    assert (c['tls']['client']['version'], c['tls']['client']['cipher']) == SUITES[name] and c['decrypted'] is True
    assert c['tls']['client']['resumed'] is ('resumption' in name)
    said = both(path, keys)
    assert said[0] and said[1] and said == of_tshark(path, keys, int(c['server']['addr'].rsplit(':')[-1]))
    assert dark(path, keylog=keys) == {}
    if 'keyupdates' in name:
        assert messages(path, 1, keylog=keys).count('{KeyUpdate}') >= 2
    if 'curl' in name:
        [x] = read(path, '--json', keylog=keys).exchanges()
        assert x['http']['status'] == 200


@pytest.mark.parametrize('name, cipher', [('tls12', 'TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA'), ('tls13', 'TLS_AES_256_GCM_SHA384')])
def test_the_illustrated_connections(captures, name, cipher):
    path, keys = captures('illustrated', name, 'capture.pcap'), captures('illustrated', name, 'keylog.txt')
    [c] = read(path, '--json', keylog=keys).ok().connections()
    assert c['tls']['client']['cipher'] == cipher and c['tls']['sni'] == 'example.ulfheim.net'
    assert both(path, keys) == (b'ping', b'pong')


@pytest.mark.parametrize('name', ['quic', 'dtls'])
def test_the_illustrated_datagrams_stay_dark(captures, name):
    path, keys = captures('illustrated', name, 'capture.pcap'), captures('illustrated', name, 'keylog.txt')
    assert read(path, keylog=keys).status == 3
    assert dark(path, keylog=keys) == {'u1': f'{name.upper()} is not decrypted yet'}


def lit(path, *args, keylog=()):
    got = read(path, '--json', *args, keylog=keylog)
    assert got.status == 3
    return {c['flow']: c for c in got.connections() if c['decrypted'] is True}


IDEA = 'the cipher suite TLS_RSA_WITH_IDEA_CBC_SHA is not supported: this libcrypto was built without IDEA-CBC'


def test_seventy_three_suites_with_a_key_log(captures):
    path, keys = captures('tls12-suites', 'dump.pcapng'), captures('tls12-suites', 'premaster.txt')
    seen = lit(path, keylog=keys)
    assert len(seen) == 72 and dark(path, keylog=keys) == {'59': IDEA}
    ciphers = {c['tls']['client']['cipher'] for c in seen.values()}
    assert len(ciphers) == 72
    assert {c.split('_WITH_')[1].split('_')[0] for c in ciphers} >= {'AES', 'RC4', '3DES', 'DES', 'SEED', 'CAMELLIA', 'RC2', 'DES40'}


def test_every_suite_says_the_same_request(captures):
    """Each client asked for the same page; the answers name their suite."""
    path, keys = captures('tls12-suites', 'dump.pcapng'), captures('tls12-suites', 'premaster.txt')
    for flow in lit(path, keylog=keys):
        client, server = both(path, keys, flow)
        assert client.startswith(b'GET / HTTP/1.0') and b'200 ok' in server, (flow, client, server[:200])


def test_the_same_with_the_secrets_inside(captures):
    path = captures('tls12-suites', 'dsb-dump.pcapng')
    assert len(lit(path)) == 69
    why = dark(path)
    assert why.pop('59') == IDEA
    assert len(why) == 3 and all(w.startswith('no secret for client random ') for w in why.values())


def test_tshark_reads_the_same_of_the_suites(captures):
    """Where both read them: tshark has IDEA, and not some others."""
    path, keys = captures('tls12-suites', 'dump.pcapng'), captures('tls12-suites', 'premaster.txt')
    if not shutil.which('tshark'):
        pytest.skip('needs tshark')
    connections = read(path, '--json', keylog=keys).connections()
    ports = {int(c['server']['addr'].rsplit(':')[-1]) for c in connections}
    got, same = tshark_said(path, keys, ports, range(len(connections))), 0
    for c in connections:
        if any(got[c['flow'] - 1]) and c['decrypted'] is True:
            assert both(path, keys, c['flow']) == got[c['flow'] - 1], c
            same += 1
    assert same > 60


def test_threads_and_pipes_say_the_same(captures):
    path, keys = captures('tls12-suites', 'dump.pcapng'), captures('tls12-suites', 'premaster.txt')
    one = read(path, '--threads=1', keylog=keys)
    assert one.out == read(path, '--threads=2', keylog=keys).out
    with open(path, 'rb') as f:
        assert read('-', keylog=keys, stdin=f).out == one.out
