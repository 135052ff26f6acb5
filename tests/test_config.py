"""oriel.yaml at work: what it means, how its mistakes are told, and how it is taken over while connections are open."""
import base64
import contextlib
import json
import os
import re
import signal
import socket
import ssl
import stat
import subprocess
import threading

import pytest

from harness import client, oriel, peers, process, ways
from harness.ports import free_port

LOCAL = {'www.oriel.test': '127.0.0.1', 'other.test': '127.0.0.1'}
SAMPLE = '''listeners:
  - bind: 127.0.0.1:PORT
    mode: egress
    rules:
      - {match: {sni: ["*.bank.example"], target: ["*.bank.example"]}, do: splice}
      - {match: {target: ["*"]}, do: bump, invalid-upstream: mirror}
admin: unix:RUN/admin.sock      # or 127.0.0.1:9901: metrics, health, CA certificate only
observe:
  keylog: {path: RUN/keys, local: [10.0.0.0/8], remote: [0.0.0.0/0]}
hosts: {db.test: 10.9.0.43}            # names that do not come from DNS
upstream-proxy: http://proxy.corp:3128 # for people behind one
'''


def bump_all(**more):
    return {'listeners': [{'bind': '127.0.0.1:PORT', 'default': 'bump'}], 'hosts': LOCAL, **more}


def check(folder, text, *args):
    path = os.path.join(str(folder), 'oriel.yaml')
    with open(path, 'w', encoding='utf-8') as f:
        f.write(text)
    return oriel.command(folder, 'run', *(args or ('--check',)), path)


def get(o, peer, path='/echo', host='www.oriel.test', *args, **how):
    return client.curl(f'https://{host}:{peer.port}{path}', *args, **{'proxy': o, 'cafile': o.root, **how})


# ---- reading it


def test_the_sample_of_the_documentation_is_in_order_and_starts(tmp_path, run_oriel):
    """As it is in the documentation, but for the folder."""
    with open(os.path.join(oriel.ROOT, 'doc', 'oriel.yaml.md'), encoding='utf-8') as f:
        documented = re.search(r'```yaml\n(.*?)```', f.read(), re.S).group(1)
    assert documented == SAMPLE.replace('PORT', '8080').replace('RUN', '/run/oriel')
    assert check(tmp_path, documented)[0] == 0
    folder = tmp_path / 'not-there-yet'
    run_oriel(SAMPLE.replace('RUN', str(folder)))
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(folder / 'admin.sock').st_mode) == 0o600
    assert stat.S_IMODE(os.stat(folder / 'keys').st_mode) == 0o600


def test_what_is_printed_can_be_used_and_says_every_default(tmp_path):
    status, first, _ = check(tmp_path, SAMPLE.replace('PORT', '8080').replace('RUN', '/run/oriel'), '--print-config')
    assert status == 0
    status, second, _ = check(tmp_path, first, '--print-config')
    assert status == 0 and second == first
    assert check(tmp_path, first) == (0, f'{tmp_path}/oriel.yaml: the configuration is in order\n', '')
    # Every key of the reference that is not bound to another one is written down.
    _, defaults, _ = oriel.command(tmp_path, 'run', '--print-config')
    for key in ('bind', 'mode', 'transparent', 'port', 'default', 'socket', 'log', 'headers', 'bodies', 'redact', 'store', 'body-max',
                'threads', 'hello', 'dial', 'handshake', 'idle', 'silent-client', 'half-close', 'drain', 'connections',
                'connections-per-client', 'buffer', 'certificates', 'sessions'):
        assert re.search(rf'(^|[\s{{,]){key}:', defaults), f'{key} is missing in\n{defaults}'
    assert check(tmp_path, defaults, '--print-config')[1] == defaults


