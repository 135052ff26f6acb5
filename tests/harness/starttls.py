"""Real servers of protocols that begin in plaintext and go over to TLS, and of tunnels that TLS goes through, each
with a configuration of its own in a folder of its own; and real clients that talk to them and log their keys."""
import contextlib
import os
import pwd
import shutil
import struct
import subprocess
import sys
import tempfile
import threading

from .ports import free_port
from .process import PATIENCE, Process

SECRET = 'what nobody but the two of them should know'
HOST = '127.0.0.1'


class Place:
    """A folder that other users may look into (pytest's may not), with a certificate and its key."""

    def __init__(self, certs):
        self.dir = tempfile.mkdtemp(prefix='oriel-')
        os.chmod(self.dir, 0o755)
        cert = certs.server('starttls', names=(f'IP:{HOST}', 'DNS:localhost'))
        self.root = self.copy(certs.root.cert, 'root.pem')
        self.cert = self.copy(cert.chain, 'cert.pem')
        self.key = self.copy(cert.key, 'key.pem', 0o600)
        self.both = self.write('both.pem', self.read('cert.pem') + self.read('key.pem'))
        self.keylog = self.path('keys')
        self.running = contextlib.ExitStack()

    def path(self, name):
        return os.path.join(self.dir, name)

    def read(self, name):
        with open(self.path(name), encoding='utf-8') as f:
            return f.read()

    def write(self, name, text):
        with open(self.path(name), 'w', encoding='utf-8') as f:
            f.write(text)
        return self.path(name)

    def copy(self, source, name, mode=0o644):
        shutil.copy(source, self.path(name))
        os.chmod(self.path(name), mode)
        return self.path(name)

    def folder(self, name, owner=None, mode=0o755):
        os.makedirs(self.path(name), exist_ok=True)
        os.chmod(self.path(name), mode)
        if owner and os.geteuid() == 0:
            shutil.chown(self.path(name), owner)
        return self.path(name)

    def start(self, name, port, argv, **how):
        process = Process(argv, self.path(name + '.log'), **how)
        self.running.callback(process.stop)
        process.wait_listening(port)
        return port

    def run(self, *argv, stdin=None, env=None, text=True):
        """A client, whose keys go to keylog. Returns what it printed."""
        done = subprocess.run([str(a) for a in argv], input=stdin, capture_output=True, check=False, timeout=PATIENCE,
                              env={**os.environ, 'SSLKEYLOGFILE': self.keylog, **(env or {})}, cwd=self.dir)
        assert done.returncode == 0, f'{argv[0]}: {done.returncode}\n{done.stderr.decode()}\n{done.stdout.decode()}'
        return done.stdout.decode() if text else done.stdout

    def curl(self, *args):
        return self.run('curl', '-sS', '--noproxy', '', '-m', PATIENCE, '--cacert', self.root, *args)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.running.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def python():
    """The interpreter whose packages are Debian's."""
    return '/usr/bin/python3' if os.path.exists('/usr/bin/python3') else sys.executable


def as_user(user):
    """What comes before a command that must not be run by root."""
    if os.geteuid() != 0:
        return ()
    entry = pwd.getpwnam(user)
    return ('setpriv', f'--reuid={entry.pw_uid}', f'--regid={entry.pw_gid}', '--clear-groups')


# ---- servers, each a function from a Place to its port ----


def smtp(p):
    port = free_port()
    return p.start('smtp', port, ['aiosmtpd', '-n', '-c', 'aiosmtpd.handlers.Debugging', 'stdout', '-l',
                                  f'{HOST}:{port}', '--tlscert', p.cert, '--tlskey', p.key])


DOVECOT = """
protocols = imap pop3
base_dir = {dir}/run
state_dir = {dir}/state
log_path = /dev/stderr
listen = 127.0.0.1
ssl = yes
ssl_cert = <{cert}
ssl_key = <{key}
passdb {{
  driver = static
  args = password=pass
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home={dir}/mail
}}
mail_location = maildir:{dir}/mail
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
"""


def dovecot(p, which):
    ports = {'imap': free_port(), 'pop3': free_port()}
    for name in ('run', 'state'):
        p.folder(name)
    p.folder('mail', 'nobody')
    conf = p.write('dovecot.conf', DOVECOT.format(dir=p.dir, cert=p.cert, key=p.key, **ports))
    return p.start('dovecot', ports[which], ['dovecot', '-F', '-c', conf])


def imap(p):
    return dovecot(p, 'imap')


def pop3(p):
    return dovecot(p, 'pop3')


def ldap(p):
    port = free_port()
    conf = p.write('slapd.conf', f'include /etc/ldap/schema/core.schema\npidfile {p.dir}/slapd.pid\n'
                                 f'TLSCertificateFile {p.cert}\nTLSCertificateKeyFile {p.key}\n')
    return p.start('slapd', port, ['slapd', '-h', f'ldap://{HOST}:{port}', '-f', conf, '-d', '0'])


