"""oriel read on captures as networks and capturing machines leave them: nothing that was captured may be lost."""
import os
import shutil

import pytest

from harness import reading, vary
from harness.peers import pattern
from harness.reading import read, said

pytestmark = pytest.mark.sanitized

PIECE = 9000  # of a record
SEGMENT = 1400


@pytest.fixture(scope='module')
def talk(certs, tmp_path_factory):
    """A request, a long answer in many records, then the same the other way round. A word in between each time, so
    that no segment has two records."""
    why = reading.possible()
    if why:
        pytest.skip(why)
    folder = tmp_path_factory.mktemp('talk')
    steps = [('client', b'first the client says this')]
    for i in range(40):
        steps += [('server', pattern(PIECE, PIECE * i)), ('client', b'more')]
    for i in range(20):
        steps += [('client', pattern(PIECE, 7 + PIECE * i)), ('server', b'more')]
    steps += [('server', b'and the server ends it')]
    return reading.talk(folder, certs, steps)


@pytest.fixture
def packets(talk):
    return vary.segmented(vary.load(talk.capture), SEGMENT)


def whole(path, talk, **how):
    """Both sides, as far as oriel reads them."""
    return said(path, 'client', keylog=talk.keylog, **how), said(path, 'server', keylog=talk.keylog, **how)


def assert_whole(path, talk):
    client, server = whole(path, talk)
    assert client == talk.client and server == talk.server
    read(path, keylog=talk.keylog).ok()


def secrets(f):
    """The lines of a key log as label, client random and secret."""
    return [line.split() for line in f if not line.startswith('#')]


def data_of(packets, talk, from_server=True):
    """Segments of application data: behind the handshake's."""
    first = [i for i in vary.of(packets, talk.port, from_server) if len(packets[i].payload) == SEGMENT]
    return first[3:-3]


def test_what_was_said_is_read_byte_for_byte(talk):
    assert_whole(talk.capture, talk)
    [c] = read(talk.capture, '--json', keylog=talk.keylog).ok().connections()
    assert c['decrypted'] is True and c['tls']['sni'] == 'www.oriel.test'
    assert c['bytes'] == {'up': len(talk.client), 'down': len(talk.server)}


@pytest.mark.parametrize('order, ns', [('<', False), ('<', True), ('>', False), ('>', True)])
def test_pcap_of_both_byte_orders_and_resolutions(talk, packets, tmp_path, order, ns):
    assert_whole(vary.save(tmp_path / 'c.pcap', packets, order, ns), talk)


def test_the_packets_that_open_the_connection_are_missing(talk, packets, tmp_path):
    rest = [p for p in packets if not p.flags & vary.SYN]
    assert len(rest) == len(packets) - 2
    assert_whole(vary.save(tmp_path / 'c.pcap', rest), talk)


@pytest.mark.parametrize('from_server', [True, False])
def test_segments_in_the_wrong_order(talk, packets, tmp_path, from_server):
    for i in data_of(packets, talk, from_server)[::4]:
        if packets[i + 1].ports == packets[i].ports and packets[i + 1].payload:
            packets = vary.swapped(packets, i, i + 1)
    assert_whole(vary.save(tmp_path / 'c.pcap', packets), talk)


def test_segments_of_the_handshake_in_the_wrong_order(talk, packets, tmp_path):
    first = vary.of(packets, talk.port)[0]
    parts = vary.split(packets, first, 100, 300)
    packets = vary.replaced(packets, first, [parts[2], parts[0], parts[1]])
    assert_whole(vary.save(tmp_path / 'c.pcap', packets), talk)


def test_the_server_hello_comes_after_what_answers_it(talk, packets, tmp_path):
    first = vary.of(packets, talk.port)[0]
    late = packets[first]
    after = vary.of(packets, talk.port, from_server=False)[1]
    moved = packets[:first] + packets[first + 1:after + 1] + [late.later(0.01)] + packets[after + 1:]
    assert_whole(vary.save(tmp_path / 'c.pcap', moved), talk)


def test_a_segment_in_three_parts_the_last_first(talk, packets, tmp_path):
    i = data_of(packets, talk)[5]
    parts = vary.split(packets, i, 300, 700)
    assert_whole(vary.save(tmp_path / 'c.pcap', vary.replaced(packets, i, [parts[2], parts[0], parts[1]])), talk)


def test_retransmissions_that_overlap(talk, packets, tmp_path):
    i = data_of(packets, talk)[5]
    p = packets[i]
    half = len(p.payload) // 2
    again = p.with_payload(p.payload[half:], half)
    short = p.with_payload(p.payload[:half])
    packets = vary.replaced(packets, i, [short, p, again, p])
    assert_whole(vary.save(tmp_path / 'c.pcap', packets), talk)


