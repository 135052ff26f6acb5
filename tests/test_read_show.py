"""What oriel read shows of one captured conversation whose every byte is known: lines, filters, plaintext, handshakes,
JSON, commands."""
import contextlib
import gzip
import json
import os
import re
import shlex
import socket
import threading

import pytest

from harness import oriel, reading
from harness.capture import Capture
from harness.process import PATIENCE
from harness.reading import read, said

PAGE = gzip.compress(b'<h1>not here</h1>\n', mtime=0)
REQUESTS = [b'GET /first?x=1 HTTP/1.1\r\nHost: www.oriel.test\r\nUser-Agent: test\r\nX-Trace: abc\r\n\r\n',
            b'POST /form HTTP/1.1\r\nHost: www.oriel.test\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\nname=an']
ANSWERS = [b'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n',
           b'HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nContent-Length: '
           + str(len(PAGE)).encode() + b'\r\n\r\n' + PAGE]


@pytest.fixture(scope='module')
def talk(certs, tmp_path_factory):
    why = reading.possible()
    if why:
        pytest.skip(why)
    steps = [('client', REQUESTS[0]), ('server', ANSWERS[0]), ('client', REQUESTS[1]), ('server', ANSWERS[1])]
    return reading.talk(tmp_path_factory.mktemp('show'), certs, steps)


def shown(talk, *args, **how):
    return read(talk.capture, *args, keylog=talk.keylog, **how)


def test_a_line_for_each_exchange_and_for_the_connection(talk):
    lines = shown(talk).ok().text.splitlines()
    assert len(lines) == 3
    assert re.match(r'\d\d:\d\d:\d\d\.\d{3} +1\.1 GET +200 +6 +\S+ https://www\.oriel\.test/first\?x=1', lines[0])
    assert re.match(r'\d\d:\d\d:\d\d\.\d{3} +1\.2 POST +404 +\d+ +\S+ https://www\.oriel\.test/form', lines[1])
    up, down = len(talk.client), len(talk.server)
    assert re.match(r'\d\d:\d\d:\d\d\.\d{3} +1 127\.0\.0\.1:\d+ +→ 127\.0\.0\.1:' + str(talk.port)
                    + rf' +1\.3 - +{up} +{down} +\S+ +complete +www\.oriel\.test TLS_\S+ \S+$', lines[2])


def test_grouped_the_connection_comes_first(talk):
    plain = shown(talk).ok().text.splitlines()
    assert shown(talk, '--group').ok().text.splitlines() == [plain[2], plain[0], plain[1]]


def test_heads_and_bodies(talk):
    text = shown(talk, '-v', '--body').ok().text
    for line in ('> GET /first?x=1 HTTP/1.1', '> X-Trace: abc', '< HTTP/1.1 404 Not Found', '| name=an', '| hello',
                 '| <h1>not here</h1>'):
        assert f' {line}\n' in text


@pytest.mark.parametrize('expression, exchanges, connections', [
    ('http.status >= 400', 1, 0),
    ('http', 2, 0),
    ('not http', 0, 1),
    ('tls.sni == "www.oriel.test"', 2, 1),
    ('tls.version == 1.3 and ip == 127.0.0.0/8', 2, 1),
    ('tls.version in {1.0..1.2}', 0, 0),
    ('tls.handshake.type == 1 && http.request.method == GET', 1, 0),
    ('http.header.x-trace matches "^A"', 1, 0),
    ('http.body contains "name="', 1, 0),
    ('http.url contains first or http.host == nobody', 1, 0),
    ('decrypted and duration < 60s', 2, 1),
    ('id == 1.2', 1, 0),
])
def test_a_filter_shows_what_fits(talk, expression, exchanges, connections):
    done = shown(talk, '--json', '-Y', expression).ok()
    assert (len(done.exchanges()), len(done.connections())) == (exchanges, connections)


def test_a_filter_that_is_wrong_is_shown_in_its_place(talk):
    done = shown(talk, '--filter', 'http.status >= 500 and tls.snii == a')
    assert done.status == 2 and done.out == b''
    message, expression, mark = done.err.rstrip('\n').split('\n')
    assert message.endswith('column 24: no field is called tls.snii (did you mean tls.sni?)')
    assert expression.strip() == 'http.status >= 500 and tls.snii == a'
    assert mark == ' ' * expression.index('tls.snii') + '^~~~~~~~'


def test_all_fields_are_listed():
    done = read(None, '--fields').ok()
    assert re.search(r'^tls\.sni +\S.*\(also tls\.handshake\.extensions_server_name\)$', done.text, re.M)


