"""Captures changed as networks and capturing machines change them: packets lost, doubled, swapped, split, cut off,
renumbered. Works on classic pcap files of Ethernet, IPv4 and TCP as tcpdump writes them on loopback; what it writes is
a capture again. Checksums are left as they are: readers must not mind."""
import dataclasses
import struct

ETHERNET, IP_MIN, TCP_MIN = 14, 20, 20
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


@dataclasses.dataclass(frozen=True)
class Packet:
    """One captured packet and where things are in it."""
    at: float  # seconds since 1970
    frame: bytes
    wire: int  # bytes on the wire

    @property
    def ip(self):
        return ETHERNET

    @property
    def tcp(self):
        return ETHERNET + (self.frame[ETHERNET] & 15) * 4

    @property
    def data(self):
        return self.tcp + (self.frame[self.tcp + 12] >> 4) * 4

    @property
    def payload(self):
        end = self.ip + struct.unpack_from('>H', self.frame, self.ip + 2)[0]
        return self.frame[self.data:end]

    @property
    def ports(self):
        return struct.unpack_from('>HH', self.frame, self.tcp)

    @property
    def seq(self):
        return struct.unpack_from('>I', self.frame, self.tcp + 4)[0]

    @property
    def ack(self):
        return struct.unpack_from('>I', self.frame, self.tcp + 8)[0]

    @property
    def flags(self):
        return self.frame[self.tcp + 13]

    def patched(self, at, fmt, *values):
        frame = bytearray(self.frame)
        struct.pack_into(fmt, frame, at, *values)
        return dataclasses.replace(self, frame=bytes(frame))

    def numbered(self, seq=None, ack=None):
        p = self
        if seq is not None:
            p = p.patched(p.tcp + 4, '>I', seq & 0xffffffff)
        if ack is not None:
            p = p.patched(p.tcp + 8, '>I', ack & 0xffffffff)
        return p

    def with_payload(self, payload, skip=0):
        """The same segment with other bytes, skip bytes further on in the sequence."""
        head = self.frame[:self.data]
        p = dataclasses.replace(self, frame=head + payload, wire=len(head) + len(payload))
        p = p.patched(p.ip + 2, '>H', len(p.frame) - ETHERNET)
        return p.numbered(seq=self.seq + skip)

    def cut(self, n):
        """As a capture with a short snapshot length has it."""
        return dataclasses.replace(self, frame=self.frame[:n])

    def later(self, seconds):
        return dataclasses.replace(self, at=self.at + seconds)


def load(path):
    with open(path, 'rb') as f:
        magic, *_, link = struct.unpack('<IHHiIII', f.read(24))
        assert magic in (0xa1b2c3d4, 0xa1b23c4d) and link == 1, f'{path} is not the capture that is expected here'
        unit = 1e6 if magic == 0xa1b2c3d4 else 1e9
        out = []
        while head := f.read(16):
            s, part, n, wire = struct.unpack('<IIII', head)
            out.append(Packet(s + part / unit, f.read(n), wire))
    return out


def save(path, packets, order='<', nanoseconds=False):
    with open(path, 'wb') as f:
        unit = 10 ** 9 if nanoseconds else 10 ** 6
        f.write(struct.pack(order + 'IHHiIII', 0xa1b23c4d if nanoseconds else 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
        for p in packets:
            ticks = round(p.at * unit)
            f.write(struct.pack(order + 'IIII', ticks // unit, ticks % unit, len(p.frame), p.wire) + p.frame)
    return str(path)


def of(packets, port, from_server=True, data=True):
    """Indices of the packets of one side, those with data only unless told."""
    out = []
    for i, p in enumerate(packets):
        ours = p.ports[0] == port if from_server else p.ports[1] == port
        if ours and (p.payload or not data):
            out.append(i)
    return out


def without(packets, *indices):
    return [p for i, p in enumerate(packets) if i not in indices]


def swapped(packets, i, j):
    out = list(packets)
    out[i], out[j] = (dataclasses.replace(packets[j], at=packets[i].at), dataclasses.replace(packets[i], at=packets[j].at))
    return out


def split(packets, i, *sizes):
    """Packet i as several, with the last before the first when they are put in order 3-1-2 by the caller."""
    p, parts, at = packets[i], [], 0
    for n in (*sizes, None):
        piece = p.payload[at:] if n is None else p.payload[at:at + n]
        parts.append(p.with_payload(piece, at))
        at += len(piece)
    return parts


def replaced(packets, i, parts):
    return packets[:i] + list(parts) + packets[i + 1:]


def segmented(packets, n):
    """As on a network: no segment longer than n bytes, where loopback had long ones."""
    out = []
    for i, p in enumerate(packets):
        out += split(packets, i, *[n] * ((len(p.payload) - 1) // n)) if len(p.payload) > n else [p]
    return out


def renumbered(packets, port, client_isn, server_isn):
    """The connection with other initial sequence numbers: near 2^32 they wrap in its midst."""
    first = {}
    for p in packets:
        first.setdefault(p.ports[0] == port, p.seq)
    new = {False: client_isn, True: server_isn}
    out = []
    for p in packets:
        side = p.ports[0] == port
        ack = p.ack - first[not side] + new[not side] if p.flags & ACK else None
        out.append(p.numbered(p.seq - first[side] + new[side], ack))
    return out
