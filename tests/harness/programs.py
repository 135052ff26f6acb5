"""Programs that people use, each told to fetch a page through the proxy: what it printed, and the certificate that it
was shown. All get names, never an address of loopback, for which some go around a proxy without a word."""
import dataclasses
import os
import re
import shutil
import signal
import subprocess
import tempfile

import pytest

from .chromium import Chromium
from .client import clean_environment
from .process import PATIENCE, wait_until

HERE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'programs')
TIME = 60


@dataclasses.dataclass
class Ask:
    """What to fetch, and how. version: '1.2' or '1.3'; proto: 'http/1.1' or 'h2'; folder: for what the program keeps."""
    host: str
    port: int
    path: str
    proxy_port: int
    cafile: str
    version: str
    proto: str
    folder: str

    @property
    def url(self):
        return f'https://{self.host}:{self.port}{self.path}'

    @property
    def proxy(self):
        return f'http://127.0.0.1:{self.proxy_port}'

    def environment(self):
        """As `oriel env` sets it."""
        names = ('HTTPS_PROXY', 'https_proxy', 'ALL_PROXY')
        files = ('SSL_CERT_FILE', 'CURL_CA_BUNDLE', 'REQUESTS_CA_BUNDLE', 'NODE_EXTRA_CA_CERTS', 'GIT_SSL_CAINFO')
        return clean_environment(HOME=str(self.folder), **{n: self.proxy for n in names}, **{n: str(self.cafile) for n in files})


@dataclasses.dataclass
class Got:
    code: int
    body: bytes
    log: str
    pem: str = None

    @property
    def issuer(self):
        """Of the leaf that the program was shown, as RFC 2253 writes it."""
        assert self.pem, f'no certificate was shown:\n{self.log}'
        done = subprocess.run(['openssl', 'x509', '-noout', '-issuer', '-nameopt', 'RFC2253'], input=self.pem,
                              capture_output=True, text=True, check=True)
        return done.stdout.split('=', 1)[1].strip()


def first_pem(text):
    m = re.search(r'-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?', text, re.S)
    return m.group(0) if m else None


def run(argv, ask, stdin=b''):
    done = subprocess.run([str(a) for a in argv], input=stdin, capture_output=True, check=False, env=ask.environment(), timeout=TIME)
    log = done.stderr.decode('utf-8', 'replace')
    return Got(done.returncode, done.stdout, log, first_pem(log))


def need(program):
    if not shutil.which(program):
        pytest.skip(f'needs {program}')
    return program


def request(ask):
    return f'GET {ask.path} HTTP/1.0\r\nHost: {ask.host}:{ask.port}\r\n\r\n'.encode()


def body_of(output):
    """What follows the head of an answer in the output of a program that shows everything."""
    m = re.search(rb'HTTP/1\.[01] 200 OK\r\n.*?\r\n\r\n(.*)', output, re.S)
    return m.group(1) if m else b''


# ---- the programs


def curl(ask):
    version = ['--tlsv1.2', '--tls-max', '1.2'] if ask.version == '1.2' else ['--tlsv1.3']
    proto = '--http2' if ask.proto == 'h2' else '--http1.1'
    return run(['curl', '-sS', '-v', proto, *version, '-w', '%{stderr}%{certs}', ask.url], ask)


def s_client(ask):
    got = run(['openssl', 's_client', '-proxy', f'127.0.0.1:{ask.proxy_port}', '-connect', f'{ask.host}:{ask.port}', '-servername', ask.host,
               '-verify_return_error', '-verify_hostname', ask.host, '-CAfile', ask.cafile, '-ign_eof', '-alpn', ask.proto,
               '-tls' + ask.version.replace('.', '_')], ask, stdin=request(ask))
    got.pem = first_pem(got.body.decode('utf-8', 'replace'))
    got.body = body_of(got.body).removesuffix(b'closed\n')
    return got