@pytest.mark.parametrize('text,where,words', [
    ('listeners:\n  - bind: 127.0.0.1:1\n    defualt: bump\n', '3:5', ['defualt', 'default']),
    ('thread: 3\n', '1:1', ['thread', 'threads']),
    ('threads: many\n', '1:10', ['threads', 'a number', 'many']),
    ('listeners: 127.0.0.1:8080\n', '1:12', ['listeners', 'list']),
    ('timeouts: {idle: 10}\n', '1:18', ['idle', '10s']),
    ('listeners:\n  - {bind: 127.0.0.1:1, default: bump, transparent: redirect, port: 8443}\n', '2:63', ['port', 'transparent']),
    ('listeners:\n  - {bind: 127.0.0.1:1, default: bump, rules: [{do: block, upstream-ca: x.pem}]}\n', '2:60', ['upstream-ca', 'bump']),
    ('listeners:\n  - {bind: 127.0.0.1:1, default: bump}\n  - {bind: 127.0.0.1:1, default: bump}\n', '3:12', ['bind', 'listener 1']),
    ('hosts: {www.oriel.test: elsewhere}\n', '1:25', ['address', 'elsewhere']),
    ('a: [1\n', None, ['oriel.yaml:']),
    ('admin: unix:relative\n', '1:8', ['unix:/PATH']),
])
def test_mistakes_are_one_sentence_with_place_and_remedy(tmp_path, text, where, words):
    status, out, err = check(tmp_path, text)
    assert status == 4 and out == ''
    assert err.startswith('oriel: ') and err.count('\n') == 1
    for word in words:
        assert word in err
    if where:
        assert err.startswith(f'oriel: {tmp_path}/oriel.yaml:{where}: '), err


def test_files_that_are_named_are_looked_at_by_check(tmp_path):
    """With the place that names them, in the file as it was written."""
    text = '# a comment\n\nlisteners:\n  - bind: 127.0.0.1:1\n    default: bump\nupstream-ca: missing.pem\n'
    status, _, err = check(tmp_path, text)
    assert status == 1
    assert err.startswith(f'oriel: {tmp_path}/oriel.yaml:6:14: ') and f'{tmp_path}/missing.pem' in err
    (tmp_path / 'missing.pem').write_text('no certificate')
    status, _, err = check(tmp_path, text)
    assert status == 4 and 'there is no certificate in it' in err


def test_an_egress_for_others_needs_clients_or_authentication(tmp_path):
    for bind in ('0.0.0.0:1', '[::]:1', '10.9.0.143:1'):
        status, _, err = check(tmp_path, f'listeners:\n  - bind: "{bind}"\n    default: bump\n')
        assert status == 4 and 'clients' in err and 'auth' in err and ':2:11: ' in err
        assert check(tmp_path, f'listeners:\n  - {{bind: "{bind}", default: bump, clients: [10.9.0.0/24]}}\n')[0] == 0
    secret(tmp_path / 'password', 'secret\n')
    assert check(tmp_path, 'listeners:\n  - {bind: "0.0.0.0:1", default: bump, auth: [{user: anna, password-file: password}]}\n')[0] == 0


def secret(path, text):
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), 'w', encoding='utf-8') as f:
        f.write(text)
    return str(path)


# ---- taking it over


def slow_download(o, https, count=8 << 20):
    """A download of which only the first bytes were read."""
    s = client.connect_through(o.port, 'www.oriel.test', https.port)
    tls = client.context(o.root).wrap_socket(s, server_hostname='www.oriel.test', suppress_ragged_eofs=False)
    tls.sendall(f'GET /bytes/{count} HTTP/1.1\r\nHost: www.oriel.test\r\nConnection: close\r\n\r\n'.encode())
    head = ways.recv_until(tls, b'\r\n\r\n')
    assert b' 200 ' in head

    def rest():
        body, how = client.read_all(tls)
        tls.close()
        assert (body == peers.pattern(count), how) == (True, 'clean')
    return rest


