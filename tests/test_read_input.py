"""What oriel read takes: formats, packed files, standard input, files that grow; and how it says what is wrong."""
import gzip
import os
import shutil
import signal
import struct
import subprocess
import time

import pytest

from harness import oriel, reading, vary
from harness.process import Process, wait_until
from harness.reading import read, said

pytestmark = pytest.mark.sanitized

STEPS = [('client', b'hello, server\n'), ('server', b'hello, client\n' * 100), ('client', b'bye\n'), ('server', b'bye\n')]


@pytest.fixture(scope='module')
def talk(certs, tmp_path_factory):
    why = reading.possible()
    if why:
        pytest.skip(why)
    return reading.talk(tmp_path_factory.mktemp('talk'), certs, STEPS)


def tool(*argv, **how):
    """A program of Wireshark's or another's; its standard output."""
    if not shutil.which(argv[0]):
        pytest.skip(f'needs {argv[0]}')
    return subprocess.run([str(a) for a in argv], check=True, capture_output=True, timeout=60, **how).stdout


def assert_whole(path, talk, **how):
    assert said(path, 'client', keylog=talk.keylog, **how) == talk.client
    assert said(path, 'server', keylog=talk.keylog, **how) == talk.server
    read(path, keylog=talk.keylog).ok()


@pytest.mark.parametrize('kind', ['pcap', 'nsecpcap', 'modpcap', 'pcapng'])
def test_formats_as_editcap_writes_them(talk, tmp_path, kind):
    path = tmp_path / 'c'
    tool('editcap', '-F', kind, talk.capture, path)
    assert_whole(path, talk)


