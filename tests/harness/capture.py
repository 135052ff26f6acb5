"""Captures packets on an interface and has tshark decrypt them with a key log. Capturing needs root."""
import os
import signal
import subprocess

from .process import Process, wait_until


class Capture:
    """tcpdump into a file, from the moment the `with` begins. more: further arguments. immediate: each packet is written
    at once, but no more than 64 KiB of it, and few may come at a time."""

    def __init__(self, path, expression, interface='lo', prefix=(), more=(), immediate=True):
        self.path = str(path)
        # Otherwise the kernel hands packets out once a second.
        self._every = 0.25 if immediate else 1.2
        self.process = Process(['tcpdump', '-i', interface, *['--immediate-mode'] * immediate, '-U', '-s', '0', '-B', '16384', '-Z', 'root', '-w', self.path,
                                *more, expression], self.path + '.log', prefix=prefix)

    def __enter__(self):
        self.process.wait_output('listening on')
        return self

    def __exit__(self, *_):
        self.finish()

    def finish(self):
        """Ends the capture once no more packets come."""
        size = -1
        def quiet():
            nonlocal size
            before, size = size, os.path.getsize(self.path) if os.path.exists(self.path) else 0
            return before == size
        wait_until(quiet, 'the capture is quiet', every=self._every)
        self.process.stop(signal.SIGINT)


def tshark(path, display, *fields, keylog=None, ports=(), more=()):
    """The fields of each packet that the display filter lets through, as a list of lists. ports: decoded as TLS.
    more: further arguments."""
    argv = ['tshark', '-r', str(path), '-Y', display, '-T', 'fields', '-E', 'separator=\t', '-n']
    for f in fields:
        argv += ['-e', f]
    for p in ports:
        argv += ['-d', f'tcp.port=={p},tls']
    argv += more
    if keylog:
        argv += ['-o', f'tls.keylog_file:{keylog}']
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return [line.split('\t') for line in done.stdout.splitlines()]


def decrypted_http(path, keylog, *ports, more=()):
    """The request URIs and answers' status codes that tshark reads from a capture with the key log."""
    rows = tshark(path, 'http || http2', 'http.request.uri', 'http.response.code', 'http2.headers.path',
                  'http2.headers.status', keylog=keylog, ports=ports, more=more)
    return [word for row in rows for cell in row for word in cell.split(',') if word]