@pytest.mark.sanitized
@pytest.mark.parametrize('how', ['SIGHUP', 'change of the file'])
def test_a_reload_drops_no_connection_and_counts_for_new_ones(run_oriel, https, how):
    o = run_oriel(bump_all())
    rest = slow_download(o, https)
    blocked = bump_all()
    blocked['listeners'][0].update(rules=[{'match': {'target': ['other.test']}, 'do': 'block'}])
    if how == 'SIGHUP':
        # Written in place and not closed: only the signal can tell of it.
        with open(o.config_path, 'r+', encoding='utf-8') as f:
            f.write(json.dumps(blocked).replace('PORT', str(o.port)).ljust(os.path.getsize(o.config_path)))
            f.flush()
            o.reload()
            o.wait_line('oriel: reloaded')
    else:
        o.write_config(blocked)
        o.wait_line('oriel: reloaded')
    assert ways.connect_status(o.port, 'other.test', https.port)[0] == 403
    assert get(o, https).ok().status == 200
    rest()
    assert o.wait_event(type='connection', action='bump', failed=False)


def test_a_file_behind_symbolic_links_is_watched_too(run_oriel, https):
    """As Kubernetes mounts a ConfigMap: oriel.yaml -> ..data/oriel.yaml, ..data -> a folder, and another ..data replaces that."""
    o = run_oriel(bump_all())
    folder = os.path.dirname(o.config_path)
    blocked = bump_all()
    blocked['listeners'][0].update(rules=[{'match': {'target': ['other.test']}, 'do': 'block'}])

    def version(name, config):
        os.mkdir(os.path.join(folder, name))
        with open(os.path.join(folder, name, 'oriel.yaml'), 'w', encoding='utf-8') as f:
            f.write(json.dumps(config).replace('PORT', str(o.port)))

    def lead(link, to):
        os.symlink(to, os.path.join(folder, 'new'))
        os.rename(os.path.join(folder, 'new'), os.path.join(folder, link))

    def reloaded(times):
        process.wait_until(lambda: o.errors.count('oriel: reloaded') == times, f'reload {times}')
        return ways.connect_status(o.port, 'other.test', https.port)[0]
    version('..1', blocked)
    version('..2', bump_all())
    lead('..data', '..1')
    lead('oriel.yaml', '..data/oriel.yaml')
    assert reloaded(1) == 403
    lead('..data', '..2')
    assert reloaded(2) == 200
    # And written where it is.
    with open(os.path.join(folder, '..2', 'oriel.yaml'), 'w', encoding='utf-8') as f:
        f.write(json.dumps(blocked).replace('PORT', str(o.port)))
    assert reloaded(3) == 403


def test_a_bad_file_is_refused_and_the_old_one_stays(run_oriel, https, tmp_path, certs):
    o = run_oriel(bump_all())
    o.write_config('listeners: nonsense\n')
    o.wait_line('not reloaded, the old configuration stays: ', 'oriel.yaml:1:12', 'list')
    assert get(o, https).ok().status == 200
    o.write_config(json.dumps(bump_all(**{'upstream-ca': 'gone.pem'})))
    o.wait_line('not reloaded', 'gone.pem')
    o.write_config(json.dumps(bump_all(**{'upstream-ca': certs.root.key})))
    o.wait_line('not reloaded', 'there is no certificate in it')
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        more = bump_all()
        more['listeners'].append({'bind': f'127.0.0.1:{port}', 'default': 'bump'})
        o.write_config(more)
        o.wait_line('not reloaded', f'127.0.0.1:{port} is taken by python3')
    assert get(o, https).ok().status == 200
    o.write_config(bump_all())
    o.wait_line('oriel: reloaded')
    assert get(o, https).ok().status == 200


def listeners(o):
    return process.listening_ports(o.pid)


def test_listeners_are_added_kept_and_removed(run_oriel, https):
    o = run_oriel(bump_all())
    second = free_port()
    two = bump_all()
    two['listeners'].append({'bind': f'127.0.0.1:{second}', 'default': 'splice'})
    o.write_config(two)
    o.wait_line(f'listening on 127.0.0.1:{second}')
    assert {o.port, second} <= listeners(o)
    got = client.curl(f'https://www.oriel.test:{https.port}/echo', '-k', proxy=f'http://127.0.0.1:{second}').ok()
    assert got.issuer.endswith('Oriel Test Intermediate')
    rest = slow_download(o, https)
    only_second = {**two, 'listeners': two['listeners'][1:]}
    o.write_config(only_second)
    process.wait_until(lambda: o.port not in listeners(o), 'the first listener is closed')
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(('127.0.0.1', o.port), timeout=5)
    rest()
    assert client.curl(f'https://www.oriel.test:{https.port}/echo', '-k', proxy=f'http://127.0.0.1:{second}').ok()