def test_bytes_that_come_again_and_differ_are_told_and_the_first_count(talk, packets, tmp_path):
    i = data_of(packets, talk)[5]
    p = packets[i]
    packets = vary.replaced(packets, i, [p, p.with_payload(b'\0' * len(p.payload))])
    path = vary.save(tmp_path / 'c.pcap', packets)
    assert_whole(path, talk)
    assert 'sent other bytes again' in read(path, '-v', keylog=talk.keylog).text


def test_a_segment_that_was_lost_and_came_later(talk, packets, tmp_path):
    i = data_of(packets, talk)[5]
    packets = packets[:i] + packets[i + 1:i + 9] + [packets[i].later(0.05)] + packets[i + 9:]
    assert_whole(vary.save(tmp_path / 'c.pcap', packets), talk)


def test_every_packet_twice(talk, packets, tmp_path):
    assert_whole(vary.save(tmp_path / 'c.pcap', [q for p in packets for q in (p, p)]), talk)


def test_the_whole_capture_twice_behind_one_another_in_time(talk, packets, tmp_path):
    """As both ends of a virtual cable give it: the second copy a little later."""
    both = sorted([(p.at, 0, n, p) for n, p in enumerate(packets)] + [(p.at + 0.001, 1, n, p) for n, p in enumerate(packets)],
                  key=lambda x: x[:3])
    assert_whole(vary.save(tmp_path / 'c.pcap', [p for *_, p in both]), talk)


@pytest.mark.parametrize('isn', [(0xffffff00, 0xfffff000), (0xffffffff, 0xffffffff), (0x7fffff00, 0xffff0000)])
def test_sequence_numbers_wrap(talk, packets, tmp_path, isn):
    assert_whole(vary.save(tmp_path / 'c.pcap', vary.renumbered(packets, talk.port, *isn)), talk)


def test_keep_alive_and_zero_window_probes(talk, packets, tmp_path):
    i = data_of(packets, talk)[5]
    p = packets[i]
    before = p.with_payload(b'').numbered(seq=p.seq - 1)
    one = p.with_payload(p.payload[:1])
    packets = vary.replaced(packets, i, [before, p.with_payload(b'\0').numbered(seq=p.seq - 1), one, p])
    assert_whole(vary.save(tmp_path / 'c.pcap', packets), talk)


def test_fin_before_the_last_data(talk, packets, tmp_path):
    fins = [i for i, p in enumerate(packets) if p.flags & vary.FIN and p.ports[1] == talk.port]
    last = vary.of(packets, talk.port, from_server=False)[-1]
    assert fins and last < fins[0]
    assert_whole(vary.save(tmp_path / 'c.pcap', vary.swapped(packets, last, fins[0])), talk)


def test_the_same_ports_again_are_another_connection(talk, packets, tmp_path):
    again = [p.later(1) for p in vary.renumbered(packets, talk.port, 12345, 98765)]
    path = vary.save(tmp_path / 'c.pcap', packets + again)
    for flow in (1, 2):
        assert said(path, 'server', flow=flow, keylog=talk.keylog) == talk.server
    assert len(read(path, '--json', keylog=talk.keylog).ok().connections()) == 2


# ---- what is lost for good


def missing(whole_bytes, got):
    """How many bytes got lacks of the whole, when it is the whole without one stretch."""
    front = next((i for i, (a, b) in enumerate(zip(whole_bytes, got)) if a != b), len(got))
    lost = len(whole_bytes) - len(got)
    assert whole_bytes[:front] + whole_bytes[front + lost:] == got, 'more than one stretch is missing'
    return lost


@pytest.mark.parametrize('place', range(4, 160, 13))
def test_one_lost_segment_costs_only_the_records_that_touch_it(talk, packets, tmp_path, place):
    i = data_of(packets, talk)[place]
    path = vary.save(tmp_path / 'c.pcap', vary.without(packets, i))
    client, server = whole(path, talk)
    assert client == talk.client
    # A record is lost whole when a byte of it is, and a segment may touch two.
    assert missing(talk.server, server) in (PIECE, 2 * PIECE)
    got = read(path, keylog=talk.keylog)
    assert got.status == 3
    assert 'bytes' in read(path, '--why', keylog=talk.keylog).text


def test_a_segment_that_was_cut_off_is_a_gap(talk, packets, tmp_path):
    i = data_of(packets, talk)[9]
    packets[i] = packets[i].cut(packets[i].data + 10)
    path = vary.save(tmp_path / 'c.pcap', packets)
    client, server = whole(path, talk)
    assert client == talk.client and missing(talk.server, server)
    why = read(path, '--why', keylog=talk.keylog)
    assert why.status == 3 and 'cut off' in why.text or 'truncated' in why.text


def test_a_capture_that_begins_in_the_middle(talk, packets, tmp_path):
    """With the traffic secret and no hello at all: records are found by trying sequence numbers."""
    begin = data_of(packets, talk)[100]
    path = vary.save(tmp_path / 'c.pcap', packets[begin:])
    client, server = whole(path, talk)
    assert client == talk.client[-len(client):] and len(client) >= 20 * PIECE
    assert server and talk.server.endswith(server) and len(server) >= len(talk.server) // 4


