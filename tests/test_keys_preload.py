"""`oriel keys -- CMD` and its library: real programs with each TLS library, captured, and decrypted with the keys that
were logged; and what the library must never do."""
import os
import re
import shutil
import stat
import subprocess

import pytest

from harness import oriel, peers, programs, reading
from harness.capture import Capture, decrypted_http
from harness.ports import free_port
from harness.process import Process, listening_ports, wait_until

NAME = 'www.oriel.test'
LINE = re.compile(r'([A-Z_0-9]+) ([0-9a-f]{64}) ([0-9a-f]{64}|[0-9a-f]{96})\n')
LABELS_13 = {'CLIENT_HANDSHAKE_TRAFFIC_SECRET', 'SERVER_HANDSHAKE_TRAFFIC_SECRET', 'CLIENT_TRAFFIC_SECRET_0',
             'SERVER_TRAFFIC_SECRET_0', 'EXPORTER_SECRET'}
PAGE = b'<!doctype html><title>keys</title>\n' * 20
PATH = '/page-of-the-keys.html'


def without_keys(**more):
    drop = ('SSLKEYLOGFILE', 'ORIEL_KEYLOG', 'LD_PRELOAD', 'NODE_OPTIONS')
    proxies = ('http_proxy', 'https_proxy', 'all_proxy')
    return {**{k: v for k, v in os.environ.items() if k not in drop and k.lower() not in proxies}, **more}


@pytest.fixture(scope='module')
def library():
    done = subprocess.run([oriel.BINARY, 'keys', '--preload-path'], capture_output=True, text=True, check=True)
    path = done.stdout.strip()
    assert os.path.isabs(path) and os.path.exists(path)
    return path


def only_library(path, library):
    """The environment for the library alone: what the program would log by itself it does not."""
    return without_keys(LD_PRELOAD=library, ORIEL_KEYLOG=str(path))


def lines(path):
    """All the lines, each a whole one."""
    with open(path, encoding='ascii') as f:
        got = [(line, LINE.fullmatch(line)) for line in f if not line.startswith('#')]
    assert all(m for _, m in got), [line for line, m in got if not m]
    return [m.groups() for _, m in got]


def secrets(path):
    out = {}
    for label, random, secret in lines(path):
        out.setdefault(random, {})[label] = secret
    return out


def run(argv, env, status=0, **how):
    how.setdefault('stdin', subprocess.DEVNULL)
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, errors='replace', check=False, env=env, timeout=60, **how)
    assert status is None or done.returncode == status, f'{argv}: status {done.returncode}\n{done.stdout[-800:]}\n{done.stderr[-800:]}'
    return done


def keys(*argv, status=0, env=None, **how):
    return run([oriel.BINARY, 'keys', *argv], env or without_keys(), status, **how)


@pytest.fixture(scope='module')
def web(certs, tmp_path_factory):
    """A server that logs nothing."""
    folder = tmp_path_factory.mktemp('web')
    if not os.path.exists(peers.NGINX):
        pytest.skip('needs nginx')
    with peers.nginx(str(folder), certs.good(), files={PATH[1:]: PAGE}) as server:
        yield server


def built(name, *flags):
    def make(at):
        subprocess.run(['cc', '-O2', '-D_GNU_SOURCE', '-Wno-pedantic', '-o', os.path.join(at, name),
                        os.path.join(programs.HERE, 'preloaded.c'), '-pthread', *flags], check=True, timeout=110)
    programs.need('cc')
    return os.path.join(programs.built(name, make), name)


@pytest.fixture(scope='module')
def linked():
    return built('linked', '-DLINKED', '-lssl', '-lcrypto')


@pytest.fixture(scope='module')
def loading():
    return built('loading')


def curl(server, *more):
    return ['curl', '-sSk', '--resolve', f'{NAME}:{server.port}:127.0.0.1', *more, f'https://{NAME}:{server.port}{PATH}']


PYTHON = ("import ssl, socket, sys; c = ssl._create_unverified_context(); "
          "s = c.wrap_socket(socket.create_connection(('127.0.0.1', int(sys.argv[1]))), server_hostname='www.oriel.test'); "
          "s.sendall(b'GET %s HTTP/1.0\\r\\n\\r\\n' % sys.argv[2].encode()); "
          "got = b''.join(iter(lambda: s.recv(4096), b'')); assert b'<title>keys' in got")