def test_many_listeners_start(run_oriel, https):
    ports = [free_port() for _ in range(40)]
    config = bump_all()
    config['listeners'] += [{'bind': f'127.0.0.1:{p}', 'default': 'splice'} for p in ports]
    o = run_oriel(config)
    assert set(ports) <= listeners(o)
    got = client.curl(f'https://www.oriel.test:{https.port}/echo', '-k', proxy=f'http://127.0.0.1:{ports[-1]}').ok()
    assert got.issuer.endswith('Oriel Test Intermediate')
    assert get(o, https).ok()


def test_reloads_leave_no_descriptors_behind(as_root, run_oriel, tmp_path):
    """Counting them in hidden processes needs root."""
    keys = str(tmp_path / 'keys')
    o = run_oriel(bump_all(observe={'keylog': {'path': keys}}), env={'SSLKEYLOGFILE': str(tmp_path / 'more-keys')})

    def reload(times):
        for _ in range(times):
            before = len(o.errors)
            o.reload()
            process.wait_until(lambda: 'oriel: reloaded' in o.errors[before:], 'reloaded')
        # The lanes let go of the old one when they have taken the new one.
        return process.wait_until(lambda: steady(o.descriptor_count), 'the count is steady')
    first = reload(2)
    assert reload(8) <= first


def steady(count):
    before = count()
    threading.Event().wait(0.1)
    return before == count() and before


def test_what_needs_another_start_is_said(run_oriel):
    o = run_oriel(bump_all())
    o.write_config(bump_all(threads=3, observe={'log': 'json', 'store': 7}))
    o.wait_line('oriel: reloaded, but for what changes with the next start: `threads`, `observe.store`')


def test_the_admin_interface_moves_with_a_reload(run_oriel, tmp_path):
    first, second, tcp = tmp_path / 'first.sock', tmp_path / 'second.sock', free_port()
    o = run_oriel(bump_all(admin={'socket': f'unix:{first}'}))
    assert ask(first, '/healthz')[0] == 200
    o.write_config(bump_all(admin={'socket': f'unix:{second}', 'tcp': f'127.0.0.1:{tcp}'}))
    o.wait_line('oriel: reloaded')
    assert ask(second, '/healthz')[0] == 200 and ask(('127.0.0.1', tcp), '/healthz')[0] == 200
    assert not first.exists()
    o.write_config(bump_all(admin='off'))
    process.wait_until(lambda: not second.exists() and tcp not in listeners(o), 'the admin interface is gone')
    o.stop()


def ask(where, path, headers='Host: localhost\r\n'):
    """A GET of the admin interface: (status, answer)."""
    family = socket.AF_INET if isinstance(where, tuple) else socket.AF_UNIX
    with socket.socket(family) as s:
        s.settimeout(20)
        s.connect(where if isinstance(where, tuple) else str(where))
        return ways.http_exchange(s, f'GET {path} HTTP/1.1\r\n{headers}\r\n'.encode())


# ---- ending


@pytest.mark.sanitized
def test_sigterm_drains(run_oriel, https):
    admin = free_port()
    o = run_oriel(bump_all(admin=f'127.0.0.1:{admin}'))
    rest = slow_download(o, https)
    assert ask(('127.0.0.1', admin), '/readyz')[0] == 200
    o.popen.send_signal(signal.SIGTERM)
    process.wait_until(lambda: o.port not in listeners(o), 'the listener is closed')
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(('127.0.0.1', o.port), timeout=5)
    assert ask(('127.0.0.1', admin), '/readyz')[0] == 503
    assert o.popen.poll() is None
    rest()
    assert o.popen.wait(20) == 0
    o.stop()


