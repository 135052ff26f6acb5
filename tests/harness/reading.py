"""`oriel read` run on a capture, and conversations to be captured whose every byte is known."""
import dataclasses
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading

from . import oriel
from .capture import Capture
from .process import PATIENCE


def possible():
    """None, or why nothing can be captured here."""
    if os.geteuid() != 0:
        return 'capturing packets needs root'
    return None if shutil.which('tcpdump') else 'tcpdump is not installed'


@dataclasses.dataclass(frozen=True)
class Read:
    status: int
    out: bytes
    err: str

    def ok(self):
        assert self.status == 0, f'status {self.status}: {self.err}\n{self.out[-2000:]!r}'
        return self

    @property
    def text(self):
        return self.out.decode()

    @property
    def events(self):
        return [json.loads(line) for line in self.out.splitlines()]

    def connections(self):
        return [e for e in self.events if e['type'] == 'connection']

    def exchanges(self):
        return [e for e in self.events if e['type'] == 'exchange']


def read(capture, *args, keylog=None, stdin=None, env=None, timeout=60):
    """oriel read; without SSLKEYLOGFILE of the environment unless env has it."""
    argv = [oriel.BINARY, 'read', *map(str, args)]
    for k in [keylog] if isinstance(keylog, (str, os.PathLike)) else keylog or []:
        argv += ['-k', str(k)]
    if capture is not None:
        argv.append(str(capture))
    clean = {k: v for k, v in os.environ.items() if k != 'SSLKEYLOGFILE'}
    done = subprocess.run(argv, capture_output=True, check=False, timeout=timeout, env={**clean, **(env or {})},
                          **({'stdin': stdin} if stdin else {}))
    return Read(done.returncode, done.stdout, done.stderr.decode())


def said(capture, side, *args, flow=1, keylog=None):
    """All the bytes that one side ('client', 'server') of a connection said, as oriel read shows them."""
    return read(capture, f'--follow={flow}', '--raw', f'--{side}', *args, keylog=keylog).out


@dataclasses.dataclass
class Talk:
    """A conversation that was captured: what each side said, in order."""
    capture: str
    keylog: str
    port: int
    client: bytes = b''
    server: bytes = b''


def receive(s, n):
    """Exactly n bytes."""
    got = bytearray()
    while len(got) < n:
        more = s.recv(n - len(got))
        assert more, f'the peer ended after {len(got)} of {n} bytes'
        got += more
    return bytes(got)


def contexts(cert, root, keylog, version=None, ciphers=None):
    """A client's and a server's, of one version; the client writes the key log."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert.chain, cert.key)
    client = ssl.create_default_context(cafile=root)
    client.keylog_filename = str(keylog)
    for c in (client, server):
        if ciphers:
            c.set_ciphers(ciphers + ':@SECLEVEL=0')
        if version:
            c.minimum_version = c.maximum_version = version
    return client, server


def talk(folder, certs, steps, version=None, ciphers=None, interface='lo'):
    """Plays steps, each ('client' or 'server', bytes), over TLS on loopback while it is captured. Each side
    waits for what the other says, so the order is the order on the wire."""
    os.makedirs(folder, exist_ok=True)
    keylog, capture = os.path.join(folder, 'keys'), os.path.join(folder, 'capture.pcap')
    client, server = contexts(certs.good(), certs.root.cert, keylog, version, ciphers)
    with socket.create_server(('127.0.0.1', 0)) as listener:
        listener.settimeout(PATIENCE)
        port = listener.getsockname()[1]
        failed = []

        def serve():
            try:
                raw, _ = listener.accept()
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with server.wrap_socket(raw, server_side=True) as s:
                    play(s, 'server', steps)
            except (OSError, AssertionError) as e:
                failed.append(e)
        thread = threading.Thread(target=serve)
        with Capture(capture, f'tcp port {port}', interface):
            thread.start()
            with socket.create_connection(('127.0.0.1', port), PATIENCE) as raw:
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with client.wrap_socket(raw, server_hostname='www.oriel.test') as s:
                    play(s, 'client', steps)
            thread.join(PATIENCE)
    assert not failed, failed
    both = {side: b''.join(b for who, b in steps if who == side) for side in ('client', 'server')}
    return Talk(capture, keylog, port, **both)


def play(s, own, steps):
    for who, data in steps:
        if who == own:
            s.sendall(data)
        else:
            receive(s, len(data))
    with_end = s.unwrap if own == 'client' else None
    try:
        if with_end:
            with_end()
        else:
            s.recv(1)
    except OSError:
        pass
