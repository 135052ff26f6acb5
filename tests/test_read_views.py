"""Every way in which oriel read shows a capture, of many conversations between real programs: lines, groups, one
connection, its plaintext, commands, files, handshakes, filters."""
import base64
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading

import pytest

from harness import chromium, client, gallery as g, har, oriel, peers, programs, reading, vary
from harness.capture import Capture, tshark
from harness.gallery import BINARY, CODINGS, NAME, TEXT
from harness.process import PATIENCE, Process
from harness.reading import read

CLOCK = r'\d\d:\d\d:\d\d\.\d{3}'
DARK = 3  # the exit status when something stays dark


def lines_of(text):
    """{number of a connection or an exchange: its line}"""
    return {line.split()[1]: line for line in text.splitlines() if re.match(CLOCK, line)}


# ---- lines


LINES = {
    'http/1.1': r'1\.3 http/1\.1 +\d+ +300k +\S+ complete +www\.oriel\.test TLS_AES_256_GCM_SHA384 x25519$',
    'http/1.1, TLS 1.2': r'1\.2 http/1\.1 .* complete +www\.oriel\.test TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 x25519$',
    'http/2': r'1\.3 h2 .* www\.oriel\.test TLS_AES_256_GCM_SHA384 x25519$',
    'plain': r'- +- +\d+ +\d+ +\S+ complete +http1$',
    'cut': r'1\.3 http/1\.1 .* reset +www\.oriel\.test TLS_\S+ x25519$',
    'refused': r'1\.3 - +0 +0 .* reset +www\.oriel\.test TLS_\S+ x25519 alert: unknown_ca$',
    'dark': r'1\.3 - +0 +0 .* complete +www\.oriel\.test TLS_\S+ x25519  dark: no secret for client random [0-9a-f]{8}',
    'bytes': r'1\.3 - +26 +26 .* complete +www\.oriel\.test TLS_\S+ x25519$',
    'go http/1.1': r'1\.2 - .* localhost TLS_ECDHE_\S+ x25519$',
    'grpc unary': r'- +- .* complete +grpc$',
    'open': r'- +- +77 +\d+ +\S+ open +http1$',
}


@pytest.mark.parametrize('name', list(LINES))
def test_the_line_of_a_connection(gallery, name):
    line = lines_of(gallery.read().text)[str(gallery.flow[name])]
    assert re.match(rf'{CLOCK} +{gallery.flow[name]} 127\.0\.0\.1:\d+ +→ 127\.0\.0\.1:\d+ +' + LINES[name], line), line


def test_flows_of_udp_have_numbers_of_their_own(gallery):
    lines = lines_of(gallery.read().text)
    for n, size in (('u1', 8), ('u2', 9)):
        assert re.match(rf'{CLOCK} +{n} 127\.0\.0\.1:\d+ +→ 127\.0\.0\.1:{gallery.udp} +- +- +{size} +{size} .* bytes$', lines[n])
    assert [gallery.read(f'--follow={n}', '--raw', '--client').out for n in ('u1', 'u2')] == [b'over UDP', b'and again']


def test_numbers_are_given_by_the_first_packet(gallery):
    connections = gallery.read('--json').connections()
    tcp = {c['flow']: c['first_packet'] for c in connections if isinstance(c['flow'], int)}
    assert sorted(tcp) == list(range(1, len(gallery.flow) + 1))
    assert sorted(tcp, key=tcp.get) == sorted(tcp)
    assert [c['flow'] for c in connections if not isinstance(c['flow'], int)] == ['u1', 'u2']


def test_lines_come_in_the_order_in_which_things_end(gallery):
    got = gallery.read('--json')
    assert got.status == DARK and '1 of ' in got.err and got.err.count('\n') == 1
    ended = [c['last_packet'] for c in got.connections() if c['state'] not in ('open',) and isinstance(c['flow'], int)]
    assert ended == sorted(ended)
    seen = set()
    for e in got.events:
        if e['type'] == 'connection':
            seen.add(e['flow'])
        assert e['type'] != 'exchange' or e['flow'] not in seen, 'an exchange after its connection'
    assert len(got.exchanges()) == sum(c['exchanges'] for c in got.connections()) == 42


def test_the_time_is_that_of_the_first_packet(gallery):
    """In the zone of whoever looks, in JSON in UTC."""
    first = vary.load(gallery.capture)[0].at
    line = read(gallery.capture, '--flow=1', keylog=gallery.keylog, env={'TZ': 'XYZ-5:30'}).text.splitlines()[-1]
    of_day = (int(first) + 19800) % 86400
    assert line.startswith(f'{of_day // 3600:02}:{of_day // 60 % 60:02}:{of_day % 60:02}.{int(first * 1000) % 1000:03}')
    assert gallery.connection('http/1.1')['time'].endswith(f'.{int(first * 1000) % 1000:03}Z')


