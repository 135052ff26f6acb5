"""`oriel env` and `oriel exec` with real programs; and what every verb that asks a running oriel says when none answers."""
import contextlib
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

import pytest

from harness import oriel, peers, programs

NAME, SPLICED, EXPIRED = 'www.oriel.test', 'spliced.oriel.test', 'expired.oriel.test'
CONFIG = {'listeners': [{'bind': '127.0.0.1:PORT', 'default': 'block', 'rules': [
    {'match': {'target': [SPLICED]}, 'do': 'splice'}, {'match': {'target': ['*.oriel.test']}, 'do': 'bump'}]}],
    'hosts': dict.fromkeys((NAME, SPLICED, EXPIRED), '127.0.0.1')}
PROXY = ('HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy')
BUNDLE = ('SSL_CERT_FILE', 'CURL_CA_BUNDLE', 'REQUESTS_CA_BUNDLE', 'PIP_CERT', 'NODE_EXTRA_CA_CERTS', 'DENO_CERT', 'npm_config_cafile',
          'GIT_SSL_CAINFO', 'CARGO_HTTP_CAINFO', 'AWS_CA_BUNDLE', 'GRPC_DEFAULT_SSL_ROOTS_FILE_PATH')


class Place:
    """An oriel, and behind it a server of each kind."""

    def __init__(self, folder, certs):
        self.stack = contextlib.ExitStack()
        self.servers = {name: self.stack.enter_context(peers.HttpsServer(cert)) for name, cert in (
            (NAME, certs.good()), (SPLICED, certs.good(name=SPLICED)), (EXPIRED, certs.server('env-expired', names=(EXPIRED,), days=(-90, -3))),
            ('localhost', certs.good(name='localhost')))}
        # So that what goes around the proxy verifies as well, by the bundle.
        self.oriel = self.stack.enter_context(oriel.Oriel(folder, CONFIG, trust=certs.root.cert))

    def url(self, name, path='/x'):
        return f'https://{name}:{self.servers[name].port}{path}'

    def run(self, *command, env=None, timeout=60):
        return subprocess.run([oriel.BINARY, 'exec', '--', *map(str, command)], env=dict(self.oriel.env, **(env or {})), capture_output=True, text=True,
                              check=False, stdin=subprocess.DEVNULL, timeout=timeout, cwd=self.oriel.dir, errors='replace')

    def bump_file(self, name):
        return os.path.join(self.oriel.dir, 'state', 'oriel', 'bump', name)

    def requests(self, path):
        return [e for e in self.oriel.events(type='exchange') if e['http']['url'].endswith(path)]


@pytest.fixture(scope='module')
def place(tmp_path_factory, certs):
    at = Place(tmp_path_factory.mktemp('place'), certs)
    with at.stack:
        yield at


def variables(place, env=None, shell='sh', path=None):
    """What a shell has after evaluating the lines of `oriel env`."""
    done = subprocess.run([shell, '-c', f'eval "$({shlex.quote(oriel.BINARY)} env)" && env -0'], env=dict((path or place.oriel).env, **(env or {})),
                          capture_output=True, check=True, timeout=30)
    assert done.stderr == b''
    return dict(part.split('=', 1) for part in done.stdout.decode().split('\0') if part)


# ---- the lines


@pytest.mark.sanitized
def test_the_lines_point_to_the_proxy_and_the_bundle(place):
    got = variables(place)
    assert {got[name] for name in PROXY} == {place.oriel.proxy_url}
    assert {got[name] for name in BUNDLE} == {place.bump_file('bundle.pem')}
    assert got['NODE_USE_ENV_PROXY'] == '1'
    assert set(got['JAVA_TOOL_OPTIONS'].split()) == {
        '-Dhttp.proxyHost=127.0.0.1', f'-Dhttp.proxyPort={place.oriel.port}', '-Dhttps.proxyHost=127.0.0.1', f'-Dhttps.proxyPort={place.oriel.port}',
        f'-Djavax.net.ssl.trustStore="{place.bump_file("trust.p12")}"', '-Djavax.net.ssl.trustStoreType=PKCS12',
        '-Djavax.net.ssl.trustStorePassword=changeit'}


