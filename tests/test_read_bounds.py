"""oriel read on captures made to exhaust it: what it keeps is bounded by what is open, however much a capture begins and
never ends, and time grows with the size of the file and no faster. And outputs that take nothing more."""
import dataclasses
import os
import signal
import struct
import subprocess

import pytest

from harness import oriel, raw
from harness.vary import ACK, FIN, PSH, SYN

MIB = 1 << 20
LIMIT = 100  # MiB that `oriel read` may take, but for what many open flows need
FLOWS_MAX = 65536  # that are open at a time
SANITIZED = oriel.BUILD != 'release'  # sanitizers keep what was freed
TCP, UDP = 6, 17
STEP = 20  # µs from a packet to the next


class Writer:
    """A capture of raw IPv4 packets (LINKTYPE_RAW); each packet a little later than the one before."""

    def __init__(self, path):
        self.path, self.ticks = str(path), 10 ** 15
        self.file = open(self.path, 'wb', buffering=1 << 20)
        self.file.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 262144, 101))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def ip(self, source, destination, protocol, body, ident=0, fragment=0):
        self.ticks += STEP
        n = 20 + len(body)
        self.file.write(struct.pack('<IIII', *divmod(self.ticks, 10 ** 6), n, n)
                        + struct.pack('>BBHHHBBHII', 0x45, 0, n, ident, fragment, 64, protocol, 0, source, destination) + body)

    def udp(self, source, destination, ports, body):
        self.ip(source, destination, UDP, struct.pack('>HHHH', *ports, 8 + len(body), 0) + body)


@dataclasses.dataclass
class Flow:
    """A connection in a capture: the sequence numbers go on by themselves."""
    out: Writer
    number: int
    server_port: int = 443

    def __post_init__(self):
        self.client = 0x0a000000 + self.number // 50000
        self.port = 10000 + self.number % 50000
        self.next = [1000, 2000]  # of the client, of the server

    def segment(self, server, flags, payload=b'', ahead=0):
        ports = (self.server_port, self.port) if server else (self.port, self.server_port)
        ends = (0x0b000001, self.client) if server else (self.client, 0x0b000001)
        self.out.ip(*ends, TCP, struct.pack('>HHIIBBHHH', *ports, (self.next[server] + ahead) & 0xffffffff,
                                            self.next[not server] & 0xffffffff, 0x50, flags, 65535, 0, 0) + payload)
        if not ahead:
            self.next[server] = self.next[server] + len(payload) + bool(flags & (SYN | FIN))

    def open(self):
        self.segment(False, SYN)
        self.segment(True, SYN | ACK)
        self.segment(False, ACK)
        return self

    def says(self, server, payload, size=1400):
        for i in range(0, len(payload), size):
            self.segment(server, PSH | ACK, payload[i:i + size])

    def close(self):
        self.segment(False, FIN | ACK)
        self.segment(True, FIN | ACK)
        self.segment(False, ACK)


@dataclasses.dataclass
class Run:
    status: int
    out: str
    err: str
    mib: float  # at most, by the kernel's account
    cpu: float

    def bounded(self, limit=LIMIT, flows=0, each=0):
        """Of so many flows that are open, as far as they are kept, each may take so many KiB."""
        if flows:
            limit = 40 + min(flows, FLOWS_MAX) * each / 1024
        assert self.status in (0, 3), self.err
        assert SANITIZED or self.mib < limit, f'{self.mib:.0f} MiB'
        return self


# A process's account begins with the memory of the one that started it: this one is small.
LAUNCHER = """
import os, sys
child = os.fork()
if not child:
    os.execv(sys.argv[1], sys.argv[1:])
_, status, used = os.wait4(child, 0)
print(os.waitstatus_to_exitcode(status), used.ru_maxrss / 1024, used.ru_utime + used.ru_stime, file=sys.stderr)
"""


def run(path, *args, keylog=None, feed=False, timeout=600):
    """oriel read with what it took; feed: through standard input, where secrets may still come."""
    argv = ['/usr/bin/python3', '-I', '-S', '-c', LAUNCHER, oriel.BINARY, 'read', *args,
            *(['-k', str(keylog)] if keylog else []), '-' if feed else str(path)]
    folder = os.path.dirname(str(path))
    env = oriel.environment(folder)
    env.pop('SSLKEYLOGFILE', None)
    # cat, so that it is a pipe and not a file that can be looked at twice.
    with subprocess.Popen(['cat', path] if feed else ['true'], stdout=subprocess.PIPE) as source:
        done = subprocess.run(argv, stdin=source.stdout, capture_output=True, env=env, timeout=timeout, check=True, text=True,
                              errors='replace')
    reports = oriel.sanitizer_reports(folder)
    assert not reports, '\n'.join(reports)
    *err, last = done.stderr.splitlines()
    status, mib, cpu = last.split()
    return Run(int(status), done.stdout, '\n'.join(err), float(mib), float(cpu))


