"""Three network namespaces for what is intercepted on its way: client 10.9.0.5, server 10.9.0.43, and between them,
routing, proxy 10.9.0.143 (and fd09::5, fd09::2b, fd09::8f). Root only; all are removed at the end."""
import ctypes
import itertools
import os
import subprocess
import threading

ADDRESSES = {
    'client': ('10.9.0.5', 'fd09::5'),
    'server': ('10.9.0.43', 'fd09::2b'),
    'proxy': ('10.9.0.143', 'fd09::8f'),
}
_number = itertools.count()
_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


def _ip(*args, check=True):
    done = subprocess.run(['ip', *args], capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0 or not check, f'ip {" ".join(args)}: {done.stderr}'


def possible():
    """None, or why namespaces cannot be made here."""
    if os.geteuid() != 0:
        return 'network namespaces need root'
    name = f'oriel-try-{os.getpid()}'
    try:
        _ip('netns', 'add', name)
        # In a chroot making one succeeds, and entering it does not.
        _ip('-n', name, 'link', 'add', 'one0', 'type', 'veth', 'peer', 'name', 'two0')
        _ip('netns', 'exec', name, 'true')
    except AssertionError as e:
        return f'network namespaces cannot be made here: {e}'
    finally:
        _ip('netns', 'del', name, check=False)
    return None


class Net:
    """Use with `with`. `net.inside('client')` is what goes before a command to run it there."""

    def __init__(self):
        tag = f'{os.getpid() % 100000}x{next(_number)}'
        self.names = {role: f'oriel-{role}-{tag}' for role in ADDRESSES}
        self._tag = tag

    def __enter__(self):
        try:
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for name in self.names.values():
            _ip('netns', 'del', name, check=False)

    def inside(self, role):
        return ['ip', 'netns', 'exec', self.names[role]]

    def run(self, role, *argv, check=True, text_in=None, timeout=30):
        done = subprocess.run([*self.inside(role), *map(str, argv)], input=text_in, capture_output=True, text=True,
                              check=False, timeout=timeout)
        assert done.returncode == 0 or not check, f'{argv}: {done.stderr}'
        return done

    def within(self, role, make):
        """Calls make() on a thread in the namespace of the role: what sockets it makes stay there."""
        got = []

        def there():
            try:
                with open(f'/run/netns/{self.names[role]}', 'rb') as ns:
                    if _libc.setns(ns.fileno(), _CLONE_NEWNET) != 0:
                        raise OSError(ctypes.get_errno(), 'setns')
                got.append((make(), None))
            except BaseException as e:  # pylint: disable=broad-exception-caught
                got.append((None, e))
        thread = threading.Thread(target=there)
        thread.start()
        thread.join(60)
        value, error = got[0]
        if error:
            raise error
        return value

    def _make(self):
        for role, name in self.names.items():
            _ip('netns', 'add', name)
            _ip('-n', name, 'link', 'set', 'lo', 'up')
            self.run(role, 'sysctl', '-qw', 'net.ipv6.conf.all.accept_dad=0', 'net.ipv6.conf.default.accept_dad=0')
        self.run('proxy', 'sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1',
                 'net.ipv4.conf.all.rp_filter=0', 'net.ipv4.conf.default.rp_filter=0')
        for role in ('client', 'server'):
            self._join(role)

    def _join(self, role):
        """A cable between the role and the proxy, point to point."""
        near, far = 'up0', f'to-{role}'
        mine, proxy = ADDRESSES[role], ADDRESSES['proxy']
        # Made under a name of its own: both ends are first in the namespace that makes them.
        _ip('-n', self.names[role], 'link', 'add', near, 'type', 'veth', 'peer', 'name', far, 'netns', self.names['proxy'])
        _ip('-n', self.names[role], 'link', 'set', near, 'up')
        _ip('-n', self.names['proxy'], 'link', 'set', far, 'up')
        for four_or_six, bits in ((0, '32'), (1, '128')):
            more = ('nodad',) if four_or_six else ()
            _ip('-n', self.names[role], 'addr', 'add', f'{mine[four_or_six]}/{bits}', 'dev', near, *more)
            _ip('-n', self.names['proxy'], 'addr', 'add', f'{proxy[four_or_six]}/{bits}', 'dev', far, *more)
            _ip('-n', self.names[role], 'route', 'add', f'{proxy[four_or_six]}/{bits}', 'dev', near)
            _ip('-n', self.names[role], 'route', 'add', 'default', 'via', proxy[four_or_six], 'dev', near, 'onlink')
            _ip('-n', self.names['proxy'], 'route', 'add', f'{mine[four_or_six]}/{bits}', 'dev', far)

    def nft(self, role, rules):
        """Loads nftables rules in the namespace of the role."""
        self.run(role, 'nft', '-f', '-', text_in=rules)
