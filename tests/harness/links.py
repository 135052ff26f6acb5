"""Conversations over real links and tunnels: two network namespaces with a cable between them, on which the kernel
runs VLANs, VXLAN, Geneve, GRE and the rest, captured by tcpdump. Root only; all is removed at the end."""
import dataclasses
import os
import socket
import subprocess
import threading

from . import netns, reading
from .capture import Capture
from .process import PATIENCE

OUTER = {'client': ('10.8.0.1', 'fd08::1'), 'server': ('10.8.0.2', 'fd08::2')}
INNER = {'client': ('10.8.1.1', 'fd08:1::1'), 'server': ('10.8.1.2', 'fd08:1::2')}


@dataclasses.dataclass(frozen=True)
class Kind:
    """A link to talk over: what `ip link add` makes on each side ({near}, {far}: outer addresses), and how it is
    captured at the client."""
    make: tuple = ()  # arguments after `ip link add NAME`, one device on top of the other; the last one is in0
    outer: int = 0  # 0: IPv4 on the cable, 1: IPv6
    inner: int = 0  # … in the tunnel
    device: str = 'wire0'
    capture: tuple = ()  # more arguments of tcpdump
    mtu: int = 1500  # of the cable
    inner_mtu: int = 0  # of in0, whatever the cable takes; 0: as the kernel chooses
    wire: tuple = ()  # more `ip link set` for the cable


KINDS = {
    'ethernet': Kind(),
    'ethernet, IPv6': Kind(inner=1),
    'ethernet, super-segments of BIG TCP': Kind(inner=1, wire=('gso_max_size', '180000', 'gro_max_size', '180000')),
    'cooked, version 1': Kind(device='any', capture=('-y', 'LINUX_SLL')),
    'cooked, version 2': Kind(device='any', capture=('-y', 'LINUX_SLL2')),
    'VLAN': Kind(make=('link wire0 {name} type vlan id 5',)),
    'QinQ': Kind(make=('link wire0 {name} type vlan proto 802.1ad id 5', 'link {below} {name} type vlan id 6')),
    'VXLAN': Kind(make=('{name} type vxlan id 42 local {near} remote {far} dstport 4789 dev wire0',)),
    'VXLAN on its old port': Kind(make=('{name} type vxlan id 42 local {near} remote {far} dstport 8472 dev wire0',)),
    'VXLAN with a policy': Kind(make=('{name} type vxlan id 42 local {near} remote {far} dstport 4789 dev wire0 gbp',)),
    'VXLAN over IPv6': Kind(make=('{name} type vxlan id 42 local {near} remote {far} dstport 4789 dev wire0',), outer=1),
    'VXLAN in IPv4 fragments': Kind(make=('{name} type vxlan id 42 local {near} remote {far} dstport 4789',),
                                    mtu=700, inner_mtu=1500),
    'VXLAN, captured inside and outside': Kind(
        make=('{name} type vxlan id 42 local {near} remote {far} dstport 4789 dev wire0',), device='any'),
    'VXLAN with IPv6 inside': Kind(make=('{name} type vxlan id 42 local {near} remote {far} dstport 4789 dev wire0',), inner=1),
    'Geneve': Kind(make=('{name} type geneve id 42 remote {far}',)),
    'Geneve over IPv6': Kind(make=('{name} type geneve id 42 remote {far}',), outer=1, inner=1),
    'GRE': Kind(make=('{name} type gre local {near} remote {far}',)),
    'GRE with key, sequence and checksum': Kind(make=('{name} type gre local {near} remote {far} key 7 seq csum',)),
    'GRE, captured in the tunnel': Kind(make=('{name} type gre local {near} remote {far}',), device='in0'),
    'GRE of Ethernet': Kind(make=('{name} type gretap local {near} remote {far} key 7',)),
    'GRE over IPv6': Kind(make=('{name} type ip6gre local {near} remote {far}',), outer=1),
    'ERSPAN': Kind(make=('{name} type erspan seq key 7 local {near} remote {far} erspan_ver 1 erspan 9',)),
    'IPv4 in IPv4': Kind(make=('{name} type ipip local {near} remote {far}',)),
    'IPv4 in IPv4, captured in the tunnel': Kind(make=('{name} type ipip local {near} remote {far}',), device='in0'),
    'IPv6 in IPv4': Kind(make=('{name} type sit local {near} remote {far}',), inner=1),
    'IPv4 in IPv6': Kind(make=('{name} type ip6tnl mode any local {near} remote {far}',), outer=1),
    'IPv6 in IPv6': Kind(make=('{name} type ip6tnl mode any local {near} remote {far}',), outer=1, inner=1),
    'VXLAN in VXLAN': Kind(make=('{name} type vxlan id 42 local {near} remote {far} dstport 4789 dev wire0',
                                 '{name} type vxlan id 43 group 239.1.1.1 dstport 8472 dev {below}')),
}


