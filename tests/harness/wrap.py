"""Packets of a capture put into links and tunnels, as RFCs and registries have them. For what the kernel of the machine
has not got: that it is right is for tshark to say. A wrapper takes the bytes of an IPv4 packet and its number, and
gives the packets that are captured for it."""
import struct

from . import vary

MAC = bytes.fromhex('0200000000020200000000' + '01')
NEAR, FAR = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])
NEAR6, FAR6 = (bytes.fromhex('20010db8' + '00' * 11 + x) for x in ('01', '02'))
LINKS = {'null': 0, 'ethernet': 1, 'raw': 101, 'loop': 108, 'sll': 113, 'ipv4': 228, 'ipv6': 229, 'sll2': 276}


def ethernet(p, kind=0x0800):
    return MAC + struct.pack('>H', kind) + p


def tag(p, kind=0x0800):
    return struct.pack('>HH', 5, kind) + p


def checksum(header):
    total = sum(struct.unpack(f'>{len(header) // 2}H', header))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ip4(p, protocol, number=1, place=0x4000, options=b''):
    head = struct.pack('>BBHHHBBH4s4s', 0x45 + len(options) // 4, 0, 20 + len(options) + len(p), number & 0xffff, place, 64,
                       protocol, 0, NEAR, FAR) + options
    return head[:10] + struct.pack('>H', checksum(head)) + head[12:] + p


def ip6(p, following):
    return struct.pack('>IHBB', 6 << 28, len(p), following, 64) + NEAR6 + FAR6 + p


def udp(p, port):
    return struct.pack('>HHHH', 0xc000, port, 8 + len(p), 0) + p


def vxlan(p):
    return udp(struct.pack('>II', 0x08000000, 42 << 8) + ethernet(p), 4789)


