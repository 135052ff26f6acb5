"""What is written down of real exchanges: HAR files that other programs open, JSON lines that keep to their schema, and
bodies with their content codings undone."""
import base64
import gzip
import json
import os
import re
import shutil
import subprocess
import urllib.parse
import zlib

import pytest

from harness import chromium, client, har as hars, oriel, peers, raw
from harness.process import wait_until

NAME = 'www.oriel.test'
TEXT = 'text with ümlauts, "quotes" and\ta tab\n' * 40
BINARY = bytes(range(256)) * 8


def config(**observe):
    return {'listeners': [{'bind': '127.0.0.1:PORT', 'default': 'bump',
                           'rules': [{'match': {'sni': ['spliced.oriel.test'], 'target': ['spliced.oriel.test']}, 'do': 'splice'},
                                     {'match': {'target': ['blocked.oriel.test']}, 'do': 'block'}]}],
            'hosts': {name: '127.0.0.1' for name in (NAME, 'spliced.oriel.test', 'blocked.oriel.test')}, 'observe': observe}


def brotli(data):
    return pytest.importorskip('brotli', reason='needs python3-brotli').compress(data)


def zstd(data):
    if not shutil.which('zstd'):
        pytest.skip('needs zstd')
    return subprocess.run(['zstd', '-q', '-c'], input=data, capture_output=True, check=True).stdout


CODINGS = {'gzip': gzip.compress, 'deflate': zlib.compress, 'br': brotli, 'zstd': zstd, 'identity': bytes}


class Coder(peers._Handler):
    """GET /CODING/text or /CODING/binary: the body so coded. POST: the body back."""

    def do_GET(self):
        coding, _, kind = self.path.split('?')[0][1:].partition('/')
        if coding == 'moved':
            self.answer(b'', 302, Location='/identity/text', Set_Cookie='a=1; Path=/; HttpOnly; Secure')
            return
        body = TEXT.encode() if kind == 'text' else BINARY
        mime = 'text/plain; charset=utf-8' if kind == 'text' else 'application/octet-stream'
        self.answer(CODINGS[coding](body), Content_Type=mime, Content_Encoding=coding)

    def do_POST(self):
        self.answer(b''.join(self.body()), 201, Content_Type=self.headers['Content-Type'])


@pytest.fixture
def coder(certs):
    with peers.HttpsServer(certs.good()) as server:
        server.RequestHandlerClass = Coder
        yield server


def ask(o, port, path, *args, name=NAME):
    return client.curl(f'https://{name}:{port}{path}', *args, proxy=o, cafile=o.root)


# ---- bodies on the lines


@pytest.mark.sanitized
@pytest.mark.parametrize('coding', list(CODINGS))
def test_bodies_are_shown_with_their_coding_undone(run_oriel, coder, coding):
    CODINGS[coding](b'')
    o = run_oriel(config(bodies=True))
    for kind in ('text', 'binary'):
        ask(o, coder.port, f'/{coding}/{kind}').ok()
    o.wait_event(type='exchange', count=2)
    text, binary = (next(e for e in o.events(type='exchange') if e['http']['url'].endswith(kind))['response'] for kind in ('text', 'binary'))
    assert text['body'] == {'text': TEXT}
    assert binary['body'] == {'base64': base64.b64encode(BINARY).decode()}
    assert text['bytes'] == len(CODINGS[coding](TEXT.encode()))


def test_for_people_text_is_lines_and_the_rest_hex(run_oriel, coder):
    o = run_oriel(config(bodies=True), json_lines=False)
    ask(o, coder.port, '/br/text').ok()
    ask(o, coder.port, '/gzip/binary').ok()
    o.wait_line('/gzip/binary')
    o.quiet()
    said = '\n'.join(o.lines)
    assert said.count('| text with ümlauts, "quotes" and    a tab') == 40
    assert '000010  10 11 12 13 14 15 16 17  18 19 1a 1b 1c 1d 1e 1f' in said


# ---- JSON lines


