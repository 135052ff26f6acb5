"""Real clients through oriel: what each got, whose certificate it was shown, what oriel says of it; and that none of
them gets anything once oriel is gone."""
import os
import re
import shutil
import subprocess

import pytest

from harness import oriel, peers, programs
from harness.client import clean_environment

NAME = 'www.oriel.test'
CASES = [(name, proto) for name, client in programs.CLIENTS.items() for proto in client.protos]
# Whatever else a browser asks for gets 403, and nothing of it is resolved.
CONFIG = {'listeners': [{'bind': '127.0.0.1:PORT', 'rules': [{'match': {'target': ['*.oriel.test']}, 'do': 'bump'}], 'default': 'block'}],
          'hosts': {NAME: '127.0.0.1'}}
CIPHERS = {'1.2': 'TLS_ECDHE_', '1.3': 'TLS_AES_'}


class Place:
    """A server of each kind, and an oriel before them; `stopped` has a port where an oriel was."""

    def __init__(self, folder, certs):
        self.dir, self.certs = folder, certs
        (folder / 'stopped').mkdir()
        with oriel.Oriel(folder / 'stopped', CONFIG, trust=certs.root.cert) as gone:
            self.stopped = gone
        self.servers = {proto: self.server(proto) for proto in ('http/1.1', 'h2')}
        self.oriel = oriel.Oriel(folder / 'oriel', CONFIG, trust=certs.root.cert)

    def server(self, proto):
        folder = self.dir / proto.replace('/', '')
        folder.mkdir()
        return peers.nginx(str(folder), self.certs.good(), http2=proto == 'h2', extra='gzip off;')

    def ask(self, proto, version, path, folder, through=None):
        through = through or self.oriel
        return programs.Ask(NAME, self.servers[proto].port, path, through.port, through.root, version, proto, str(folder))

    def was_asked(self, proto, path):
        with open(os.path.join(os.path.dirname(self.servers[proto].log), 'access.log'), encoding='utf-8') as f:
            return path in f.read()

    def put(self, proto, path, content):
        with open(os.path.join(os.path.dirname(self.servers[proto].log), 'www', path.lstrip('/')), 'w', encoding='ascii') as f:
            f.write(content)

    def close(self):
        for server in self.servers.values():
            server.__exit__()
        self.oriel.stop()


@pytest.fixture(scope='module')
def place(tmp_path_factory, certs):
    at = Place(tmp_path_factory.mktemp('place'), certs)
    yield at
    at.close()


def assert_both_legs(event, root, version, proto, issuer='CN=Oriel Test Intermediate,O=Oriel Tests'):
    """The event has everything that was agreed on either side, and the verdict on the server."""
    client, server = event['tls']['client'], event['tls']['server']
    for leg in (client, server):
        assert leg['handshake_ms'] > 0
        assert leg['version'] == 'TLS ' + version
        assert leg['cipher'].startswith(CIPHERS[version])
        assert leg.get('alpn') == proto
    assert (client['issuer'], server['issuer']) == (root, issuer)
    assert server['verdict'] == 'ok' and 'verdict' not in client
    assert event['tls']['sni'] == NAME and event['way'] == 'connect'


@pytest.mark.parametrize('version', ['1.2', '1.3'])
@pytest.mark.parametrize('name,proto', CASES)
def test_a_client_gets_the_page_with_a_certificate_of_the_bump_root(place, tmp_path, name, proto, version):
    path = f'/{name}-{proto.replace("/", "")}-{version}.txt'
    place.put(proto, path, f'the page for {path}')
    got = programs.CLIENTS[name].get(place.ask(proto, version, path, tmp_path))
    assert (got.code, got.body) == (0, f'the page for {path}'.encode()), got.log
    assert got.issuer == place.oriel.root_subject()
    url = f'https://{NAME}:{place.servers[proto].port}{path}'
    event = place.oriel.wait_event(type='exchange', http__url=url)
    assert event['http']['proto'] == ('http2' if proto == 'h2' else 'http1')
    assert (event['http']['method'], event['http']['status'], event['response']['bytes']) == ('GET', 200, len(got.body))
    # Programs that write their requests by hand ask for a protocol as others do, and are answered so.
    assert_both_legs(event, place.oriel.root_subject(), version, proto if proto == 'h2' else event['tls']['client'].get('alpn'))