def test_a_capture_that_ends_in_the_middle_is_read_so_far(talk, packets, tmp_path):
    end = data_of(packets, talk)[150]
    path = vary.save(tmp_path / 'c.pcap', packets[:end])
    client, server = whole(path, talk)
    assert talk.client.startswith(client) and talk.server.startswith(server) and len(server) > 10 * PIECE
    [c] = read(path, '--json', keylog=talk.keylog).connections()
    assert c['state'] == 'open'


# ---- the file itself


def test_a_file_that_ends_in_the_middle_of_a_packet(talk, tmp_path):
    path = tmp_path / 'c.pcap'
    shutil.copy(talk.capture, path)
    os.truncate(path, os.path.getsize(path) - 7)
    got = read(path, keylog=talk.keylog)
    assert got.status == 1 and got.err.count('\n') == 1 and 'cut off' in got.err
    assert 'www.oriel.test' in got.text


def test_a_length_of_4_gib(talk, tmp_path):
    path = tmp_path / 'c.pcap'
    with open(talk.capture, 'rb') as f:
        good = f.read()
    path.write_bytes(good + b'\1\0\0\0\2\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff')
    got = read(path, keylog=talk.keylog)
    assert got.status == 1 and got.err.count('\n') == 1 and 'packet' in got.err
    assert said(path, 'server', keylog=talk.keylog) == talk.server


def test_what_is_no_capture(tmp_path):
    for content, name in ((b'', 'empty'), (b'GET / HTTP/1.1\r\n\r\n' * 9, 'text'), (os.urandom(5000), 'noise')):
        path = tmp_path / name
        path.write_bytes(content)
        got = read(path)
        assert got.status == 1 and got.err.count('\n') == 1 and str(path) in got.err and got.out == b'', got


def test_a_key_log_of_garbage_is_said_in_one_sentence(talk, tmp_path):
    noise = tmp_path / 'noise'
    noise.write_bytes(os.urandom(100_000))
    got = read(talk.capture, keylog=[noise, talk.keylog]).ok()
    assert got.err.count('\n') == 1 and 'key log' in got.err and 'www.oriel.test' in got.text


def test_the_environment_names_the_key_log(talk):
    got = read(talk.capture, env={'SSLKEYLOGFILE': talk.keylog})
    assert got.ok().text == read(talk.capture, keylog=talk.keylog).ok().text
    assert read(talk.capture).status == 3


def test_upper_case_comments_and_crlf_in_the_key_log(talk, tmp_path):
    odd = tmp_path / 'odd'
    with open(talk.keylog, encoding='ascii') as f:
        lines = [' '.join([label, key.upper(), secret.upper()]) for label, key, secret in secrets(f)]
    odd.write_bytes(b'# a comment\r\n\r\n' + '\r\n'.join(lines).encode())
    assert said(talk.capture, 'server', keylog=odd) == talk.server


def test_conflicting_lines_are_all_tried(talk, tmp_path):
    both = tmp_path / 'both'
    with open(talk.keylog, encoding='ascii') as f:
        lines = list(secrets(f))
    wrong = [f'{label} {key} {"ab" * (len(secret) // 2)}\n' for label, key, secret in lines]
    both.write_text(''.join(wrong) + ''.join(' '.join(line) + '\n' for line in lines) + ''.join(wrong), encoding='ascii')
    assert said(talk.capture, 'server', keylog=both) == talk.server


def test_the_secrets_of_the_application_alone_are_enough(talk, tmp_path):
    few = tmp_path / 'few'
    with open(talk.keylog, encoding='ascii') as f:
        few.write_text(''.join(line for line in f if 'TRAFFIC_SECRET_0' in line), encoding='ascii')
    client, server = said(talk.capture, 'client', keylog=few), said(talk.capture, 'server', keylog=few)
    assert client == talk.client and server == talk.server
    read(talk.capture, keylog=few).ok()


def test_several_key_logs(talk, tmp_path):
    with open(talk.keylog, encoding='ascii') as f:
        lines = list(f)
    for n in range(2):
        (tmp_path / f'k{n}').write_text(''.join(lines[n::2]), encoding='ascii')
    assert said(talk.capture, 'server', keylog=[tmp_path / 'k0', tmp_path / 'k1']) == talk.server


@pytest.mark.threads
def test_one_thread_and_two_say_the_same(talk, packets, tmp_path):
    many = [p for n in range(7) for p in vary.renumbered(packets, talk.port, 1000 * n, 2000 * n)]
    path = vary.save(tmp_path / 'c.pcap', many)
    for how in ((), ('--json', '-v', '--body'), ('--handshakes',), ('--group',)):
        one, two = (read(path, f'--threads={n}', *how, keylog=talk.keylog) for n in (1, 2))
        assert one.ok().out == two.ok().out and one.out, how