def vector(count, body):
    return len(body).to_bytes(count, 'big') + body


def record(kind, body):
    return bytes([kind]) + b'\x03\x03' + vector(2, body)


def own_random(n):
    return n.to_bytes(32, 'big')


def client_hello(n):
    whole = bytearray(raw.made_hello(sni=b'www.oriel.test'))
    whole[11:43] = own_random(n)
    return bytes(whole)


def server_hello(n, suite=0x1301):
    extensions = struct.pack('>HHHHHHH', 43, 2, 0x0304, 51, 36, 29, 32) + bytes(range(32))
    body = b'\x03\x03' + own_random(n + (1 << 100)) + vector(1, bytes(32)) + struct.pack('>H', suite) + b'\0' + vector(2, extensions)
    return record(22, b'\x02' + vector(3, body))


def ciphertext(size):
    return record(23, os.urandom(size))


def tls_begins(flow, cipher_bytes=1000):
    """The hellos of a TLS 1.3 connection for which there is no secret, and what might be its first records."""
    flow.open()
    flow.says(False, client_hello(flow.number))
    flow.says(True, server_hello(flow.number) + ciphertext(cipher_bytes))
    return flow


# ---- flows


def test_flows_half_open_with_data_that_came_early(tmp_path, soaking):
    """Each a SYN and a segment far ahead."""
    count = soaking(20_000, 1_000_000)
    with Writer(tmp_path / 'c.pcap') as w:
        for n in range(count):
            f = Flow(w, n)
            f.segment(False, SYN)
            f.segment(False, ACK | PSH, b'x' * 600, ahead=3000)
    for threads in (1, 2):
        run(w.path, f'--threads={threads}').bounded(flows=count, each=5)


def test_flows_that_are_all_open_at_the_end(tmp_path, soaking):
    count = soaking(10_000, 200_000)
    with Writer(tmp_path / 'c.pcap') as w:
        for n in range(count):
            Flow(w, n).open()
    done = run(w.path, '--json').bounded(flows=count, each=4)
    assert len(done.out.splitlines()) == count


def test_flows_of_plaintext_that_never_end(tmp_path, soaking):
    """Each in the midst of a request."""
    count = soaking(10_000, 300_000)
    with Writer(tmp_path / 'c.pcap') as w:
        for n in range(count):
            Flow(w, n, 80).open().says(False, b'GET / HTTP/1.1\r\nHost: a\r\nCookie: ' + b'a' * 300)
    run(w.path).bounded(flows=count, each=12)


