"""A client byte for byte: its ClientHello as bytes, and how its connection ended; and the shortest configuration
that does what a test needs."""
import os
import socket
import ssl
import struct

from .oriel import ROOT

NAME = 'www.oriel.test'
CATCH_ALL = {'match': {'target': ['*']}, 'do': 'bump'}
HOSTS = {NAME: '127.0.0.1', 'other.oriel.test': '127.0.0.1'}


def egress(rules=None, hosts=None, listener=None, **top):
    """oriel.yaml as data: one listener that bumps all, or has these rules. Further words go to the top level, or,
    given as listener={…}, to the listener."""
    return {'listeners': [{'bind': '127.0.0.1:PORT', 'mode': 'egress', 'rules': rules or [CATCH_ALL], **(listener or {})}],
            'hosts': {**HOSTS, **(hosts or {})}, **top}


def bump(**more):
    """The rules of a listener that bumps all in this way."""
    return [{**CATCH_ALL, **more}]


def hello(sni=NAME, alpn=(), version=None):
    """A ClientHello in its record, as Python's OpenSSL sends it. The name is not checked by it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if version:
        context.minimum_version = context.maximum_version = version
    out = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=sni).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def made_hello(extensions=(), sni=None, ciphers=(0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f)):
    """A ClientHello made by hand, which OpenSSL would not send. extensions: [(type, bytes)]; sni: bytes."""
    every = [(43, b'\x04\x03\x04\x03\x03'), (10, b'\0\x02\0\x1d'), (13, b'\0\x06\x04\x03\x08\x04\x04\x01'),
             (51, b'\0\x24\0\x1d\0\x20' + bytes(range(32))), *extensions]
    if sni is not None:
        every.insert(0, (0, vector(2, b'\0' + vector(2, sni))))
    listed = b''.join(struct.pack('>H', kind) + vector(2, body) for kind, body in every)
    body = b'\x03\x03' + bytes(32) + vector(1, bytes(32)) + vector(2, b''.join(struct.pack('>H', c) for c in ciphers)) + \
        b'\x01\0' + vector(2, listed)
    return records(b'\x01' + vector(3, body))


def vector(length_bytes, body):
    return len(body).to_bytes(length_bytes, 'big') + body


def records(message, size=16384):
    """A handshake message in records of at most so many bytes."""
    return b''.join(b'\x16\x03\x01' + vector(2, message[i:i + size]) for i in range(0, len(message), size))


def seed(name):
    """A ClientHello that a real client sent, from the seeds of the fuzz target."""
    with open(os.path.join(ROOT, 'fuzz', 'corpus', 'client_hello', name), 'rb') as f:
        return f.read()


def dial(port, timeout=20):
    return socket.create_connection(('127.0.0.1', port), timeout=timeout)


def fate(s):
    """How it ended for the client, and with what: ('alert', number), ('reset', bytes), ('close', bytes)."""
    got = b''
    try:
        while data := s.recv(65536):
            got += data
    except ConnectionResetError:
        return 'reset', got
    if len(got) == 7 and got[0] == 21 and got[5] == 2:
        return 'alert', got[6]
    return 'close', got


def fate_of_new(port):
    """The same of a connection on which nothing is sent; it may be reset as early as in connecting."""
    try:
        with dial(port) as s:
            return fate(s)
    except ConnectionResetError:
        return 'reset', b''


def answer_to(port, request):
    """What comes of these bytes, until the end."""
    with dial(port) as s:
        s.sendall(request)
        return fate(s)[1]


def connect_status(port, target):
    """The status of the answer to CONNECT."""
    with dial(port) as s:
        s.sendall(f'CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n'.encode())
        return int(s.recv(12).split()[1])


def socks_connect(port, host, target_port):
    """A socket on which SOCKS5 was asked for a name, and the code of the answer."""
    s = dial(port)
    s.sendall(b'\x05\x01\0')
    assert s.recv(2) == b'\x05\0'
    s.sendall(b'\x05\x01\0\x03' + vector(1, host.encode()) + struct.pack('>H', target_port))
    return s, s.recv(4)[1]


def beneath(s):
    """The TCP socket of a TLS connection, to be used instead of it: Python takes a reset below TLS for an end."""
    tcp = socket.socket(fileno=s.detach())
    tcp.settimeout(20)
    return tcp


def resets(s):
    """Closes so that the other side sees a reset."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    s.close()
