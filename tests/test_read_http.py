"""What oriel read shows of the protocols above TLS, as programs that people use speak them, in plaintext and in every
kind of TLS: HTTP/1.1, HTTP/2, WebSocket, gRPC, bodies in all codings, and what is none of these."""
import base64
import os
import re

import pytest

from harness import reading, vary
from harness.gallery import BIG, BINARY, CODINGS, LINES, NAME, PAGE, POSTED, TEXT, UPGRADED, WORDS

HEADS = ('--json', '-v', '--body')


def bodies(exchange):
    """(request's, response's), decoded."""
    return tuple(data(exchange.get(side, {}).get('body', {})) for side in ('request', 'response'))


def data(shown):
    return base64.b64decode(shown['base64']) if 'base64' in shown else shown.get('text', '').encode()


def said(exchange):
    """(method, path, status)"""
    http = exchange['http']
    return http.get('method'), re.sub('^https?://[^/]*', '', http.get('url', '')), http.get('status')


# ---- HTTP/1.1


@pytest.mark.parametrize('name, version', [('http/1.1', 'TLS 1.3'), ('http/1.1, TLS 1.2', 'TLS 1.2'), ('plain', None)])
def test_http_1_of_curl_and_nginx(gallery, name, version):
    paths = {'http/1.1': [('/plain.txt', 200), ('/big.bin', 200)], 'http/1.1, TLS 1.2': [('/plain.txt?q=1', 200), ('/none', 404)],
             'plain': [('/page.html', 200)]}
    exchanges = gallery.exchanges(name, '-v')
    assert [said(x) for x in exchanges] == [('GET', path, status) for path, status in paths[name]]
    for x in exchanges:
        assert x['http']['proto'] == 'http1' and x['http']['version'] == '1.1'
        assert x.get('tls', {}).get('client', {}).get('version') == version
        assert dict(x['request']['headers'])['User-Agent'].startswith('curl/')
        assert dict(x['response']['headers'])['Server'].startswith('nginx/')


def test_requests_in_a_row_before_the_first_answer(gallery):
    """Pipelined; the answers are chunked and have trailers."""
    exchanges = gallery.exchanges('by hand', '-v', '--body')[:3]
    assert [said(x) for x in exchanges] == [('GET', f'/pipe/{i}', 200) for i in range(3)]
    for i, x in enumerate(exchanges):
        assert bodies(x)[1] == b'answer %d...' % i and x['response']['bytes'] == 11
        assert x['response']['trailers'] == [['X-Number', str(i)]]
    # All three were asked at once.
    assert len({x['packet'] for x in exchanges}) == 1


def test_a_chunked_request_with_trailers_and_an_early_hint_before_the_answer(gallery):
    x = gallery.exchanges('by hand', '-v', '--body')[3]
    assert said(x) == ('POST', '/chunks', 404) and x['http']['reason'] == 'Not Here'
    assert bodies(x) == (b'chunk and chunk', b'gone') and x['request']['trailers'] == [['X-Sum', '15']]


def test_after_an_upgrade_the_bytes_are_shown(gallery):
    x = gallery.exchanges('by hand', '-v')[4]
    assert said(x) == ('GET', '/up', 101) and ['Upgrade', 'oriel-talk'] in x['response']['headers']
    assert [(m['direction'], data(m['data'])) for m in gallery.messages('by hand')] == [('up', UPGRADED[0]), ('down', UPGRADED[1])]


def test_an_answer_that_never_came_is_told(gallery):
    [x] = gallery.exchanges('cut')
    assert x['http'].get('status') is None and x['cut'] is True
    assert '[no answer]' in gallery.of('cut').text


def test_heads_bodies_and_trailers_for_people(gallery):
    text = gallery.of('by hand', '-v', '--body').ok().text
    for line in ('> GET /pipe/1 HTTP/1.1', '> Host: ' + NAME, '< Trailer: X-Number', '| answer 1...', '< X-Number: 1', '| chunk and chunk',
                 '> X-Sum: 15', '< HTTP/1.1 404 Not Here', '< HTTP/1.1 101 Switching Protocols'):
        assert f' {line}\n' in text, line
    assert '61 6e 79 74 68 69 6e 67  00 67 6f 65 73' in text and 'anything.goes' in text


@pytest.mark.parametrize('with_answer', [True, False])
def test_a_capture_that_begins_between_two_exchanges(gallery, tmp_path, with_answer):
    """With the answer to a request that was not captured, or with a request: each has its own answer."""
    packets = gallery.packets('codings')
    port = gallery.ports['coder']
    answer = [i for i in vary.of(packets, port) if len(packets[i].payload) < 350][3]
    begin = answer if with_answer else next(i for i in vary.of(packets, port, from_server=False) if i > answer)
    path = vary.save(tmp_path / 'c.pcap', packets[begin:])
    got = reading.read(path, '--json', '--body', keylog=gallery.keylog)
    found = {said(x)[1]: x for x in got.exchanges()}
    assert len(found) >= 6 and '/identity/binary' in found
    for path_asked, x in found.items():
        if path_asked:
            assert bodies(x)[1] == (TEXT.encode() if path_asked.endswith('text') else BINARY), path_asked
    [c] = got.connections()
    assert c['late'] is True and c['decrypted'] is True
    assert '[begun before the capture]' in reading.read(path, keylog=gallery.keylog).text


