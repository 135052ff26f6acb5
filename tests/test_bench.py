"""The benchmarks: that they run, complete and without errors, and measure what they say. How fast things are is no
matter for a test, which would measure the machine: doc/benchmarks.md has the figures. What does not depend on time
(memory, the size of writes, what is observed) is asserted."""
import json
import os
import re
import shutil
import signal
import struct
import subprocess

import pytest

from harness import client, oriel, peers
from harness.process import children, wait_until

FOLDER = os.path.dirname(os.path.dirname(os.path.dirname(oriel.BINARY)))
PROGRAMS = os.path.join(FOLDER, 'bench')
NAME = 'bulk.test'
SIZE = 64 << 20
KiB = 1 << 10
RECORD = 16 * KiB


def program(name):
    path = os.path.join(PROGRAMS, name)
    if not os.path.exists(path):
        pytest.skip(f'needs {name}: ninja -C {FOLDER} bench/{name}')
    return path


def bump(*args, how='--quick'):
    """{(metric, contestant): result} of one run of bench/bump, and its complaints."""
    for name in ('bench_origin', 'bench_load'):
        program(name)
    done = subprocess.run([os.path.join(oriel.ROOT, 'bench', 'bump'), how, *args], capture_output=True, text=True, check=False,
                          timeout=100, env=client.clean_environment(ORIEL=oriel.BINARY, BENCH_PROGRAMS=PROGRAMS))
    assert done.returncode == 0, done.stderr
    if 'skipped: ' in done.stdout:
        pytest.skip(done.stdout.strip())
    results = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{')]
    return {(r['metric'], r['contestant']): r for r in results if 'metric' in r}, done.stderr


@pytest.fixture(scope='module')
def beside(namespaces_work):
    """oriel and SSLsplit beside each other, each metric once, a fifth of a second long."""
    if not shutil.which('sslsplit'):
        pytest.skip('needs sslsplit')
    return bump('--contestants', 'oriel,sslsplit', '--metrics', 'hot,new,latency-new,bulk,requests,resumed', '--seconds', '0.2')


@pytest.fixture(scope='module')
def memory(namespaces_work):
    return bump('--contestants', 'oriel', '--metrics', 'idle,names')


def both(run, metric):
    """The results of the two, complete and without an error, with the same work asked of them."""
    results, complaints = run
    assert not complaints
    ours, theirs = results[metric, 'oriel'], results[metric, 'sslsplit']
    for one in (ours, theirs):
        assert one['count'] > 0 and one['failed'] == 0, one
        assert one['cpu_s'] > 0 and one['value'] > 0
    assert (ours['mode'], ours['unit']) == (theirs['mode'], theirs['unit'])
    return ours, theirs


def per_cpu(result, what='count'):
    return pytest.approx(result[what] / result['cpu_s'], rel=0.01)


def test_known_names_are_measured_beside_sslsplit_with_full_handshakes_upstream(beside):
    for one in both(beside, 'hot'):
        assert one['value'] == per_cpu(one)
        assert one['upstream_resumed'] == 0


def test_new_names_are_measured_beside_sslsplit_with_full_handshakes_upstream(beside):
    for one in both(beside, 'new'):
        assert one['value'] == per_cpu(one)
        assert one['upstream_resumed'] == 0


def test_resumption_upstream_is_measured_beside_sslsplit(beside):
    """With 16 connections under way to one name nearly all are resumed, each with a ticket of its own."""
    ours, theirs = both(beside, 'resumed')
    assert ours['value'] == per_cpu(ours)
    assert ours['upstream_resumed'] > 0.7
    assert theirs['upstream_resumed'] == 0


def test_the_latency_of_new_names_is_measured_beside_sslsplit(beside):
    for one in both(beside, 'latency-new'):
        assert one['value'] == one['p50_us'] / 1000 and one['p50_us'] <= one['p99_us']
        # The server would resume: that it did not says that the names were new.
        assert one['upstream_resumed'] == 0


def test_bulk_is_measured_beside_sslsplit(beside):
    for one in both(beside, 'bulk'):
        assert one['bytes'] >= one['count'] * SIZE
        assert one['value'] * 1e6 == per_cpu(one, 'bytes')


def test_requests_are_measured_beside_sslsplit_and_every_one_is_observed(beside):
    ours, _ = both(beside, 'requests')
    assert ours['value'] == per_cpu(ours)
    # What the server was asked for.
    assert ours['observed'] == ours['asked'] >= ours['count'] > 64


def test_an_idle_connection_takes_less_than_40_kib(memory):
    results, complaints = memory
    assert not complaints
    one = results['idle', 'oriel']
    assert one['count'] >= 500
    assert 0 < one['value'] <= 40


def test_a_thousand_names_take_their_part_of_40_mb(memory):
    """The first ones cost most: the heap grows to what 16 connections under way need, the caches to their size."""
    results, complaints = memory
    assert not complaints
    one = results['names', 'oriel']
    assert one['count'] == 1000 and one['failed'] == 0
    assert 0 < one['value'] <= 20


@pytest.mark.soak
def test_ten_thousand_names_take_less_than_40_mb(namespaces_work):
    results, complaints = bump('--contestants', 'oriel', '--metrics', 'names', how='--tries=1')
    one = results['names', 'oriel']
    assert not complaints
    assert one['count'] == 10000 and one['failed'] == 0
    assert 0 < one['value'] <= 40


def test_all_peers_of_debian_are_measured_in_the_same_run(namespaces_work):
    for command in ('sslsplit', 'squid', 'mitmdump'):
        if not shutil.which(command, path=os.environ['PATH'] + ':/usr/sbin'):
            pytest.skip(f'needs {command}')
    results, complaints = bump('--metrics', 'hot', '--seconds', '0.2')
    assert not complaints
    assert [name for _, name in results] == ['oriel', 'sslsplit', 'squid', 'mitmproxy', 'direct']
    assert all(r['count'] > 0 and r['failed'] == 0 for r in results.values())


# ---- reading captures


@pytest.fixture(scope='module')
def readers(namespaces_work, tmp_path_factory):
    """{(capture, tool): result} of one run of bench/read, and the folder of the captures it made."""
    for command in ('nginx', 'curl', 'tcpdump', 'ip', 'openssl', 'tshark'):
        if not shutil.which(command) and not os.path.exists(f'/usr/sbin/{command}'):
            pytest.skip(f'needs {command}')
    folder = tmp_path_factory.mktemp('readers')
    done = subprocess.run([os.path.join(oriel.ROOT, 'bench', 'read'), '--quick', '--keep', folder], capture_output=True,
                          text=True, check=False, timeout=250, env=client.clean_environment(ORIEL=oriel.BINARY))
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{')]
    yield {(r['file'], r['tool']): r for r in results}, folder
    shutil.rmtree(folder)


CAPTURES = ('bulk13', 'bulk12', 'short13', 'short12')


@pytest.mark.timeout(300)
def test_readers_of_captures_are_measured_in_the_same_run(readers):
    results, _ = readers
    tools = {'oriel-1', 'oriel-2', 'tshark', 'tshark-ooo', *(['ssldump'] if shutil.which('ssldump') else [])}
    assert set(results) == {(file, tool) for file in CAPTURES for tool in tools}
    assert all(r['cpu_s'] > 0 and r['mb_per_s'] > 0 and not r['killed'] for r in results.values())
    assert results['bulk13', 'tshark']['exchanges'] > 0 and results['short13', 'tshark']['exchanges'] > 0


@pytest.mark.parametrize('threads', [1, 2])
@pytest.mark.parametrize('file', ['bulk13', 'bulk12'])
def test_bulk_is_read_whole_and_measured(readers, file, threads):
    result = readers[0][file, f'oriel-{threads}']
    assert result['exchanges'] == result['of'] == 4
    assert result['bytes'] > 32 << 20


@pytest.mark.parametrize('threads', [1, 2])
@pytest.mark.parametrize('file', ['short13', 'short12'])
def test_short_connections_are_read_all_and_measured(readers, file, threads):
    result = readers[0][file, f'oriel-{threads}']
    assert result['exchanges'] == result['of'] == 500


def repeated(path, out, times):
    """The capture again and again, each time from another client, a thousand seconds later."""
    with open(path, 'rb') as f:
        head, rest = f.read(24), bytearray(f.read())
    with open(out, 'wb') as f:
        f.write(head)
        for n in range(times):
            at = 0
            while at < len(rest):
                second, _, size, _ = struct.unpack_from('<IIII', rest, at)
                struct.pack_into('<I', rest, at, second + (1000 if n else 0))
                from_server = struct.unpack_from('>H', rest, at + 16 + 34)[0] == 9443
                rest[at + 16 + (33 if from_server else 29)] = n + 1
                at += 16 + size
            f.write(rest)


@pytest.mark.timeout(300)
def test_memory_does_not_grow_with_the_capture(readers, tmp_path):
    results, folder = readers
    repeated(folder / 'bulk13.pcap', tmp_path / 'large.pcap', 10)
    assert os.path.getsize(tmp_path / 'large.pcap') > 300 << 20
    # A process's account begins with the memory of the one that started it: this one is small.
    code = 'import os,sys; p=os.fork() or os.execv(sys.argv[1], sys.argv[1:]); _, s, u=os.wait4(p, 0); ' \
        'print(s, u.ru_maxrss / 1024, file=sys.stderr)'
    done = subprocess.run(['/usr/bin/python3', '-I', '-S', '-c', code, oriel.BINARY, 'read', '--threads=2', '--json', '-k',
                           folder / 'bulk13.keys', tmp_path / 'large.pcap'], capture_output=True, text=True, check=True)
    exchanges = [e for e in map(json.loads, done.stdout.splitlines()) if e['type'] == 'exchange']
    assert len(exchanges) == 40 and {e['response']['bytes'] for e in exchanges} == {8 << 20}
    status, mib = done.stderr.split()
    assert status == '0' and float(mib) < 100
    assert float(mib) < results['bulk13', 'oriel-2']['rss_mib'] + 8


# ---- not beside anybody


@pytest.mark.sanitized
def test_the_keepers_share_of_a_mint_is_measured():
    """The real process behind its real channel: from the request to the answer, all of it the keeper's CPU."""
    done = subprocess.run([program('bench_keeper'), '300'], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    many, single = map(json.loads, done.stdout.splitlines())
    assert (many['under_way'], single['under_way']) == (64, 1)
    for one in (many, single):
        assert one['mints'] == 300
        assert one['per_cpu_s'] == pytest.approx(1e6 / one['us'], rel=0.01)


def writes_of(trace):
    """Bytes of each write."""
    with open(trace, encoding='utf-8', errors='replace') as f:
        return [int(m[1]) for m in (re.search(r' = (\d+)$', line) for line in f) if m]


def test_the_kernel_is_handed_64_to_256_kb_a_write(tmp_path, certs, start):
    """Of a download, where a write for each record of 16 KB would be the simple way."""
    trace = tmp_path / 'trace'
    if not shutil.which('strace') or subprocess.run(['strace', '-o', trace, 'true'], capture_output=True, check=False).returncode:
        pytest.skip('needs strace that may trace')
    server = start(peers.nginx, certs.good(name=NAME), files={'large': peers.pattern(SIZE)})
    strace = ['strace', '-f', '-qq', '-s', '0', '-e', 'trace=sendto,sendmsg,write,writev', '-o', trace]
    with oriel.Oriel(tmp_path, {'listeners': [{'bind': '127.0.0.1:PORT', 'default': 'bump'}], 'hosts': {NAME: '127.0.0.1'},
                                'threads': 1}, trust=certs.root.cert, prefix=strace) as o:
        got = client.curl(f'https://{NAME}:{server.port}/large', proxy=o, cafile=o.root).ok()
        assert len(got.body) == SIZE
        # strace itself would not stop for a signal.
        os.kill(children(o.pid)[0], signal.SIGTERM)
        wait_until(lambda: o.popen.poll() is not None, 'oriel ends')
    large = [n for n in writes_of(trace) if n > 2 * RECORD]
    assert sum(large) > 0.9 * SIZE
    assert max(large) <= 288 * KiB
    assert sum(large) / len(large) >= 64 * KiB
