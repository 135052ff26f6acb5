"""Captures of old TLS between real programs on loopback: NSS (SSL 3.0, DES, SEED, RC4: nothing but the server's
RSA key opens them), GnuTLS (RC4, 3DES, Camellia-GCM, NULL, PSK; with a key log), and openssl (ARIA, TLS 1.0 and 1.1
with the MAC inside and outside; with a key log). Each makes one capture of many connections, one after another, so
that connection N of the list is the capture's flow N. Capturing needs root: possible() says so."""
import dataclasses
import os
import shutil
import subprocess

from .capture import Capture
from .pki import openssl
from .ports import free_port
from .process import PATIENCE, Process, wait_until


@dataclasses.dataclass(frozen=True)
class Talk:
    """One connection: application data in both directions, and what it ran under (names as IANA has them)."""
    version: str
    suite: str
    sent: bytes
    received: bytes


@dataclasses.dataclass(frozen=True)
class Recording:
    capture: str
    talks: list
    rsa_key: str = None
    keylog: str = None
    psk: str = None  # hexadecimal


def possible(*programs):
    """None, or why nothing can be recorded here."""
    if os.geteuid() != 0:
        return 'capturing packets needs root'
    for program in ('tcpdump', *programs):
        if not shutil.which(program):
            return f'{program} is not installed'
    return None


def _rsa(folder):
    """A key and its own certificate, as files."""
    os.makedirs(folder, exist_ok=True)
    key, cert = os.path.join(folder, 'rsa.key'), os.path.join(folder, 'rsa.pem')
    openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, '-subj', '/CN=localhost',
            '-days', '2')
    return key, cert