def every_kind(o, coder, plain, certs):
    """Something of each kind of line: exchanges of all protocols, connections that were spliced, blocked, and failed."""
    ask(o, coder.port, '/gzip/text?q=1', '-u', 'user:password').ok()
    ask(o, coder.port, '/x', '--data-binary', 'posted').ok()
    client.curl(f'http://{NAME}:{plain.port}/', proxy=o).ok()
    client.curl(f'https://spliced.oriel.test:{coder.port}/identity/text', '-k', proxy=o).ok()
    assert ask(o, coder.port, '/', name='blocked.oriel.test').code != 0
    assert client.curl(f'https://{NAME}:{coder.port}/', proxy=o, cafile=certs.stranger.cert).code == 60
    assert client.curl(f'https://{NAME}:1/', proxy=o).code != 0
    with client.connect_through(o.port, NAME, coder.port) as s:
        s.sendall(b'\x16\x03\x01\0\x05garbage')
        raw.fate(s)
    with client.tls_through(o.port, NAME, coder.port, o.root) as s:
        s.sendall(b'GET /identity/binary HTTP/1.1\r\nHost: x\r\n\r\n')
        s.recv(10)
    with peers.RawServer(peers.echoes) as echo, client.connect_through(o.port, NAME, echo.port) as s:
        s.sendall(b'\0neither TLS nor HTTP\n')
        assert s.recv(100)


@pytest.mark.parametrize('observe', [{}, {'headers': True, 'bodies': True}])
def test_every_line_keeps_to_the_schema(run_oriel, start, certs, coder, observe):
    jsonschema = pytest.importorskip('jsonschema', reason='needs python3-jsonschema')
    with open(os.path.join(oriel.ROOT, 'doc', 'events.schema.json'), encoding='utf-8') as f:
        schema = json.load(f)
    jsonschema.Draft202012Validator.check_schema(schema)
    kinds = {kind: jsonschema.Draft202012Validator({'$defs': schema['$defs'], '$ref': f'#/$defs/{kind}'}) for kind in ('exchange', 'connection', 'message')}
    o = run_oriel(config(**observe))
    every_kind(o, coder, start(peers.nginx), certs)
    http2 = start(peers.nginx, certs.good(), http2=True)
    ask(o, http2.port, '/', '--http2').ok()
    o.stop()
    events = [json.loads(line) for line in o.lines]
    for event in events:
        kinds[event['type']].validate(event)
    assert {e['proto'] for e in events if e['type'] == 'connection'} >= {'http1', 'http2', 'bytes', 'unknown'}
    assert {e['action'] for e in events if e['type'] == 'connection'} >= {'bump', 'splice', 'block', 'plain'}
    assert len({e['failure'] for e in events if 'failure' in e}) >= 3
    assert not observe or any(e['type'] == 'message' for e in events)


# ---- HAR


def headers(message):
    return {h['name'].lower(): h['value'] for h in message['headers']}


@pytest.fixture
def har(run_oriel, start, certs, coder, tmp_path):
    """A HAR file of several exchanges: (entries by path, port)."""
    path = tmp_path / 'all.har'
    o = run_oriel(config(), args=['--har', path])
    for coding in ('gzip', 'br', 'identity'):
        ask(o, coder.port, f'/{coding}/text?a=1&b=%C3%BC&a=2', '-H', 'Cookie: c1=v1; c2=v2', '-H', 'X-Own: "quoted" ü').ok()
    ask(o, coder.port, '/gzip/binary').ok()
    ask(o, coder.port, '/moved').ok()
    ask(o, coder.port, '/posted-text', '--data-binary', 'a=1&b=2').ok()
    ask(o, coder.port, '/posted-binary', '--data-binary', '@-', '-H', 'Content-Type: application/octet-stream', '-H', 'Expect:').ok()
    http2 = start(peers.nginx, certs.good(), http2=True)
    ask(o, http2.port, '/over-http2', '--http2').ok()
    o.wait_event(type='exchange', count=8)
    # It is whole at every moment, not only after the end.
    running = hars.check(json.loads(path.read_text(encoding='utf-8')))
    o.stop()
    entries = hars.check(json.loads(path.read_text(encoding='utf-8')))
    assert len(running) == len(entries) == 8
    return {urllib.parse.urlsplit(e['request']['url']).path: e for e in entries}, path