def possible():
    return netns.possible() or reading.possible()


class Cable(netns.Net):
    """Use with `with`; raises Missing when the kernel has not got the link."""

    class Missing(Exception):
        pass

    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.names = {role: name for role, name in self.names.items() if role in OUTER}

    def _make(self):
        for role, name in self.names.items():
            subprocess.run(['ip', 'netns', 'add', name], check=True, timeout=20)
            self.run(role, 'ip', 'link', 'set', 'lo', 'up')
        self.run('client', 'ip', 'link', 'add', 'wire0', 'type', 'veth', 'peer', 'name', 'wire0', 'netns', self.names['server'])
        for role in OUTER:
            self._end(role)

    def _end(self, role):
        far = 'server' if role == 'client' else 'client'
        self.run(role, 'ip', 'link', 'set', 'wire0', 'up', 'mtu', self.kind.mtu, *self.kind.wire)
        self._address(role, 'wire0', OUTER[role][self.kind.outer if self.kind.make else self.kind.inner])
        below = 'wire0'
        for i, words in enumerate(self.kind.make):
            name = 'in0' if i == len(self.kind.make) - 1 else f'mid{i}'
            words = words.format(name=name, below=below, near=OUTER[role][self.kind.outer], far=OUTER[far][self.kind.outer])
            done = self.run(role, 'ip', 'link', 'add', *words.split(), check=False)
            if done.returncode != 0:
                raise self.Missing(f'ip link add {words}: {done.stderr.strip()}')
            self.run(role, 'ip', 'link', 'set', name, 'up')
            below = name
        if self.kind.make:
            self._address(role, 'in0', INNER[role][self.kind.inner])
            for i in range(len(self.kind.make) - 1):
                # What is between needs an address to send from.
                self.run(role, 'ip', 'addr', 'add', f'10.8.{2 + i}.{role == "server" and 2 or 1}/24', 'dev', f'mid{i}')

        if self.kind.inner_mtu:
            self.run(role, 'ip', 'link', 'set', 'in0', 'mtu', self.kind.inner_mtu)
            # Locked: TCP would learn what the cable takes, and nothing were divided.
            self.run(role, 'ip', 'route', 'change', '10.8.1.0/24', 'dev', 'in0', 'mtu', 'lock', self.kind.inner_mtu)

    def _address(self, role, device, address):
        self.run(role, 'ip', 'addr', 'add', f'{address}/{64 if ":" in address else 24}', 'dev', device,
                 *['nodad'] * (':' in address))

    def address(self, role):
        return (INNER if self.kind.make else OUTER)[role][self.kind.inner]


def talk(folder, certs, cable, steps):
    """As reading.talk, from one end of the cable to the other."""
    os.makedirs(folder, exist_ok=True)
    keylog, capture = os.path.join(folder, 'keys'), os.path.join(folder, 'capture.pcap')
    client, server = reading.contexts(certs.good(), certs.root.cert, keylog)
    listener = cable.within('server', lambda: socket.create_server(
        (cable.address('server'), 0), family=socket.AF_INET6 if cable.kind.inner else socket.AF_INET))
    failed = []

    def serve():
        try:
            raw, _ = listener.accept()
            raw.settimeout(PATIENCE)
            with server.wrap_socket(raw, server_side=True) as s:
                reading.play(s, 'server', steps)
        except (OSError, AssertionError) as e:
            failed.append(e)
    with listener:
        listener.settimeout(PATIENCE)
        address = listener.getsockname()[:2]
        # Not immediate: packets may be long, and many at once.
        with Capture(capture, '', cable.kind.device, cable.inside('client'), cable.kind.capture, immediate=False):
            thread = threading.Thread(target=serve)
            thread.start()
            with cable.within('client', lambda: socket.create_connection(address, PATIENCE)) as raw:
                with client.wrap_socket(raw, server_hostname='www.oriel.test') as s:
                    reading.play(s, 'client', steps)
            thread.join(PATIENCE)
    assert not failed, failed
    both = {side: b''.join(b for who, b in steps if who == side) for side in ('client', 'server')}
    return reading.Talk(capture, keylog, address[1], **both)