@pytest.mark.parametrize('shell', ['dash', 'bash', 'zsh', 'busybox sh'])
def test_each_line_is_an_export_that_posix_shells_read(place, shell):
    program = shell.split()
    if not shutil.which(program[0]):
        pytest.skip(f'needs {program[0]}')
    code, out, err = oriel.command(place.oriel.dir, 'env')
    assert (code, err) == (0, '')
    assert all(re.fullmatch(r"export [A-Za-z_]+='.*'", line) for line in out.splitlines())
    done = subprocess.run([*program, '-c', out + 'printf %s "$SSL_CERT_FILE"'], capture_output=True, text=True, check=True, timeout=20)
    assert done.stdout == place.bump_file('bundle.pem')


def test_what_the_user_excluded_stays_excluded(place):
    assert 'NO_PROXY' not in variables(place)
    assert variables(place, env={'NO_PROXY': 'intern.test'})['NO_PROXY'] == 'intern.test'


def test_options_that_java_has_already_stay_and_ours_are_there_once(place):
    first = variables(place, env={'JAVA_TOOL_OPTIONS': '-Xmx64m'})['JAVA_TOOL_OPTIONS']
    assert first.startswith('-Xmx64m -Dhttp.proxyHost=')
    assert variables(place, env={'JAVA_TOOL_OPTIONS': first})['JAVA_TOOL_OPTIONS'] == first


@pytest.mark.sanitized
def test_folders_with_any_character_in_their_names_work(https, certs):
    # Not below tmp_path: the path of a socket has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="it's a $(touch pwned) `x` \"y\" \\z") as folder, oriel.Oriel(folder, CONFIG, trust=certs.root.cert) as one:
        script = f'eval "$({shlex.quote(oriel.BINARY)} env)" && curl -sS https://{NAME}:{https.port}/there'
        done = subprocess.run(['sh', '-c', script], env=one.env, cwd=folder, capture_output=True, text=True, check=False, timeout=30)
        assert (done.returncode, done.stderr) == (0, '') and done.stdout.startswith('GET /there ')
        assert not os.path.exists(os.path.join(folder, 'pwned'))
        if shutil.which('java'):
            done = subprocess.run([oriel.BINARY, 'exec', '--', 'java', '-XshowSettings:properties', '-version'], env=one.env, capture_output=True, text=True,
                                  check=True, timeout=60)
            assert f'javax.net.ssl.trustStore = {folder}/state/oriel/bump/trust.p12\n' in done.stderr


def test_a_proxy_that_listens_everywhere_is_reached_over_loopback(tmp_path, certs):
    config = {'listeners': [{'bind': '0.0.0.0:PORT', 'clients': ['127.0.0.0/8'], 'default': 'bump'}]}
    with oriel.Oriel(tmp_path, config, trust=certs.root.cert) as one:
        assert variables(None, path=one)['HTTPS_PROXY'] == f'http://127.0.0.1:{one.port}'


def test_a_listener_for_redirected_connections_only_has_no_address_to_give(tmp_path, certs):
    config = {'listeners': [{'bind': '127.0.0.1:PORT', 'transparent': 'redirect', 'default': 'bump'}]}
    with oriel.Oriel(tmp_path, config, trust=certs.root.cert) as one:
        assert_one_sentence(oriel.command(one.dir, 'env'), 1, 'redirected connections only')