# ---- bodies


@pytest.mark.parametrize('coding', list(CODINGS))
def test_content_codings_are_undone(gallery, coding):
    found = {said(x)[1]: x for x in gallery.exchanges('codings', '--body')}
    text, binary = found[f'/{coding}/text']['response'], found[f'/{coding}/binary']['response']
    assert text['body'] == {'text': TEXT} and text['bytes'] == len(CODINGS[coding](TEXT.encode()))
    assert binary['body'] == {'base64': base64.b64encode(BINARY).decode()}


def test_bodies_for_people_are_lines_or_a_dump(gallery):
    text = gallery.of('codings', '--body').ok().text
    assert text.count('| text with ümlauts, "quotes" and    a tab\n') == 40 * len(CODINGS)
    assert text.count('000010  10 11 12 13 14 15 16 17  18 19 1a 1b 1c 1d 1e 1f') == len(CODINGS)


def test_a_posted_form(gallery):
    [x] = gallery.exchanges('post', '-v', '--body')
    assert said(x) == ('POST', '/posted?token=secret', 201) and bodies(x) == (POSTED.encode(), POSTED.encode())
    assert ['X-Own', '"quoted" ü'] in x['request']['headers']


# ---- HTTP/2


def test_http_2_of_curl_and_nginx(gallery):
    exchanges = gallery.exchanges('http/2', *HEADS[1:])
    assert [said(x) for x in exchanges] == [('GET', p, 200) for p in ('/plain.txt', '/big.bin', '/data.json')]
    assert [(x['http']['proto'], x['http']['version']) for x in exchanges] == [('http2', '2')] * 3
    assert [x['stream'] for x in exchanges] == [1, 3, 5]
    # From the second request on most of the head stands in the table only.
    for x in exchanges:
        assert dict(x['request']['headers'])['user-agent'].startswith('curl/')
        assert dict(x['response']['headers'])['server'].startswith('nginx/')
    assert [x['response']['bytes'] for x in exchanges] == [6, len(BIG), 14] and bodies(exchanges[2])[1] == b'{"a":[1,2,3]}\n'


def test_http_2_from_its_midst(gallery, tmp_path):
    """What the tables of HPACK have from before is not known, and that is said; all else is shown."""
    packets = gallery.packets('http/2')
    port = gallery.ports['two']
    big = next(i for i, p in enumerate(packets) if len(p.payload) > 10000)
    asked = [i for i in vary.of(packets, port, from_server=False) if i < big][-1]
    path = vary.save(tmp_path / 'c.pcap', packets[asked:])
    got = reading.read(path, '--json', '-v', '--body', keylog=gallery.keylog)
    exchanges = got.exchanges()
    assert [said(x) for x in exchanges] == [('GET', p, 200) for p in ('/big.bin', '/data.json')]
    for x in exchanges:
        assert x['http']['unknown'] is True and ['?', '?'] in x['request']['headers']
    assert dict(exchanges[1]['response']['headers'])['content-type'] == 'application/json'
    assert bodies(exchanges[1])[1] == b'{"a":[1,2,3]}\n'
    text = reading.read(path, keylog=gallery.keylog).text
    assert text.count('[head not fully known]') == 2 and '[begun before the capture]' in text
    # Only an answer: its request was before.
    path = vary.save(tmp_path / 'd.pcap', packets[vary.of(packets, port)[-1]:])
    [x] = reading.read(path, '--json', '-v', keylog=gallery.keylog).exchanges()
    assert x['http']['status'] == 200 and 'request' not in x and ['content-length', '14'] in x['response']['headers']


def test_http_2_with_trailers_both_ways_and_a_push(gallery):
    asked, pushed = gallery.exchanges('nghttp', *HEADS[1:])
    assert said(asked) == ('POST', '/index.html', 200) and bodies(asked) == (POSTED.encode(), PAGE)
    assert asked['request']['trailers'] == [['x-asked', 'all']] and asked['response']['trailers'] == [['x-after', 'all']]
    assert said(pushed) == ('GET', '/style.css', 200) and pushed['stream'] % 2 == 0 and bodies(pushed)[1] == b'p { color: red }\n'


@pytest.mark.parametrize('program', ['node', 'go'])
def test_node_and_go(gallery, program):
    for proto, version in (('http/1.1', '1.1'), ('h2', '2')):
        [x] = gallery.exchanges(f'{program} {proto}', '--body')
        assert said(x) == ('GET', f'/from/{program}', 200) and x['http']['version'] == version
        assert bodies(x)[1] == f'go over HTTP/{"1.1" if version == "1.1" else "2.0"}: GET /from/{program} \n'.encode()
        assert x['tls']['sni'] == 'localhost'


# ---- WebSocket