def test_processes_that_the_capture_names(gallery, tmp_path):
    names, want = {}, {'http/1.1': (4711, 'curl'), 'websocket': (4712, 'a "name" with ünïcödé'), 'plain': (4713, 'browser')}
    for name, process in want.items():
        names[gallery.packets(name)[0].ports[0]] = process
    path = g.with_processes(gallery.capture, tmp_path / 'c.pcapng', names)
    lines = lines_of(read(path, keylog=gallery.keylog).text)
    for name, (pid, text) in want.items():
        assert f' {text}[{pid}]' in lines[str(gallery.flow[name])]
    assert '[471' not in lines[str(gallery.flow['http/2'])]
    got = read(path, '--json', '-Y', 'process == curl', keylog=gallery.keylog)
    assert {e['flow'] for e in got.events} == {gallery.flow['http/1.1']} and len(got.exchanges()) == 2
    assert all((e['client']['process'], e['client']['pid']) == ('curl', 4711) for e in got.events)
    # With the number alone, as of packets whose process ended before it was looked up.
    path = g.with_processes(gallery.capture, tmp_path / 'd.pcapng', names, blocks=False)
    assert ' ?[4711]' in lines_of(read(path, keylog=gallery.keylog).text)[str(gallery.flow['http/1.1'])]


def test_notes_stand_below_the_line_and_in_json(gallery, tmp_path):
    packets = gallery.packets('bytes')
    i = vary.of(packets, gallery.ports['bytes'])[-2]
    packets = vary.replaced(packets, i, [packets[i], packets[i].with_payload(b'\0' * len(packets[i].payload))])
    path = vary.save(tmp_path / 'c.pcap', packets)
    assert re.search(r'^ +\* .*sent other bytes again', read(path, '-v', keylog=gallery.keylog).text, re.M)
    [c] = read(path, '--json', keylog=gallery.keylog).connections()
    assert c['notes'] == 1 and 'sent other bytes again' in c['note'] and c['decrypted'] is True


def test_groups_are_the_same_lines_by_connection(gallery):
    plain, grouped = gallery.read().text.splitlines(), gallery.read('--group').text.splitlines()
    assert sorted(plain) == sorted(grouped) and plain != grouped
    current = None
    for line in grouped:
        name = line.split()[1]
        assert '.' not in name or name.split('.')[0] == current, line
        current = name.split('.')[0]


def test_one_connection_alone(gallery):
    everything = gallery.read().text.splitlines()
    for name in ('codings', 'dark', 'plain'):
        n = str(gallery.flow[name])
        mine = [line for line in everything if line.split()[1].split('.')[0] == n]
        assert gallery.of(name).text.splitlines() == mine and mine
    # What stays dark elsewhere does not count.
    assert gallery.of('codings').status == 0 and gallery.of('dark').status == DARK


@pytest.mark.parametrize('args', [['--flow=99'], ['--follow=99'], ['--curl=99'], ['--curl=1.9'], ['--flow=u9']])
def test_a_number_that_is_not_there(gallery, args):
    got = gallery.read(*args)
    assert got.status == 1 and got.out == b'' and re.search('has no such (connection|exchange)\n$', got.err), got


# ---- the same with one thread and with two