def test_the_plaintext_of_a_connection(talk):
    assert said(talk.capture, 'client', keylog=talk.keylog) == talk.client == b''.join(REQUESTS)
    assert said(talk.capture, 'server', keylog=talk.keylog) == talk.server == b''.join(ANSWERS)
    both = shown(talk, '--follow', '1', '--raw').ok().out
    assert both == REQUESTS[0] + ANSWERS[0] + REQUESTS[1] + ANSWERS[1]
    text = shown(talk, '--follow', '1').ok().text
    assert text.startswith('> GET /first?x=1 HTTP/1.1\n> Host: www.oriel.test\n')
    assert '< HTTP/1.1 200 OK\n' in text and '\x1b' not in text


def test_the_plaintext_as_a_dump(talk):
    """The dump gives back what was said: rows of the client begin at the margin, the server's are indented."""
    got = {'': bytearray(), '    ': bytearray()}
    for line in shown(talk, '--follow', '1', '--hex').ok().text.splitlines():
        side, offset, row = re.match(r'( {4}|)([0-9a-f]{8})  ((?:[0-9a-f]{2}  ?)+)', line).groups()
        assert int(offset, 16) == len(got[side])
        got[side] += bytes.fromhex(row)
    assert got[''] == talk.client and got['    '] == talk.server


def test_the_handshake_is_a_ladder(talk):
    text = shown(talk, '--handshakes').ok().text
    rows = re.findall(r'^ +(\d+) +[\d.]+ +\+?[\d.]+  (.{38})(?:  (answers|after) (\d+))?', text, re.M)
    names = [re.sub('[─▶◀ {}]', '', row[1]) for row in rows]
    assert names[:5] == ['SYN', 'SYN,ACK', 'ACK', 'ClientHello', 'ServerHello']
    for name in ('EncryptedExtensions', 'Certificate', 'CertificateVerify', 'Finished', 'applicationdata'):
        assert name in names
    assert [int(row[0]) for row in rows] == list(range(1, len(rows) + 1))
    # Whoever answers, answers the other side.
    up = {row[0]: row[1].endswith('▶') for row in rows}
    for number, lane, how, of in rows[1:]:
        assert (up[of] != lane.endswith('▶')) == (how == 'answers')
        assert int(of) < int(number)
    assert 'sni www.oriel.test' in text and 'signed with' in text and '{Finished}' in text


def test_the_handshake_as_json(talk):
    steps = shown(talk, '--handshakes', '--json').ok().events
    assert {s['type'] for s in steps} == {'handshake'} and steps[3]['message'] == 'ClientHello'
    assert steps[4]['answers'] == 4 and steps[4]['direction'] == 'down'
    assert all(a['at_ms'] <= b['at_ms'] and a['packet'] <= b['packet'] for a, b in zip(steps, steps[1:]))


def test_without_secrets_it_says_why(talk):
    done = read(talk.capture, '--why')
    assert done.status == 3
    [line] = done.text.splitlines()
    assert re.match(r' +1 127\.0\.0\.1:\d+ .*www\.oriel\.test dark: no secret for client random [0-9a-f]+', line)
    assert shown(talk, '--why').ok().out == b''
    [c] = read(talk.capture, '--json').connections()
    assert c['decrypted']['why'] == 'no-secret' and c['decrypted']['reason'] and c['encrypted'] is True


def test_json_lines_are_what_the_schema_says(talk):
    jsonschema = pytest.importorskip('jsonschema', reason='needs python3-jsonschema')
    with open(os.path.join(oriel.ROOT, 'doc', 'events.schema.json'), encoding='utf-8') as f:
        schema = json.load(f)
    events = shown(talk, '--json', '-v', '--body').ok().events + shown(talk, '--handshakes', '--json').ok().events
    events += read(talk.capture, '--json').events
    assert {e['type'] for e in events} == {'exchange', 'connection', 'handshake'}
    for e in events:
        kind = {'$defs': schema['$defs'], '$ref': f'#/$defs/{e["type"]}'}
        jsonschema.Draft202012Validator(kind).validate(e)
    assert [e['id'] for e in events if e['type'] == 'exchange'] == ['1.1', '1.2']


def test_an_exchange_as_a_command(talk):
    words = shlex.split(shown(talk, '--curl', '1.2').ok().text)
    assert words[0] == 'curl' and words[-1] == 'https://www.oriel.test/form'
    assert words[words.index('--data-raw') + 1] == 'name=an'


