"""The admin interface: metrics that count right, health, the last flows, the CA certificate, and bad manners."""
import os
import re
import socket
import stat
import subprocess
import time

import pytest

from harness import client, netns, oriel, process, ways
from harness.ports import free_port

NAMES = {name: '127.0.0.1' for name in ('www.oriel.test', 'other.test', 'evil.test', 'refused.test')}


def config(**more):
    rules = [{'match': {'target': ['evil.test']}, 'do': 'block'}, {'match': {'target': ['other.test']}, 'do': 'splice'}]
    return {'listeners': [{'bind': '127.0.0.1:PORT', 'rules': rules, 'default': 'bump'}], 'hosts': NAMES, **more}


def socket_of(o):
    return os.path.join(o.dir, 'run', 'oriel', 'admin.sock')


def send(where, request, timeout=20):
    """(status, headers, body) of what the admin interface answers."""
    with socket.socket(socket.AF_INET if isinstance(where, tuple) else socket.AF_UNIX) as s:
        s.settimeout(timeout)
        s.connect(where)
        status, answer = ways.http_exchange(s, request)
    head, _, body = answer.partition(b'\r\n\r\n')
    return status, dict(line.split(': ', 1) for line in head.decode().split('\r\n')[1:]), body


def get(o, path, headers='', where=None):
    return send(where or socket_of(o), f'GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n'.encode())


# ---- metrics

NAME = r'[a-zA-Z_:][a-zA-Z0-9_:]*'
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf'({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (\d+(?:\.\d+)?)')


def parse_metrics(text):
    """Prometheus' text format, held to what promtool asks of it; {(name, labels): value}."""
    values, types, helps, last, closed = {}, {}, set(), None, set()
    assert text.endswith('\n')
    for line in text.split('\n')[:-1]:
        if line.startswith('#'):
            word, name, rest = re.fullmatch(rf'# (HELP|TYPE) ({NAME}) (.+)', line).groups()
            assert name not in closed, f'{name} does not stand together'
            if last and last != name:
                closed.add(last)
            last = name
            if word == 'TYPE':
                assert name not in types and rest in ('counter', 'gauge', 'histogram')
                types[name] = rest
            else:
                assert name not in helps
                helps.add(name)
            continue
        m = SAMPLE.fullmatch(line)
        assert m, line
        name, labels, value = m.group(1), m.group(2) or '', float(m.group(3))
        family = name if name in types else re.sub('_(bucket|sum|count)$', '', name)
        assert family == last, f'{name} stands among those of {last}'
        if types[family] == 'counter':
            assert family.endswith('_total')
        key = (name, frozenset(re.findall(LABEL, labels)))
        assert key not in values, f'{line} is there twice'
        values[key] = value
    assert helps == set(types)
    check_histograms(values, [name for name, kind in types.items() if kind == 'histogram'])
    return values


def check_histograms(values, names):
    for name in names:
        series = {}
        for (sample, labels), value in values.items():
            if sample == name + '_bucket':
                le = next(label for label in labels if label.startswith('le='))
                series.setdefault(labels - {le}, []).append((float(le[4:-1].replace('+Inf', 'inf')), value))
        assert series
        for labels, buckets in series.items():
            assert buckets == sorted(buckets) and buckets[-1][0] == float('inf')
            assert [v for _, v in buckets] == sorted(v for _, v in buckets)
            assert values[(name + '_count', labels)] == buckets[-1][1] and (name + '_sum', labels) in values


class Metrics:
    def __init__(self, o):
        status, headers, body = get(o, '/metrics')
        assert status == 200 and headers['Content-Type'] == 'text/plain; version=0.0.4; charset=utf-8'
        self.values = parse_metrics(body.decode())

    def __call__(self, name, **labels):
        return self.values[('oriel_' + name, frozenset(f'{k}="{v}"' for k, v in labels.items()))]


def test_metrics_are_in_prometheus_format_from_the_start(run_oriel):
    m = Metrics(run_oriel(config()))
    assert m('open_flows') == 0 and m('accepted_total') == 0
    version = subprocess.run([oriel.BINARY, '--version'], capture_output=True, text=True, check=True).stdout.split()[1]
    assert m('build_info', version=version) == 1