def test_har_entries_equal_what_was_sent(har):
    entries, _ = har
    assert set(entries) == {'/gzip/text', '/br/text', '/identity/text', '/gzip/binary', '/moved', '/posted-text', '/posted-binary', '/over-http2'}
    for coding in ('gzip', 'br', 'identity'):
        entry = entries[f'/{coding}/text']
        assert hars.content(entry) == TEXT.encode()
        assert entry['response']['content']['size'] == len(TEXT.encode())
        assert entry['response']['bodySize'] == len(CODINGS[coding](TEXT.encode()))
        assert entry['response']['content']['mimeType'] == 'text/plain; charset=utf-8'
        assert entry['request']['queryString'] == [{'name': 'a', 'value': '1'}, {'name': 'b', 'value': '%C3%BC'}, {'name': 'a', 'value': '2'}]
        assert [(c['name'], c['value']) for c in entry['request']['cookies']] == [('c1', 'v1'), ('c2', 'v2')]
        assert headers(entry['request'])['x-own'] == '"quoted" ü'
    assert hars.content(entries['/gzip/binary']) == BINARY
    moved = entries['/moved']['response']
    assert (moved['status'], moved['redirectURL']) == (302, '/identity/text')
    assert [(c['name'], c['value'], c.get('httpOnly'), c.get('secure')) for c in moved['cookies']] == [('a', '1', True, True)]
    posted = entries['/posted-text']
    assert (posted['request']['method'], posted['request']['postData']['text'], posted['request']['bodySize']) == ('POST', 'a=1&b=2', 7)
    assert posted['response']['status'] == 201 and hars.content(posted) == b'a=1&b=2'
    assert (entries['/over-http2']['request']['httpVersion'].upper(), entries['/over-http2']['response']['status']) in (('HTTP/2', 404), ('H2', 404), ('HTTP/2.0', 404))


def test_chromium_reads_the_har_file(har, tmp_path, certs):
    """What its network panel asks of a file that it imports."""
    if not shutil.which('chromium') or not shutil.which('certutil'):
        pytest.skip('needs chromium and certutil')
    _, path = har
    (tmp_path / 'c').mkdir()
    with chromium.Chromium(tmp_path / 'c', 'http://127.0.0.1:1', certs.root.cert) as browser:
        script = '''(text => JSON.parse(text).log.entries.every(e => new URL(e.request.url).host && !isNaN(new Date(e.startedDateTime)) &&
            Number.isFinite(e.time) && new Headers(e.request.headers.filter(h => h.name[0] != ':').map(h => [h.name, encodeURI(h.value)])) &&
            (e.response.content.encoding != 'base64' || atob(e.response.content.text).length == e.response.content.size)))(%s)'''
        assert browser.evaluate(script % json.dumps(path.read_text(encoding='utf-8'))) is True


# ---- a terminal


def on_terminal(folder, args, env, columns=120):
    """oriel under script(1), which gives it a terminal, started and ready: (process, function that reads what it shows)."""
    shown = os.path.join(folder, 'typescript')
    command = ' '.join(["stty cols %d;" % columns, 'exec', oriel.BINARY, *map(str, args)])
    popen = subprocess.Popen(['script', '-q', '-f', '-e', '-c', command, shown], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, env=env)

    def read():
        with open(shown, 'rb') as f:
            return f.read().decode('utf-8', 'replace')
    return popen, read


def test_a_person_at_a_terminal_sees_colours_and_what_was_sent(tmp_path, coder, certs):
    if not shutil.which('script'):
        pytest.skip('needs script')
    folder = tmp_path / 'o'
    folder.mkdir()
    o = oriel.Oriel.__new__(oriel.Oriel)
    o.dir, o.port = str(folder), raw.free_port()
    (folder / 'oriel.yaml').write_text(json.dumps(config()).replace('PORT', str(o.port)))
    env = oriel.environment(str(folder), SSL_CERT_FILE=certs.root.cert, TERM='xterm')
    popen, read = on_terminal(str(folder), ['run', folder / 'oriel.yaml', '-v'], env)
    try:
        wait_until(lambda: os.path.exists(o.root) and 'listening on' in read(), 'oriel listens')
        wait_until(lambda: client.curl(f'https://{NAME}:{coder.port}/identity/text?name=shown', '-u', 'me:password', proxy=o, cafile=o.root).code == 0,
                   'oriel serves')
        wait_until(lambda: re.search(r'name=shown', read()), 'the line is there')
    finally:
        popen.terminate()
        popen.wait(client.TIME)
        popen.stdin.close()
    said = read()
    assert '\x1b[' in said and 'authorization' in said.lower()
    # Who sits at the terminal may see it all.
    assert base64.b64encode(b'me:password').decode() in said and '***' not in said
    # Each exchange is one line of the terminal, whatever it holds.
    plain = re.sub(r'\x1b\[[0-9;]*m', '', said)
    exchanges = [line for line in plain.splitlines() if ' GET ' in line and line[2:3] == ':']
    assert exchanges and all(len(line) <= 120 for line in exchanges), exchanges
