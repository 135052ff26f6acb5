"""Ways into a proxy, spoken by hand: SOCKS5, plain HTTP and ClientHellos kept as they were sent."""
import re
import socket
import ssl
import struct

from . import client

TIME = 20


def recv_exactly(s, n):
    out = b''
    while len(out) < n:
        data = s.recv(n - len(out))
        if not data:
            break
        out += data
    return out


def recv_until(s, end):
    out = b''
    while end not in out:
        data = s.recv(1)
        if not data:
            break
        out += data
    return out


def socks_target(host):
    """The address part of a SOCKS5 request: a name, or a literal address."""
    for family, kind in ((socket.AF_INET, 1), (socket.AF_INET6, 4)):
        try:
            return bytes([kind]) + socket.inet_pton(family, host)
        except OSError:
            pass
    return bytes([3, len(host)]) + host.encode()


class SocksRefused(AssertionError):
    """code: of the reply, or 'method', 'login'."""

    def __init__(self, code):
        super().__init__(f'SOCKS: {code}')
        self.code = code


def socks(port, host, to_port, user=None, password='', proxy_host='127.0.0.1'):
    """A socket behind a SOCKS5 CONNECT that succeeded (RFC 1928, 1929); else SocksRefused."""
    s = socket.create_connection((proxy_host, port), timeout=TIME)
    try:
        method = 2 if user else 0
        s.sendall(bytes([5, 1, method]))
        if recv_exactly(s, 2) != bytes([5, method]):
            raise SocksRefused('method')
        if user:
            s.sendall(bytes([1, len(user)]) + user.encode() + bytes([len(password)]) + password.encode())
            if recv_exactly(s, 2) != b'\x01\x00':
                raise SocksRefused('login')
        s.sendall(b'\x05\x01\x00' + socks_target(host) + struct.pack('>H', to_port))
        head = recv_exactly(s, 4)
        if len(head) < 4:
            raise SocksRefused('closed')
        if head[1]:
            raise SocksRefused(head[1])
        recv_exactly(s, {1: 4, 4: 16}[head[3]] + 2)
        return s
    except BaseException:
        s.close()
        raise


def http_exchange(s, request):
    """Sends the bytes, reads to the end; (status, whole answer)."""
    s.sendall(request)
    answer, _ = client.read_all(s)
    m = re.match(rb'HTTP/1\.[01] (\d+)', answer)
    return (int(m.group(1)) if m else None), answer


def ask_connect(port, host, to_port, headers='', proxy_host='127.0.0.1', source=None):
    """Sends CONNECT; (socket, status, head of the answer)."""
    s = socket.create_connection((proxy_host, port), timeout=TIME, source_address=(source, 0) if source else None)
    target = f'[{host}]:{to_port}' if ':' in host else f'{host}:{to_port}'
    s.sendall(f'CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{headers}\r\n'.encode())
    answer = recv_until(s, b'\r\n\r\n')
    return s, int((answer.split() + [0, 0])[1]), answer


def connect_status(*where, **how):
    """What CONNECT is answered with: (status, head of the answer)."""
    s, status, answer = ask_connect(*where, **how)
    s.close()
    return status, answer


def connect(*where, **how):
    """A socket behind a CONNECT that was answered with 200; else AssertionError with the answer."""
    s, status, answer = ask_connect(*where, **how)
    if status != 200:
        s.close()
        raise AssertionError(f'CONNECT was answered with {answer!r}')
    return s


def client_hello(sni, cafile=None):
    """The bytes of a ClientHello, as records."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    c = client.context(cafile, verify=False)
    tls = c.wrap_bio(incoming, outgoing, server_hostname=sni)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def _sized(count, data):
    return len(data).to_bytes(count, 'big') + data


def _server_name(name):
    return b'\0\0' + _sized(2, _sized(2, b'\0' + _sized(2, name)))


def hello_with_name(name):
    """A ClientHello whose SNI holds any bytes: libraries refuse to send most of them."""
    hello = client_hello('stand-in.test')
    body, at = hello[9:], 34
    at += 1 + body[at]
    at += 2 + int.from_bytes(body[at:at + 2], 'big')
    at += 1 + body[at]
    old = _server_name(b'stand-in.test')
    assert body.count(old) == 1
    body = body[:at] + _sized(2, body[at + 2:].replace(old, _server_name(name)))
    return hello[:3] + _sized(2, hello[5:6] + _sized(3, body))


def alert_of(s):
    """The description of the alert that comes next, or None when something else, or nothing, does."""
    try:
        data = recv_exactly(s, 7)
    except ConnectionResetError:
        return None
    return data[6] if len(data) == 7 and data[0] == 21 else None


class Recorder:
    """For peers.RawServer: keeps what comes on each connection until a whole handshake message is there, or its
    end, then goes on as `then`."""

    def __init__(self, then=None):
        self.first, self.then = [], then

    @staticmethod
    def _has_message(data):
        message = b''
        while len(data) >= 5 and data[0] == 22:
            n = 5 + int.from_bytes(data[3:5], 'big')
            message += data[5:n]
            data = data[n:]
        return len(message) >= 4 and len(message) >= 4 + int.from_bytes(message[1:4], 'big')

    def __call__(self, conn):
        data = b''
        while not self._has_message(data) and (more := conn.recv(65536)):
            data += more
        self.first.append(data)
        if self.then:
            self.then(conn)
