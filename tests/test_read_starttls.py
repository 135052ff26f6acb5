"""oriel read on TLS that begins in the midst of something else: STARTTLS of real servers, tunnels of real proxies."""
import pytest

from harness import reading, starttls, vary
from harness.capture import Capture
from harness.reading import read, said
from harness.starttls import HOST, SECRET


@pytest.fixture(scope='module', autouse=True)
def capturing():
    why = reading.possible()
    if why:
        pytest.skip(why)


@pytest.fixture
def place(certs):
    with starttls.Place(certs) as p:
        yield p


def need(*programs):
    absent = starttls.missing(programs)
    if absent:
        pytest.skip(f'needs {absent}')


def captured(p, port, client):
    """What a client and the server behind a port say to each other."""
    path = p.path('capture.pcap')
    with Capture(path, f'tcp port {port}'):
        client()
    return path


def only(capture, keylog):
    """The one connection of a capture."""
    connections = read(capture, '--json', keylog=keylog).connections()
    assert len(connections) == 1, connections
    return connections[0]


def both(capture, keylog):
    return said(capture, 'client', keylog=keylog), said(capture, 'server', keylog=keylog)


def check(place, name):
    """Decrypted, what was said before TLS began is there too, and the connection says how it began."""
    programs, server, client, asks, secret = starttls.PROTOCOLS[name]
    need(*programs)
    port = server(place)
    capture = captured(place, port, lambda: client(place, port))
    connection = only(capture, place.keylog)
    assert connection['decrypted'] is True
    assert connection['note'] == f'TLS begins after STARTTLS ({name})'
    up, down = both(capture, place.keylog)
    assert asks in up
    assert secret in up + down
    # Without keys the dialogue before can be read all the same.
    dark = only(capture, None)
    assert dark['decrypted']['why'] == 'no-secret'
    up, down = both(capture, None)
    assert asks in up
    assert secret not in up + down


def test_starttls_of_smtp(place):
    check(place, 'SMTP')


def test_starttls_of_imap(place):
    check(place, 'IMAP')


def test_starttls_of_pop3(place):
    check(place, 'POP3')


def test_starttls_of_ldap(place):
    check(place, 'LDAP')


def test_starttls_of_postgresql(place):
    check(place, 'PostgreSQL')


def test_starttls_of_mysql(place):
    check(place, 'MySQL')


def test_starttls_of_xmpp(place):
    check(place, 'XMPP')


def test_starttls_of_ftp(place):
    check(place, 'FTP')


def test_the_go_ahead_is_not_in_the_capture(place):
    """The server's go-ahead was lost: TLS is found by its own bytes."""
    programs, server, client, asks, secret = starttls.PROTOCOLS['SMTP']
    need(*programs)
    port = server(place)
    capture = captured(place, port, lambda: client(place, port))
    packets = vary.load(capture)
    rest = [p for p in packets if not p.payload.startswith(b'220 Ready')]
    assert len(rest) == len(packets) - 1
    lost = place.path('lost.pcap')
    vary.save(lost, rest)
    connection = only(lost, place.keylog)
    assert connection['encrypted'] is True, connection
    assert connection['gap_bytes'] == len(b'220 Ready to start TLS\r\n')
    up, _ = both(lost, place.keylog)
    assert asks in up and secret in up


def fetch(place, *how, host=HOST):
    """The origin's answer, by curl, through whatever `how` says."""
    origin = starttls.origin(place)
    assert place.curl(*how, f'https://{host}:{origin}/') == SECRET
    return origin


def methods(capture, keylog):
    return [(e['http']['method'], e['http'].get('status')) for e in read(capture, '--json', keylog=keylog).exchanges()]


def test_a_tunnel_of_connect(place):
    """Refused once, for want of a password; then TLS in the tunnel."""
    need('tinyproxy', 'haproxy', 'curl')
    port = starttls.connect_proxy(place)
    capture = captured(place, port, lambda: fetch(place, '-x', f'http://user:pass@{HOST}:{port}', '--proxy-anyauth'))
    connections = read(capture, '--json', keylog=place.keylog).connections()
    assert all(c['decrypted'] is True for c in connections)
    assert sorted(methods(capture, place.keylog)) == [('CONNECT', 200), ('CONNECT', 407), ('GET', 200)]
    assert SECRET.encode() in said(capture, 'server', flow=len(connections), keylog=place.keylog)


def test_tls_in_tls(place):
    """A proxy that is spoken to over TLS, and TLS in the tunnel through it."""
    need('tinyproxy', 'haproxy', 'curl')
    port = starttls.forwarder(place, starttls.connect_proxy(place), '', f'ssl crt {place.both}')
    capture = captured(place, port, lambda: fetch(place, '-x', f'https://user:pass@{HOST}:{port}', '--proxy-cacert',
                                                  place.root))
    assert only(capture, place.keylog)['decrypted'] is True
    assert methods(capture, place.keylog) == [('CONNECT', 200), ('GET', 200)]
    up, down = both(capture, place.keylog)
    assert up.startswith(b'CONNECT ') and b'GET / HTTP/1.1\r\n' in up
    assert SECRET.encode() in down


@pytest.mark.parametrize('scheme, host', [('socks5', HOST), ('socks5h', 'localhost'), ('socks4', HOST)])
def test_a_tunnel_of_socks(place, scheme, host):
    """By address and by name."""
    need('danted', 'haproxy', 'curl')
    port = starttls.socks_proxy(place)
    origins = []
    capture = captured(place, port, lambda: origins.append(fetch(place, '-x', f'{scheme}://{HOST}:{port}', host=host)))
    connection = only(capture, place.keylog)
    assert connection['decrypted'] is True
    assert connection['note'] == f'a SOCKS tunnel to {host}:{origins[0]}'
    up, down = both(capture, place.keylog)
    assert up.startswith(b'GET / HTTP/1.1\r\n')
    assert SECRET.encode() in down


@pytest.mark.parametrize('how, version', [('send-proxy', 1), ('send-proxy-v2', 2)])
def test_a_header_of_the_proxy_protocol(place, how, version):
    """Between a load balancer that puts it before TLS, and the server behind."""
    need('haproxy', 'curl')
    behind = starttls.origin(place, 'accept-proxy')
    front = starttls.forwarder(place, behind, how)
    capture = captured(place, behind, lambda: place.curl(f'https://{HOST}:{front}/'))
    connection = only(capture, place.keylog)
    assert connection['decrypted'] is True
    note = f'by the PROXY protocol (version {version}) this is {HOST}:'
    assert connection['note'].startswith(note) and connection['note'].endswith(f' to {HOST}:{front}')
    assert SECRET.encode() in said(capture, 'server', keylog=place.keylog)
