"""Several conversations in one capture, one after another, each between real programs and with every byte known: the
Nth is flow N of the capture. Capturing needs root: reading.possible() says so."""
import contextlib
import dataclasses
import os
import socket
import ssl
import subprocess
import threading
import warnings

from . import reading, vary
from .capture import Capture
from .pki import openssl
from .ports import free_port
from .process import PATIENCE, Process, wait_until
from .reading import read, receive

NO_ETM, NO_EMS = 1 << 19, 1 << 0  # options of OpenSSL that Python has no names for


@dataclasses.dataclass
class Spoken:
    """One conversation: its flow, and what each side says."""
    name: str
    flow: int
    client: bytes = b''
    server: bytes = b''


class Scene:
    """A capture of what is said to its port while the `with` lasts, and the key log of all of it."""

    def __init__(self, folder, port=None, expression=None):
        self.folder = str(folder)
        self.port = port or free_port()
        self.capture, self.keylog = (os.path.join(self.folder, n) for n in ('capture.pcap', 'keys'))
        self.talks = {}
        self.expression = expression or f'tcp port {self.port}'
        self._until = contextlib.ExitStack()
        self._read = {}

    def __enter__(self):
        self._until.enter_context(Capture(self.capture, self.expression))
        return self

    def __exit__(self, *_):
        self._until.close()

    def add(self, name, client=b'', server=b''):
        assert name not in self.talks, name
        self.talks[name] = Spoken(name, len(self.talks) + 1, client, server)
        return self.talks[name]

    def file(self, name):
        return os.path.join(self.folder, name)

    # ---- what is read of it

    def said(self, name, side, *args, keylog=None):
        return reading.said(self.capture, side, *args, flow=self.talks[name].flow, keylog=keylog or self.keylog)

    def connection(self, name, *args, keylog=None):
        """Its event; one run of oriel read is for all of them."""
        keylog = keylog or self.keylog
        key = (*args, str(keylog), os.stat(keylog).st_mtime_ns)
        if key not in self._read:
            self._read[key] = {c['flow']: c for c in read(self.capture, '--json', *args, keylog=keylog).connections()}
        return self._read[key][self.talks[name].flow]

    def check(self, name, *args, keylog=None):
        """Both sides byte for byte, and the connection's line, which it returns."""
        talk, keylog = self.talks[name], keylog or self.keylog
        for side in ('client', 'server'):
            got = self.said(name, side, *args, keylog=keylog)
            assert got == getattr(talk, side), (name, side, got[:400], read(self.capture, '--why', *args, keylog=keylog).text)
        c = self.connection(name, *args, keylog=keylog)
        assert c['decrypted'] is True, c
        return c

    def cut_out(self, name):
        """A capture of this conversation only."""
        first = connection(self.capture, self.talks[name].flow)['client']['addr']
        port = int(first.rsplit(':', 1)[1])
        path = self.file(name.replace(' ', '-').replace('/', '-') + '.pcap')
        return vary.save(path, [p for p in vary.load(self.capture) if port in p.ports])

    def log(self):
        """The lines of the key log: label, client random, secret."""
        with open(self.keylog, encoding='ascii') as f:
            return [line.split() for line in f if not line.startswith('#')]


def connection(capture, flow, *args, keylog=()):
    [c] = [c for c in read(capture, '--json', *args, keylog=keylog).connections() if c['flow'] == flow]
    return c


def messages(capture, flow, *args, keylog=()):
    """The handshake of a flow as oriel read draws it."""
    return read(capture, '--handshakes', f'--flow={flow}', *args, keylog=keylog).text


def dark(capture, *args, keylog=()):
    """{flow: the sentence} of --why."""
    rows = read(capture, '--why', *args, keylog=keylog).text.splitlines()
    return {row.split()[0]: row.split(': ', 1)[1] for row in rows}


def write_log(path, lines):
    with open(path, 'w', encoding='ascii') as f:
        f.writelines(' '.join(line) + '\n' for line in lines)
    return str(path)


def tshark_said(capture, keylog, ports, streams):
    """What tshark reads of each stream: {number from 0: (the client's bytes, the server's)}. ports: the servers'."""
    argv = ['tshark', '-n', '-r', str(capture), '-o', f'tls.keylog_file:{keylog}', '-q', '-o', 'tcp.reassemble_out_of_order:TRUE']
    for port in ports:
        argv += ['-d', f'tcp.port=={port},tls']
    for n in streams:
        argv += ['-z', f'follow,tls,raw,{n}']
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    out, number, client_first = {}, None, True
    for line in done.stdout.splitlines():
        if line.startswith('Filter: tcp.stream eq '):
            number = int(line.rsplit(' ', 1)[1])
            out[number] = [b'', b'']
        elif line.startswith('Node 0: '):
            client_first = int(line.rsplit(':', 1)[1]) not in ports
        elif number is not None and line and not line.startswith(('=', 'Follow', 'Node')):
            from_0 = not line.startswith('\t')
            out[number][0 if from_0 == client_first else 1] += bytes.fromhex(line.strip())
    return {n: tuple(both) for n, both in out.items()}


# ---- Python's own TLS, both sides in this process


def play(s, own, steps):
    """Each waits for what the other says, so that the order is that of the wire."""
    for who, data in steps:
        if who == own:
            s.sendall(data)
        else:
            receive(s, len(data))