def gnutls_cli(ask):
    """It knows no proxies: CONNECT is spoken through it in plaintext, then it is told to begin TLS."""
    log = tempfile.TemporaryFile()
    argv = ['gnutls-cli', '--starttls', '-p', str(ask.proxy_port), '--sni-hostname', ask.host, '--verify-hostname', ask.host, '--x509cafile', str(ask.cafile),
            '--print-cert', '--alpn', ask.proto, '--priority', f'NORMAL:-VERS-ALL:+VERS-TLS{ask.version}', '127.0.0.1']
    popen = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=log, stderr=log, env=ask.environment())

    def said():
        return os.pread(log.fileno(), 1 << 20, 0)

    def say(what, until):
        popen.stdin.write(what)
        popen.stdin.flush()
        wait_until(lambda: until in said() or popen.poll() is not None, f'gnutls-cli shows {until}', PATIENCE)

    try:
        wait_until(lambda: b'Simple Client Mode' in said() or popen.poll() is not None, 'gnutls-cli is there', PATIENCE)
        if popen.poll() is None:
            say(f'CONNECT {ask.host}:{ask.port} HTTP/1.1\r\nHost: {ask.host}:{ask.port}\r\n\r\n'.encode(), b' 200 ')
            popen.send_signal(signal.SIGALRM)
            wait_until(lambda: b'- Options:' in said() or popen.poll() is not None, 'gnutls-cli has shaken hands', PATIENCE)
        if popen.poll() is None:
            popen.stdin.write(request(ask))
            popen.stdin.flush()
        popen.wait(PATIENCE)
    finally:
        popen.kill()
        popen.wait()
        popen.stdin.close()
    out = said()
    body = re.sub(rb'- Peer has closed the GnuTLS connection\n$', b'', body_of(out))
    return Got(popen.returncode, body, out.decode('utf-8', 'replace'), first_pem(out.decode('utf-8', 'replace')))


def python(library):
    def get(ask):
        return run(['/usr/bin/python3', os.path.join(HERE, 'get.py'), library, ask.url, ask.version], ask)
    return get


def node(ask):
    return run([need('node'), os.path.join(HERE, 'get.js'), ask.url, ask.version, ask.proto, ask.proxy_port], ask)


_built = {}


def built(name, make):
    """Compiles once a run; the folder is removed with the process."""
    if name not in _built:
        _built[name] = tempfile.TemporaryDirectory(prefix='oriel-built-')
        make(_built[name].name)
    return _built[name].name


def go_binary():
    need('go')
    folder = built('go', lambda at: subprocess.run(
        ['go', 'build', '-o', os.path.join(at, 'peer'), os.path.join(HERE, 'peer.go')], check=True, cwd=at, timeout=110,
        env=dict(os.environ, CGO_ENABLED='0', GO111MODULE='off', GOTOOLCHAIN='local')))
    return os.path.join(folder, 'peer')


def go(ask):
    return run([go_binary(), 'get', ask.url, ask.version, ask.proto], ask)


def java(ask):
    need('javac')
    classes = built('java', lambda at: subprocess.run(['javac', '-d', at, os.path.join(HERE, 'Get.java')], check=True, timeout=110))
    store = os.path.join(str(ask.folder), 'trust.p12')
    subprocess.run(['keytool', '-importcert', '-noprompt', '-file', str(ask.cafile), '-keystore', store, '-storetype', 'PKCS12',
                    '-storepass', 'changeit'], check=True, capture_output=True, timeout=TIME)
    return run(['java', '-XX:TieredStopAtLevel=1', f'-Djavax.net.ssl.trustStore={store}', '-Djavax.net.ssl.trustStorePassword=changeit', '-cp', classes,
                'Get', ask.url, ask.version, ask.proto, ask.proxy_port], ask)


def chromium(ask):
    need('chromium')
    need('certutil')
    newest = ['--ssl-version-max=tls1.2'] if ask.version == '1.2' else []
    with Chromium(ask.folder, ask.proxy, ask.cafile, *newest) as browser:
        error, answer = browser.go(ask.url)
        if error:
            return Got(1, b'', error)
        text = browser.evaluate('document.body.innerText')
        shown = answer['securityDetails']['protocol'] + ' ' + answer['protocol']
        return Got(0, text.encode(), shown, browser.leaf(f'https://{ask.host}:{ask.port}'))


@dataclasses.dataclass(frozen=True)
class Client:
    get: object
    protos: tuple = ('http/1.1',)


CLIENTS = {
    'curl': Client(curl, ('http/1.1', 'h2')),
    's_client': Client(s_client),
    'gnutls-cli': Client(gnutls_cli),
    'urllib': Client(python('urllib')),
    'requests': Client(python('requests')),
    'node': Client(node, ('http/1.1', 'h2')),
    'go': Client(go, ('http/1.1', 'h2')),
    'java': Client(java, ('http/1.1', 'h2')),
    'chromium': Client(chromium, ('http/1.1', 'h2')),
}