def test_starting_again_in_such_a_shell_does_not_make_the_bundle_grow(place, tmp_path, certs):
    """The bundle is then what the next start takes for the system's roots."""
    size = os.path.getsize(place.bump_file('bundle.pem'))
    with oriel.Oriel(tmp_path, trust=certs.root.cert) as one:
        before = variables(None, path=one)['SSL_CERT_FILE']
        text = open(before, encoding='utf-8').read()
    for _ in range(2):
        with oriel.Oriel(tmp_path, trust=before) as one:
            assert variables(None, path=one)['SSL_CERT_FILE'] == before
            assert open(before, encoding='utf-8').read() == text
    assert size == os.path.getsize(place.bump_file('bundle.pem'))


def test_java_sees_every_root_of_the_bundle(place):
    programs.need('keytool')
    variables(place)
    done = subprocess.run(['keytool', '-list', '-keystore', place.bump_file('trust.p12'), '-storepass', 'changeit'], capture_output=True, text=True, check=True,
                          timeout=60)
    roots = open(place.bump_file('bundle.pem'), encoding='utf-8').read().count('-----BEGIN CERTIFICATE-----')
    assert roots == 2 and done.stdout.count('trustedCertEntry') == roots


# ---- programs


def get_py(library):
    return ['/usr/bin/python3', os.path.join(programs.HERE, 'get.py'), library]


def script(*lines):
    return ['/usr/bin/python3', '-c', '\n'.join(lines)]


def java_source(folder):
    path = os.path.join(folder, 'Fetch.java')
    with open(path, 'w', encoding='ascii') as f:
        f.write('import java.net.*; import java.net.http.*;\n'
                'public class Fetch { public static void main(String[] a) throws Exception {\n'
                '  System.out.print(new String(new URL(a[0]).openStream().readAllBytes()));\n'
                '  System.out.print(HttpClient.newHttpClient().send(HttpRequest.newBuilder(URI.create(a[0])).build(),\n'
                '    HttpResponse.BodyHandlers.ofString()).body()); } }\n')
    return path


# Each prints the page of the URL that follows.
PROGRAMS = {
    'curl': lambda p: ['curl', '-sS', '--fail'],
    'wget': lambda p: ['sh', '-c', 'exec wget -q -O - --ca-certificate="$SSL_CERT_FILE" "$0"'],
    'requests': lambda p: script('import requests, sys', 'r = requests.get(sys.argv[1])', 'r.raise_for_status()', 'print(r.text, end="")'),
    'urllib': lambda p: script('import sys, urllib.request', 'print(urllib.request.urlopen(sys.argv[1]).read().decode(), end="")'),
    'ruby': lambda p: ['ruby', '-rnet/http', '-ropen-uri', '-e', 'print Net::HTTP.get(URI(ARGV[0])), URI.open(ARGV[0]).read'],
    'go': lambda p: [programs.go_binary(), 'get'],
    'java': lambda p: ['java', '-XX:TieredStopAtLevel=1', java_source(p.oriel.dir)],
}
NEEDS = {'wget': 'wget', 'ruby': 'ruby', 'go': 'go', 'java': 'javac'}


def fetch(place, program, url):
    programs.need(NEEDS.get(program, 'sh'))
    more = ['1.3', 'http/1.1'] if program == 'go' else []
    return place.run(*PROGRAMS[program](place), url, *more)


@pytest.mark.parametrize('name', [NAME, SPLICED])
@pytest.mark.parametrize('program', PROGRAMS)
def test_a_program_gets_its_page_bumped_or_spliced(place, program, name):
    path = f'/{program}-{name}'
    got = fetch(place, program, place.url(name, path))
    assert got.returncode == 0 and got.stdout.startswith(f'GET {path} '), got.stderr
    if name == NAME:
        event = place.oriel.wait_event(type='exchange', http__url=place.url(name, path))
        assert event['tls']['client']['issuer'] == place.oriel.root_subject()
    else:
        place.oriel.wait_event(type='connection', action='splice', target=f'{SPLICED}:{place.servers[SPLICED].port}')
        assert not place.requests(path)