def goodbye(s):
    with contextlib.suppress(OSError):
        s.unwrap()


@dataclasses.dataclass
class Listener:
    """Where conversations of Python are held; one context a conversation."""
    scene: Scene

    def __enter__(self):
        self.socket = socket.create_server(('127.0.0.1', self.scene.port))
        self.socket.settimeout(PATIENCE)
        return self

    def __exit__(self, *_):
        self.socket.close()

    def talk(self, name, server, client, steps, session=None):
        """Plays the steps; the session, to be resumed."""
        both = {side: b''.join(b for who, b in steps if who == side) for side in ('client', 'server')}
        self.scene.add(name, **both)
        client.keylog_filename = self.scene.keylog
        failed = []

        def serve():
            try:
                raw, _ = self.socket.accept()
                raw.settimeout(PATIENCE)
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with server.wrap_socket(raw, server_side=True) as s:
                    play(s, 'server', steps)
                    goodbye(s)
            except (OSError, AssertionError) as e:
                failed.append(e)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with socket.create_connection(('127.0.0.1', self.scene.port), PATIENCE) as raw:
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with client.wrap_socket(raw, server_hostname='www.oriel.test', session=session) as s:
                    play(s, 'client', steps)
                    session = s.session
                    goodbye(s)
        finally:
            thread.join(PATIENCE)
        assert not failed, (name, failed)
        return session


def dh_params(certs):
    path = certs.path('ffdhe2048.pem')
    if not os.path.exists(path):
        openssl('genpkey', '-genparam', '-algorithm', 'DH', '-pkeyopt', 'group:ffdhe2048', '-out', path)
    return path


def contexts(certs, version=None, ciphers=None, options=0):
    """A server's with an RSA and an ECDSA certificate, and a client's; options for both."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for kind in ('rsa2048', 'p256'):
        server.load_cert_chain(certs.good(kind).chain, certs.good(kind).key)
    server.load_dh_params(dh_params(certs))
    client = ssl.create_default_context(cafile=certs.root.cert)
    for c in (server, client):
        if version:
            with warnings.catch_warnings():
                # Python warns of old versions, which are what is wanted.
                warnings.simplefilter('ignore', DeprecationWarning)
                c.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
                c.maximum_version = version
                c.minimum_version = version
        c.set_ciphers((ciphers or 'ALL') + ':@SECLEVEL=0')
        c.options |= options
    return server, client


# ---- programs that are told what to say through their standard input


class Speaker(Process):
    """A program that says what it is told, and shows what it hears."""

    def __init__(self, argv, log, env=None):
        super().__init__(argv, log, env=env, stdin=subprocess.PIPE, prefix=['stdbuf', '-oL'])
        self.seen = 0

    def tell(self, data):
        self.popen.stdin.write(data)
        self.popen.stdin.flush()

    def expect(self, text):
        """Waits for what it prints, after what was waited for last."""
        def there():
            at = self.output().find(text, self.seen)
            if at >= 0:
                self.seen = at + len(text)
            return at >= 0 or self.popen.poll() is not None
        wait_until(there, f'{self.argv[:2]} prints {text!r}')
        assert self.output()[:self.seen].endswith(text), self.output()
        return self

    def __exit__(self, *exc):
        with contextlib.suppress(OSError):
            self.popen.stdin.close()
        super().__exit__(*exc)


class OpensslServer(Speaker):
    """openssl s_server for one conversation after another on a scene's port. It reads one line at a time."""

    def __init__(self, scene, cert, *args, name='s_server'):
        argv = ['openssl', 's_server', '-accept', f'127.0.0.1:{scene.port}', '-cert', cert.cert, '-key', cert.key, '-cert_chain', cert.chain, *args]
        super().__init__(argv, scene.file(name + '.log'))
        self.wait_listening(scene.port)
        self.expect('ACCEPT')


class Dialogue:
    """s_client and s_server, each told what to say; one waits until the other has heard it. Lines must not begin
    with a letter: those are commands."""

    def __init__(self, scene, server, name, *args):
        self.talk = scene.add(name)
        self.server = server
        argv = ['openssl', 's_client', '-connect', f'127.0.0.1:{scene.port}', '-servername', 'www.oriel.test', '-keylogfile', scene.keylog, *args]
        self.client = Speaker(argv, scene.file(f's_client-{self.talk.flow}.log'))
        self.count = 0

    def __enter__(self):
        return self

    def line(self, size=0):
        self.count += 1
        words = f'{self.talk.flow}.{self.count} of {self.talk.name}'
        return (words + ' -' * max(0, (size - len(words)) // 2) + '\n').encode()

    def client_says(self, size=0):
        line = self.line(size)
        self.talk.client += line
        self.client.tell(line)
        self.server.expect(line.decode())
        return self

    def server_says(self, size=0):
        line = self.line(size)
        self.talk.server += line
        self.server.tell(line)
        self.client.expect(line.decode())
        return self

    def both_say(self, size=0):
        return self.client_says(size).server_says(size)

    def client_does(self, letter, shown):
        self.client.tell(letter.encode() + b'\n')
        self.client.expect(shown)
        return self

    def server_does(self, letter, shown):
        self.server.tell(letter.encode() + b'\n')
        self.server.expect(shown)
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.client.tell(b'Q\n')
                self.client.popen.wait(PATIENCE)
                self.server.expect('CONNECTION CLOSED')
        finally:
            self.client.__exit__()
