"""Child processes that are waited for, told apart by their listening sockets, and always ended."""
import os
import signal
import subprocess
import time

# Sanitized builds on two cores are slow; nothing that passes waits this long.
PATIENCE = 20.0


def wait_until(happened, what, timeout=PATIENCE, every=0.02):
    """Waits for a function to return something true, and returns it."""
    end = time.monotonic() + timeout
    while True:
        got = happened()
        if got:
            return got
        assert time.monotonic() < end, f'not within {timeout:g} s: {what}'
        time.sleep(every)


def listening_ports(pid='self'):
    """The TCP ports that anything in the network namespace of the process listens on. Reads /proc, since a
    connection only to see whether somebody answers would be an event of its own."""
    ports = set()
    for name in ('tcp', 'tcp6'):
        try:
            with open(f'/proc/{pid}/net/{name}', encoding='ascii') as f:
                for line in f.readlines()[1:]:
                    words = line.split()
                    if words[3] == '0A':
                        ports.add(int(words[1].rsplit(':', 1)[1], 16))
        except OSError:
            pass
    return ports


def children(pid):
    """All descendants of a process."""
    out = []
    try:
        for task in os.listdir(f'/proc/{pid}/task'):
            with open(f'/proc/{pid}/task/{task}/children', encoding='ascii') as f:
                for child in map(int, f.read().split()):
                    out += [child] + children(child)
    except OSError:
        pass
    return out


def descriptors(pid):
    """How many descriptors a process holds."""
    return len(os.listdir(f'/proc/{pid}/fd'))


class Process:
    """A child with its output in a file. Use with `with`, or end it with stop()."""

    def __init__(self, argv, log, env=None, cwd=None, stdin=subprocess.DEVNULL, prefix=()):
        self.argv = [*prefix, *map(str, argv)]
        self.log = log
        with open(log, 'wb') as out:
            self.popen = subprocess.Popen(self.argv, stdin=stdin, stdout=out, stderr=subprocess.STDOUT,
                                          env=env, cwd=cwd)

    @property
    def pid(self):
        return self.popen.pid

    def output(self):
        with open(self.log, encoding='utf-8', errors='replace') as f:
            return f.read()

    def wait_listening(self, port):
        def ready():
            assert self.popen.poll() is None, f'{self.argv[0]} ended with {self.popen.returncode}:\n{self.output()}'
            return port in listening_ports(self.pid)
        wait_until(ready, f'{self.argv[0]} listens on port {port}')
        return self

    def wait_output(self, text, timeout=PATIENCE):
        wait_until(lambda: text in self.output() or self.popen.poll() is not None, f'{self.argv[0]} says {text!r}',
                   timeout)
        assert text in self.output(), self.output()

    def stop(self, how=signal.SIGTERM, timeout=PATIENCE):
        """Ends the process and returns its exit status."""
        if self.popen.poll() is None:
            self.popen.send_signal(how)
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