def gnutls_cli(server):
    return ['sh', '-c', f'printf "GET {PATH} HTTP/1.0\\r\\n\\r\\n" | gnutls-cli --insecure --logfile=/dev/null '
                        f'--sni-hostname {NAME} -p {server.port} 127.0.0.1']


def s_client(server):
    return ['sh', '-c', f'printf "GET {PATH} HTTP/1.0\\r\\n\\r\\n" | openssl s_client -quiet -ign_eof -servername {NAME} -connect 127.0.0.1:{server.port}']


# What asks for the page: the program that has to be there, its command, and its exit status (None: any).
CLIENTS = {
    'curl': ('curl', lambda s, p: curl(s), 0),
    'curl, TLS 1.2': ('curl', lambda s, p: curl(s, '--tls-max', '1.2'), 0),
    'wget (GnuTLS)': ('wget', lambda s, p: ['wget', '-q', '-O-', '--no-check-certificate', f'https://127.0.0.1:{s.port}{PATH}'], 0),
    'python': ('python3', lambda s, p: ['/usr/bin/python3', '-c', PYTHON, s.port, PATH], 0),
    's_client': ('openssl', lambda s, p: s_client(s), 0),
    'gnutls-cli': ('gnutls-cli', lambda s, p: gnutls_cli(s), 0),
    # A curl with GnuTLS: git's.
    'git': ('git', lambda s, p: ['git', '-c', 'http.sslVerify=false', 'ls-remote', f'https://127.0.0.1:{s.port}{PATH}'], 128),
    'dlsym': ('cc', lambda s, p: [p['loading'], 'dlsym', s.port], 0),
    'linked': ('cc', lambda s, p: [p['linked'], 'plain', s.port], 0),
}


@pytest.fixture
def can_capture():
    if why := reading.possible():
        pytest.skip(why)
    programs.need('tshark')


def asked_for(name):
    """What has to be seen in the request that a client sends."""
    return {'git': f'{PATH}/info/refs?service=git-upload-pack', 'dlsym': '/', 'linked': '/'}.get(name, PATH)


@pytest.mark.parametrize('name', CLIENTS)
def test_a_client_s_capture_is_decrypted_with_what_the_library_logged(can_capture, library, web, linked, loading, tmp_path, name):
    program, argv, status = CLIENTS[name]
    programs.need(program)
    log, pcap = tmp_path / 'keys', tmp_path / 'c.pcap'
    with Capture(pcap, f'tcp port {web.port}'):
        run(argv(web, {'linked': linked, 'loading': loading}), only_library(log, library), status)
    assert stat.S_IMODE(os.stat(log).st_mode) == 0o600
    assert asked_for(name) in decrypted_http(pcap, log, web.port)
    got = reading.read(pcap, '--json', keylog=log)
    assert [e['http']['url'].split(str(web.port), 1)[-1] for e in got.exchanges()][0].endswith(asked_for(name)), got.text


@pytest.mark.parametrize('name', CLIENTS)
def test_a_client_s_keys_are_logged(library, web, linked, loading, tmp_path, name):
    """Also where nothing can be captured: each secret once, all of a connection."""
    program, argv, status = CLIENTS[name]
    programs.need(program)
    run(argv(web, {'linked': linked, 'loading': loading}), only_library(tmp_path / 'keys', library), status)
    got = secrets(tmp_path / 'keys')
    assert got and len(lines(tmp_path / 'keys')) == sum(map(len, got.values()))
    for labels in got.values():
        assert set(labels) == ({'CLIENT_RANDOM'} if '1.2' in name else LABELS_13)


# How each is started, and the program that has to be there.
SERVERS = {
    'nginx': (peers.nginx, peers.NGINX),
    's_server': (peers.s_server, 'openssl'),
    'gnutls-serv': (peers.gnutls_serv, 'gnutls-serv'),
}


