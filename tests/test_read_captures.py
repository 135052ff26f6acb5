"""oriel read on captures that others made, where the folder with them is there, against what their makers say of
them and against tshark."""
import os
import re
import shutil
import subprocess

import pytest

from harness.reading import read, said
from harness.scene import dark, messages, tshark_said

IDEA = 'TLS_RSA_WITH_IDEA_CBC_SHA'


@pytest.fixture(scope='module')
def captures(shared):
    path = os.path.join(shared, 'captures')
    if not os.path.isdir(path):
        pytest.skip('needs the folder ../shared/captures')
    return path


def has_idea():
    """Whether the libcrypto here was built with it; the ciphers that a default build has are taken for granted."""
    done = subprocess.run(['openssl', 'list', '-disabled'], capture_output=True, text=True, check=True, timeout=20)
    return 'IDEA' not in done.stdout.split()


def followed_by_tshark(path, keylog, client, server):
    """What the ends of the first connection, given by their ports, said."""
    done = subprocess.run(['tshark', '-r', path, '-o', f'tls.keylog_file:{keylog}', '-q', '-z', 'follow,tls,raw,0'],
                          capture_output=True, text=True, check=True, timeout=60)
    # It gives one of them port 0.
    ports = [int(port) for port in re.findall(r'^Node [01]: .*:(\d+)$', done.stdout, re.M)]
    texts = [b'', b'']
    for tab, text in re.findall(r'^(\t?)((?:[0-9a-f]{2})+)$', done.stdout, re.M):
        texts[bool(tab)] += bytes.fromhex(text)
    first = 1 - ports.index(client) if client in ports else ports.index(server)
    return texts[1 - first], texts[first]


def test_73_suites(captures):
    """One connection each; three begin with a hello in SSLv2's format, five have keys for export."""
    path, keys = (os.path.join(captures, 'tls12-suites', n) for n in ('dump.pcapng', 'premaster.txt'))
    done = read(path, '--json', keylog=keys)
    assert done.status == (0 if has_idea() else 3)
    connections = done.connections()
    assert len({c['tls']['client']['cipher'] for c in connections}) == len(connections) == 73
    for c in connections:
        if c['tls']['client']['cipher'] == IDEA and not has_idea():
            assert c['decrypted'] is not True
            continue
        assert c['decrypted'] is True
        assert said(path, 'client', flow=c['flow'], keylog=keys) == b'GET / HTTP/1.0\r\n\r\n'
        page = said(path, 'server', flow=c['flow'], keylog=keys)
        assert page.startswith(b'HTTP/1.0 200 ok\r\n') and page.rstrip().endswith(b'</HTML>')


def test_a_cipher_that_libcrypto_lacks_is_named(captures):
    if has_idea():
        pytest.skip('this libcrypto has IDEA')
    path, keys = (os.path.join(captures, 'tls12-suites', n) for n in ('dump.pcapng', 'premaster.txt'))
    why = read(path, '--why', keylog=keys).text.splitlines()
    assert len(why) == 1
    assert f'{IDEA} is not supported: this libcrypto was built without IDEA-CBC' in why[0]


def test_70_keys_within_the_capture(captures):
    done = read(os.path.join(captures, 'tls12-suites', 'dsb-dump.pcapng'), '--json')
    assert done.status == 3
    assert sum(c['decrypted'] is True for c in done.connections()) == 69 + has_idea()
    why = [w for w in dark(os.path.join(captures, 'tls12-suites', 'dsb-dump.pcapng')).values() if IDEA not in w]
    assert len(why) == 3 and all(w.startswith('no secret for client random ') for w in why)


def test_tshark_reads_the_same_of_the_73_suites(captures):
    """Where both read them; every sixth, since each takes a run."""
    if not shutil.which('tshark'):
        pytest.skip('tshark is not installed')
    path, keys = (os.path.join(captures, 'tls12-suites', n) for n in ('dump.pcapng', 'premaster.txt'))
    connections = read(path, '--json', keylog=keys).connections()
    theirs = tshark_said(path, keys, {int(c['server']['addr'].rsplit(':', 1)[1]) for c in connections}, range(73))
    both = [c['flow'] for c in connections if c['decrypted'] is True and any(theirs[c['flow'] - 1])]
    assert len(both) > 60
    for flow in both[::6]:
        assert tuple(said(path, side, flow=flow, keylog=keys) for side in ('client', 'server')) == theirs[flow - 1], flow


def test_threads_and_pipes_say_the_same(captures):
    path, keys = (os.path.join(captures, 'tls12-suites', n) for n in ('dump.pcapng', 'premaster.txt'))
    one = read(path, '--threads=1', keylog=keys)
    assert one.out == read(path, '--threads=2', keylog=keys).out
    with open(path, 'rb') as f:
        assert read('-', keylog=keys, stdin=f).out == one.out


@pytest.mark.parametrize('name', ['tls1.2_aes256', 'tls1.3_aes128', 'tls1.3_aes256gcm', 'tls1.3_ccm', 'tls1.3_ccm8',
                                  'tls1.3_chacha', 'tls1.3_curl_google', 'tls1.3_keyupdates_aes256',
                                  'tls1.3_session_resumption'])
def test_samples_of_ssldump(captures, name):
    path, keys = os.path.join(captures, 'ssldump', name + '.pcap'), os.path.join(captures, 'ssldump', 'log.txt')
    as_tshark(path, keys)
    assert dark(path, keylog=keys) == {}
    [c] = [c for c in read(path, '--json', keylog=keys).connections() if c['flow'] == 1]
    assert c['tls']['client']['resumed'] is ('resumption' in name)
    if 'keyupdates' in name:
        assert messages(path, 1, keylog=keys).count('{KeyUpdate}') == 2


@pytest.mark.parametrize('name', ['tls12', 'tls13'])
def test_illustrated_connections(captures, name):
    folder = os.path.join(captures, 'illustrated', name)
    path, keys = os.path.join(folder, 'capture.pcap'), os.path.join(folder, 'keylog.txt')
    assert said(path, 'client', keylog=keys) == b'ping'
    assert said(path, 'server', keylog=keys) == b'pong'
    as_tshark(path, keys)


@pytest.mark.parametrize('name, why', [('dtls', 'DTLS is not decrypted yet'), ('quic', 'QUIC is not decrypted yet')])
def test_what_comes_next_stays_dark(captures, name, why):
    folder = os.path.join(captures, 'illustrated', name)
    done = read(os.path.join(folder, 'capture.pcap'), '--why', keylog=os.path.join(folder, 'keylog.txt'))
    assert done.status == 3
    assert why in done.text


def as_tshark(path, keys):
    if not shutil.which('tshark'):
        pytest.skip('tshark is not installed')
    done = read(path, '--json', '--filter', 'flow == 1', keylog=keys).ok()
    ports = [int(done.connections()[0][end]['addr'].rsplit(':', 1)[1]) for end in ('client', 'server')]
    client, server = followed_by_tshark(path, keys, *ports)
    assert client and server
    assert said(path, 'client', keylog=keys) == client
    assert said(path, 'server', keylog=keys) == server