@pytest.fixture(scope='module')
def crowd(gallery, tmp_path_factory):
    """All connections of the gallery twice over, all at the same time."""
    flows = {}
    for p in vary.load(gallery.capture):
        flows.setdefault(tuple(sorted(p.ports)), []).append(p)
    servers, start, out = set(gallery.ports.values()) | {gallery.udp}, None, []
    for turn in range(2):
        for i, packets in enumerate(flows.values()):
            start = start or packets[0].at
            for n, p in enumerate(packets):
                side = 0 if p.ports[1] in servers and p.ports[0] not in servers else 2
                at = start + 0.0007 * (i + turn * len(flows)) + (p.at - packets[0].at) / 10
                out.append((at, i, n, vary.dataclasses.replace(p.patched(p.tcp + side, '>H', p.ports[side // 2] ^ turn * 0x8001), at=at)))
    path = vary.save(tmp_path_factory.mktemp('crowd') / 'c.pcap', [p for *_, p in sorted(out, key=lambda x: x[:3])])
    return path, 2 * len(flows)


VIEWS = [(), ('-v', '--body'), ('--json', '-v', '--body'), ('--group',), ('--group', '-v', '--body'), ('--why',), ('--handshakes',), ('--handshakes', '-v'),
         ('--handshakes', '--json'), ('-Y', 'http.status >= 400 or dark or udp'), ('--follow=5',), ('--curl=6.1',), ('--redact', '-v')]


@pytest.mark.parametrize('view', VIEWS, ids=' '.join)
def test_two_threads_say_what_one_says(gallery, crowd, view):
    one, two = (gallery.read(f'--threads={n}', *view, capture=crowd[0]) for n in (1, 2))
    assert one.out == two.out and one.out and one.status == two.status, view


def test_two_threads_write_what_one_writes(gallery, crowd, tmp_path):
    for n in (1, 2):
        files = ['--har', tmp_path / f'{n}.har', '--plain', tmp_path / f'{n}.pcapng', '--objects', tmp_path / f'{n}']
        got = gallery.read(f'--threads={n}', *files, capture=crowd[0])
        assert got.status == DARK
    for kind in ('har', 'pcapng'):
        assert (tmp_path / f'1.{kind}').read_bytes() == (tmp_path / f'2.{kind}').read_bytes()
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / n).iterdir()} for n in '12')
    assert one == two and len(one) > 80


def test_it_was_a_crowd(gallery, crowd):
    connections = gallery.read('--json', capture=crowd[0]).connections()
    assert len(connections) == crowd[1] > 50
    spans = [(c['first_packet'], c['last_packet']) for c in connections]
    assert sum(a[0] < b[0] < a[1] for a in spans for b in spans) > 100


# ---- plaintext


def test_the_plaintext_in_every_form(gallery):
    n = gallery.flow['by hand']
    up, down = (gallery.read(f'--follow={n}', '--raw', f'--{side}').ok().out for side in ('client', 'server'))
    assert up == g.PIPELINED + g.CHUNKED + g.UPGRADE + g.UPGRADED[0] and down.endswith(g.UPGRADED[1])
    assert gallery.read(f'--follow={n}', '--raw').ok().out.startswith(g.PIPELINED + b'HTTP/1.1 200 OK\r\n')
    text = gallery.read(f'--follow={n}').ok().text
    assert text.startswith('> GET /pipe/0 HTTP/1.1\n> Host: www.oriel.test\n> \n') and '\n< HTTP/1.1 404 Not Here\n' in text
    assert 'anything\\x00goes' in text and '\x00' not in text
    for side, mark, other in (('client', '> ', '< '), ('server', '< ', '> ')):
        lines = gallery.read(f'--follow={n}', f'--{side}').ok().text.splitlines()
        assert lines and all(line.startswith(mark) and not line.startswith(other) for line in lines)
    rows = re.findall(r'^( {4}|)([0-9a-f]{8})  (.{50})', gallery.read(f'--follow={n}', '--hex').ok().text, re.M)
    assert b''.join(bytes.fromhex(row) for indent, _, row in rows if not indent) == up
    assert b''.join(bytes.fromhex(row) for indent, _, row in rows if indent) == down


def test_what_is_dark_has_no_plaintext(gallery):
    assert gallery.read(f'--follow={gallery.flow["dark"]}', '--raw').out == b''
    assert 'no secret' in gallery.read(f'--follow={gallery.flow["dark"]}').text


# ---- commands


def run_command(gallery, number, tmp_path):
    """The printed command, run by a shell in which curl trusts the root and finds the names."""
    command = gallery.read(f'--curl={number}').ok().text
    resolve = ' '.join(f'--resolve {NAME}:{p}:127.0.0.1' for p in gallery.ports.values())
    script = f"curl() {{ command curl -sS --noproxy '*' --cacert '{gallery.certs.root.cert}' {resolve} \"$@\"; }}\n" + command
    (tmp_path / 'run.sh').write_text(script, encoding='utf-8')
    return subprocess.run(['sh', str(tmp_path / 'run.sh')], check=True, capture_output=True, env=client.clean_environment(), timeout=client.TIME).stdout


def parts(request):
    head, _, body = request.partition(b'\r\n\r\n')
    first, *headers = head.split(b'\r\n')
    return first, sorted(headers), body


def is_whole(request):
    head, end, body = request.partition(b'\r\n\r\n')
    length = re.search(rb'Content-Length: (\d+)', head)
    return end and len(body) >= (int(length.group(1)) if length else 0)


@pytest.mark.parametrize('name, number', [('post', 1), ('codings', 3), ('http/1.1, TLS 1.2', 2)])
def test_the_command_asks_for_the_same(gallery, tmp_path, name, number):
    """Run against a server that keeps what it hears, on the same port."""
    heard = []
    port = int(gallery.connection(name)['server']['addr'].rsplit(':', 1)[1])

    def keep(raw):
        with gallery.serving().wrap_socket(raw, server_side=True) as s:
            data = b''
            while not is_whole(data):
                data += s.recv(65536)
            heard.append(data)
            s.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok')
    with peers.RawServer(keep, port=port):
        assert run_command(gallery, f'{gallery.flow[name]}.{number}', tmp_path) == b'ok'
    said = reading.said(gallery.capture, 'client', flow=gallery.flow[name], keylog=gallery.keylog)
    mine = [m for m in re.split(rb'(?=GET |POST )', said) if m][number - 1]
    assert [parts(m) for m in heard] == [parts(mine)]


def test_a_grpc_call_made_again_by_curl(gallery, tmp_path):
    argv = [sys.executable, os.path.join(programs.HERE, 'grpc_plain.py'), 'serve', gallery.ports['grpc']]
    with Process(argv, tmp_path / 'log', env=client.clean_environment()) as server:
        server.wait_listening(gallery.ports['grpc'])
        assert run_command(gallery, f'{gallery.flow["grpc unary"]}.1', tmp_path) == b'\0\0\0\0\x08\x08\x80\xe2\xcf\xaa\x06\x10\x7b'


# ---- JSON


@pytest.mark.parametrize('args', [['--json'], ['--json', '-v', '--body'], ['--json', '--handshakes'], ['--json', '--group'], ['--json', '--why']], ids=' '.join)
def test_every_line_keeps_to_the_schema(gallery, args):
    jsonschema = pytest.importorskip('jsonschema', reason='needs python3-jsonschema')
    with open(os.path.join(oriel.ROOT, 'doc', 'events.schema.json'), encoding='utf-8') as f:
        schema = json.load(f)
    kinds = {}
    events = gallery.read(*args).events
    for e in events:
        kind = kinds.setdefault(e['type'], jsonschema.Draft202012Validator({'$defs': schema['$defs'], '$ref': f'#/$defs/{e["type"]}'}))
        kind.validate(e)
    assert set(kinds) == ({'handshake'} if '--handshakes' in args else {'connection'} if '--why' in args else
                          {'connection', 'exchange', 'message'} if '--body' in args else {'connection', 'exchange'})


def test_a_connection_says_that_it_is_decrypted_or_why_not(gallery):
    for c in gallery.read('--json').connections():
        if c['flow'] == gallery.flow['dark']:
            assert c['decrypted']['why'] == 'no-secret' and c['decrypted']['reason'].startswith('no secret for client random')
            assert c['encrypted'] is True and 'partly' not in c['decrypted']
        else:
            assert c['decrypted'] is True
        assert c['encrypted'] is ('tls' in c)


# ---- HAR


@pytest.fixture(scope='module')
def har_file(gallery, tmp_path_factory):
    path = tmp_path_factory.mktemp('har') / 'all.har'
    gallery.read('--har', path)
    return path


def test_the_har_file_keeps_to_its_specification(gallery, har_file):
    entries = har.check(json.loads(har_file.read_text(encoding='utf-8')))
    urls = [x['http']['url'] for x in gallery.read('--json').exchanges() if x['http'].get('status')]
    assert [e['request']['url'] for e in entries if e['response']['status']] == urls
    found = {e['request']['url'].split('/', 3)[3]: e for e in entries if e['connection'] == str(gallery.flow['codings'])}
    for coding in CODINGS:
        assert har.content(found[f'{coding}/text']) == TEXT.encode() and har.content(found[f'{coding}/binary']) == BINARY
    [posted] = [e for e in entries if e['connection'] == str(gallery.flow['post'])]
    assert posted['request']['postData']['text'] == g.POSTED and posted['serverIPAddress'] == '127.0.0.1'
    assert oct(os.stat(har_file).st_mode & 0o777) == '0o600'


# What its network panel does with a file that it is told to import; each request as it has it then.
IMPORT = '''(async text => {
    const network = await import("devtools://devtools/bundled/panels/network/network.js");
    const logs = await import("devtools://devtools/bundled/models/logs/logs.js");
    await network.NetworkPanel.NetworkPanel.instance().networkLogView.onLoadFromFile(new File([text], "x.har"));
    const out = [];
    for (const r of logs.NetworkLog.NetworkLog.instance().requests()) {
        const body = await r.requestContentData();
        out.push([r.requestMethod, r.url(), r.statusCode, body.isTextContent ? body.text : body.base64]);
    }
    return out;
})(%s)'''


def test_the_developer_tools_of_chromium_open_the_har_file(gallery, har_file, tmp_path):
    if not shutil.which('chromium') or not shutil.which('certutil'):
        pytest.skip('needs chromium and certutil')
    text = har_file.read_text(encoding='utf-8')
    with chromium.Chromium(tmp_path, 'http://127.0.0.1:1', gallery.certs.root.cert) as browser:
        browser.call('Page.navigate', url='devtools://devtools/bundled/devtools_app.html?panel=network')
        browser.wait('Page.loadEventFired')
        if not browser.evaluate('import("devtools://devtools/bundled/panels/network/network.js").then(m => "NetworkPanel" in m, () => false)'):
            pytest.skip('this Chromium has its developer tools elsewhere')
        got = browser.evaluate(IMPORT % json.dumps(text))
    entries = json.loads(text)['log']['entries']
    assert [tuple(r[:3]) for r in got] == [(e['request']['method'], e['request']['url'], e['response']['status']) for e in entries]
    assert [r[3] for r in got] == [e['response']['content'].get('text', '') for e in entries]


# ---- objects


NAMES = ['/../../etc/passwd', '/..', '/.', '/a%00b', '/%2e%2e%2fup', '/' + 'long' * 900, '/.hidden', '/same', '/same', '/dir/', '/', '/-rf', '/a;b|c$(d)',
         '/%c3%bc', '/name.txt?query=/../x', '/con.', '/\xc3\xbc']


@pytest.fixture(scope='module')
def named(gallery, tmp_path_factory):
    """Each name asked for in plaintext; the body says which it was."""
    folder = tmp_path_factory.mktemp('named')

    def answer(s):
        for i in range(len(NAMES)):
            data = b''
            while not data.endswith(b'\r\n\r\n'):
                data += s.recv(1)
            s.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n%03d' % i)
    with peers.RawServer(answer) as server, Capture(folder / 'c.pcap', f'tcp port {server.port}'), socket.create_connection(('127.0.0.1', server.port)) as s:
        for name in NAMES:
            s.sendall(f'GET {name} HTTP/1.1\r\nHost: x\r\n\r\n'.encode('latin-1'))
            assert s.recv(1000).endswith(b'%03d' % NAMES.index(name)) or name == '/same'
    return folder / 'c.pcap'


def test_objects_have_safe_names(named, tmp_path):
    (tmp_path / 'o').mkdir()
    read(named, '--objects', tmp_path / 'o').ok()
    files = {p.name: p.read_bytes() for p in (tmp_path / 'o').iterdir()}
    assert os.listdir(tmp_path) == ['o'] and len(files) == len(NAMES)
    for name in files:
        assert re.fullmatch(r'1\.\d+-[A-Za-z0-9_][A-Za-z0-9._-]{0,79}|1\.\d+--rf', name), name
    numbers = {int(re.match(r'1\.(\d+)-', name).group(1)): body for name, body in files.items()}
    assert numbers == {i + 1: b'%03d' % i for i in range(len(NAMES))}
    assert '1.1-passwd' in files and '1.11-index' in files and '1.15-name.txt' in files


def test_nothing_is_overwritten(named, tmp_path):
    (tmp_path / 'o').mkdir()
    (tmp_path / 'o' / '1.1-passwd').symlink_to(tmp_path / 'elsewhere')
    (tmp_path / 'o' / '1.8-same').write_bytes(b'mine')
    got = read(named, '--objects', tmp_path / 'o')
    assert got.status == 1 and 'cannot be written' in got.err and got.err.count('\n') == 1
    assert not (tmp_path / 'elsewhere').exists() and (tmp_path / 'o' / '1.8-same').read_bytes() == b'mine'


def test_objects_of_one_connection(gallery, tmp_path):
    gallery.of('post', '--objects', tmp_path / 'o').ok()
    n = gallery.flow['post']
    assert sorted(os.listdir(tmp_path / 'o')) == [f'{n}.1-posted', f'{n}.1-request-posted']


# ---- plaintext for others


def test_tshark_reads_the_plaintext_without_keys(gallery, tmp_path):
    path = tmp_path / 'plain.pcapng'
    assert gallery.read('--plain', path).status == DARK
    rows = tshark(path, 'http.request', 'http.request.method', 'http.request.uri', more=['-d', f'tcp.port=={gallery.ports["hand"]},http'])
    got = [(m, u) for row in rows for m, u in zip(row[0].split(','), row[1].split(','))]
    want = [(x['http']['method'], '/' + x['http']['url'].split('/', 3)[3]) for x in gallery.read('--json').exchanges() if x['http']['version'] == '1.1']
    assert sorted(got) == sorted(want) and len(want) > 20
    # Byte for byte the same, HTTP/2 too, and oriel itself finds nothing that is encrypted.
    again = {c['server']['addr'] + c['client']['addr']: c for c in read(path, '--json').ok().connections()}
    for c in gallery.read('--json').connections():
        if isinstance(c['flow'], int) and c['flow'] != gallery.flow['dark'] and sum(c['bytes'].values()):
            other = again[c['server']['addr'] + c['client']['addr']]
            assert other['bytes'] == c['bytes'] and other['encrypted'] is False
            for side in ('client', 'server'):
                assert reading.said(path, side, flow=other['flow']) == reading.said(gallery.capture, side, flow=c['flow'], keylog=gallery.keylog)


# ---- handshakes


@pytest.fixture(scope='module')
def handshakes(certs, tmp_path_factory):
    """By name: a full one of TLS 1.3 and 1.2, resumed, with HelloRetryRequest, with a client's certificate, refused."""
    why = reading.possible()
    if why:
        pytest.skip(why)
    folder = tmp_path_factory.mktemp('handshakes')
    keylog, flows = str(folder / 'keys'), {}
    good = certs.good()

    def server(**how):
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        c.load_cert_chain(good.chain, good.key)
        if 'curve' in how:
            c.set_ecdh_curve(how['curve'])
        if 'verify' in how:
            c.load_verify_locations(certs.root.cert)
            c.verify_mode = ssl.CERT_REQUIRED
        return c

    def play(name, serving, context, session=None):
        context.keylog_filename = keylog
        flows[name] = len(flows) + 1

        def answer():
            raw, _ = listener.accept()
            with raw:
                try:
                    with serving.wrap_socket(raw, server_side=True) as s:
                        s.recv(4)
                        s.sendall(b'pong')
                        s.recv(1)
                        s.unwrap()
                except OSError:
                    pass
        thread = threading.Thread(target=answer)
        thread.start()
        with socket.create_connection(listener.getsockname(), PATIENCE) as raw:
            try:
                with context.wrap_socket(raw, server_hostname=NAME, session=session) as s:
                    s.sendall(b'ping')
                    assert s.recv(4) == b'pong'
                    session = s.session
                    s.unwrap()
            except ssl.SSLError:
                assert name == 'refused'
        thread.join(PATIENCE)
        return session
    with socket.create_server(('127.0.0.1', 0)) as listener, Capture(folder / 'c.pcap', f'tcp port {listener.getsockname()[1]}'):
        listener.settimeout(PATIENCE)
        for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
            text = '1.3' if version == ssl.TLSVersion.TLSv1_3 else '1.2'
            serving, asking = server(), client.context(certs.root.cert, version=version)
            session = play(text, serving, asking)
            play(text + ' resumed', serving, asking, session)
        play('retry', server(curve='secp384r1'), client.context(certs.root.cert))
        with_cert = client.context(certs.root.cert)
        own = certs.server('client-of-handshakes', extendedKeyUsage='clientAuth')
        with_cert.load_cert_chain(own.chain, own.key)
        play('client certificate', server(verify=True), with_cert)
        play('refused', server(), client.context(certs.stranger.cert))
    return str(folder / 'c.pcap'), keylog, flows


T, D = '▶', '◀'
TCP = ['▶SYN', '◀SYN,ACK', '▶ACK']
SERVER_13 = ['◀ServerHello', '◀ChangeCipherSpec', '◀{EncryptedExtensions}']
SIGNED = ['◀{Certificate}', '◀{CertificateVerify}']
HANDSHAKES = {
    '1.3': [*TCP, '▶ClientHello', *SERVER_13, *SIGNED, '◀{Finished}', '▶ChangeCipherSpec', '▶{Finished}'],
    '1.3 resumed': [*TCP, '▶ClientHello', *SERVER_13, '◀{Finished}', '▶ChangeCipherSpec', '▶{Finished}'],
    '1.2': [*TCP, '▶ClientHello', '◀ServerHello', '◀Certificate', '◀ServerKeyExchange', '◀ServerHelloDone', '▶ClientKeyExchange', '▶ChangeCipherSpec',
            '▶{Finished}', '◀NewSessionTicket', '◀ChangeCipherSpec', '◀{Finished}'],
    '1.2 resumed': [*TCP, '▶ClientHello', '◀ServerHello', '◀ChangeCipherSpec', '◀{Finished}', '▶ChangeCipherSpec', '▶{Finished}'],
    'retry': [*TCP, '▶ClientHello', '◀HelloRetryRequest', '◀ChangeCipherSpec', '▶ChangeCipherSpec', '▶ClientHello', '◀ServerHello', '◀{EncryptedExtensions}',
              *SIGNED, '◀{Finished}', '▶{Finished}'],
    'client certificate': [*TCP, '▶ClientHello', *SERVER_13, '◀{CertificateRequest}', *SIGNED, '◀{Finished}', '▶ChangeCipherSpec', '▶{Certificate}',
                           '▶{CertificateVerify}', '▶{Finished}'],
    'refused': [*TCP, '▶ClientHello', *SERVER_13, *SIGNED, '◀{Finished}'],
}
ROW = re.compile(r'^ +(\d+) +([\d.]+) +\+?([\d.]+)  (.{38})(?:  (answers|after) (\d+))?(?:  (.*))?$', re.M)


@pytest.mark.parametrize('name', list(HANDSHAKES))
def test_a_handshake_message_by_message(handshakes, name):
    capture, keylog, flows = handshakes
    text = read(capture, '--handshakes', f'--flow={flows[name]}', keylog=keylog).ok().text
    rows = ROW.findall(text)
    steps = [(T if T in r[3] else D) + re.sub('[─▶◀ ]', '', r[3]) for r in rows]
    want = HANDSHAKES[name]
    assert steps[:len(want)] == want, text
    assert [int(r[0]) for r in rows] == list(range(1, len(rows) + 1))
    # Times grow, and each is the sum of the steps before.
    at = [float(r[1]) for r in rows]
    assert at == sorted(at) and all(abs(a + float(r[2]) - b) < 0.002 for a, b, r in zip(at, at[1:], rows[1:]))
    # With their times on the wire.
    packets = [p for p in vary.load(capture)]
    first = next(p for p in packets if p.flags == vary.SYN and p.ports[0] == int(text.split()[2].rsplit(':', 1)[1]))
    answer = next(p for p in packets if p.ports == first.ports[::-1])
    assert at[1] == pytest.approx((answer.at - first.at) * 1000, abs=0.002)


def test_what_the_messages_of_a_handshake_carry(handshakes):
    capture, keylog, flows = handshakes

    def carries(name):
        return read(capture, '--handshakes', f'--flow={flows[name]}', keylog=keylog).text
    assert re.search(r'ClientHello .*sni www\.oriel\.test', carries('1.3'))
    assert 'for www.oriel.test' in carries('1.3') and 'signed with' in carries('1.3')
    assert re.search(r'ServerHello .*(resum|pre-shared key|psk)', carries('1.3 resumed'), re.I), carries('1.3 resumed')
    assert re.search(r'HelloRetryRequest .*secp384r1', carries('retry'))
    assert re.search(r'alert .*unknown_ca', carries('refused'))
    # What each is for, for who learns.
    assert len(read(capture, '--handshakes', '-v', '--flow=1', keylog=keylog).text) > 1.5 * len(carries('1.3'))


def test_the_same_as_json(handshakes):
    capture, keylog, flows = handshakes
    for name, want in HANDSHAKES.items():
        steps = read(capture, '--handshakes', '--json', f'--flow={flows[name]}', keylog=keylog).ok().events
        names = [(T if s['direction'] == 'up' else D) + ('{%s}' if s.get('encrypted') else '%s') % s['message'].replace(' ', '') for s in steps]
        assert names[:len(want)] == want
        assert all(s['flow'] == flows[name] for s in steps)


# ---- filters


FILTERS = [
    # expression, connections by name, how many exchanges
    ('http.status >= 400', [], 2),
    ('http.response.code == 404', [], 2),
    ('http.request.method == POST', [], 11),
    ('http.method == POST and not grpc', [], 3),
    ('tls.sni == "localhost"', ['node http/1.1', 'node h2', 'go http/1.1', 'go h2'], 4),
    ('tls.handshake.extensions_server_name contains local', ['node http/1.1', 'node h2', 'go http/1.1', 'go h2'], 4),
    ('tls.version == 1.2', ['http/1.1, TLS 1.2', 'go http/1.1'], 3),
    ('tls.version < 0x0304 and http.status == 200', [], 2),
    ('tls.alpn == h2 and not http', ['http/2', 'grpcs unary', 'grpcs stream', 'grpcs gzip', 'grpcs error', 'nghttp', 'node h2', 'go h2'], 0),
    ('dark', ['dark'], 0),
    ('dark.why == no-secret', ['dark'], 0),
    ('!decrypted', ['dark'], 0),
    ('tls.alert == unknown_ca', ['refused'], 0),
    ('tls.alert_message.desc == 48', ['refused'], 0),
    ('state == reset', ['cut', 'refused'], 0),
    ('state == open', ['open'], 0),
    ('grpc.status == NOT_FOUND', [], 2),
    ('grpc && grpc.status_code == 0', [], 6),
    ('http.url matches "/pipe/[12]$"', [], 2),
    ('http.host == 127.0.0.1', [], 9),
    ('http.uri contains "token="', [], 1),
    ('http.header.x-own contains quoted', [], 1),
    ('http.body contains "name=value"', [], 2),
    ('http.response.header.content-encoding in {br, zstd}', [], 4),
    ('websocket', [], 1),
    ('tls.handshake.type == 1 and bytes.down > 100k and !http', ['http/1.1', 'http/2'], 0),
    ('http.response.bytes > 100k', [], 2),
    ('http2.streamid == 5', [], 1),
    ('tcp.stream == 3', ['http/2'], 3),
    ('ip.addr == 127.0.0.0/8 and !tls and !udp and http.status', [], 6),
    ('ip == 10.0.0.0/8', [], 0),
    ('flow in {2..3} and http', [], 5),
    ('encrypted and exchanges == 0 and not http', ['refused', 'dark', 'bytes'], 0),
]


@pytest.mark.parametrize('expression, names, exchanges', FILTERS, ids=[f[0] for f in FILTERS])
def test_a_filter_shows_what_it_says(gallery, expression, names, exchanges):
    got = gallery.read('--json', '-Y', expression)
    by_number = {n: name for name, n in gallery.flow.items()}
    found = [by_number.get(n, n) for n in sorted(c['flow'] for c in got.connections())]
    assert (found, len(got.exchanges())) == (sorted(names, key=gallery.flow.get), exchanges)


@pytest.mark.parametrize('expression, at, words', [
    ('tls.snii == a', 'tls.snii', 'tls.sni'),
    ('http.status >= ', '', 'column 16'),
    ('http and (tls', '', ')'),
    ('http.status == abc', 'abc', 'number'),
    ('ip == 300.1.1.1', '300.1.1.1', 'address'),
    ('http.url matches "("', '"("', ''),
    ('http && & tls', '&', ''),
    ('tls.version == 1.9', '1.9', 'version'),
])
def test_a_wrong_filter_is_pointed_at(expression, at, words):
    got = read('x', '-Y', expression)
    lines = got.err.splitlines()
    assert got.status == 2 and got.out == b'' and words in lines[0] and lines[1].strip() == expression.strip(), got.err
    column = lines[2].index('^') - lines[1].index(expression[0])
    assert column == (expression.rindex(at) if at else len(expression.rstrip())) or not at, got.err
    assert f'column {column + 1}' in lines[0]


# ---- what is masked, and colours


def test_redacted_nothing_secret_is_shown_or_written(gallery, tmp_path):
    secret = [base64.b64encode(b'user:password').decode(), 'token=secret', 'v1', 'name=value', 'a=1;']
    for args in (['-v', '--body'], ['--json', '-v', '--body'], ['--group', '-v', '--body'], [f'--curl={gallery.flow["post"]}.1']):
        text = gallery.read(*args, '--redact').text
        assert not [s for s in secret if s in text], args
        assert '***' in text
        shown = gallery.read(*args).text
        assert [s for s in secret[:4] if s not in shown] == [], args
    gallery.read('--har', tmp_path / 'x.har', '--redact')
    assert not [s for s in secret if s in (tmp_path / 'x.har').read_text(encoding='utf-8')]


@pytest.mark.parametrize('option', [['--follow=1'], ['--objects=o'], ['--plain=p']])
def test_what_cannot_be_masked_is_refused(option, tmp_path):
    got = read('x', '--redact', *option)
    assert got.status == 2 and 'cannot mask' in got.err and not os.listdir(tmp_path)


def test_colours_are_for_terminals(gallery, tmp_path):
    if not shutil.which('script'):
        pytest.skip('needs script')
    # There they have a title, too.
    for view in (['-v'], ['--group'], ['--handshakes'], [f'--follow={gallery.flow["post"]}'], ['--why']):
        assert '\x1b' not in gallery.read(*view).text
        argv = [oriel.BINARY, 'read', '-k', gallery.keylog, *view, gallery.capture]
        for env, coloured in (({}, True), ({'NO_COLOR': '1'}, False)):
            subprocess.run(['script', '-q', '-c', 'stty cols 200; exec ' + ' '.join(argv), str(tmp_path / 'typescript')], check=True, stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, timeout=60, env={**client.clean_environment(TERM='xterm'), **env})
            shown = (tmp_path / 'typescript').read_text(encoding='utf-8', errors='replace')
            assert ('server name, cipher' in shown) is (view in (['-v'], ['--group']))
            assert ('\x1b[' in shown.split('\n', 1)[1].rsplit('\n', 2)[0]) is coloured, (view, env)


def test_help_names_every_option_of_the_manual():
    shown = subprocess.run([oriel.BINARY, 'read', '--help'], capture_output=True, text=True, check=True).stdout
    with open(os.path.join(oriel.ROOT, 'man', 'oriel.1'), encoding='utf-8') as f:
        page = f.read().split('.Ss oriel read Ar FILE')[1].split('.Ss ')[0]
    in_page = set(re.findall(r'^\.It (?:Fl \w , )?Fl -([\w-]+)', page, re.M))
    in_help = set(re.findall(r'^  (?:-\w, |    )--([\w-]+)', shown, re.M)) - {'help', 'version'}
    assert in_page == in_help