@pytest.mark.parametrize('kind', SERVERS)
def test_a_server_s_capture_is_decrypted_with_what_the_library_logged(can_capture, library, certs, tmp_path, kind):
    log, pcap = tmp_path / 'keys', tmp_path / 'c.pcap'
    prefix = ['env', f'LD_PRELOAD={library}', f'ORIEL_KEYLOG={log}']
    make, program = SERVERS[kind]
    programs.need(program)
    with make(str(tmp_path), certs.good(), prefix=prefix) as server:
        with Capture(pcap, f'tcp port {server.port}'):
            run(curl(server), without_keys(), None)
        assert PATH in decrypted_http(pcap, log, server.port)
        assert any(e['http']['url'].endswith(PATH) for e in reading.read(pcap, '--json', keylog=log).exchanges())


def test_workers_that_gave_up_their_rights_still_log(as_root, library, certs, tmp_path):
    """nginx as it is installed: the master, as root, makes the contexts; workers of another user shake hands."""
    programs.need(peers.NGINX)
    port, log = free_port(), tmp_path / 'keys'
    cert = certs.good()
    (tmp_path / 'nginx.conf').write_text(
        f'daemon off; master_process on; worker_processes 2; user nobody nogroup; pid {tmp_path}/pid; error_log stderr; events {{}}\n'
        f'http {{ access_log off; client_body_temp_path {tmp_path}/b; proxy_temp_path {tmp_path}/p; fastcgi_temp_path {tmp_path}/f;\n'
        f'uwsgi_temp_path {tmp_path}/u; scgi_temp_path {tmp_path}/s; server {{ listen 127.0.0.1:{port} ssl;\n'
        f'ssl_certificate {cert.chain}; ssl_certificate_key {cert.key}; location / {{ return 200 "here\\n"; }} }} }}\n')
    with Process([peers.NGINX, '-p', tmp_path, '-c', tmp_path / 'nginx.conf', '-e', 'stderr'], str(tmp_path / 'log'),
                 env=only_library(log, library)) as server:
        server.port = port
        wait_until(lambda: port in listening_ports(), 'nginx listens')
        for _ in range(4):
            run(curl(server), without_keys())
        server.stop()
    assert len(secrets(log)) == 4


# ---- the application's own


@pytest.mark.parametrize('how', ['own', 'own-late', 'dlsym-own'])
def test_the_application_s_own_callback_gets_every_line_too(library, web, linked, loading, tmp_path, how):
    program = loading if how == 'dlsym-own' else linked
    done = run([program, how, web.port], only_library(tmp_path / 'keys', library))
    with open(tmp_path / 'keys', encoding='ascii') as f:
        assert f.read() == done.stdout
    assert len(lines(tmp_path / 'keys')) == 5


def test_a_program_s_own_key_log_file_is_written_as_ever(library, web, tmp_path):
    env = dict(only_library(tmp_path / 'keys', library), SSLKEYLOGFILE=str(tmp_path / 'own'))
    run(curl(web), env)
    assert secrets(tmp_path / 'keys') == secrets(tmp_path / 'own') and secrets(tmp_path / 'keys')
    os.unlink(tmp_path / 'keys'), os.unlink(tmp_path / 'own')
    programs.need('gnutls-cli')
    run(gnutls_cli(web), env)
    assert secrets(tmp_path / 'keys') == secrets(tmp_path / 'own') and secrets(tmp_path / 'keys')


# ---- threads, children, bad company


@pytest.mark.parametrize('how, connections', [('threads', 40), ('fork', 4), ('closing', 1)])
def test_threads_children_and_daemons(library, web, linked, tmp_path, how, connections):
    run([linked, how, web.port], only_library(tmp_path / 'keys', library))
    got = secrets(tmp_path / 'keys')
    assert len(got) == connections and all(set(v) == LABELS_13 for v in got.values())
    assert len(lines(tmp_path / 'keys')) == 5 * connections