@pytest.mark.sanitized
def test_metrics_count_what_happened(run_oriel, https):
    o = run_oriel(config())

    def ask(host, *args, **how):
        return client.curl(f'https://{host}:{https.port}/bytes/1000', *args, **{'proxy': o, 'cafile': o.root, **how})
    ask('www.oriel.test').ok()
    ask('www.oriel.test').ok()
    ask('www.oriel.test', '--tlsv1.2', '--tls-max', '1.2').ok()
    ask('other.test', '-k').ok()
    assert ask('evil.test').code == 56
    assert ask('www.oriel.test', cafile=https_ca(o)).code == 60
    assert client.curl(f'https://refused.test:{free_port()}/', proxy=o).status == 502
    o.wait_event(type='connection', count=7)
    m = Metrics(o)
    assert m('accepted_total') == 7 and m('connections_opened_total', way='connect') == 7
    assert m('connections_total', action='bump', result='ok') == 3
    assert m('connections_total', action='bump', result='failed') == 1
    assert m('connections_total', action='splice', result='ok') == 1
    assert m('connections_total', action='block', result='failed') == 1
    assert m('handshakes_total', side='client', version='TLS 1.3', result='full') == 2
    assert m('handshakes_total', side='client', version='TLS 1.2', result='full') == 1
    assert m('handshakes_total', side='client', version='none', result='failed') == 1
    server = sum(m('handshakes_total', side='server', version=v, result=r) for v in ('TLS 1.2', 'TLS 1.3') for r in ('full', 'resumed'))
    assert server == 4 and m('handshakes_total', side='server', version='TLS 1.3', result='resumed') >= 1
    assert m('failures_total', reason='client-rejects-certificate', side='client') == 1
    assert m('failures_total', reason='policy-block', side='client') == 1
    assert m('failures_total', reason='dial-refused', side='server') == 1
    assert m('mints_total', result='ok') == 1 and m('mints_total', result='failed') == 0
    assert m('cache_hits_total', cache='certificate') == 3 and m('cache_misses_total', cache='certificate') == 1
    assert m('cache_hits_total', cache='session') >= 1
    assert m('bytes_total', direction='down') > 4000 and m('bytes_total', direction='up') > 300
    assert m('responses_total', proto='http1', **{'class': '2xx'}) == 3
    assert m('open_flows') == 0
    assert m('handshake_duration_seconds_count', side='client') == 3
    assert m('handshake_duration_seconds_count', side='server') == 4
    assert m('mint_duration_seconds_count') == 1 and 0 < m('mint_duration_seconds_sum') < 20
    assert m('dial_duration_seconds_count') == 6


def https_ca(o):
    """Roots that are none of oriel's."""
    return o.env['SSL_CERT_FILE']


def test_open_flows_are_those_open_now(run_oriel, https):
    o = run_oriel(config())
    socks = [client.connect_through(o.port, 'www.oriel.test', https.port) for _ in range(3)]
    process.wait_until(lambda: Metrics(o)('open_flows') == 3, 'three are open')
    for s in socks:
        s.close()
    process.wait_until(lambda: Metrics(o)('open_flows') == 0, 'none is open')


# ---- the other pages


def test_health_and_readiness(run_oriel):
    o = run_oriel(config())
    status, headers, body = get(o, '/healthz')
    assert (status, body) == (200, b'ok\n') and headers['Cache-Control'] == 'no-store' and headers['X-Content-Type-Options'] == 'nosniff'
    process.wait_until(lambda: get(o, '/readyz')[0] == 200, 'it is ready')
    assert get(o, '/readyz')[2] == b'ready\n'


def test_the_last_flows_are_shown_masked(run_oriel, https):
    o = run_oriel(config(observe={'store': 3}))
    for i in range(5):
        client.curl(f'https://www.oriel.test:{https.port}/echo/{i}?token=sesame', '-H', 'Cookie: sesame', '-H', 'Authorization: Bearer sesame',
                    proxy=o, cafile=o.root).ok()
    process.wait_until(lambda: b'/echo/4' in get(o, '/flows')[2], 'all are there')
    body = get(o, '/flows?last=2')[2].decode()
    assert re.findall(r'/echo/(\d)', body) == ['3', '4']
    kept = get(o, '/flows?last=100&json')[2].decode()
    assert set(re.findall(r'/echo/(\d)', kept)) <= {'2', '3', '4'}
    assert 'sesame' not in body + kept and 'token=***' in body
    for bad in ('/flows?last=x', '/flows?last=-1', '/flows?last=100001', '/flows?curl=x'):
        assert get(o, bad)[0] == 400
    assert get(o, '/flows?curl=999')[0] == 404


def test_the_ca_certificate_is_served(run_oriel):
    o = run_oriel(config())
    status, headers, body = get(o, '/ca.pem')
    with open(o.root, 'rb') as f:
        assert (status, headers['Content-Type'], body) == (200, 'application/x-pem-file', f.read())
    assert b'PRIVATE' not in body


def test_over_tcp_without_a_token_there_are_health_metrics_and_the_certificate_only(run_oriel):
    port = free_port()
    o = run_oriel(config(admin=f'127.0.0.1:{port}'))
    where = ('127.0.0.1', port)
    statuses = {path: get(o, path, where=where)[0] for path in ('/metrics', '/healthz', '/ca.pem', '/flows', '/settings', '/flows?curl=1')}
    assert statuses == {'/metrics': 200, '/healthz': 200, '/ca.pem': 200, '/flows': 403, '/settings': 403, '/flows?curl=1': 403}
    assert get(o, '/flows', 'Authorization: Bearer \r\n', where)[0] == 403
    assert get(o, '/flows')[0] == 200


