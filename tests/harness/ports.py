"""Free TCP ports, from outside the range that the kernel gives to clients: a port of that range, free now, may be
some connection's own end by the time a server wants to listen on it."""
import errno
import os
import random
import socket


def _candidates():
    with open('/proc/sys/net/ipv4/ip_local_port_range', encoding='ascii') as f:
        low, high = map(int, f.read().split())
    usual = range(10000, 65000)
    ports = [p for p in usual if not low <= p <= high] or list(usual)
    random.Random(os.getpid()).shuffle(ports)
    return iter(ports)


_ports = _candidates()


def free_port(host='127.0.0.1'):
    """A port that nobody listens on, never the same twice in a run."""
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    for port in _ports:
        with socket.socket(family, socket.SOCK_STREAM) as s:
            try:
                s.bind((host, port))
            except OSError as e:
                if e.errno != errno.EADDRINUSE:
                    raise
                continue
        return port
    raise AssertionError('no free port is left')