def test_sections_and_interfaces_of_pcapng(talk, tmp_path):
    """Two captures behind one another are two sections; merged they are one with two interfaces."""
    a, b, one, merged = (tmp_path / n for n in ('a', 'b', 'one', 'merged'))
    packets = vary.load(talk.capture)
    vary.save(tmp_path / 'up', [p for p in packets if p.ports[1] == talk.port])
    vary.save(tmp_path / 'down', [p for p in packets if p.ports[0] == talk.port])
    for name, path in (('up', a), ('down', b)):
        tool('editcap', '-F', 'pcapng', tmp_path / name, path)
    tool('mergecap', '-I', 'none', '-w', merged, a, b)
    assert_whole(merged, talk)
    cut = packets[len(packets) // 2].at
    tool('editcap', '-F', 'pcapng', '-B', f'{cut:.9f}', talk.capture, a)
    tool('editcap', '-F', 'pcapng', '-A', f'{cut:.9f}', talk.capture, b)
    one.write_bytes(a.read_bytes() + b.read_bytes())
    assert_whole(one, talk)


def test_big_endian_pcapng_with_every_kind_of_block(talk, tmp_path):
    """Simple, obsolete and enhanced packet blocks, names, statistics, unknown and custom blocks, time stamps in
    powers of two: written here as the format's draft says, since no program writes all of them."""
    def block(kind, body):
        body += b'\0' * (-len(body) % 4)
        return struct.pack('>II', kind, len(body) + 12) + body + struct.pack('>I', len(body) + 12)

    def packet(n, p):
        ticks = int(p.at * (1 << 20))
        if n % 3 == 0:
            return block(6, struct.pack('>IIIII', 0, ticks >> 32, ticks & 0xffffffff, len(p.frame), p.wire) + p.frame)
        if n % 3 == 1:
            return block(2, struct.pack('>HHIIII', 0, 0, ticks >> 32, ticks & 0xffffffff, len(p.frame), p.wire) + p.frame)
        return block(3, struct.pack('>I', p.wire) + p.frame)
    out = block(0x0a0d0d0a, struct.pack('>IHHq', 0x1a2b3c4d, 1, 0, -1))
    out += block(1, struct.pack('>HHI', 1, 0, 0) + struct.pack('>HHBxxxHH', 9, 1, 0x80 | 20, 0, 0))
    out += block(4, struct.pack('>HH', 0, 0)) + block(0x0bad0bad, b'whatever')
    out += block(0x0bad, struct.pack('>I', 99999) + b'of another maker')
    for n, p in enumerate(vary.load(talk.capture)):
        out += packet(n, p)
    out += block(5, struct.pack('>III', 0, 0, 0) + struct.pack('>HHQ', 5, 8, 0))
    path = tmp_path / 'c.pcapng'
    path.write_bytes(out)
    assert_whole(path, talk)


@pytest.mark.parametrize('kind', ['gzip', 'two gzip members', 'zstd'])
def test_packed(talk, tmp_path, kind):
    path = tmp_path / 'c.packed'
    with open(talk.capture, 'rb') as f:
        plain = f.read()
    if kind == 'zstd':
        path.write_bytes(tool('zstd', '-c', talk.capture))
    else:
        cut = len(plain) // 2 if kind.startswith('two') else len(plain)
        path.write_bytes(gzip.compress(plain[:cut]) + (gzip.compress(plain[cut:]) if cut < len(plain) else b''))
    assert_whole(path, talk)


def test_packed_and_damaged_is_read_so_far(talk, tmp_path):
    path = tmp_path / 'c.gz'
    with open(talk.capture, 'rb') as f:
        packed = gzip.compress(f.read())
    path.write_bytes(packed[:-len(packed) // 4])
    got = read(path, keylog=talk.keylog)
    assert got.status == 1 and got.err.count('\n') == 1 and str(path) in got.err


def test_standard_input_and_r(talk):
    with open(talk.capture, 'rb') as f:
        piped = read('-', keylog=talk.keylog, stdin=f).ok()
    assert piped.out == read(talk.capture, keylog=talk.keylog).ok().out
    assert read(None, '-r', talk.capture, keylog=talk.keylog).ok().out == piped.out


def test_secrets_in_the_capture(talk, tmp_path):
    path = tmp_path / 'c.pcapng'
    tool('editcap', '--inject-secrets', f'tls,{talk.keylog}', talk.capture, path)
    assert said(path, 'server') == talk.server


def test_secrets_at_the_end_of_the_capture(talk, tmp_path):
    """Also when it comes through a pipe: what waits for them is kept."""
    first, last = tmp_path / 'first', tmp_path / 'last'
    tool('editcap', '-F', 'pcapng', talk.capture, first)
    with open(talk.keylog, 'rb') as f:
        keys = f.read()
    body = struct.pack('<II', 0x544c534b, len(keys)) + keys + b'\0' * (-len(keys) % 4)
    block = struct.pack('<II', 10, len(body) + 12) + body + struct.pack('<I', len(body) + 12)
    last.write_bytes(first.read_bytes() + block)
    assert said(last, 'server') == talk.server
    with open(last, 'rb') as f:
        assert read('-', '--follow=1', '--raw', '--server', stdin=f).ok().out == talk.server


def test_a_growing_file(talk, tmp_path):
    """--tail shows what was appended, reads the key log on, and ends with Ctrl-C."""
    path, keys = tmp_path / 'c.pcap', tmp_path / 'keys'
    with open(talk.capture, 'rb') as f:
        whole = f.read()
    cut = len(whole) // 2
    path.write_bytes(whole[:cut])
    keys.write_bytes(b'')
    with Process([oriel.BINARY, 'read', '--tail', '--json', '-k', keys, path], tmp_path / 'out') as p:
        time.sleep(0.3)  # it may read what is there, or not yet: both must do
        with open(path, 'ab') as f:
            f.write(whole[cut:])
        with open(talk.keylog, 'rb') as f, open(keys, 'ab') as out:
            out.write(f.read())
        wait_until(lambda: '"type":"connection"' in p.output(), 'the connection is shown')
        assert '"decrypted":true' in p.output()
        assert p.stop(signal.SIGINT) == 0


@pytest.mark.release
def test_what_reads_a_capture_is_confined(talk, tmp_path):
    """No network, no program, no other process: whatever a capture makes it do."""
    with Process([oriel.BINARY, 'read', '--tail', talk.capture], tmp_path / 'out') as p:
        def confined():
            with open(f'/proc/{p.pid}/status', encoding='ascii') as f:
                return 'Seccomp:\t2' in f.read()
        wait_until(confined, 'the filter is there')
        assert p.stop(signal.SIGINT) in (0, 3)


def test_reading_stops_when_nobody_reads_the_output(talk):
    argv = f'"{oriel.BINARY}" read --json -v -k "{talk.keylog}" "{talk.capture}" | head -c 1; echo "${{PIPESTATUS[0]}}"'
    got = tool('bash', '-c', argv)
    assert got.splitlines()[-1].endswith(b'0')


@pytest.mark.parametrize('args, words', [
    ([], 'which capture'),
    (['a', '--follow=x'], '--follow'),
    (['a', '--hex'], '--follow'),
    (['a', '--why', '--group'], 'either'),
    (['a', '--psk=xyz'], '--psk'),
    (['a', '--flow=0'], '--flow'),
    (['a', '--filter=tls.sn == "x"'], 'tls.sni'),
    (['a', '--filter=http.status >='], 'column'),
])
def test_a_wrong_command_line(args, words):
    got = read(None, *args)
    assert got.status == 2 and words in got.err and got.out == b''


def test_a_file_that_is_not_there(tmp_path):
    got = read(tmp_path / 'none.pcap')
    assert got.status == 1 and 'none.pcap' in got.err and got.err.count('\n') == 1
    got = read(tmp_path / 'none.pcap', keylog=tmp_path / 'no.keys')
    assert got.status == 1 and 'no.keys' in got.err


def test_the_error_of_a_filter_points_at_its_column(tmp_path):
    got = read('x', '--filter=tls.sni == "a" and http.stats > 3')
    lines = got.err.splitlines()
    assert got.status == 2 and lines[1].strip() == 'tls.sni == "a" and http.stats > 3'
    assert lines[2].index('^') == lines[1].index('http.stats')