def http2_exchange(tls, host):
    """GET / as the first stream, by hand, until its answer has ended."""
    head = b'\x82\x87\x84\x41' + bytes([len(host)]) + host.encode()
    tls.sendall(b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, len(head), 1, 5, 0, 0, 0, 1]) + head)
    while True:
        frame = ways.recv_exactly(tls, 9)
        assert len(frame) == 9
        ways.recv_exactly(tls, int.from_bytes(frame[:3], 'big'))
        # Of stream 1, DATA with END_STREAM.
        if (frame[3], frame[4] & 1, frame[5:]) == (0, 1, bytes([0, 0, 0, 1])):
            return


@pytest.mark.sanitized
def test_what_is_idle_ends_at_once_when_oriel_ends(run_oriel, start, certs, https):
    """Between two requests, before the first, and after the one that was under way."""
    h2 = start(peers.nginx, certs.good(), http2=True)
    o = run_oriel(bump_all(timeouts={'drain': '1h'}))

    def through(port, *alpn):
        return stack.enter_context(client.tls_through(o.port, 'www.oriel.test', port, o.root, alpn=alpn))

    def ask_for(tls, path):
        tls.sendall(f'GET {path} HTTP/1.1\r\nHost: www.oriel.test\r\n\r\n'.encode())
        assert b' 200 ' in (head := ways.recv_until(tls, b'\r\n\r\n'))
        return int(re.search(rb'Content-Length: (\d+)', head).group(1))
    with contextlib.ExitStack() as stack:
        kept, kept2, fresh, busy = through(https.port), through(h2.port, 'h2'), through(https.port), through(https.port)
        ways.recv_exactly(kept, ask_for(kept, '/echo'))
        http2_exchange(kept2, 'www.oriel.test')
        length = ask_for(busy, f'/bytes/{8 << 20}')
        o.wait_event(type='exchange', count=2)
        o.popen.send_signal(signal.SIGTERM)
        for idle in (kept, kept2, fresh):
            assert client.read_all(idle)[1] == 'clean'
        o.wait_event(type='connection', count=3)
        assert o.popen.poll() is None
        assert ways.recv_exactly(busy, length) == peers.pattern(length)
        assert client.read_all(busy) == (b'', 'clean')
        assert o.popen.wait(20) == 0
    assert {(e['failed'], e['reason']) for e in o.events(type='connection')} == {(False, 'closed between two requests, since oriel ends')}
    o.stop()


def test_a_drain_ends_when_its_time_is_up(run_oriel, https):
    o = run_oriel(bump_all(timeouts={'drain': '300ms'}))
    slow_download(o, https)
    o.stop(timeout=10)


def test_sigint_stops_at_once(run_oriel, https):
    o = run_oriel(bump_all())
    slow_download(o, https)
    o.stop(signal.SIGINT, timeout=10)


# ---- hosts, the upstream proxy, roots


def test_hosts_are_asked_before_anything_else(run_oriel, https):
    o = run_oriel(bump_all(hosts={'www.oriel.test': '127.0.0.1', 'localhost': '127.0.0.9'}))
    assert get(o, https).ok().status == 200
    assert o.wait_event(type='connection')['tls']['server']['remote'] == f'127.0.0.1:{https.port}'


class ConnectProxy:
    """Somebody else's proxy: CONNECT, with a password where one is given; everything leads to one port."""

    def __init__(self, to_port, login=None, answer=None):
        self.to_port, self.login, self.answer, self.asked = to_port, login, answer, []

    def __call__(self, conn):
        head = ways.recv_until(conn, b'\r\n\r\n').decode()
        self.asked.append(head)
        if self.answer:
            conn.sendall(self.answer)
        elif self.login and f'Proxy-Authorization: Basic {base64.b64encode(self.login.encode()).decode()}\r\n' not in head:
            conn.sendall(b'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\n\r\n')
        else:
            conn.sendall(b'HTTP/1.1 200 Fine\r\nVia: 1.1 corp\r\n\r\n')
            peers.relays_part_of(self.to_port, 1 << 30)(conn)


def through(proxy, **more):
    """hosts: only the proxy's name; the target's is the proxy's business."""
    return bump_all(hosts={'proxy.corp': '127.0.0.1'}, **{'upstream-proxy': {'url': f'http://proxy.corp:{proxy.port}', **more}})