def test_a_websocket_with_permessage_deflate(gallery):
    [x] = gallery.exchanges('websocket', '-v')
    assert said(x) == ('GET', '/chat?room=1', 101) and x['http']['proto'] == 'websocket'
    assert 'permessage-deflate' in dict(x['response']['headers'])['Sec-WebSocket-Extensions']
    assert (x['request']['messages'], x['response']['messages']) == (3, 3)
    messages = gallery.messages('websocket')
    for direction in ('up', 'down'):
        mine = [m for m in messages if m['direction'] == direction]
        assert [m['opcode'] for m in mine] == ['text', 'text', 'binary', 'ping' if direction == 'up' else 'pong', 'close']
        assert [data(m['data']) for m in mine[:3]] == [w if isinstance(w, bytes) else w.encode() for w in WORDS]
    assert {m['id'] for m in messages} == {x['id']}
    # It was deflated on the wire.
    assert gallery.connection('websocket')['bytes']['up'] < len(WORDS[1])


def test_messages_of_a_websocket_for_people(gallery):
    text = gallery.of('websocket', '-v').ok().text
    assert re.search(r' > websocket text, 5 bytes$', text, re.M) and re.search(r' < websocket pong, 4 bytes$', text, re.M), text
    assert ' > websocket text, 5 bytes: hello\n' in gallery.of('websocket', '--body').ok().text
    assert '(messages: 3 up, 3 down)' in text


# ---- gRPC


@pytest.mark.parametrize('way', ['grpc', 'grpcs'])
@pytest.mark.parametrize('kind, status, counts', [('unary', 0, (1, 1)), ('stream', 0, (1, 3)), ('gzip', 0, (1, 1)), ('error', 5, (1, None))])
def test_a_grpc_call(gallery, way, kind, status, counts):
    [x] = gallery.exchanges(f'{way} {kind}', '-v')
    assert said(x) == ('POST', f'/oriel.test.Fields/{kind}', 200)
    assert (x['http']['proto'], x['http']['grpc_status']) == ('grpc', status)
    assert (x['request'].get('messages'), x['response'].get('messages')) == counts
    assert ('tls' in x) == (way == 'grpcs')
    line = gallery.of(f'{way} {kind}').ok().text.splitlines()[0]
    assert f'/oriel.test.Fields/{kind} grpc {"NOT_FOUND" if status else "OK"}' in line
    messages = gallery.messages(f'{way} {kind}')
    if kind == 'gzip':
        assert all(b'one' * 100 in data(m['data']) for m in messages)
        assert messages[0]['coding'] == 'gzip' and messages[0]['bytes'] < 100
    if kind == 'unary':
        assert ['x-after', 'all'] in x['response'].get('trailers', x['response']['headers'])
        assert data(messages[0]['data']) == b'\x0a\x0f\x0a\x04name\x12\x07\x1a\x05oriel'


def test_protobuf_is_shown_as_fields_without_a_schema(gallery):
    lines = [line.strip() for line in gallery.of('grpcs unary', '--body').ok().text.splitlines()]
    asked, answered = (lines.index(next(line for line in lines if f' {sign} grpc, ' in line)) for sign in '><')
    assert lines[asked + 1:asked + 7] == ['| 1 {', '|   1: "name"', '|   2 {', '|     3: "oriel"', '|   }', '| }']
    assert lines[answered + 1:answered + 3] == ['| 1: 1700000000', '| 2: 123']


# ---- anything else


def test_what_is_not_known_is_shown_as_bytes(gallery):
    assert gallery.exchanges('bytes') == [] and gallery.connection('bytes')['proto'] == 'bytes'
    assert [(m['proto'], m['direction'], data(m['data'])) for m in gallery.messages('bytes')] == \
        [('bytes', d, b) for line in LINES for d, b in zip(('up', 'down'), line)]
    text = gallery.of('bytes', '--body').ok().text
    assert '| HELO, no protocol of note\n' in text and '00 01 02 20 6e 6f 74 68' in text
    # Without --body only the connection's line.
    assert len(gallery.of('bytes').ok().text.splitlines()) == 1


def test_the_objects_are_what_was_served(gallery, tmp_path):
    """Of every protocol, with the codings undone."""
    gallery.read('--objects', tmp_path / 'o')
    found = {path.name: path.read_bytes() for path in (tmp_path / 'o').iterdir()}
    flow = gallery.flow
    for i, (coding, kind) in enumerate((c, k) for c in CODINGS for k in ('text', 'binary')):
        assert found[f'{flow["codings"]}.{i + 1}-{kind}'] == (TEXT.encode() if kind == 'text' else BINARY), coding
    assert found[f'{flow["http/1.1"]}.2-big.bin'] == found[f'{flow["http/2"]}.2-big.bin'] == BIG
    assert found[f'{flow["post"]}.1-request-posted'] == found[f'{flow["post"]}.1-posted'] == POSTED.encode()
    assert found[f'{flow["nghttp"]}.1-index.html'] == PAGE
    assert found[f'{flow["by hand"]}.4-request-chunks'] == b'chunk and chunk'
    assert {oct(os.stat(tmp_path / 'o' / name).st_mode & 0o777) for name in found} == {'0o600'}