def test_a_set_user_id_program_logs_nothing(as_root, library, web, linked, tmp_path):
    """Run by another user, it is root's: the loader and the library both stay out."""
    folder = '/tmp/' + os.path.basename(str(tmp_path)) + f'-{os.getpid()}'
    os.mkdir(folder, 0o755)
    try:
        program = os.path.join(folder, 'program')
        shutil.copy(linked, program)
        os.chmod(program, 0o4755)
        if os.statvfs(folder).f_flag & os.ST_NOSUID:
            pytest.skip('needs a /tmp where set-user-ID counts')
        shutil.copy(library, folder)
        out = os.path.join(folder, 'out')
        os.mkdir(out)
        os.chown(out, 65534, 65534)
        env = only_library(os.path.join(out, 'keys'), os.path.join(folder, 'liboriel-keys.so'))
        run([program, 'plain', web.port], env, user=65534)
        assert os.listdir(out) == []
        os.chmod(program, 0o755)
        run([program, 'plain', web.port], env, user=65534)
        assert os.listdir(out) == ['keys']
    finally:
        shutil.rmtree(folder)


def test_a_file_that_is_not_safe_gets_nothing_and_the_program_runs(library, web, tmp_path):
    log = tmp_path / 'keys'
    log.touch(0o644)
    os.chmod(log, 0o644)
    run(curl(web), only_library(log, library))
    assert log.read_bytes() == b''
    run(curl(web), only_library('/dev/full', library))
    run(curl(web), only_library(tmp_path / 'no' / 'such', library))


def test_without_a_file_the_library_changes_nothing(library, web, linked):
    assert run([linked, 'own', web.port], without_keys(LD_PRELOAD=library)).stdout.count('\n') == 5
    run(curl(web), without_keys(LD_PRELOAD=library))


def test_the_library_needs_libc_only_and_shows_only_what_it_stands_in_front_of(library):
    programs.need('readelf')
    dynamic = run(['readelf', '-dW', library], os.environ).stdout
    assert re.findall(r'NEEDED.*\[(.*)\]', dynamic) == ['libc.so.6']
    symbols = run(['readelf', '--dyn-syms', '-W', library], os.environ).stdout
    shown = {row.split()[7] for row in symbols.splitlines() if re.search(r'(GLOBAL|WEAK)\s+DEFAULT\s+\d+ ', row)}
    assert shown == {'SSL_new', 'SSL_CTX_new', 'SSL_CTX_new_ex', 'SSL_CTX_set_keylog_callback', 'SSL_CTX_get_keylog_callback',
                     'CRYPTO_new_ex_data', 'gnutls_init', 'gnutls_session_set_keylog_function', 'gnutls_session_get_keylog_function'}


# ---- the verb


def test_the_usual_file_is_named_and_made_for_its_owner(web, tmp_path):
    done = keys('--', *curl(web), cwd=tmp_path)
    assert done.stdout.encode() == PAGE
    assert done.stderr == f'oriel: keys are appended to {tmp_path}/oriel-keys.log\n'
    assert stat.S_IMODE(os.stat(tmp_path / 'oriel-keys.log').st_mode) == 0o600
    assert len(secrets(tmp_path / 'oriel-keys.log')) == 1


def test_a_file_that_is_given_is_appended_to_without_a_word(web, tmp_path):
    for n in (1, 2):
        assert keys('-o', 'k', '--', *curl(web), cwd=tmp_path).stderr == ''
        assert len(secrets(tmp_path / 'k')) == n


def test_standard_output_carries_the_keys_alone(web, tmp_path):
    done = keys('-o', '-', '--', 'sh', '-c', ' '.join(curl(web)) + '; exit 7', status=7)
    assert done.stderr.encode() == PAGE
    assert {m[0] for m in LINE.findall(done.stdout)} == LABELS_13
    (tmp_path / 'keys').write_text(done.stdout)
    assert len(secrets(tmp_path / 'keys')) == 1


def test_a_signal_for_oriel_reaches_the_command_and_nothing_stays(tmp_path):
    env = without_keys(TMPDIR=str(tmp_path))
    script = 'trap "exit 5" TERM; echo ready >&2; while :; do sleep 0.05; done'
    with subprocess.Popen([oriel.BINARY, 'keys', '-o', '-', '--', 'sh', '-c', script], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=env, text=True) as p:
        assert p.stderr.readline() == 'ready\n' and os.listdir(tmp_path)
        p.terminate()
        assert p.wait(20) == 5
    assert os.listdir(tmp_path) == []


