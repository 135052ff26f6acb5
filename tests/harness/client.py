"""Clients: curl as a child process, openssl s_client, and TLS of Python's own for what those do not show."""
import contextlib
import dataclasses
import os
import re
import socket
import ssl
import subprocess
import tempfile

TIME = 30


@dataclasses.dataclass
class Answer:
    """What a client saw. code: the client's exit status; issuer: of the leaf it was shown, as it prints it."""
    code: int
    body: bytes
    log: str

    @property
    def issuer(self):
        m = re.search(r'^\*\s+issuer: (.*)$', self.log, re.M)
        return m.group(1).strip() if m else None

    @property
    def subject(self):
        m = re.search(r'^\*\s+subject: (.*)$', self.log, re.M)
        return m.group(1).strip() if m else None

    @property
    def status(self):
        """Of the last answer; the one to CONNECT is not counted unless it is the only one."""
        found = re.findall(r'^< HTTP/\S+ (\d+)', self.log, re.M)
        return int(found[-1]) if found else None

    @property
    def tls(self):
        m = re.search(r'SSL connection using (\S+)', self.log)
        return m.group(1) if m else None

    @property
    def alpn(self):
        m = re.search(r'ALPN: server accepted (\S+)', self.log)
        return m.group(1) if m else None

    def ok(self):
        assert self.code == 0, f'curl ended with {self.code}:\n{self.log}'
        return self


def clean_environment(**more):
    """Without the proxy and CA variables of whoever runs the tests."""
    drop = re.compile(r'(.*_proxy|SSL_CERT_.*|CURL_CA_BUNDLE|SSLKEYLOGFILE|REQUESTS_CA_BUNDLE|NODE_EXTRA_CA_CERTS)$', re.I)
    return {**{k: v for k, v in os.environ.items() if not drop.match(k)}, **more}


def curl(url, *args, proxy=None, cafile=None, prefix=(), env=None, timeout=TIME):
    """proxy: 'http://127.0.0.1:8080', 'socks5h://…' or an object with .proxy_url. Never raises for what the
    peers do: look at .code."""
    argv = ['curl', '-v', '-sS', '--http1.1', '--max-time', str(timeout), '--noproxy', '' if proxy else '*']
    if any(a in args for a in ('--http2', '--http1.0', '--http2-prior-knowledge')):
        argv.remove('--http1.1')
    if proxy:
        argv += ['-x', getattr(proxy, 'proxy_url', proxy)]
    if cafile:
        argv += ['--cacert', str(cafile)]
    done = subprocess.run([*prefix, *argv, *map(str, args), url], capture_output=True, check=False, stdin=subprocess.DEVNULL,
                          env=env or clean_environment(), timeout=timeout + 10)
    return Answer(done.returncode, done.stdout, done.stderr.decode('utf-8', 'replace'))


def s_client(host, port, *args, proxy=None, cafile=None, send=b'', timeout=TIME, prefix=()):
    """openssl s_client; returns (exit status, everything it printed)."""
    argv = ['openssl', 's_client', '-servername', host, '-ign_eof']
    argv += ['-proxy', proxy, '-connect', f'{host}:{port}'] if proxy else ['-connect', f'127.0.0.1:{port}']
    if cafile:
        argv += ['-CAfile', str(cafile), '-verify_return_error', '-verify_hostname', host]
    done = subprocess.run([*prefix, *argv, *map(str, args)], input=send, capture_output=True, check=False,
                          timeout=timeout, env=clean_environment())
    return done.returncode, (done.stdout + done.stderr).decode('utf-8', 'replace')


def connect_through(proxy_port, host, port, proxy_host='127.0.0.1', timeout=TIME):
    """A TCP socket behind a CONNECT that was answered with 200; else AssertionError with the answer."""
    s = socket.create_connection((proxy_host, proxy_port), timeout=timeout)
    target = f'{host}:{port}'
    s.sendall(f'CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n'.encode())
    head = b''
    while b'\r\n\r\n' not in head:
        data = s.recv(1)
        if not data:
            break
        head += data
    if not re.match(rb'HTTP/1\.[01] 200 ', head):
        s.close()
        raise AssertionError(f'CONNECT was answered with {head!r}')
    return s


def context(cafile=None, alpn=(), version=None, verify=True):
    """A client's SSLContext that trusts only cafile."""
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Python would take a missing close_notify for a clean end.
    c.options &= ~getattr(ssl, 'OP_IGNORE_UNEXPECTED_EOF', 0)
    if not verify:
        c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    if cafile:
        c.load_verify_locations(str(cafile))
    if alpn:
        c.set_alpn_protocols(list(alpn))
    if version:
        c.minimum_version = c.maximum_version = version
    return c


@contextlib.contextmanager
def tls_through(proxy_port, host, port, cafile=None, sni=None, **how):
    """TLS to host:port through CONNECT. Yields the ssl.SSLSocket."""
    raw = connect_through(proxy_port, host, port)
    try:
        with context(cafile, **how).wrap_socket(raw, server_hostname=sni or host, suppress_ragged_eofs=False) as s:
            yield s
    finally:
        raw.close()


def read_all(s):
    """Everything until the end; (bytes, how it ended: 'clean', 'truncated' or 'reset')."""
    out = b''
    try:
        while data := s.recv(65536):
            out += data
        return out, 'clean'
    except ssl.SSLError as e:
        if e.reason != 'UNEXPECTED_EOF_WHILE_READING' and not isinstance(e, ssl.SSLEOFError):
            raise
        return out, 'truncated'
    except ConnectionResetError:
        return out, 'reset'


def certificate_text(der):
    """`openssl x509 -text` of a certificate in DER."""
    with tempfile.NamedTemporaryFile(suffix='.der') as f:
        f.write(der)
        f.flush()
        return subprocess.run(['openssl', 'x509', '-inform', 'DER', '-in', f.name, '-noout', '-text', '-nameopt',
                               'RFC2253'], capture_output=True, text=True, check=True).stdout