def test_an_upstream_proxy_is_asked_for_the_target_by_name(run_oriel, https):
    behave = ConnectProxy(https.port)
    with peers.RawServer(behave) as proxy:
        o = run_oriel(through(proxy))
        got = client.curl('https://www.oriel.test/echo', proxy=o, cafile=o.root).ok()
        assert b'GET /echo' in got.body and got.issuer.startswith('O=oriel')
    assert behave.asked[0].startswith('CONNECT www.oriel.test:443 HTTP/1.1\r\nHost: www.oriel.test:443\r\n')
    assert 'Authorization' not in behave.asked[0]


def test_an_upstream_proxy_gets_its_password(run_oriel, https, tmp_path):
    file = secret(tmp_path / 'password', 'correct horse\n')
    behave = ConnectProxy(https.port, login='anna:correct horse')
    with peers.RawServer(behave) as proxy:
        o = run_oriel(through(proxy, user='anna', **{'password-file': file}))
        assert client.curl('https://www.oriel.test/echo', proxy=o, cafile=o.root).ok().status == 200
        without = run_oriel(through(proxy))
        got = client.curl('https://www.oriel.test/echo', proxy=without, cafile=without.root)
        assert got.code == 56 and got.status == 502
        assert 'the upstream proxy answers 407' in without.wait_event(type='connection')['reason']
    assert 'correct horse' not in o.said() + without.said()


@pytest.mark.parametrize('answer', [b'HTTP/1.1 503 Busy\r\n\r\n', b'SSH-2.0-x\r\n\r\n', b''])
def test_an_upstream_proxy_that_refuses_is_said(run_oriel, answer):
    with peers.RawServer(ConnectProxy(0, answer=answer) if answer else peers.closes) as proxy:
        o = run_oriel(through(proxy))
        assert ways.connect_status(o.port, 'www.oriel.test', 443)[0] == 502
        assert 'the upstream proxy' in o.wait_event(type='connection')['reason']


def verdicts(o, https, *names):
    out = []
    for name in names:
        get(o, https, '/echo', name)
        out.append(o.wait_event(type='connection', tls__sni=name)['tls']['server']['verdict'])
    return out


def test_upstream_ca_for_all_and_for_a_rule(run_oriel, certs, tmp_path):
    names = ('www.oriel.test', 'other.test')
    cert = certs.server('two-names', names=names)
    (tmp_path / 'mine.pem').write_text(open(certs.root.cert, encoding='ascii').read())
    with peers.HttpsServer(cert) as https:
        trusted = run_oriel(bump_all(**{'upstream-ca': str(tmp_path / 'mine.pem')}), trust=certs.stranger.cert)
        assert verdicts(trusted, https, *names) == ['ok', 'ok']
        not_trusted = run_oriel(bump_all(**{'upstream-ca': [certs.stranger.cert]}))
        assert verdicts(not_trusted, https, 'www.oriel.test') == ['incomplete']
        rules = [{'match': {'target': ['www.oriel.test']}, 'do': 'bump', 'upstream-ca': [certs.stranger.cert, certs.root.cert]}]
        by_rule = bump_all()
        by_rule['listeners'][0]['rules'] = rules
        assert verdicts(run_oriel(by_rule, trust=certs.stranger.cert), https, *names) == ['ok', 'incomplete']


# ---- who may ask


def test_clients_are_let_in_by_address(run_oriel, https):
    o = run_oriel({'listeners': [{'bind': '127.0.0.1:PORT', 'default': 'bump', 'clients': ['127.0.0.2/32']}], 'hosts': LOCAL})
    assert ways.ask_connect(o.port, 'www.oriel.test', https.port, source='127.0.0.2')[1] == 200
    # Closed without a word, perhaps before what it says was read.
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        assert ways.ask_connect(o.port, 'www.oriel.test', https.port)[1:] == (0, b'')
    event = o.wait_event(type='connection', failure='policy-block')
    assert '`clients:` does not allow this client' in event['reason']
    # It lives on.
    assert ways.ask_connect(o.port, 'www.oriel.test', https.port, source='127.0.0.2')[1] == 200