def test_the_exit_status_is_the_command_s(tmp_path):
    assert keys('-o', tmp_path / 'k', '--', 'sh', '-c', 'exit 9', status=9)
    assert keys('-o', '-', '--', 'sh', '-c', 'kill -9 $$', status=137)
    for output in (tmp_path / 'k', '-'):
        assert 'No such file' in keys('-o', output, '--', '/no/such', status=127).stderr
        assert 'Permission denied' in keys('-o', output, '--', '/etc/passwd', status=126).stderr


def test_without_a_command_it_says_how(tmp_path):
    assert 'oriel keys -- curl' in keys(status=2).stderr


def test_a_file_that_is_not_safe_is_refused_before_the_command_runs(tmp_path):
    (tmp_path / 'k').touch()
    os.chmod(tmp_path / 'k', 0o644)
    done = keys('-o', tmp_path / 'k', '--', 'touch', tmp_path / 'ran', status=1)
    assert '0600' in done.stderr and not (tmp_path / 'ran').exists()


def test_what_the_environment_had_stays(library, tmp_path):
    show = ['sh', '-c', 'echo "$LD_PRELOAD|$NODE_OPTIONS|$SSLKEYLOGFILE|$ORIEL_KEYLOG"']
    k = tmp_path / 'a "b'
    env = without_keys(LD_PRELOAD='libc.so.6', NODE_OPTIONS='--no-warnings')
    node = '"--tls-keylog=' + str(k).replace('"', '\\"') + '"'
    wanted = f'libc.so.6:{library}|--no-warnings {node}|{k}|{k}\n'
    assert keys('-o', k, '--', *show, env=env).stdout == wanted
    again = [oriel.BINARY, 'keys', '-o', k, '--', *show]
    assert keys('-o', k, '--', *again, env=env).stdout == wanted


def test_node_logs_by_its_own_option(web, tmp_path):
    programs.need('node')
    script = (f"require('https').get({{host: '127.0.0.1', port: {web.port}, path: '{PATH}', rejectUnauthorized: false}}, "
              "r => r.on('data', () => 0))")
    keys('-o', tmp_path / 'a b', '--', 'node', '-e', script)
    assert [set(v) for v in secrets(tmp_path / 'a b').values()] == [LABELS_13]


def test_nss_logs_where_its_key_log_is_compiled_in(web, tmp_path):
    programs.need('tstclnt')
    found = run(['sh', '-c', 'ldd "$(command -v tstclnt)" | sed -n "s/.*libssl3.so => \\([^ ]*\\).*/\\1/p"'], os.environ).stdout.strip()
    with open(found, 'rb') as f:
        if b'SSLKEYLOGFILE' not in f.read():
            pytest.skip(f'{found} was built without its key log')
    keys('-o', tmp_path / 'k', '--', 'sh', '-c', f'printf "GET {PATH} HTTP/1.0\\r\\n\\r\\n" | tstclnt -h 127.0.0.1 -p {web.port} -o -D', status=None)
    assert len(secrets(tmp_path / 'k')) == 1


def test_static_programs_are_said_not_to_take_the_library(tmp_path):
    programs.need('cc')
    (tmp_path / 'a.c').write_text('int main(void) { return 0; }\n')
    run(['cc', '-static', '-o', tmp_path / 'a', tmp_path / 'a.c'], os.environ)
    assert 'linked statically' in keys('-o', tmp_path / 'k', '--', tmp_path / 'a').stderr


def test_go_is_said_not_to_work():
    binary = programs.go_binary()
    assert 'written in Go' in keys('-o', '-', '--', binary, status=None).stderr


def test_a_set_user_id_command_is_said_not_to_work(tmp_path):
    if os.geteuid() == 0:
        pytest.skip('needs an ordinary user: for root it is a command like others')
    shutil.copy('/bin/true', tmp_path / 'true')
    os.chmod(tmp_path / 'true', 0o4755)
    assert 'set-user-ID' in keys('-o', tmp_path / 'k', '--', tmp_path / 'true').stderr