def geneve(p):
    option = struct.pack('>HBBI', 0x0102, 0x80, 1, 7)
    return udp(struct.pack('>BBHI', len(option) // 4, 0, 0x6558, 42 << 8) + option + ethernet(p), 6081)


def gre(p, kind=0x0800, flags=0, more=b''):
    return struct.pack('>HH', flags, kind) + more + p


def extensions(p, following):
    """Every header that IPv6 may have before what it carries."""
    eight = bytes(6)
    for kind in (60, 43, 60, 0):
        p, following = bytes([following, 0]) + (b'\x01\x04' + bytes(4) if kind in (0, 60) else eight) + p, kind
    return ip6(p, following)


def fragments4(p, protocol, number, size=488):
    parts = [p[i:i + size] for i in range(0, len(p), size)]
    last = len(parts) - 1
    return [ip4(part, protocol, number, i * size // 8 | (0x2000 if i < last else 0)) for i, part in enumerate(parts)]


def fragments6(p, following, number, size=488):
    parts = [p[i:i + size] for i in range(0, len(p), size)]
    last = len(parts) - 1
    return [ip6(struct.pack('>BBHI', following, 0, i * size | (i < last), number) + part, 44) for i, part in enumerate(parts)]


def eth(wrapper):
    """In Ethernet, all of it IPv4."""
    return 'ethernet', lambda p, number: [ethernet(x) for x in listed(wrapper(p, number))]


def eth6(wrapper):
    return 'ethernet', lambda p, number: [ethernet(x, 0x86dd) for x in listed(wrapper(p, number))]


def listed(x):
    return x if isinstance(x, list) else [x]


WRAPPERS = {
    'NULL, little endian': ('null', lambda p, _: [b'\x02\0\0\0' + p]),
    'NULL, big endian': ('null', lambda p, _: [b'\0\0\0\x02' + p]),
    'LOOP': ('loop', lambda p, _: [b'\0\0\0\x02' + p]),
    'raw IP': ('raw', lambda p, _: [p]),
    'raw IPv4': ('ipv4', lambda p, _: [p]),
    'cooked, version 1': ('sll', lambda p, _: [bytes.fromhex('0000000100060200000000010000') + b'\x08\0' + p]),
    'cooked, version 2': ('sll2', lambda p, _: [b'\x08\0' + bytes.fromhex('000000000003000100060200000000010000') + p]),
    'VLAN': ('ethernet', lambda p, _: [ethernet(tag(p), 0x8100)]),
    'QinQ': ('ethernet', lambda p, _: [ethernet(tag(tag(p), 0x8100), 0x88a8)]),
    'QinQ as of old': ('ethernet', lambda p, _: [ethernet(tag(tag(p), 0x8100), 0x9100)]),
    'MPLS': ('ethernet', lambda p, _: [ethernet(struct.pack('>II', 16 << 12 | 64, 17 << 12 | 0x100 | 64) + p, 0x8847)]),
    'PPPoE': ('ethernet', lambda p, _: [ethernet(struct.pack('>BBHHH', 0x11, 0, 9, len(p) + 2, 0x21) + p, 0x8864)]),
    'SNAP': ('ethernet', lambda p, _: [ethernet(bytes.fromhex('aaaa030000000800') + p, min(len(p) + 8, 1500))]),
    'padding': ('ethernet', lambda p, _: [ethernet(p) + bytes(7)]),
    'IP length 0': ('ethernet', lambda p, _: [ethernet(p[:2] + b'\0\0' + p[4:])]),
    'VXLAN': eth(lambda p, n: ip4(vxlan(p), 17, n)),
    'Geneve': eth(lambda p, n: ip4(geneve(p), 17, n)),
    'GRE': eth(lambda p, n: ip4(gre(p), 47, n)),
    'GRE with everything': eth(lambda p, n: ip4(gre(p, 0x0800, 0xb000, struct.pack('>HHII', 0, 0, 7, n)), 47, n)),
    'GRE of Ethernet': eth(lambda p, n: ip4(gre(ethernet(p), 0x6558), 47, n)),
    'ERSPAN I': eth(lambda p, n: ip4(gre(ethernet(p), 0x88be), 47, n)),
    'ERSPAN II': eth(lambda p, n: ip4(gre(struct.pack('>II', 0x10000001, 0) + ethernet(p), 0x88be, 0x1000, struct.pack('>I', n)), 47, n)),
    'ERSPAN III': eth(lambda p, n: ip4(gre(struct.pack('>III', 0x20000001, n, 0) + ethernet(p), 0x22eb, 0x1000, struct.pack('>I', n)), 47, n)),
    'IP in IP': eth(lambda p, n: ip4(p, 4, n)),
    'IP in IPv6': eth6(lambda p, n: ip6(p, 4)),
    'IPv6 extension headers': eth6(lambda p, n: extensions(p, 4)),
    'authentication header': eth(lambda p, n: ip4(struct.pack('>BBHIIIII', 4, 4, 0, 9, n, 0, 0, 0) + p, 51, n)),
    'IPv4 options': eth(lambda p, n: ip4(p, 4, n, options=b'\x94\x04\0\0\x01\x01\x01\0')),
    'IPv4 fragments': eth(lambda p, n: fragments4(p, 4, n)),
    'IPv4 fragments, last first': eth(lambda p, n: fragments4(p, 4, n)[::-1]),
    'IPv6 fragments': eth6(lambda p, n: fragments6(p, 4, n)),
    'VXLAN in fragments': eth(lambda p, n: fragments4(vxlan(p), 17, n)),
    'a tunnel in a tunnel in a tunnel': eth(lambda p, n: ip4(geneve(ip4(gre(ip4(vxlan(p), 17, n)), 47, n)), 17, n)),
}


def save(path, packets, name):
    """The packets of a capture of vary's, each in its wrapping."""
    link, wrapper = WRAPPERS[name]
    with open(path, 'wb') as f:
        f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 262144, LINKS[link]))
        for i, p in enumerate(packets):
            total = struct.unpack_from('>H', p.frame, vary.ETHERNET + 2)[0]
            for x in wrapper(p.frame[vary.ETHERNET:vary.ETHERNET + total], i + 1):
                ticks = round(p.at * 10 ** 6)
                f.write(struct.pack('<IIII', ticks // 10 ** 6, ticks % 10 ** 6, len(x), len(x)) + x)
    return str(path)