@pytest.mark.parametrize('program', PROGRAMS)
def test_what_is_bad_stays_bad_for_a_program(place, program):
    path = f'/bad-{program}'
    got = fetch(place, program, place.url(EXPIRED, path))
    assert got.returncode != 0 and 'GET ' not in got.stdout
    assert not place.requests(path)


def test_git_reads_a_repository(place, tmp_path, start, certs):
    env = dict(place.oriel.env, GIT_CONFIG_NOSYSTEM='1', GIT_AUTHOR_NAME='a', GIT_AUTHOR_EMAIL='a@b', GIT_COMMITTER_NAME='a', GIT_COMMITTER_EMAIL='a@b')
    server = start(peers.nginx, certs.good())
    www = os.path.join(os.path.dirname(server.log), 'www', 'r.git')
    for argv in (['git', 'init', '-q', '--bare', www], ['git', 'init', '-q', 'work'], ['git', '-C', 'work', 'commit', '-q', '--allow-empty', '-m', 'one'],
                 ['git', '-C', 'work', 'push', '-q', www, 'HEAD:main'], ['git', '-C', www, 'update-server-info']):
        subprocess.run(argv, cwd=tmp_path, env=env, check=True, capture_output=True, timeout=30)
    got = place.run('git', 'ls-remote', f'https://{NAME}:{server.port}/r.git')
    assert got.returncode == 0 and got.stdout.endswith('\trefs/heads/main\n'), got.stderr
    place.oriel.wait_event(type='exchange', http__status=200, tls__sni=NAME)


def test_node_trusts_the_bundle(place):
    """Through a tunnel of the program's own, as an agent for proxies makes it: also before version 24."""
    programs.need('node')
    source = ('const tls=require("tls"),http=require("http"),p=new URL(process.env.HTTPS_PROXY),u=new URL(process.argv[1]);'
              'http.request({host:p.hostname,port:p.port,method:"CONNECT",path:u.host}).on("connect",(r,s)=>{'
              'const t=tls.connect({socket:s,servername:u.hostname},()=>{console.log(t.authorized);t.end()})}).end()')
    got = place.run('node', '-e', source, place.url(NAME))
    assert (got.returncode, got.stdout) == (0, 'true\n'), got.stderr


# ---- what --explain says, held to the programs


@pytest.mark.sanitized
def test_explain_tells_of_each_program(place):
    code, out, err = oriel.command(place.oriel.dir, 'env', '--explain')
    assert (code, err) == (0, '')
    assert place.oriel.proxy_url in out and place.bump_file('bundle.pem') in out
    rows = dict(re.findall(r'^(\S.{0,14}\S|\S)  +(.*(?:\n {16}.*)*)', out, re.M))
    assert set(rows) >= {'curl', 'wget', 'Python', 'Node before 24', 'Node from 24', 'npm', 'Go', 'Java', 'git', 'Ruby', 'Rust', 'Deno', 'browsers', 'Docker'}
    assert 'ignores HTTPS_PROXY' in rows['Node before 24']
    assert 'its own properties' in rows['Java']
    assert 'read none of these' in rows['browsers']
    assert 'NO_PROXY' not in out
    _, out, _ = oriel.command(place.oriel.dir, 'env', '--explain', env={'NO_PROXY': 'intern.test\x1b[31m'})
    assert 'NO_PROXY is set' in out and r'intern.test\x1b[31m' in out


def test_wget_does_not_trust_the_bundle_by_itself(place):
    if 'gnutls' not in subprocess.run([programs.need('wget'), '--version'], capture_output=True, text=True, check=True).stdout:
        pytest.skip('needs a wget built with GnuTLS')
    assert place.run('wget', '-q', '-O', '-', place.url(NAME)).returncode == 5


