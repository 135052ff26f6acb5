"""Free TCP ports. The kernel does not hand out again what a test run was given."""
import socket

_given = set()


def free_port(host='127.0.0.1'):
    """A port that nobody listens on, never the same twice in a run."""
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    while True:
        with socket.socket(family, socket.SOCK_STREAM) as s:
            s.bind((host, 0))
            port = s.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port