def postgresql_program(name):
    base = '/usr/lib/postgresql'
    found = [os.path.join(base, v, 'bin', name) for v in sorted(os.listdir(base))] if os.path.isdir(base) else []
    return found[-1] if found else shutil.which(name)


def postgresql(p):
    port, data = free_port(), p.folder('data', 'postgres', 0o700)
    user = as_user('postgres')
    subprocess.run([*user, postgresql_program('initdb'), '-D', data, '-A', 'trust', '-U', 'oriel', '-N'], check=True,
                   stdout=subprocess.DEVNULL, timeout=120, cwd='/')
    key = p.copy(p.key, 'postgresql.key', 0o600)
    if os.geteuid() == 0:
        shutil.chown(key, 'postgres')
    options = {'listen_addresses': HOST, 'unix_socket_directories': data, 'ssl': 'on', 'ssl_cert_file': p.cert,
               'ssl_key_file': key, 'fsync': 'off'}
    return p.start('postgresql', port, [postgresql_program('postgres'), '-D', data, '-p', port,
                                        *(f'--{k}={v}' for k, v in options.items())], prefix=user, cwd='/')


def mysql(p):
    port, data = free_port(), p.folder('data', 'mysql', 0o700)
    key = p.copy(p.key, 'mysql.key', 0o600)
    if os.geteuid() == 0:
        shutil.chown(key, 'mysql')
    return p.start('mysql', port, ['mariadbd', '--no-defaults', '--skip-grant-tables', '--skip-log-bin',
                                   f'--datadir={data}', f'--port={port}', f'--bind-address={HOST}',
                                   f'--socket={data}/socket', f'--pid-file={data}/pid', f'--ssl-cert={p.cert}',
                                   f'--ssl-key={key}'], prefix=as_user('mysql'), cwd='/')


PROSODY = """
run_as_root = true
daemonize = false
pidfile = "{dir}/prosody.pid"
data_path = "{dir}/data"
log = {{ info = "*console" }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {port} }}
s2s_ports = {{}}
modules_enabled = {{ "tls", "saslauth" }}
modules_disabled = {{ "s2s" }}
c2s_require_encryption = true
VirtualHost "localhost"
  ssl = {{ certificate = "{cert}", key = "{key}" }}
"""


def xmpp(p):
    port = free_port()
    p.folder('data')
    conf = p.write('prosody.cfg.lua', PROSODY.format(dir=p.dir, port=port, cert=p.cert, key=p.key))
    return p.start('prosody', port, ['prosody', '-F', '--config', conf])


FTP = """
import sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import TLS_FTPHandler
from pyftpdlib.servers import FTPServer

users = DummyAuthorizer()
users.add_user('user', 'pass', sys.argv[3], perm='elr')

class Handler(TLS_FTPHandler):
    certfile, keyfile = sys.argv[1], sys.argv[2]
    authorizer = users
    tls_control_required = tls_data_required = True

FTPServer(('127.0.0.1', int(sys.argv[4])), Handler).serve_forever()
"""


def ftp(p):
    port = free_port()
    files = p.folder('files')
    p.write('files/file.txt', SECRET)
    return p.start('ftp', port, [python(), p.write('ftp.py', FTP), p.cert, p.key, files, port])


HAPROXY = """
defaults
  mode {mode}
  timeout client 20s
  timeout server 20s
  timeout connect 20s
frontend f
  bind 127.0.0.1:{port} {bind}
  {action}
"""


def haproxy(p, name, mode, bind, action):
    port = free_port()
    conf = p.write(f'{name}.cfg', HAPROXY.format(port=port, mode=mode, bind=bind, action=action))
    return p.start(name, port, ['haproxy', '-db', '-f', conf])


def origin(p, bind=''):
    """A server of HTTPS that answers everything with the secret."""
    return haproxy(p, 'origin', 'http', f'ssl crt {p.both} alpn http/1.1 {bind}',
                   f'http-request return status 200 content-type text/plain string "{SECRET}"')


def forwarder(p, port, how, bind=''):
    """Passes connections on, with what `how` puts before them."""
    return haproxy(p, 'forwarder', 'tcp', bind, f'default_backend b\nbackend b\n  server s {HOST}:{port} {how}')


def connect_proxy(p):
    port = free_port()
    conf = p.write('tinyproxy.conf', f'Port {port}\nListen {HOST}\nAllow {HOST}\nBasicAuth user pass\n'
                                     f'LogFile "{p.dir}/tinyproxy.access"\n')
    return p.start('tinyproxy', port, ['tinyproxy', '-d', '-c', conf])


DANTED = """
logoutput: stderr
internal: 127.0.0.1 port = {port}
external: lo
socksmethod: none
clientmethod: none
user.unprivileged: nobody
client pass {{
  from: 0.0.0.0/0 to: 0.0.0.0/0
}}
socks pass {{
  from: 0.0.0.0/0 to: 0.0.0.0/0
}}
"""


