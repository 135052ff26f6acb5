"""`oriel run` without any configuration: what it makes, says and listens on, and what two of them do to each other."""
import datetime
import json
import os
import re
import shlex
import shutil
import socket
import stat
import subprocess

import pytest

from harness import client, oriel, peers
from harness.pki import Cert, openssl
from harness.process import listening_ports, wait_until

NAME = 'www.oriel.test'
HOSTS = {'listeners': [{'bind': '127.0.0.1:PORT', 'default': 'bump'}], 'hosts': {NAME: '127.0.0.1'}}
NOBODY = 65534


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def read(path):
    with open(path, 'rb') as f:
        return f.read()


def admin_path(o):
    return os.path.join(o.dir, 'run', 'oriel', 'admin.sock')


def ask_admin(path, target):
    """What the admin socket answers to GET target: (status, body)."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(client.TIME)
        s.connect(path)
        s.sendall(f'GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'.encode())
        head, _, body = client.read_all(s)[0].partition(b'\r\n\r\n')
    return int(head.split()[1]), body.decode()


# ---- the bump root


def date_of(cert, which):
    text = openssl('x509', '-in', cert, '-noout', '-' + which).split('=', 1)[1].strip()
    return datetime.datetime.strptime(text, '%b %d %H:%M:%S %Y %Z')


def test_the_first_start_makes_a_bump_root(run_oriel):
    o = run_oriel()
    text = openssl('x509', '-in', o.root, '-noout', '-text')
    assert 'ASN1 OID: prime256v1' in text
    assert 'CA:TRUE, pathlen:0' in text
    ends, now = date_of(o.root, 'enddate'), datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    assert abs(ends - now - datetime.timedelta(days=730)) < datetime.timedelta(days=1)
    assert date_of(o.root, 'startdate') <= now
    # The host's name may be cleaned and cut; its beginning is there.
    assert re.fullmatch(rf'CN=oriel bump CA {re.escape(socket.gethostname()[:8])}.* \d{{4}}-\d\d-\d\d,O=oriel', o.root_subject())
    assert f'{ends:%m}' in o.root_subject().rsplit(' ', 1)[1]
    assert (mode(o.root_key), mode(o.root)) == (0o600, 0o644)
    assert mode(os.path.dirname(o.root)) == 0o700
    pub = openssl('pkey', '-in', o.root_key, '-pubout')
    assert pub == openssl('x509', '-in', o.root, '-noout', '-pubkey')


def test_the_next_start_takes_the_same_root(tmp_path, https, certs):
    with oriel.Oriel(tmp_path, HOSTS, trust=certs.root.cert) as first:
        before = read(first.root), read(first.root_key)
        first.wait_line('made a new bump root', first.root)
    with oriel.Oriel(tmp_path, HOSTS, trust=certs.root.cert) as second:
        assert (read(second.root), read(second.root_key)) == before
        second.wait_line('signs with the bump root', second.root)
        got = client.curl(f'https://{NAME}:{https.port}/', proxy=second, cafile=second.root).ok()
        assert got.status == 200


def test_an_expired_root_is_replaced(tmp_path, certs):
    folder = tmp_path / 'state' / 'oriel' / 'bump'
    folder.mkdir(parents=True)
    for part in (tmp_path / 'state', tmp_path / 'state' / 'oriel', folder):
        part.chmod(0o700)
    old = certs.server('expired-root', names=(), issuer=None, days=(-800, -1), subject='/O=oriel/CN=oriel bump CA of old',
                       basicConstraints='critical,CA:TRUE,pathlen:0', keyUsage='critical,keyCertSign,cRLSign')
    shutil.copy(old.cert, folder / 'ca.pem')
    shutil.copy(old.key, folder / 'ca-key.pem')
    (folder / 'ca-key.pem').chmod(0o600)
    with oriel.Oriel(tmp_path) as o:
        o.wait_line('made a new bump root')
        assert date_of(o.root, 'enddate') > datetime.datetime.now() + datetime.timedelta(days=700)
        assert mode(o.root_key) == 0o600 and read(o.root_key) != read(old.key)


def test_its_own_roots_are_never_accepted_upstream(tmp_path, certs, start):
    """A server with a certificate of the bump root is a stranger, even where the system trusts that root."""
    with oriel.Oriel(tmp_path, HOSTS, trust=certs.root.cert) as o:
        forged = certs.server('forged', issuer=Cert('bump', o.root, o.root_key, o.root), with_intermediate=False)
        root = o.root
    trusted = tmp_path / 'trusted.pem'
    trusted.write_bytes(read(certs.root.cert) + read(root))
    server = start(peers.nginx, forged)
    openssl('verify', '-CAfile', trusted, forged.cert)
    with oriel.Oriel(tmp_path, HOSTS, trust=trusted) as o:
        got = client.curl(f'https://{NAME}:{server.port}/', proxy=o, cafile=o.root)
        assert got.code == 60, got.log
        event = o.wait_event(tls__sni=NAME)
        assert event['tls']['server']['verdict'] != 'ok'


# ---- what it makes for programs


def test_the_bundle_holds_the_systems_roots_and_the_bump_root(run_oriel, certs):
    o = run_oriel()
    folder = os.path.dirname(o.root)
    bundle = wait_until(lambda: os.path.exists(os.path.join(folder, 'bundle.pem')) and read(os.path.join(folder, 'bundle.pem')), 'a bundle')
    assert bundle.count(b'-----BEGIN CERTIFICATE-----') == 2
    assert read(certs.root.cert).strip() in bundle and read(o.root).strip() in bundle
    # Nobody may put a root of his own in.
    assert mode(os.path.join(folder, 'bundle.pem')) == 0o644


def test_spliced_and_bumped_hosts_verify_with_the_bundle(run_oriel, https, certs):
    other = 'spliced.oriel.test'
    rule = {'match': {'sni': [other], 'target': [other]}, 'do': 'splice'}
    o = run_oriel({'listeners': [{'bind': '127.0.0.1:PORT', 'default': 'bump', 'rules': [rule]}],
                   'hosts': {NAME: '127.0.0.1', other: '127.0.0.1'}})
    bundle = os.path.join(os.path.dirname(o.root), 'bundle.pem')
    wait_until(lambda: os.path.exists(bundle), 'a bundle')
    with client.tls_through(o.port, NAME, https.port, bundle) as s:
        bumped = dict(x[0] for x in s.getpeercert()['issuer'])
    with peers.HttpsServer(certs.good(name=other)) as server, client.tls_through(o.port, other, server.port, bundle) as s:
        spliced = dict(x[0] for x in s.getpeercert()['issuer'])
    assert (bumped['organizationName'], spliced['organizationName']) == ('oriel', 'Oriel Tests')


# ---- what it says


def test_it_says_what_it_decrypts_and_what_to_try(run_oriel, https, certs):
    o = run_oriel(HOSTS)
    o.wait_line('oriel browser')
    said = '\n'.join(o.errors)
    assert f'listening on 127.0.0.1:{o.port}' in said and 'decrypts everything' in said
    assert o.root in said
    assert len([line for line in o.errors if line.strip()]) < 10
    for verb in ('eval "$(oriel env)"', 'oriel exec -- CMD', 'oriel browser URL'):
        assert verb in said
    assert not o.lines
    # The command that it says works as it stands, but for the URL.
    tried = shlex.split(re.search(r'try:\s+(curl .*)', said).group(1))
    tried[-1] = f'https://{NAME}:{https.port}/'
    done = subprocess.run([*tried, '-sS', '--noproxy', ''], capture_output=True, check=False, env=client.clean_environment(), timeout=client.TIME)
    assert done.returncode == 0 and done.stdout, done.stderr


@pytest.mark.parametrize('action,word', [('splice', 'passes on'), ('block', 'blocks')])
def test_it_says_when_it_does_not_decrypt(run_oriel, action, word):
    o = run_oriel({'listeners': [{'bind': '127.0.0.1:PORT', 'default': action}]})
    assert 'decrypts' not in o.wait_line('listening on', word)


# ---- where it listens


def test_without_options_it_listens_on_port_8080_of_loopback(net, tmp_path):
    argv = [*net.inside('client'), oriel.BINARY, 'run']
    with subprocess.Popen(argv, env=oriel.environment(str(tmp_path)), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True) as o:
        try:
            wait_until(lambda: 8080 in listening_ports(o.pid), 'it listens on port 8080')
            with open(f'/proc/{o.pid}/net/tcp', encoding='ascii') as f:
                # 127.0.0.1:8080, listening; and nothing else.
                assert [line.split()[1] for line in f.readlines()[1:] if line.split()[3] == '0A'] == ['0100007F:1F90']
            with open(f'/proc/{o.pid}/net/tcp6', encoding='ascii') as f:
                assert not [line for line in f.readlines()[1:] if line.split()[3] == '0A']
        finally:
            o.terminate()
            o.stderr.read()


def test_a_taken_port_names_its_holder(tmp_path):
    with socket.create_server(('127.0.0.1', 0)) as holder:
        port = holder.getsockname()[1]
        status, out, err = oriel.command(tmp_path, 'run', '--listen', f'127.0.0.1:{port}')
    assert status != 0 and out == ''
    assert f'127.0.0.1:{port} is taken by' in err and str(os.getpid()) in err
    assert '--listen' in err and err.count('\n') == 1


@pytest.fixture
def as_nobody(tmp_path):
    """What goes before a command so that an ordinary user runs it, whose home is a folder of its own."""
    if os.geteuid() != 0:
        return []
    # Others' folders are closed: what this user needs lies where he can come.
    for path in [tmp_path, *tmp_path.parents][:3]:
        os.chmod(path, 0o755)
    prefix = ['setpriv', '--reuid', str(NOBODY), '--regid', str(NOBODY), '--clear-groups', '--inh-caps=-all', '--bounding-set=-all']
    if subprocess.run([*prefix, 'test', '-x', oriel.BINARY], check=False).returncode:
        pytest.skip('needs a binary to which an ordinary user can come')
    return prefix


def own(folder):
    if os.geteuid() == 0:
        for at, _, _ in os.walk(folder):
            os.chown(at, NOBODY, NOBODY)


def test_an_ordinary_user_runs_it(tmp_path, as_nobody, https, certs):
    folder = tmp_path / 'nobody'
    folder.mkdir()
    oriel.environment(str(folder))
    roots = tmp_path / 'roots.pem'
    roots.write_bytes(read(certs.root.cert))
    own(folder)
    with oriel.Oriel(folder, HOSTS, trust=roots, prefix=as_nobody) as o:
        with open(f'/proc/{o.pid}/status', encoding='ascii') as f:
            status = f.read()
        assert re.search(r'^Uid:\t(\d+)', status, re.M).group(1) == str(NOBODY if as_nobody else os.geteuid())
        assert int(re.search(r'^CapEff:\t(\w+)', status, re.M).group(1), 16) == 0
        got = client.curl(f'https://{NAME}:{https.port}/', proxy=o, cafile=o.root).ok()
        assert got.status == 200


def test_the_time_of_a_start_is_measured():
    """./dev bench startup says how long it takes until the port listens; a test would measure the machine."""
    done = subprocess.run([os.path.join(oriel.ROOT, 'bench', 'startup'), '1'], capture_output=True, text=True, check=False, timeout=60,
                          env=client.clean_environment(ORIEL=oriel.BINARY))
    first, later = (json.loads(line) for line in done.stdout.splitlines())
    assert (first['start'], later['start']) == ('first', 'later'), done.stderr
    for one in (first, later):
        assert 0 < one['listening_ms'] <= one['served_ms'] <= one['ready_ms']


# ---- the admin socket


def test_the_admin_socket_is_there_from_the_start_for_its_owner_only(run_oriel):
    o = run_oriel()
    assert stat.S_ISSOCK(os.lstat(admin_path(o)).st_mode)
    assert mode(admin_path(o)) == 0o600 and mode(os.path.dirname(admin_path(o))) == 0o700
    assert ask_admin(admin_path(o), '/healthz') == (200, 'ok\n')
    wait_until(lambda: ask_admin(admin_path(o), '/readyz') == (200, 'ready\n'), 'it is ready')
    assert ask_admin(admin_path(o), '/ca.pem') == (200, read(o.root).decode())
    o.stop()
    assert not os.path.exists(admin_path(o))


def test_without_a_runtime_folder_the_admin_socket_is_in_the_state_folder(tmp_path, as_nobody):
    folder = tmp_path / 'nobodys'
    folder.mkdir()
    oriel.environment(str(folder))
    own(folder)
    with oriel.Oriel(folder, prefix=[*as_nobody, 'env', '-u', 'XDG_RUNTIME_DIR']):
        at = folder / 'state' / 'oriel' / 'run'
        assert mode(at) == 0o700 and mode(at / 'admin.sock') == 0o600
        assert ask_admin(str(at / 'admin.sock'), '/healthz')[0] == 200


def test_admin_says_where_the_socket_is(run_oriel, tmp_path):
    at = tmp_path / 'elsewhere.sock'
    o = run_oriel(args=['--admin', at])
    assert mode(at) == 0o600 and ask_admin(str(at), '/healthz')[0] == 200
    assert not os.path.exists(admin_path(o))
    status, out, err = oriel.command(tmp_path, 'flows', '--admin', at)
    assert (status, err) == (0, ''), out


# ---- two of them


def test_two_of_them_do_not_disturb_each_other(tmp_path, https, certs):
    def fetch(through):
        return client.curl(f'https://{NAME}:{https.port}/', proxy=through, cafile=first.root).ok().status

    beside = tmp_path / 'beside'
    beside.mkdir()
    with oriel.Oriel(tmp_path, HOSTS, trust=certs.root.cert) as first:
        assert fetch(first) == 200
        # The same home: the socket is taken, and the first one keeps it.
        status, out, err = oriel.command(tmp_path, 'run', '--listen', '127.0.0.1:0')
        assert status != 0 and out == '' and 'another oriel answers at' in err and '--admin PATH' in err
        assert ask_admin(admin_path(first), '/healthz')[0] == 200
        same_home = ['env', f'XDG_STATE_HOME={tmp_path}/state', f'XDG_RUNTIME_DIR={tmp_path}/run']
        with oriel.Oriel(beside, HOSTS, trust=certs.root.cert, prefix=same_home, args=['--admin', beside / 'admin.sock']) as second:
            assert not os.path.exists(second.root)
            assert (fetch(second), fetch(first)) == (200, 200)
            # They sign with the same root; each tells only of its own.
            first.wait_event(type='exchange', count=2)
            second.wait_event(type='exchange')
            assert (len(first.events(type='exchange')), len(second.events(type='exchange'))) == (2, 1)
        assert fetch(first) == 200
        assert ask_admin(admin_path(first), '/healthz')[0] == 200