@pytest.mark.parametrize('name,proto', CASES)
def test_a_client_gets_nothing_once_the_proxy_is_stopped(place, tmp_path, name, proto):
    got = programs.CLIENTS[name].get(place.ask(proto, '1.3', '/around', tmp_path, through=place.stopped))
    assert got.code != 0 and got.body == b'', got.log
    assert not place.was_asked(proto, '/around')


# ---- git, whose payload is a repository


def git(ask, *args):
    env = dict(ask.environment(), GIT_CURL_VERBOSE='1', GIT_TERMINAL_PROMPT='0', GIT_CONFIG_NOSYSTEM='1')
    return subprocess.run(['git', '-c', 'http.version=' + ('HTTP/2' if ask.proto == 'h2' else 'HTTP/1.1'), *args], env=env, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope='module')
def repository(place):
    """A bare repository that both servers hold, and the name of its commit."""
    env = clean_environment(HOME=str(place.dir), GIT_CONFIG_NOSYSTEM='1', GIT_AUTHOR_NAME='a', GIT_AUTHOR_EMAIL='a@oriel.test',
                            GIT_COMMITTER_NAME='a', GIT_COMMITTER_EMAIL='a@oriel.test')

    def here(*args):
        return subprocess.run(['git', *args], cwd=place.dir, env=env, check=True, capture_output=True, text=True, timeout=60).stdout.strip()
    here('init', '-q', '-b', 'main', 'work')
    (place.dir / 'work' / 'file').write_text('content of the repository\n')
    here('-C', 'work', 'add', 'file')
    here('-C', 'work', 'commit', '-q', '-m', 'first')
    commit = here('-C', 'work', 'rev-parse', 'HEAD')
    for server in place.servers.values():
        bare = os.path.join(os.path.dirname(server.log), 'www', 'r.git')
        shutil.rmtree(bare, ignore_errors=True)
        here('clone', '-q', '--bare', 'work', bare)
        here('-C', bare, 'update-server-info')
    return commit


@pytest.mark.parametrize('proto', ['http/1.1', 'h2'])
def test_git_lists_and_clones(place, repository, tmp_path, proto):
    """With TLS 1.3 only: git can ask for a lowest version, but not for a highest."""
    ask = place.ask(proto, '1.3', '/r.git', tmp_path)
    listed = git(ask, 'ls-remote', ask.url)
    assert (listed.returncode, listed.stdout) == (0, f'{repository}\tHEAD\n{repository}\trefs/heads/main\n'), listed.stderr
    shown = {line.split('issuer: ', 1)[1] for line in listed.stderr.splitlines() if ' issuer: ' in line}
    assert [set(re.split('; |,', s)) for s in shown] == [set(place.oriel.root_subject().split(','))]
    cloned = git(ask, 'clone', '-q', ask.url, str(tmp_path / 'cloned'))
    assert cloned.returncode == 0, cloned.stderr
    assert (tmp_path / 'cloned' / 'file').read_text() == 'content of the repository\n'
    event = place.oriel.wait_event(type='exchange', http__url=ask.url + '/HEAD', http__status=200)
    assert_both_legs(event, place.oriel.root_subject(), '1.3', proto)


def test_git_gets_nothing_once_the_proxy_is_stopped(place, repository, tmp_path):
    assert repository
    ask = place.ask('http/1.1', '1.3', '/r.git?around', tmp_path, through=place.stopped)
    assert git(ask, 'ls-remote', ask.url).returncode != 0
    assert not place.was_asked('http/1.1', 'around')