def test_flows_of_udp(tmp_path, soaking):
    count = soaking(20_000, 1_000_000)
    with Writer(tmp_path / 'c.pcap') as w:
        for n in range(count):
            w.udp(0x0a000000 + n // 50000, 0x0b000001, (10000 + n % 50000, 5353), b'q' * 30)
    done = run(w.path, '--json').bounded(flows=count, each=4)
    assert len(done.out.splitlines()) == count


def test_fragments_that_never_become_whole(tmp_path, soaking):
    with Writer(tmp_path / 'c.pcap') as w:
        for n in range(soaking(30_000, 500_000)):
            w.ip(0x0a000000 + n // 65536, 0x0b000001, UDP, b'f' * 800, n & 0xffff, 0x2000 | (n % 7))
    run(w.path).bounded()


def test_a_gap_and_megabytes_behind_it(tmp_path, soaking):
    """In many flows at once, never acknowledged."""
    with Writer(tmp_path / 'c.pcap') as w:
        flows = [Flow(w, n).open() for n in range(soaking(20, 100))]
        for f in flows:
            f.next[0] += 100
        for _ in range(soaking(40, 200)):
            for f in flows:
                f.says(False, b'y' * 14000)
    run(w.path, '--threads=1').bounded()
    run(w.path, '--threads=2').bounded()


def test_single_bytes_with_a_gap_before_each(tmp_path, soaking):
    """From the last to the first, and in between: finding the place must not take long."""
    with Writer(tmp_path / 'c.pcap') as w:
        f = Flow(w, 1).open()
        count = soaking(10_000, 200_000)
        for i in range(count):
            f.segment(False, ACK | PSH, b'z', ahead=10 + (i * 7919 % count) * 3)
    run(w.path).bounded()


# ---- secrets


@pytest.mark.parametrize('feed', [False, True])
def test_flows_without_secrets(tmp_path, soaking, feed):
    """From standard input secrets might still come: their ciphertext is held, up to a limit."""
    count = soaking(2000, 100_000)
    with Writer(tmp_path / 'c.pcap') as w:
        for n in range(count):
            tls_begins(Flow(w, n), 3000)
    done = run(w.path, '--json', feed=feed).bounded(flows=count, each=12 if feed else 7)
    assert len(done.out.splitlines()) == count and done.status == 3


def test_one_flow_that_waits_for_its_secret_with_much_behind(tmp_path, soaking):
    with Writer(tmp_path / 'c.pcap') as w:
        f = tls_begins(Flow(w, 1))
        for _ in range(soaking(500, 20_000)):
            f.says(True, ciphertext(16000))
    run(w.path, feed=True).bounded()


def secrets_block(text):
    padded = text + b'\0' * (-len(text) % 4)
    n = 20 + len(padded)
    return struct.pack('<IIII', 10, n, 0x544c534b, len(text)) + padded + struct.pack('<I', n)


class NgWriter(Writer):
    """The same as pcapng, so that blocks of secrets can stand between the packets."""

    def __init__(self, path):
        super().__init__(path)
        self.file.seek(0)
        self.file.truncate()
        self.file.write(struct.pack('<IIIHHqI', 0x0a0d0d0a, 28, 0x1a2b3c4d, 1, 0, -1, 28))
        self.file.write(struct.pack('<IIHHII', 1, 20, 101, 0, 0, 20))

    def ip(self, source, destination, protocol, body, ident=0, fragment=0):
        self.ticks += STEP
        n = 20 + len(body)
        padding = -n % 4
        self.file.write(struct.pack('<IIIIIII', 6, 32 + n + padding, 0, self.ticks >> 32, self.ticks & 0xffffffff, n, n)
                        + struct.pack('>BBHHHBBHII', 0x45, 0, n, ident, fragment, 64, protocol, 0, source, destination)
                        + body + bytes(padding) + struct.pack('<I', 32 + n + padding))


def test_many_flows_wait_and_secrets_come_in_many_blocks(tmp_path, soaking):
    """A block of secrets must not wake everybody who waits for others."""
    count = soaking(1000, 60_000)
    with NgWriter(tmp_path / 'c.pcapng') as w:
        for n in range(count):
            tls_begins(Flow(w, n), 300)
        for n in range(count):
            line = b'CLIENT_TRAFFIC_SECRET_0 %s %s\n' % (own_random(n + (1 << 200)).hex().encode(), b'ab' * 32)
            w.file.write(secrets_block(line))
    done = run(w.path, feed=True).bounded(flows=count, each=8)
    assert SANITIZED or done.cpu < soaking(5, 60), f'{done.cpu} s'


def key_log(path, count):
    with open(path, 'wb') as f:
        for n in range(count):
            f.write(b'CLIENT_TRAFFIC_SECRET_0 %s %064x\n' % (own_random(n).hex().encode(), n))
    return path


def test_a_key_log_of_very_many_lines(tmp_path, soaking):
    """What is kept of a line that nobody needs is its secret and little more."""
    count = soaking(20_000, 1_000_000)
    keys = key_log(tmp_path / 'keys', count)
    with Writer(tmp_path / 'c.pcap') as w:
        for n in range(10):
            tls_begins(Flow(w, count + n))
    done = run(w.path, keylog=keys).bounded(LIMIT + count * 200 / MIB)
    assert SANITIZED or done.cpu < soaking(5, 20), f'{done.cpu} s'


def test_many_connections_without_their_handshake_and_a_long_key_log(tmp_path, soaking):
    """Any secret might be theirs. What is tried has a limit; neither are all looked at for each."""
    lines, count = soaking(20_000, 300_000), soaking(300, 30_000)
    keys = key_log(tmp_path / 'keys', lines)
    with Writer(tmp_path / 'c.pcap') as w:
        for n in range(count):
            f = Flow(w, n)
            f.says(True, ciphertext(100) + ciphertext(200))
            f.says(False, ciphertext(100) + ciphertext(200))
    done = run(w.path, keylog=keys).bounded(LIMIT + lines * 250 / MIB + count * 5 / 1024)
    assert SANITIZED or done.cpu < 20, f'{done.cpu} s'


# ---- HTTP


def frame(kind, flags, stream, body):
    return vector(3, body)[:3] + bytes([kind, flags]) + struct.pack('>I', stream) + body


PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + frame(4, 0, 0, b'')


def test_a_block_of_headers_that_never_ends(tmp_path, soaking):
    with Writer(tmp_path / 'c.pcap') as w:
        flows = [Flow(w, n, 80).open() for n in range(soaking(10, 100))]
        for f in flows:
            f.says(False, PREFACE + frame(1, 0, 1, b'\x82\x86\x84'))
        for _ in range(soaking(100, 200)):
            for f in flows:
                f.says(False, frame(9, 0, 1, b'\x40\x0a' + b'n' * 10 + b'\x7f\x81\x7f' + b'v' * 16000))
    run(w.path).bounded()


@pytest.mark.parametrize('how', ['--json', '--objects=objects', '--har=har', '--handshakes', '--group'])
def test_streams_that_are_opened_and_never_closed(tmp_path, soaking, how):
    with Writer(tmp_path / 'c.pcap') as w:
        f = Flow(w, 1, 80).open()
        f.says(False, PREFACE)
        for n in range(soaking(5000, 300_000)):
            f.says(False, frame(1, 4, 2 * n + 1, b'\x82\x86\x84\x01\x01a' + b'\x40\x01n\x7f\x00' + b'v' * 127))
    run(w.path, how.replace('=', f'={tmp_path}/')).bounded()


def test_requests_that_nobody_answers(tmp_path, soaking):
    with Writer(tmp_path / 'c.pcap') as w:
        f = Flow(w, 1, 80).open()
        for n in range(soaking(1000, 20_000)):
            f.says(False, b''.join(b'GET /%d/%d HTTP/1.1\r\nHost: a\r\n\r\n' % (n, i) for i in range(20)))
    run(w.path).bounded()


def exchanges(w, flows, count, size=100):
    """Requests and answers on flows that stay open."""
    for n in range(count):
        for f in flows:
            f.says(False, b'GET /%d HTTP/1.1\r\nHost: a\r\nX: %s\r\n\r\n' % (n, b'x' * size))
            f.says(True, b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s' % (size, b'b' * size))


@pytest.mark.parametrize('how', ['--group', '--handshakes', '--body', '--why'])
def test_what_is_shown_of_a_connection_that_goes_on_for_long(tmp_path, soaking, how):
    with Writer(tmp_path / 'c.pcap') as w:
        exchanges(w, [Flow(w, n, 80).open() for n in range(4)], soaking(5000, 200_000))
    run(w.path, how).bounded()


@pytest.mark.parametrize('how', ['--group', '--handshakes'])
def test_what_is_shown_of_many_connections(tmp_path, soaking, how):
    count = soaking(3000, 60_000)
    with Writer(tmp_path / 'c.pcap') as w:
        for n in range(count):
            f = tls_begins(Flow(w, 2 * n))
            exchanges(w, [Flow(w, 2 * n + 1, 80).open()], 10)
            f.segment(False, ACK)
    run(w.path, how).bounded(flows=2 * count, each=10)


# ---- outputs that take nothing more


@pytest.mark.parametrize('threads', [1, 2])
@pytest.mark.parametrize('how, to, what', [
    ('--har=/dev/full', os.devnull, 'the HAR file'),
    ('--plain=/dev/full', os.devnull, 'the file of plaintext'),
    ('--json', '/dev/full', 'standard output'),
    ('--follow=1', '/dev/full', 'standard output'),
    ('--handshakes', '/dev/full', 'standard output'),
])
def test_a_full_disk_is_one_sentence(tmp_path, how, to, what, threads):
    with Writer(tmp_path / 'c.pcap') as w:
        exchanges(w, [Flow(w, n, 80).open() for n in range(4)], 2000)
    with open(to, 'wb') as out:
        done = subprocess.run([oriel.BINARY, 'read', f'--threads={threads}', how, w.path], stdout=out, stderr=subprocess.PIPE,
                              text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (1, f'oriel: {what}: No space left on device\n')


@pytest.mark.parametrize('threads', [1, 2])
def test_nobody_reads_on(tmp_path, threads):
    """As with head: that is no fault, and it ends at once."""
    with Writer(tmp_path / 'c.pcap') as w:
        exchanges(w, [Flow(w, n, 80).open() for n in range(4)], 5000)
    with subprocess.Popen([oriel.BINARY, 'read', f'--threads={threads}', '--json', w.path], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as child:
        assert child.stdout.readline().startswith(b'{')
        child.stdout.close()
        assert child.stderr.read() == b'' and child.wait(60) in (0, -signal.SIGPIPE)
