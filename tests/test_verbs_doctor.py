"""`oriel doctor`: each line a level, a thing and what to do; status 1 when `oriel run` would not start."""
import os
import re
import shutil
import subprocess
import tempfile

import pytest

from harness import oriel
from harness.netns import Net
from harness.process import Process, wait_until, listening_ports

LINE = re.compile(r'^  (ok|warn|no) {2,4}(\S.*?)  +(\S.*)$')


def doctor(folder, prefix=(), binary=oriel.BINARY, **env):
    done = subprocess.run([*prefix, binary, 'doctor'], env=oriel.environment(str(folder), **env), capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == '' and not oriel.sanitizer_reports(str(folder))
    found = [m.groups() for m in map(LINE.match, done.stdout.splitlines()) if m]
    return done.returncode, found, done.stdout


def about(found, thing):
    return [(level, text) for level, what, text in found if what == thing]


@pytest.mark.sanitized
def test_it_looks_at_everything_and_has_a_remedy_for_what_does_not_work(tmp_path):
    _, found, out = doctor(tmp_path)
    things = {what for _, what, _ in found}
    assert things >= {'kernel', 'seccomp', 'state folder', 'bump root', 'admin socket', 'port 8080', 'descriptors', 'resolver', 'OpenSSL', 'TLS groups', 'system',
                      'NSS', 'Java', 'browsers', 'capability', 'uprobes', 'BPF', 'packets', 'memory'}
    assert 'planned, not built' in out
    for level, what, text in found:
        assert level == 'ok' or re.search('[:;,]', text), (what, text)


def test_what_it_says_is_so(tmp_path):
    _, found, _ = doctor(tmp_path)
    kernel = subprocess.run(['uname', '-sr'], capture_output=True, text=True, check=True).stdout.strip()
    assert about(found, 'kernel')[0][1].startswith(kernel)
    openssl = subprocess.run(['openssl', 'version'], capture_output=True, text=True, check=True).stdout.split(' (')[0]
    assert about(found, 'OpenSSL')[0][1].startswith(openssl)
    assert ('X25519MLKEM768' in about(found, 'TLS groups')[0][1].split(';')[0]) == (about(found, 'TLS groups')[0][0] == 'ok')
    roots = open('/etc/ssl/certs/ca-certificates.crt', encoding='utf-8').read().count('BEGIN CERTIFICATE')
    assert about(found, 'system')[0] == ('ok', f'{roots} roots in /etc/ssl/certs/ca-certificates.crt')
    raw = int(re.search(r'CapEff:\s+(\w+)', open('/proc/self/status', encoding='ascii').read()).group(1), 16) >> 13 & 1
    assert (about(found, 'packets')[0][0] == 'ok') == bool(raw)


@pytest.fixture
def quiet():
    """A namespace in which port 8080 is free."""
    with Net() as net:
        yield net


def test_where_nothing_is_missing_the_status_is_0(namespaces_work, quiet, tmp_path):
    code, found, out = doctor(tmp_path, prefix=quiet.inside('client'))
    assert code == 0 and about(found, 'port 8080') == [('ok', 'free')], out


def test_a_taken_port_is_named_with_its_holder_and_the_status_is_1(namespaces_work, quiet, tmp_path):
    with Process(['/usr/bin/python3', '-m', 'http.server', '8080', '--bind', '127.0.0.1'], str(tmp_path / 'log'), prefix=quiet.inside('client')) as holder:
        wait_until(lambda: 8080 in listening_ports(holder.pid), 'the port is taken')
        code, found, out = doctor(tmp_path, prefix=quiet.inside('client'))
    assert code == 1 and 'is missing' in out
    level, text = about(found, 'port 8080')[0]
    assert level == 'no' and re.search(r'python3 \(pid \d+.*--listen', text)


def test_an_oriel_that_runs_is_recognised(namespaces_work, quiet, tmp_path, certs):
    with oriel.Oriel(tmp_path, trust=certs.root.cert, port=8080, prefix=quiet.inside('client')):
        code, found, _ = doctor(tmp_path, prefix=quiet.inside('client'))
    assert code == 0
    assert about(found, 'port 8080') == [('ok', 'the oriel that runs listens there')]
    assert 'an oriel runs and answers' in about(found, 'admin socket')[0][1]
    assert about(found, 'bump root')[0][1].startswith('valid until 20')


@pytest.mark.sanitized
def test_too_few_descriptors_are_missed(tmp_path):
    code, found, _ = doctor(tmp_path, prefix=['prlimit', '--nofile=200:200'])
    assert code == 1 and about(found, 'descriptors')[0][0] == 'no' and 'LimitNOFILE' in about(found, 'descriptors')[0][1]
    _, found, _ = doctor(tmp_path, prefix=['prlimit', '--nofile=1024:1024'])
    assert about(found, 'descriptors')[0][0] == 'warn'


def test_a_key_that_others_can_read_is_missed(tmp_path, certs):
    with oriel.Oriel(tmp_path, trust=certs.root.cert) as one:
        key = one.root_key
    os.chmod(key, 0o644)
    code, found, _ = doctor(tmp_path)
    assert code == 1 and about(found, 'bump root')[0][0] == 'no'


def test_without_roots_there_is_a_remedy(tmp_path):
    (tmp_path / 'empty').touch()
    _, found, _ = doctor(tmp_path, SSL_CERT_FILE=str(tmp_path / 'empty'))
    assert about(found, 'system')[0][0] == 'warn' and 'install ca-certificates' in about(found, 'system')[0][1]


def test_a_folder_that_cannot_be_written_is_missed(as_root):
    """As nobody, who has no capabilities either."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        binary = shutil.copy(oriel.BINARY, os.path.join(folder, 'oriel'))
        done = subprocess.run(['setpriv', '--reuid', '65534', '--clear-groups', binary, 'doctor'], capture_output=True, text=True, check=False, timeout=60,
                              env={'PATH': '/usr/bin', 'XDG_STATE_HOME': '/proc/none', 'XDG_RUNTIME_DIR': folder, 'ASAN_OPTIONS': 'detect_leaks=0'})
    found = [m.groups() for m in map(LINE.match, done.stdout.splitlines()) if m]
    assert done.returncode == 1
    assert about(found, 'state folder')[0][0] == 'no' and 'XDG_STATE_HOME' in about(found, 'state folder')[0][1]
    assert about(found, 'admin socket')[0][0] == 'no' and '--admin' in about(found, 'admin socket')[0][1]
    assert [level for level, _ in about(found, 'capability')] == ['warn'] * 4
    assert about(found, 'packets')[0][0] == 'no' and about(found, 'BPF')[0][0] == 'no'