def test_node_before_24_goes_around_the_proxy(place):
    """To a name that needs no resolving: the server's own certificate is what it sees."""
    version = subprocess.run([programs.need('node'), '--version'], capture_output=True, text=True, check=True).stdout
    got = place.run('node', '-e', 'fetch(process.argv[1]).then(r=>r.text()).then(console.log)', place.url('localhost', '/node'))
    around = int(version[1:].split('.')[0]) < 24
    assert (got.returncode == 0 and 'GET /node ' in got.stdout) == around, got.stderr
    assert not place.requests('/node')


@pytest.mark.parametrize('program', ['go', 'java'])
def test_loopback_goes_around_the_proxy(place, program):
    path = f'/around-{program}'
    got = fetch(place, program, place.url('localhost', path))
    assert got.returncode == 0 and f'GET {path} ' in got.stdout, got.stderr
    assert not place.requests(path)


# ---- exec


@pytest.mark.sanitized
def test_exec_ends_with_the_commands_status(place):
    for status in (0, 1, 77):
        assert place.run('sh', '-c', f'exit {status}').returncode == status


@pytest.mark.sanitized
def test_exec_becomes_the_command(place):
    """So signals reach it, and its end is the command's own."""
    popen = subprocess.Popen([oriel.BINARY, 'exec', '--', 'sh', '-c', 'echo $$; exec sleep 60'], env=place.oriel.env, stdout=subprocess.PIPE, text=True)
    assert int(popen.stdout.readline()) == popen.pid
    popen.send_signal(signal.SIGTERM)
    assert popen.wait(20) == -signal.SIGTERM
    popen.stdout.close()


def test_exec_passes_input_output_and_arguments(place):
    done = subprocess.run([oriel.BINARY, 'exec', '--', 'sh', '-c', 'cat; echo "$@" >&2', 'x', '-v', '--json'], input='in', env=place.oriel.env, text=True,
                          capture_output=True, check=True, timeout=20)
    assert (done.stdout, done.stderr) == ('in', '-v --json\n')


@pytest.mark.sanitized
def test_exec_says_what_it_cannot_run(place, tmp_path):
    plain = tmp_path / 'plain'
    plain.write_text('no program')
    assert_one_sentence(oriel.command(place.oriel.dir, 'exec', '--', 'no\x1bsuch'), 127, r'no\x1bsuch')
    assert_one_sentence(oriel.command(place.oriel.dir, 'exec', '--', str(plain)), 126, str(plain))


# ---- when nobody answers, or somebody else


def assert_one_sentence(got, status, *words):
    code, out, err = got
    assert (code, out) == (status, ''), err
    assert re.fullmatch(r'oriel: [^\n]+\n', err), err
    for word in words:
        assert word in err


ASKING = {'env': ['env'], 'env --explain': ['env', '--explain'], 'exec': ['exec', '--', 'true'], 'browser': ['browser', 'http://oriel.internal/'],
          'trust': ['trust', 'status'], 'flows': ['flows']}


@pytest.mark.sanitized
@pytest.mark.parametrize('verb', ASKING)
def test_when_nothing_answers_there_is_one_sentence_and_status_1(tmp_path, verb):
    assert_one_sentence(oriel.command(tmp_path, *ASKING[verb]), 1, 'oriel run', '--admin PATH')


class Stranger:
    """Listens on a Unix socket and says something that is not right."""

    def __init__(self, path, answer):
        self.path, self.answer = str(path), answer
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen()

    def __enter__(self):
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                conn, _ = self.socket.accept()
                with conn:
                    conn.recv(65536)
                    conn.sendall(self.answer)


def http(body, status='200 OK', length=None):
    return f'HTTP/1.1 {status}\r\nContent-Length: {len(body) if length is None else length}\r\n\r\n{body}'.encode()