def test_an_archive_of_the_exchanges(talk, tmp_path):
    shown(talk, '--har', tmp_path / 'x.har').ok()
    with open(tmp_path / 'x.har', encoding='utf-8') as f:
        entries = json.load(f)['log']['entries']
    assert [e['request']['url'] for e in entries] == ['https://www.oriel.test/first?x=1', 'https://www.oriel.test/form']
    assert entries[1]['response']['content']['text'] == '<h1>not here</h1>\n'
    assert entries[0]['serverIPAddress'] == '127.0.0.1' and entries[0]['connection'] == '1'


CROWD = 30


def serve(listener, context):
    """Answers one request on each connection; every third is not encrypted."""
    def answer(raw, number):
        with raw, (contextlib.nullcontext(raw) if number % 3 == 0 else context.wrap_socket(raw, server_side=True)) as s:
            s.settimeout(PATIENCE)
            path = s.recv(1000).split()[1]
            s.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s' % (len(path), path))
            s.recv(1)
            if number % 3 == 0:
                return
            with contextlib.suppress(OSError):
                s.unwrap()
    waiting = []
    for number in range(1, CROWD + 1):
        waiting.append(threading.Thread(target=answer, args=(listener.accept()[0], number)))
        waiting[-1].start()
    for t in waiting:
        t.join()


@pytest.fixture(scope='module')
def crowd(certs, tmp_path_factory):
    """Connections that overlap, and a datagram each way: the capture and its key log."""
    why = reading.possible()
    if why:
        pytest.skip(why)
    folder = tmp_path_factory.mktemp('crowd')
    client, server = reading.contexts(certs.good(), certs.root.cert, folder / 'keys')
    with socket.create_server(('127.0.0.1', 0)) as listener, socket.socket(type=socket.SOCK_DGRAM) as one, \
            socket.socket(type=socket.SOCK_DGRAM) as other:
        listener.settimeout(PATIENCE)
        port = listener.getsockname()[1]
        one.bind(('127.0.0.1', 0))
        other.bind(('127.0.0.1', 0))
        ports = f'tcp port {port} or udp port {one.getsockname()[1]}'
        with Capture(folder / 'c.pcap', ports):
            thread = threading.Thread(target=serve, args=(listener, server))
            thread.start()
            open_ones = []
            for number in range(1, CROWD + 1):
                raw = socket.create_connection(('127.0.0.1', port), timeout=PATIENCE)
                s = raw if number % 3 == 0 else client.wrap_socket(raw, server_hostname='www.oriel.test')
                s.sendall(b'GET /%d HTTP/1.1\r\nHost: www.oriel.test\r\n\r\n' % number)
                open_ones.append(s)
            one.sendto(b'ping', other.getsockname())
            for number, s in enumerate(open_ones, 1):
                assert s.recv(1000).endswith(b'/%d' % number)
            for s in reversed(open_ones):
                s.close()
            thread.join()
    return folder / 'c.pcap', folder / 'keys'


@pytest.mark.threads
@pytest.mark.parametrize('form', [[], ['-v', '--body'], ['--group'], ['--json'], ['--handshakes'], ['--why'],
                                  ['-Y', 'http.path matches "[02468]$" or udp']], ids=' '.join)
def test_the_output_is_the_same_with_one_thread_and_with_two(crowd, form):
    capture, keylog = crowd
    one, two = (read(capture, '--threads', n, *form, keylog=keylog).ok().out for n in (1, 2))
    assert one == two and (one or form == ['--why'])


def test_flows_have_their_numbers_by_their_first_packet(crowd):
    capture, keylog = crowd
    done = read(capture, '--json', keylog=keylog).ok()
    flows = {c['flow']: c for c in done.connections()}
    assert set(flows) == {*range(1, CROWD + 1), 'u1'}
    first = [flows[n]['first_packet'] for n in range(1, CROWD + 1)]
    assert first == sorted(first)
    for n in range(1, CROWD + 1):
        assert flows[n]['encrypted'] is (n % 3 != 0) and flows[n]['decrypted'] is True
    # The n-th connection asked for /n.
    assert {(x['id'], x['http']['url'].rsplit('/', 1)[1]) for x in done.exchanges()} == \
        {(f'{n}.1', str(n)) for n in range(1, CROWD + 1)}
    assert sum(flows['u1']['bytes'].values()) == 4


def test_all_of_one_connection(crowd):
    capture, keylog = crowd
    lines = read(capture, '--flow', '6', keylog=keylog).ok().text.splitlines()
    assert len(lines) == 2 and ' 6.1 GET ' in lines[0] and re.search(r' 6 127\.0\.0\.1:', lines[1])
    assert read(capture, '--flow', 'u1', keylog=keylog).ok().text.count(' u1 ') == 1
