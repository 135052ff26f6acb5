"""A client byte for byte: its ClientHello as bytes, and how its connection ended; and the shortest configuration
that does what a test needs."""
import contextlib
import os
import socket
import ssl
import struct
import threading

from . import peers
from .hello import ClientHello, message
from .oriel import ROOT
from .ports import free_port  # noqa: F401  (for the tests)

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


class Tls:
    """TLS over a TCP socket where each side can end alone, and the first bytes can be sent as one likes."""

    def __init__(self, sock, server=None, sni=NAME, send=None, version=None):
        """server: a certificate to be shown; otherwise a client that looks at none. send: used for the first flight."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        context.options &= ~getattr(ssl, 'OP_IGNORE_UNEXPECTED_EOF', 0)
        if server:
            context.load_cert_chain(server.chain, server.key)
        else:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if version:
            context.minimum_version = context.maximum_version = version
        self.sock = sock
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._in, self._out, server_side=bool(server), server_hostname=None if server else sni)
        self._first = send
        self._run(self.tls.do_handshake)
        self.flush()

    def flush(self):
        data = self._out.read()
        if data:
            send, self._first = self._first or self.sock.sendall, None
            send(data)

    def _more(self):
        data = self.sock.recv(65536)
        if data:
            self._in.write(data)
        else:
            self._in.write_eof()

    def _run(self, call, *args):
        while True:
            try:
                return call(*args)
            except ssl.SSLWantReadError:
                self.flush()
                self._more()

    def send(self, data):
        for at in range(0, len(data), 1 << 16):
            self.tls.write(data[at:at + (1 << 16)])
            self.flush()

    def receive(self, count=65536):
        """Some plaintext; b'' after close_notify; ssl.SSLEOFError after an end without it."""
        try:
            return self._run(self.tls.read, count)
        except ssl.SSLZeroReturnError:
            return b''

    def receive_all(self):
        out = bytearray()
        while data := self.receive():
            out += data
        return bytes(out)

    def finish(self):
        """Ends the own direction: close_notify, and the TCP direction. Reading goes on."""
        try:
            self.tls.unwrap()
        except (ssl.SSLWantReadError, ssl.SSLSyscallError):
            pass
        self.flush()
        self.sock.shutdown(socket.SHUT_WR)


class Recorder:
    """Stands before a server and keeps what clients sent first. Use with `with`. hold: an Event that must be set
    before anything of the server's goes to the client."""

    def __init__(self, port, hold=None):
        self.to, self.hold, self.first = port, hold, []
        self.server = peers.RawServer(self._relay)
        self.port = self.server.port

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *_):
        self.server.__exit__()

    @property
    def hellos(self):
        return [ClientHello(bytes(b)) for b in self.first if message(bytes(b))]

    def _relay(self, conn):
        kept = bytearray()
        self.first.append(kept)
        with dial(self.to) as up:
            threading.Thread(target=self._up, args=(conn, up, kept), daemon=True).start()
            while data := up.recv(65536):
                if self.hold:
                    self.hold.wait(20)
                conn.sendall(data)
            conn.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _up(conn, up, kept):
        with contextlib.suppress(OSError):
            while data := conn.recv(65536):
                if len(kept) < 200_000:
                    kept += data
                up.sendall(data)
            up.shutdown(socket.SHUT_WR)


def pem(der):
    return ssl.DER_cert_to_PEM_cert(der)