def _text(number, size=0):
    """A line that is no other connection's, with at least size bytes."""
    line = f'connection {number}: ' + 'old records are still read '
    return (line * (1 + size // len(line)) + '\n').encode()


# NSS: the number of the suite, its name, and the versions it is tried in.
_OLD = ['SSL 3.0', 'TLS 1.0', 'TLS 1.1', 'TLS 1.2']
_NSS_RANGES = {'SSL 3.0': 'ssl3:ssl3', 'TLS 1.0': 'tls1.0:tls1.0', 'TLS 1.1': 'tls1.1:tls1.1',
               'TLS 1.2': 'tls1.2:tls1.2'}
_NSS = [
    ('0001', 'TLS_RSA_WITH_NULL_MD5', _OLD),
    ('0002', 'TLS_RSA_WITH_NULL_SHA', _OLD),
    ('0004', 'TLS_RSA_WITH_RC4_128_MD5', _OLD),
    ('0005', 'TLS_RSA_WITH_RC4_128_SHA', _OLD),
    ('0009', 'TLS_RSA_WITH_DES_CBC_SHA', _OLD),
    ('000A', 'TLS_RSA_WITH_3DES_EDE_CBC_SHA', _OLD),
    ('002F', 'TLS_RSA_WITH_AES_128_CBC_SHA', _OLD),
    ('0035', 'TLS_RSA_WITH_AES_256_CBC_SHA', _OLD),
    ('0041', 'TLS_RSA_WITH_CAMELLIA_128_CBC_SHA', _OLD),
    ('0084', 'TLS_RSA_WITH_CAMELLIA_256_CBC_SHA', _OLD),
    ('0096', 'TLS_RSA_WITH_SEED_CBC_SHA', _OLD),
    ('003C', 'TLS_RSA_WITH_AES_128_CBC_SHA256', ['TLS 1.2']),
    ('009C', 'TLS_RSA_WITH_AES_128_GCM_SHA256', ['TLS 1.2']),
]


def _nss_database(folder, key, cert):
    """A database with the server's certificate, and one without anything for the client."""
    bundle, server, client = (os.path.join(folder, n) for n in ('rsa.p12', 'server.db', 'client.db'))
    openssl('pkcs12', '-export', '-inkey', key, '-in', cert, '-name', 'server', '-out', bundle, '-passout', 'pass:x')
    for at in (server, client):
        os.makedirs(at)
        subprocess.run(['certutil', '-N', '-d', f'sql:{at}', '--empty-password'], check=True, capture_output=True,
                       timeout=60)
    subprocess.run(['pk12util', '-i', bundle, '-d', f'sql:{server}', '-W', 'x', '-K', ''], check=True,
                   capture_output=True, timeout=60)
    return f'sql:{server}', f'sql:{client}'


def _nss_talk(port, database, code, version, number, folder):
    # selfserv answers when it has seen the empty line at the end of a request.
    sent = b'GET / HTTP/1.0\r\nX-Text: ' + _text(number, 300).strip() + b'\r\n\r\n'
    request = os.path.join(folder, 'request')
    with open(request, 'wb') as f:
        f.write(sent)
    argv = ['tstclnt', '-4', '-h', '127.0.0.1', '-p', str(port), '-d', database, '-V', _NSS_RANGES[version], '-c',
            f':{code}', '-o', '-A', request]
    done = subprocess.run(argv, capture_output=True, check=False, timeout=PATIENCE)
    assert done.returncode == 0 and done.stdout, (argv, done.stderr)
    return sent, done.stdout


def nss(folder, suites=None):
    """RSA key exchange, in the clear to who has the key. suites: only those of these names. From TLS 1.0 on the
    master secret is the extended one: these programs do without only in SSL 3.0."""
    folder = str(folder)
    key, cert = _rsa(folder)
    server_db, client_db = _nss_database(folder, key, cert)
    port, path = free_port(), os.path.join(folder, 'nss.pcap')
    codes = ':' + ':'.join(code for code, *_ in _NSS)
    talks = []
    server = Process(['selfserv', '-n', 'server', '-p', str(port), '-d', server_db, '-V', 'ssl3:tls1.2', '-w', '',
                      '-c', codes, '-N'], os.path.join(folder, 'selfserv.log'))
    with server.wait_listening(port), Capture(path, f'tcp port {port}'):
        for code, suite, versions in _NSS:
            for version in versions if suites is None or suite in suites else ():
                sent, received = _nss_talk(port, client_db, code, version, len(talks) + 1, folder)
                talks.append(Talk(version, suite, sent, received))
    return Recording(path, talks, rsa_key=key)


# GnuTLS: version, key exchange, cipher, MAC, and the suite's name.
_GNUTLS = [
    ('TLS 1.0', 'RSA', 'ARCFOUR-128', 'MD5', 'TLS_RSA_WITH_RC4_128_MD5'),
    ('TLS 1.1', 'RSA', 'ARCFOUR-128', 'SHA1', 'TLS_RSA_WITH_RC4_128_SHA'),
    ('TLS 1.2', 'ECDHE-RSA', 'ARCFOUR-128', 'SHA1', 'TLS_ECDHE_RSA_WITH_RC4_128_SHA'),
    ('TLS 1.0', 'DHE-RSA', '3DES-CBC', 'SHA1', 'TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA'),
    ('TLS 1.1', 'ECDHE-RSA', '3DES-CBC', 'SHA1', 'TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA'),
    ('TLS 1.2', 'RSA', '3DES-CBC', 'SHA1', 'TLS_RSA_WITH_3DES_EDE_CBC_SHA'),
    ('TLS 1.2', 'RSA', 'NULL', 'SHA256', 'TLS_RSA_WITH_NULL_SHA256'),
    ('TLS 1.0', 'RSA', 'NULL', 'MD5', 'TLS_RSA_WITH_NULL_MD5'),
    ('TLS 1.2', 'RSA', 'CAMELLIA-128-GCM', 'AEAD', 'TLS_RSA_WITH_CAMELLIA_128_GCM_SHA256'),
    ('TLS 1.2', 'ECDHE-RSA', 'CAMELLIA-256-GCM', 'AEAD', 'TLS_ECDHE_RSA_WITH_CAMELLIA_256_GCM_SHA384'),
    ('TLS 1.2', 'ECDHE-RSA', 'CAMELLIA-256-CBC', 'SHA384', 'TLS_ECDHE_RSA_WITH_CAMELLIA_256_CBC_SHA384'),
    ('TLS 1.0', 'RSA', 'CAMELLIA-128-CBC', 'SHA1', 'TLS_RSA_WITH_CAMELLIA_128_CBC_SHA'),
    ('TLS 1.2', 'RSA', 'AES-256-CCM-8', 'AEAD', 'TLS_RSA_WITH_AES_256_CCM_8'),
    ('TLS 1.2', 'DHE-RSA', 'AES-128-CCM', 'AEAD', 'TLS_DHE_RSA_WITH_AES_128_CCM'),
]
_GNUTLS_PSK = [
    ('TLS 1.0', 'PSK', '3DES-CBC', 'SHA1', 'TLS_PSK_WITH_3DES_EDE_CBC_SHA'),
    ('TLS 1.1', 'PSK', 'ARCFOUR-128', 'SHA1', 'TLS_PSK_WITH_RC4_128_SHA'),
    ('TLS 1.2', 'PSK', 'AES-128-GCM', 'AEAD', 'TLS_PSK_WITH_AES_128_GCM_SHA256'),
    ('TLS 1.2', 'PSK', 'CHACHA20-POLY1305', 'AEAD', 'TLS_PSK_WITH_CHACHA20_POLY1305_SHA256'),
]
_GNUTLS_ALL = ('NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.1:+VERS-TLS1.0:+PSK:+ARCFOUR-128:+3DES-CBC:+NULL:'
               '+CAMELLIA-128-GCM:+CAMELLIA-256-GCM:+CAMELLIA-128-CBC:+CAMELLIA-256-CBC:+AES-128-CCM:+AES-256-CCM:'
               '+AES-128-CCM-8:+AES-256-CCM-8:+MD5:+SHA1:+SHA256:+SHA384')
PSK = '00112233445566778899aabbccddeeff'


def _echo(argv, env, lines, log):
    """Sends lines through a client to a server that echoes them, each when the one before has come back. Ends when
    all have."""
    with open(log, 'ab') as errors, subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                                     stderr=errors, env=env) as client:
        got, sent = bytearray(), b''
        try:
            os.set_blocking(client.stdout.fileno(), False)

            def more():
                got.extend(client.stdout.read() or b'')
                return len(got) >= len(sent) or client.poll() is not None
            for line in lines:
                client.stdin.write(line)
                client.stdin.flush()
                sent += line
                wait_until(more, f'{argv[0]} gets an echo', every=0.002)
            client.stdin.close()
            client.wait(PATIENCE)
        finally:
            if client.poll() is None:
                client.kill()
    assert bytes(got) == sent, (argv, bytes(got))
    return sent


def _gnutls_talk(port, row, options, lines, folder, keylog):
    version, exchange, cipher, mac, suite = row
    priority = (f'NORMAL:-VERS-ALL:+VERS-{version.replace(" ", "")}:-KX-ALL:+{exchange}:-CIPHER-ALL:+{cipher}:'
                f'-MAC-ALL:+{mac}{options}')
    argv = ['gnutls-cli', '--insecure', '--logfile', os.path.join(folder, 'session.log'), '-p', str(port),
            '127.0.0.1', '--priority', priority]
    if exchange == 'PSK':
        argv += ['--pskusername', 'somebody', '--pskkey', PSK]
    env = dict(os.environ)
    env.pop('SSLKEYLOGFILE', None)
    if keylog:
        env['SSLKEYLOGFILE'] = keylog
    text = _echo(argv, env, lines, os.path.join(folder, 'gnutls-cli.log'))
    return Talk(version, suite, text, text)


def _gnutls(folder, rows, keylog, lines=None):
    key, cert = _rsa(folder)
    port, path = free_port(), os.path.join(folder, 'gnutls.pcap')
    passwd = os.path.join(folder, 'psk.txt')
    with open(passwd, 'w', encoding='ascii') as f:
        f.write(f'somebody:{PSK}\n')
    talks = []
    server = Process(['gnutls-serv', '--port', str(port), '--echo', '--x509certfile', cert, '--x509keyfile', key,
                      '--pskpasswd', passwd, '--priority', _GNUTLS_ALL], os.path.join(folder, 'gnutls-serv.log'))
    with server.wait_listening(port), Capture(path, f'tcp port {port}'):
        for row in rows:
            # The MAC outside and inside (that is something for CBC only), and without the extended master secret.
            inside = [':%NO_ETM'] if row[2].endswith('-CBC') else []
            for options in ['', ':%NO_SESSION_HASH', *inside]:
                said = lines or [_text(len(talks) + 1, 500)]
                talks.append(_gnutls_talk(port, row, options, said, folder, keylog))
    return path, talks, key


def gnutls(folder):
    """With a key log; those suites that begin with TLS_RSA_WITH open with the RSA key, too."""
    folder = str(folder)
    keylog = os.path.join(folder, 'keylog.txt')
    path, talks, key = _gnutls(folder, _GNUTLS, keylog)
    return Recording(path, talks, rsa_key=key, keylog=keylog)


# Of each kind of key that goes on from record to record, and some that do not.
_GNUTLS_LONG = [
    ('TLS 1.0', 'RSA', 'ARCFOUR-128', 'SHA1', 'TLS_RSA_WITH_RC4_128_SHA'),
    ('TLS 1.0', 'RSA', '3DES-CBC', 'SHA1', 'TLS_RSA_WITH_3DES_EDE_CBC_SHA'),
    ('TLS 1.1', 'RSA', '3DES-CBC', 'SHA1', 'TLS_RSA_WITH_3DES_EDE_CBC_SHA'),
    ('TLS 1.2', 'RSA', 'NULL', 'SHA256', 'TLS_RSA_WITH_NULL_SHA256'),
    ('TLS 1.2', 'RSA', 'CAMELLIA-128-GCM', 'AEAD', 'TLS_RSA_WITH_CAMELLIA_128_GCM_SHA256'),
]
LINES = [f'line {i:02} '.encode() + b'.' * (7 * i) + b'\n' for i in range(30)]


def gnutls_long(folder):
    """LINES in each connection, each a record and a segment of its own."""
    folder = str(folder)
    keylog = os.path.join(folder, 'keylog.txt')
    path, talks, key = _gnutls(folder, _GNUTLS_LONG, keylog, LINES)
    return Recording(path, talks, rsa_key=key, keylog=keylog)


def gnutls_psk(folder):
    """Plain PSK: the key alone opens them."""
    path, talks, _ = _gnutls(str(folder), _GNUTLS_PSK, None)
    return Recording(path, talks, psk=PSK)


# openssl: its name of the suite, IANA's, versions.
_OPENSSL = [
    ('ARIA128-GCM-SHA256', 'TLS_RSA_WITH_ARIA_128_GCM_SHA256', ['TLS 1.2']),
    ('ECDHE-ARIA256-GCM-SHA384', 'TLS_ECDHE_RSA_WITH_ARIA_256_GCM_SHA384', ['TLS 1.2']),
    ('ECDHE-RSA-AES256-SHA', 'TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA', ['TLS 1.0', 'TLS 1.1', 'TLS 1.2']),
    ('DHE-RSA-CAMELLIA128-SHA256', 'TLS_DHE_RSA_WITH_CAMELLIA_128_CBC_SHA256', ['TLS 1.2']),
    ('ECDHE-RSA-AES128-SHA256', 'TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256', ['TLS 1.2']),
    ('ECDHE-RSA-NULL-SHA', 'TLS_ECDHE_RSA_WITH_NULL_SHA', ['TLS 1.0', 'TLS 1.2']),
]
_OPENSSL_VERSIONS = {'TLS 1.0': '-tls1', 'TLS 1.1': '-tls1_1', 'TLS 1.2': '-tls1_2'}


def openssl_old(folder):
    """With a key log, each with the MAC outside and inside. s_server sends back what it gets line by line, reversed."""
    folder = str(folder)
    key, cert = _rsa(folder)
    keylog, path = os.path.join(folder, 'keylog.txt'), os.path.join(folder, 'openssl.pcap')
    port, talks = free_port(), []
    server = Process(['openssl', 's_server', '-accept', f'127.0.0.1:{port}', '-cert', cert, '-key', key, '-rev',
                      '-cipher', 'ALL:COMPLEMENTOFALL:@SECLEVEL=0', '-keylogfile', keylog],
                     os.path.join(folder, 's_server.log'))
    with server.wait_listening(port), Capture(path, f'tcp port {port}'):
        for name, suite, versions in _OPENSSL:
            for version in versions:
                for options in ([], ['-no_etm']) if '_CBC_' in suite else ([],):
                    argv = ['openssl', 's_client', '-connect', f'127.0.0.1:{port}', '-quiet', '-no_ign_eof', '-cipher',
                            f'{name}:@SECLEVEL=0', _OPENSSL_VERSIONS[version], *options]
                    text = (f'{len(talks) + 1} ' + 'level ' * 40).encode()
                    text += text[::-1] + b'\n'  # the same read backwards
                    received = _echo(argv, None, [text], os.path.join(folder, 's_client.log'))
                    talks.append(Talk(version, suite, text, received))
    return Recording(path, talks, rsa_key=key, keylog=keylog)