def test_on_another_address_its_own_name_is_a_host(net, tmp_path):
    """Host: 10.9.0.143 is the machine's own literal address; 10.9.0.43 is somebody else's."""
    listener = {'bind': '127.0.0.1:8080', 'default': 'bump'}
    with oriel.Oriel(tmp_path, {'listeners': [listener], 'admin': '10.9.0.143:9901'}, prefix=net.inside('proxy'), port=8080):
        def status(host):
            done = net.run('client', 'curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', '-H', f'Host: {host}', 'http://10.9.0.143:9901/healthz')
            return done.stdout
        assert [status(h) for h in ('10.9.0.143:9901', 'localhost', '10.9.0.43', 'proxy.test')] == ['200', '200', '403', '403']
    assert netns.ADDRESSES['proxy'][0] == '10.9.0.143'


# ---- bad manners


@pytest.mark.parametrize('request_line,status', [
    (b'POST /metrics HTTP/1.1\r\n', 405),
    (b'DELETE /flows HTTP/1.1\r\n', 405),
    (b'GET /nothing HTTP/1.1\r\n', 404),
    (b'GET /../metrics HTTP/1.1\r\n', 404),
    (b'GET http://localhost/metrics HTTP/1.1\r\n', 400),
    (b'CONNECT localhost:80 HTTP/1.1\r\n', 400),
    (b'GET /metrics HTTP/2.0\r\n', 505),
    (b'GET /metrics\r\n', 400),
    (b'\x16\x03\x01\x00\x05hello\r\n', 400),
    (b'GET /' + b'x' * 20000 + b' HTTP/1.1\r\n', 431),
    (b'GET /metrics HTTP/1.1\r\nX: ' + b'y' * 20000 + b'\r\n', 431),
])
def test_requests_that_are_none_are_told_so(run_oriel, request_line, status):
    o = run_oriel(config())
    try:
        assert send(socket_of(o), request_line + b'Host: localhost\r\n\r\n')[0] == status
    except (BrokenPipeError, ConnectionResetError):
        assert status == 431  # it need not read all of that
    assert get(o, '/healthz')[0] == 200


@pytest.mark.sanitized
def test_slow_and_silent_clients_do_not_keep_others_out(run_oriel):
    """All places are taken by clients that say nothing; after ten seconds they are gone."""
    o = run_oriel(config())
    began = time.monotonic()
    silent = []
    for i in range(70):
        s = socket.socket(socket.AF_UNIX)
        s.connect(socket_of(o))
        if i % 2:
            s.sendall(b'GET /metr')
        silent.append(s)
    assert send(socket_of(o), b'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n', timeout=30)[0] == 200
    assert 9 < time.monotonic() - began < 25
    for s in silent:
        s.close()


# ---- the socket


def test_a_stale_socket_is_replaced_and_a_live_one_is_not(tmp_path, run_oriel):
    at = tmp_path / 'own' / 'admin.sock'
    at.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(at))
    assert at.exists()
    o = run_oriel(config(admin=f'unix:{at}'))
    assert get(o, '/healthz', where=str(at))[0] == 200
    assert stat.S_IMODE(os.stat(at).st_mode) == 0o600
    (tmp_path / 'second').mkdir()
    status, _, err = oriel.command(tmp_path / 'second', 'run', '--listen', f'127.0.0.1:{free_port()}', '--admin', f'unix:{at}')
    assert status == 1
    assert err.splitlines()[-1] == (f'oriel: another oriel answers at {at}: give this one its own with --admin PATH (or --admin off)')
    assert get(o, '/healthz', where=str(at))[0] == 200
    o.stop()
    assert not at.exists()


def test_something_else_in_the_sockets_place_is_left_alone(tmp_path):
    at = tmp_path / 'notes.txt'
    at.write_text('mine')
    status, _, err = oriel.command(tmp_path, 'run', '--listen', f'127.0.0.1:{free_port()}', '--admin', f'unix:{at}')
    assert status == 1 and str(at) in err and at.read_text() == 'mine'


def test_the_folder_of_the_socket_is_private(run_oriel):
    o = run_oriel(config())
    assert stat.S_IMODE(os.stat(os.path.dirname(socket_of(o))).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(socket_of(o)).st_mode) == 0o600


def test_admin_off_means_none(run_oriel):
    o = run_oriel(config(admin='off'))
    assert not os.path.exists(socket_of(o))
    status, out, err = oriel.command(o.dir, 'flows')
    assert (status, out) == (1, '') and err.count('\n') == 1