def test_proxy_authentication(run_oriel, https, tmp_path):
    secret(tmp_path / 'anna', 'correct horse\n')
    secret(tmp_path / 'bert', 'battery staple')
    auth = [{'user': name, 'password-file': str(tmp_path / name)} for name in ('anna', 'bert')]
    o = run_oriel({'listeners': [{'bind': '127.0.0.1:PORT', 'default': 'bump', 'auth': auth, 'port': https.port}], 'hosts': LOCAL})

    def basic(login):
        return f'Proxy-Authorization: Basic {base64.b64encode(login.encode()).decode()}\r\n'
    for headers in ('', basic('anna:guessed'), basic('nobody:correct horse'), 'Proxy-Authorization: Bearer x\r\n'):
        status, answer = ways.connect_status(o.port, 'www.oriel.test', https.port, headers)
        assert status == 407 and b'Proxy-Authenticate: Basic realm="oriel"' in answer
    assert ways.connect_status(o.port, 'www.oriel.test', https.port, basic('anna:correct horse'))[0] == 200
    got = client.curl(f'https://www.oriel.test:{https.port}/echo', proxy=f'http://bert:battery%20staple@127.0.0.1:{o.port}',
                      cafile=o.root).ok()
    assert got.status == 200 and b'Proxy-Authorization' not in got.body
    ways.socks(o.port, 'www.oriel.test', https.port, 'anna', 'correct horse').close()
    for user, password, code in (('anna', 'guessed', 'login'), (None, '', 'method')):
        with pytest.raises(ways.SocksRefused) as refused:
            ways.socks(o.port, 'www.oriel.test', https.port, user, password)
        assert refused.value.code == code
    # TLS that comes directly has no place for a password.
    with socket.create_connection(('127.0.0.1', o.port), timeout=20) as s, pytest.raises(ssl.SSLError) as failed:
        client.context(verify=False).wrap_socket(s, server_hostname='www.oriel.test')
    assert failed.value.reason == 'TLSV1_ALERT_ACCESS_DENIED'
    assert 'proxy authentication' in o.wait_event(type='connection', way='tls')['reason']
    o.quiet()
    assert 'correct horse' not in o.said() and 'battery' not in o.said() and 'guessed' not in o.said()


# ---- threads and limits


def test_threads(run_oriel, https):
    def count(threads):
        o = run_oriel(bump_all(threads=threads))
        assert get(o, https).ok()
        worker = next(p for p in process.children(o.pid) if b'worker' in open(f'/proc/{p}/comm', 'rb').read())
        return len(os.listdir(f'/proc/{worker}/task'))
    assert count(5) - count(1) == 4


def test_limits_of_connections(run_oriel, https):
    o = run_oriel(bump_all(limits={'connections-per-client': 2}))
    with contextlib.ExitStack() as open_now:
        for _ in range(2):
            s, status, _ = ways.ask_connect(o.port, 'www.oriel.test', https.port)
            open_now.enter_context(s)
            assert status == 200
        with pytest.raises(ConnectionResetError):
            ways.ask_connect(o.port, 'www.oriel.test', https.port)
        other, status, _ = ways.ask_connect(o.port, 'www.oriel.test', https.port, source='127.0.0.2')
        open_now.enter_context(other)
        assert status == 200
    assert 'too many connections' in o.wait_event(type='connection', failure='limit')['reason']
    process.wait_until(lambda: ways.ask_connect(o.port, 'www.oriel.test', https.port)[1] == 200, 'there is room again')


def test_the_limit_of_all_connections_makes_others_wait(run_oriel, https):
    o = run_oriel(bump_all(limits={'connections': 1}))
    socket_path = os.path.join(o.dir, 'run', 'oriel', 'admin.sock')
    first, status, _ = ways.ask_connect(o.port, 'www.oriel.test', https.port)
    assert status == 200
    with socket.create_connection(('127.0.0.1', o.port), timeout=20) as second:
        second.sendall(f'CONNECT www.oriel.test:{https.port} HTTP/1.1\r\nHost: x\r\n\r\n'.encode())
        process.wait_until(lambda: re.search(rb'oriel_accept_paused_total [1-9]', ask(socket_path, '/metrics')[1]), 'accepting pauses')
        second.setblocking(False)
        with pytest.raises(BlockingIOError):
            second.recv(1)
        second.settimeout(20)
        first.close()
        assert ways.recv_until(second, b'\r\n\r\n').startswith(b'HTTP/1.1 200 ')


