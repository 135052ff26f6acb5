"""Reads a ClientHello, and a ServerHello as far as it is not encrypted; independent of what oriel thinks of them."""
import subprocess


class Reader:
    def __init__(self, data):
        self.data = data

    def take(self, count):
        assert len(self.data) >= count
        out, self.data = self.data[:count], self.data[count:]
        return out

    def number(self, count):
        return int.from_bytes(self.take(count), 'big')

    def vector(self, count):
        return Reader(self.take(self.number(count)))

    def numbers(self, count):
        out = []
        while self.data:
            out.append(self.number(count))
        return out

    def __bool__(self):
        return bool(self.data)


def message(stream):
    """The first handshake message of what was sent, without its records; None when it is not whole yet."""
    whole, r = b'', Reader(stream)
    while len(r.data) >= 5 and r.data[0] == 22:
        length = int.from_bytes(r.data[3:5], 'big')
        whole += r.data[5:5 + length]
        r.data = r.data[5 + length:]
        if len(whole) >= 4 and len(whole) - 4 >= int.from_bytes(whole[1:4], 'big'):
            return whole[:4 + int.from_bytes(whole[1:4], 'big')]
    return None


def is_grease(code):
    return code & 0x0f0f == 0x0a0a and code >> 8 == code & 0xff


class ClientHello:
    """The lists in their order, without GREASE."""

    def __init__(self, stream):
        r = Reader(message(stream))
        assert r.number(1) == 1
        r.number(3)
        self.legacy_version = r.number(2)
        self.random, self.session_id = r.take(32), r.vector(1).data
        self.ciphers = self._known(r.vector(2).numbers(2))
        r.vector(1)
        self.extensions = {}
        every = r.vector(2)
        while every:
            kind = every.number(2)
            self.extensions[kind] = every.vector(2).data

    @staticmethod
    def _known(codes):
        return [c for c in codes if not is_grease(c)]

    def _list(self, kind, width):
        return self._known(Reader(self.extensions[kind]).vector(width).numbers(2)) if kind in self.extensions else []

    @property
    def sni(self):
        return Reader(self.extensions[0]).vector(2).data[3:].decode() if 0 in self.extensions else None

    @property
    def groups(self):
        return self._list(10, 2)

    @property
    def signatures(self):
        return self._list(13, 2)

    @property
    def versions(self):
        return self._list(43, 1) or [self.legacy_version]

    @property
    def alpn(self):
        out, r = [], Reader(self.extensions[16]).vector(2) if 16 in self.extensions else Reader(b'')
        while r:
            out.append(r.vector(1).data.decode())
        return out

    @property
    def psk(self):
        """The identities of sessions to be resumed."""
        out, r = [], Reader(self.extensions[41]).vector(2) if 41 in self.extensions else Reader(b'')
        while r:
            out.append(r.vector(2).data)
            r.take(4)
        return out

    @property
    def ticket(self):
        return self.extensions.get(35)


def server_extensions(stream):
    """The types of the extensions of a ServerHello."""
    r = Reader(message(stream))
    assert r.number(1) == 2
    r.number(3)
    r.take(34)
    r.vector(1)
    r.take(3)
    out, every = [], r.vector(2) if r else r
    while every:
        out.append(every.number(2))
        every.vector(2)
    return out


SUITES = ':'.join('TLS_' + name for name in ('AES_256_GCM_SHA384', 'AES_128_GCM_SHA256', 'CHACHA20_POLY1305_SHA256',
                                             'AES_128_CCM_SHA256', 'AES_128_CCM_8_SHA256'))


def libssl_ciphers():
    """Those that the openssl command's libssl has, but for anonymous, NULL, PSK, SRP and DSS ones."""
    said = subprocess.run(['openssl', 'ciphers', '-V', '-stdname', '-ciphersuites', SUITES, 'ALL:!aNULL:!eNULL:!PSK:!SRP:!aDSS:@SECLEVEL=0'],
                          capture_output=True, text=True, check=True).stdout
    return {int(line.split()[0].replace('0x', '').replace(',', ''), 16) for line in said.splitlines()}