def socks_proxy(p):
    port = free_port()
    return p.start('danted', port, ['danted', '-f', p.write('danted.conf', DANTED.format(port=port)), '-p',
                                    p.path('danted.pid')])


# ---- clients ----


def send_mail(p, port):
    mail = p.write('letter', f'Subject: x\n\n{SECRET}\n')
    p.curl('--ssl-reqd', f'smtp://{HOST}:{port}', '--mail-from', 'a@oriel.test', '--mail-rcpt', 'b@oriel.test', '-T',
           mail)


def append_mail(p, port):
    mail = p.write('letter', f'Subject: x\r\n\r\n{SECRET}\r\n')
    p.curl('--ssl-reqd', f'imap://user:pass@{HOST}:{port}/INBOX', '-T', mail)


def list_mail(p, port):
    p.curl('--ssl-reqd', f'pop3://user:pass@{HOST}:{port}/')


def search(p, port):
    assert 'supportedLDAPVersion' in p.run('ldapsearch', '-x', '-LLL', '-ZZ', '-H', f'ldap://{HOST}:{port}', '-s',
                                           'base', '-b', '', '+', env={'LDAPTLS_CACERT': p.root})


def select_postgresql(p, port):
    """Startup, a query and the end, all at once: the server answers in order."""
    def message(kind, body):
        return kind + struct.pack('>I', len(body) + 4) + body
    said = (message(b'', struct.pack('>I', 3 << 16) + b'user\0oriel\0database\0postgres\0\0') +
            message(b'Q', f"select '{SECRET}'".encode() + b'\0') + message(b'X', b''))
    got = p.run('openssl', 's_client', '-starttls', 'postgres', '-connect', f'{HOST}:{port}', '-keylogfile', p.keylog,
                '-quiet', '-CAfile', p.root, stdin=said, text=False)
    assert SECRET.encode() in got, got


def select_mysql(p, port):
    p.run(python(), '-c', 'import pymysql, sys\n'
          'c = pymysql.connect(host=sys.argv[1], port=int(sys.argv[2]), user="oriel", ssl={"ca": sys.argv[3]})\n'
          'k = c.cursor()\n'
          'k.execute("select \'" + sys.argv[4] + "\'")\n'
          'assert k.fetchall() == ((sys.argv[4],),)\n'
          'c.close()', HOST, port, p.root, SECRET)


def open_stream(p, port):
    """Up to the mechanisms that are offered under TLS."""
    argv = ['openssl', 's_client', '-starttls', 'xmpp', '-xmpphost', 'localhost', '-connect', f'{HOST}:{port}',
            '-keylogfile', p.keylog, '-quiet', '-no_ign_eof', '-CAfile', p.root]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as client:
        timer = threading.Timer(PATIENCE, client.kill)
        timer.start()
        client.stdin.write(b"<stream:stream to='localhost' xmlns='jabber:client' version='1.0' "
                           b"xmlns:stream='http://etherx.jabber.org/streams'>")
        client.stdin.flush()
        got = b''
        while b'</stream:features>' not in got:
            more = client.stdout.read1(4096)
            assert more, got
            got += more
        client.stdin.close()
        client.wait(PATIENCE)
        timer.cancel()


def ask_size(p, port):
    """By the control connection alone."""
    assert f'Content-Length: {len(SECRET)}' in p.curl('--ssl-reqd', '-I', f'ftp://user:pass@{HOST}:{port}/file.txt')


# name as it is noted; what must be there; the server; the client; what the client says in plaintext, and what
# somebody says under TLS
PROTOCOLS = {
    'SMTP': (('aiosmtpd', 'curl'), smtp, send_mail, b'STARTTLS\r\n', SECRET.encode()),
    'IMAP': (('dovecot', 'curl'), imap, append_mail, b'STARTTLS\r\n', SECRET.encode()),
    'POP3': (('dovecot', 'curl'), pop3, list_mail, b'STLS\r\n', b'LIST\r\n'),
    'FTP': (('/usr/lib/python3/dist-packages/pyftpdlib', 'curl'), ftp, ask_size, b'AUTH ', b'SIZE file.txt\r\n'),
    'LDAP': (('slapd', 'ldapsearch'), ldap, search, b'1.3.6.1.4.1.1466.20037', b'supportedLDAPVersion'),
    'PostgreSQL': (('/usr/lib/postgresql', 'openssl'), postgresql, select_postgresql,
                   b'\x00\x00\x00\x08\x04\xd2\x16\x2f', SECRET.encode()),
    'MySQL': (('mariadbd', '/usr/lib/python3/dist-packages/pymysql'), mysql, select_mysql, b'\x20\x00\x00\x01',
              SECRET.encode()),
    'XMPP': (('prosody', 'openssl'), xmpp, open_stream, b'<starttls ', b'</mechanisms>'),
}


def missing(programs):
    """The first of these that is not installed, or None."""
    for name in programs:
        if not (os.path.exists(name) if name.startswith('/') else
                shutil.which(name, path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin')):
            return name
    return None