# ---- the key log


def labels(path):
    with open(path, encoding='ascii') as f:
        return [line.split() for line in f]


def test_the_key_log_of_a_range_has_one_leg_only(run_oriel, https, certs, tmp_path):
    """The client is 127.0.0.2 and the server 127.0.0.1: each range picks one leg."""
    def randoms(**ranges):
        path = tmp_path / f'keys{len(os.listdir(tmp_path))}'
        o = run_oriel(bump_all(observe={'keylog': {'path': str(path), **ranges}}))
        got = client.curl(f'https://www.oriel.test:{https.port}/echo', '--interface', '127.0.0.2', proxy=o, cafile=o.root).ok()
        assert got.status == 200
        o.stop()
        lines = labels(path)
        assert all(len(line) == 3 for line in lines)
        return {line[1] for line in lines}
    assert len(randoms()) == 2
    assert len(randoms(remote=['127.0.0.2/32'])) == 1
    assert len(randoms(local=['127.0.0.0/8'], remote=['127.0.0.1/32'])) == 1
    assert len(randoms(local=['10.0.0.0/8'])) == 0


def test_the_key_log_may_be_given_on_the_command_line(run_oriel, https, tmp_path):
    """A relative path there counts from the working directory; one in the file from the file's folder."""
    config = tmp_path / 'etc'
    config.mkdir()
    o = run_oriel(bump_all(observe={'keylog': 'keys-of-the-file'}))
    assert get(o, https).ok()
    assert len({line[1] for line in labels(os.path.join(o.dir, 'keys-of-the-file'))}) == 2
    (config / 'oriel.yaml').write_text('listeners: [{bind: "127.0.0.1:1", default: bump}]\nupstream-ca: mine.pem\n')
    (config / 'mine.pem').write_text('')
    done = subprocess.run([oriel.BINARY, 'run', '--check', '--upstream-ca', 'here.pem', str(config / 'oriel.yaml')], cwd=tmp_path,
                          capture_output=True, text=True, check=False, env=oriel.environment(str(tmp_path)), timeout=20)
    assert f'{tmp_path}/here.pem' in done.stderr


# ---- the bump root


def test_a_bump_root_of_ones_own(run_oriel, https, certs, tmp_path):
    """Relative paths count from the folder of oriel.yaml."""
    ca = certs.ca('My Own Bump Root')
    config = bump_all(**{'bump-ca': {'cert': 'own/ca.pem', 'key': 'own/key.pem'}})

    def with_files(key):
        folder = tmp_path / 'oriel0'
        os.makedirs(folder / 'own', exist_ok=True)
        (folder / 'own' / 'ca.pem').write_text(open(ca.cert, encoding='ascii').read())
        secret(folder / 'own' / 'key.pem', open(key, encoding='ascii').read())
        return folder
    folder = with_files(ca.key)
    o = oriel.Oriel(folder, config, trust=certs.root.cert)
    with o:
        got = get(o, https, cafile=ca.cert).ok()
        assert got.issuer == 'O=Oriel Tests; CN=My Own Bump Root'
        assert not os.path.exists(o.root)
        o.reload()
        o.wait_line('oriel: reloaded')
        assert get(o, https, cafile=ca.cert).ok()
    with_files(certs.key('p256'))
    status, _, err = oriel.command(folder, 'run', o.config_path, env={'SSL_CERT_FILE': certs.root.cert})
    assert status == 5 and err.startswith(f'oriel: {o.config_path}:') and 'own/key.pem' in err
    os.chmod(folder / 'own' / 'key.pem', 0o644)
    status, _, err = oriel.command(folder, 'run', o.config_path, env={'SSL_CERT_FILE': certs.root.cert})
    assert status == 1 and 'own/key.pem' in err
