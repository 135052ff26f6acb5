"""`oriel demo`: by itself, offline, as anybody, and a capture that tshark decrypts."""
import os
import re
import shutil
import stat
import subprocess
import tempfile

import pytest

from harness import oriel
from harness.capture import tshark
from harness.process import PATIENCE

IN_TIME = 10 if oriel.BUILD == 'release' else PATIENCE


def run(folder, prefix=(), binary=oriel.BINARY):
    """In a working folder of its own, with one for temporary files beside it; what it printed."""
    for name in ('here', 'temporary'):
        os.makedirs(os.path.join(folder, name), exist_ok=True)
    env = dict(oriel.environment(os.path.join(folder, 'homes')), TMPDIR=os.path.join(folder, 'temporary'))
    done = subprocess.run([*prefix, binary, 'demo'], env=env, cwd=os.path.join(folder, 'here'), capture_output=True, text=True, check=False, timeout=IN_TIME,
                          stdin=subprocess.DEVNULL)
    assert not oriel.sanitizer_reports(os.path.join(folder, 'homes'))
    assert (done.returncode, done.stderr) == (0, ''), done.stderr
    return done.stdout


@pytest.fixture(scope='module')
def shown(tmp_path_factory):
    """What one run printed, and its folder."""
    folder = tmp_path_factory.mktemp('demo')
    return run(str(folder)), folder


def files(folder):
    return sorted(os.path.join(base, name) for base, _, names in os.walk(folder) for name in names)


@pytest.mark.sanitized
@pytest.mark.threads
def test_it_shows_the_lines_of_oriel(shown):
    out, _ = shown
    assert re.search(r'^\d\d:\d\d:\d\d\.\d{3} .* 1\.3 http/1\.1 GET +200 .* https://shop\.oriel\.test:\d+/items\?colour=\*\*\*$', out, re.M)
    assert re.search(r' 1\.3 http/1\.1 POST +200 .* https://shop\.oriel\.test:\d+/login$', out, re.M)
    assert re.search(r' failed .* expired\.oriel\.test:\d+ \[certificate: expired\] .*client finds the certificate expired', out, re.M)


@pytest.mark.sanitized
def test_it_leaves_nothing_but_the_capture(shown):
    _, folder = shown
    assert files(folder) == [str(folder / 'here' / 'oriel-demo.pcapng')]
    assert stat.S_IMODE(os.stat(folder / 'here' / 'oriel-demo.pcapng').st_mode) == 0o600


def test_the_command_that_it_names_opens_the_capture(shown):
    out, folder = shown
    command = re.search(r'^  (tshark .*)$', out, re.M).group(1)
    done = subprocess.run(command, shell=True, cwd=folder / 'here', capture_output=True, text=True, check=True, timeout=60)
    for line in ('CONNECT shop.oriel.test:', 'GET /items?colour=blue', 'POST /login', 'HTTP/1.1 200 OK'):
        assert line in done.stdout
    assert '  wireshark oriel-demo.pcapng\n' in out


def fields(folder, display, *names):
    """By no other key than those in the file."""
    return tshark(folder / 'here' / 'oriel-demo.pcapng', display, *names)


def test_the_capture_decrypts_on_both_legs(shown):
    _, folder = shown
    asked = fields(folder, 'http.request.method != "CONNECT" && tls', 'frame.interface_name', 'http.request.method', 'http.request.uri')
    assert sorted(asked) == sorted([leg, method, uri] for leg in ('client to oriel', 'oriel to server')
                                   for method, uri in (('GET', '/items?colour=blue'), ('POST', '/login')))
    bodies = fields(folder, 'http.file_data contains "enchantress" || json', 'json.value.string')
    assert ['ada,enchantress'] in bodies
    # The client was shown oriel's certificate, oriel the server's own.
    issuers = fields(folder, 'tls.handshake.certificate', 'frame.interface_name', 'x509af.rdnSequence', 'x509sat.uTF8String')
    client = next(row for row in issuers if row[0] == 'client to oriel')
    server = next(row for row in issuers if row[0] == 'oriel to server')
    assert 'oriel bump CA demo' in server[-1] and 'oriel bump CA demo' not in client[-1]


def test_its_packets_are_well_formed_tcp(shown):
    _, folder = shown
    done = subprocess.run(['tshark', '-n', '-r', str(folder / 'here' / 'oriel-demo.pcapng'), '-o', 'tcp.check_checksum:TRUE', '-o', 'ip.check_checksum:TRUE', '-Y',
                           'tcp.checksum.status == 0 || ip.checksum.status == 0 || tcp.analysis.flags || _ws.malformed'], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == ''
    times = [float(row[0]) for row in fields(folder, 'frame', 'frame.time_epoch')]
    assert len(times) > 50 and times == sorted(times)
    flags = [row[0] for row in fields(folder, 'tcp.flags.syn == 1 || tcp.flags.fin == 1', 'tcp.flags.str')]
    assert len(flags) == 4 * 4


@pytest.mark.sanitized
def test_it_writes_over_nothing(tmp_path):
    (tmp_path / 'here').mkdir()
    (tmp_path / 'here' / 'oriel-demo.pcapng').write_text('mine')
    os.symlink('/nowhere', tmp_path / 'here' / 'oriel-demo-2.pcapng')
    out = run(str(tmp_path))
    assert 'oriel-demo-3.pcapng' in out
    assert (tmp_path / 'here' / 'oriel-demo.pcapng').read_text() == 'mine'
    assert sorted(os.listdir(tmp_path / 'here')) == ['oriel-demo-2.pcapng', 'oriel-demo-3.pcapng', 'oriel-demo.pcapng']


def test_it_needs_neither_network_nor_root(as_root, namespaces_work):
    """In a network namespace with loopback alone, as nobody."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        binary = shutil.copy(oriel.BINARY, os.path.join(folder, 'oriel'))
        work = os.path.join(folder, 'work')
        os.makedirs(os.path.join(work, 'here'))
        os.makedirs(os.path.join(work, 'temporary'))
        oriel.environment(os.path.join(work, 'homes'))
        subprocess.run(['chown', '-R', '65534', work], check=True)
        out = run(work, prefix=['unshare', '-n', 'sh', '-c', 'ip link set lo up && exec setpriv --reuid 65534 --clear-groups -- "$@"', 'sh'], binary=binary)
        assert 'https://shop.oriel.test:' in out
        assert files(work) == [os.path.join(work, 'here', 'oriel-demo.pcapng')]


def test_where_it_cannot_write_there_is_one_sentence_and_nothing_stays(tmp_path):
    os.makedirs(tmp_path / 'temporary')
    env = dict(oriel.environment(str(tmp_path / 'homes')), TMPDIR=str(tmp_path / 'temporary'))
    done = subprocess.run([oriel.BINARY, 'demo'], env=env, cwd='/proc', capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 1 and re.fullmatch(r'oriel: oriel-demo\.pcapng: .*\n', done.stderr)
    assert os.listdir(tmp_path / 'temporary') == []
    env['TMPDIR'] = '/proc'
    done = subprocess.run([oriel.BINARY, 'demo'], env=env, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (1, '') and re.fullmatch(r'oriel: a temporary folder /proc/oriel-\w+: .*\n', done.stderr)