# What is said, the status (5: bytes from outside that cannot be used), and a word of the sentence.
STRANGE = {
    'nothing': (b'', 5, 'no oriel'), 'garbage': (bytes(range(256)) * 40, 5, 'no oriel'), 'half a head': (b'HTTP/1.1 200 OK\r\nContent-Le', 5, 'no oriel'),
    'less than it says': (http('{}', length=50), 1, 'hung up'), 'more than it says': (http('{}x', length=2), 1, 'hung up'),
    'a length that is none': (http('{}', length='-1'), 5, 'no oriel'), 'a refusal': (http('go \x1b[31maway', '403 Forbidden'), 1, r'go \x1b[31maway'),
    'no JSON': (http('hello'), 5, 'another version'), 'other JSON': (http('{"v":2}'), 5, 'another version'),
    'a path that is none': (http('{"proxy":"127.0.0.1:1","ca":"a","bundle":"b","p12":"c"}'), 5, 'another version'),
    'an address that is none': (http('{"proxy":"$(id)","ca":"/a","bundle":"/b","p12":"/c"}'), 5, 'another version'),
}


@pytest.mark.sanitized
@pytest.mark.parametrize('what', STRANGE)
def test_an_answer_that_is_not_oriels_is_refused(tmp_path, what):
    answer, status, word = STRANGE[what]
    with Stranger(tmp_path / 's', answer):
        assert_one_sentence(oriel.command(tmp_path, 'env', '--admin', tmp_path / 's'), status, word)


def test_the_socket_of_another_user_is_not_asked(as_root):
    """He would tell us where to send our traffic."""
    source = 'import os,socket,sys,time; s=socket.socket(socket.AF_UNIX); os.umask(0); s.bind(sys.argv[1]); s.listen(); print(flush=True); time.sleep(60)'
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        binary, at = shutil.copy(oriel.BINARY, os.path.join(folder, 'oriel')), os.path.join(folder, 's')
        with subprocess.Popen(['setpriv', '--reuid', '65533', '--clear-groups', '/usr/bin/python3', '-c', source, at], stdout=subprocess.PIPE) as other:
            other.stdout.readline()
            done = subprocess.run(['setpriv', '--reuid', '65534', '--clear-groups', binary, 'env', '--admin', at], capture_output=True, text=True,
                                  check=False, timeout=20, env={'PATH': os.environ['PATH'], 'ASAN_OPTIONS': 'detect_leaks=0'})
            other.kill()
    assert_one_sentence((done.returncode, done.stdout, done.stderr), 1, 'belongs to user 65533')


WRONG = [['env', 'x'], ['env', '--frob'], ['env', '--', 'ls'], ['exec'], ['exec', 'ls'], ['exec', '--'], ['browser', 'a', 'b'], ['browser', '--browser'],
         ['trust'], ['trust', 'frob'], ['trust', 'install', 'system'], ['trust', 'status', '--store', 'frob'], ['trust', 'status', '--store', ''],
         ['flows', 'x'], ['flows', '--last', '0'], ['flows', '--last', 'x'], ['flows', '--curl', '-1'], ['flows', '--curl', '1', '--json'], ['demo', 'x'], ['demo', '-x'],
         ['doctor', '--frob'], ['doctor', 'x']]


@pytest.mark.sanitized
@pytest.mark.parametrize('words', WRONG, ids=' '.join)
def test_wrong_use_gets_one_sentence_and_status_2(tmp_path, words):
    assert_one_sentence(oriel.command(tmp_path, *words), 2, words[0])


def test_settings_are_told_on_the_socket_only(tmp_path, certs):
    config = {'listeners': [{'bind': '127.0.0.1:PORT', 'default': 'bump'}], 'admin': f'127.0.0.1:{oriel.free_port()}'}
    with oriel.Oriel(tmp_path, config, trust=certs.root.cert) as one:
        done = subprocess.run(['curl', '-sS', f'http://{config["admin"]}/settings'], capture_output=True, text=True, check=True, timeout=20)
        assert done.stdout == 'only over the admin socket, or with the token\n'
        assert one.dir not in done.stdout
