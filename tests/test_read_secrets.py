"""oriel secrets: what it puts into captures decrypts in tshark, what it takes out is out, and nothing else changes."""
import collections
import os
import re
import socket
import ssl
import struct
import subprocess
import threading

import pytest

from harness import capture, client, oriel, peers, reading
from harness.process import PATIENCE

NAME = 'www.oriel.test'
SAMPLES = os.path.join(oriel.ROOT, 'fuzz', 'corpus', 'capture')
SECTION, INTERFACE, PACKET, SECRETS = 0x0a0d0d0a, 1, 6, 10

Block = collections.namedtuple('Block', 'type raw big')


def blocks(data):
    out, at, order = [], 0, '<'
    while at < len(data):
        if struct.unpack_from('>I', data, at)[0] == SECTION:
            order = '>' if data[at + 8:at + 12] == b'\x1a\x2b\x3c\x4d' else '<'
        kind, n = struct.unpack_from(order + 'II', data, at)
        assert struct.unpack_from(order + 'I', data, at + n - 4)[0] == n
        out.append(Block(kind, data[at:at + n], order == '>'))
        at += n
    return out


def block(kind, body, order='<'):
    body += b'\0' * (-len(body) % 4)
    return struct.pack(order + 'II', kind, len(body) + 12) + body + struct.pack(order + 'I', len(body) + 12)


def lines_of(b):
    """The key log in a block of secrets."""
    kind, n = struct.unpack_from('>II' if b.big else '<II', b.raw, 8)
    assert kind == 0x544c534b
    return b.raw[16:16 + n].decode().splitlines()


def secrets_in(path):
    return [line for b in blocks(read_bytes(path)) if b.type == SECRETS for line in lines_of(b)]


def read_bytes(path):
    with open(path, 'rb') as f:
        return f.read()


def write(path, data):
    with open(path, 'wb') as f:
        f.write(data)
    return path


def keys(path):
    """{client random: set of lines} of a key log."""
    out = {}
    with open(path, encoding='ascii') as f:
        for line in f.read().splitlines():
            if not line.startswith('#'):
                out.setdefault(line.split()[1], set()).add(line)
    return out


def needed(lines):
    return {line for line in lines if 'EXPORTER' not in line}


def run(folder, *args, stdin=None):
    """(exit status, standard output as bytes, standard error)."""
    done = subprocess.run([oriel.BINARY, 'secrets', *map(str, args)], capture_output=True, check=False, timeout=60, input=stdin,
                          env=oriel.environment(str(folder)))
    assert not oriel.sanitizer_reports(str(folder))
    return done.returncode, done.stdout, done.stderr.decode()


def tool(*argv, **how):
    done = subprocess.run([*map(str, argv)], capture_output=True, check=False, timeout=60, **how)
    assert done.returncode == 0, done.stderr
    return done.stdout


def http_of(path):
    """What tshark reads of HTTP in a capture without any key log."""
    return [row[0] for row in capture.tshark(path, 'http.request', 'http.request.uri', more=('-o', 'tls.keylog_file:'))]


def packets(path):
    """Times, lengths and bytes of all packets, as tshark has them."""
    fields = [x for name in ('frame.time_epoch', 'frame.len', 'frame.cap_len') for x in ('-e', name)]
    return tool('tshark', '-r', path, '-n', '-T', 'fields', *fields), tool('tshark', '-r', path, '-n', '-x', '-o', 'tls.keylog_file:',
                                                                            '-o', 'tls.desegment_ssl_records:FALSE')


Traffic = collections.namedtuple('Traffic', 'pcap keys other unrelated')


@pytest.fixture(scope='module')
def traffic(tmp_path_factory, certs):
    """Three connections: TLS 1.3 and 1.2 with their secrets in one key log, and one whose secrets are in another. The first
    key log has those of a connection that is not in the capture, too."""
    why = reading.possible()
    if why:
        pytest.skip(why)
    at = tmp_path_factory.mktemp('traffic')
    t = Traffic(at / 'capture.pcap', at / 'keys', at / 'other', at / 'unrelated')
    with peers.s_server(str(at), certs.good(), '-www') as server:
        url = f'https://{NAME}:{server.port}'

        def get(path, keylog, *args):
            client.curl(f'{url}/{path}', '--resolve', f'{NAME}:{server.port}:127.0.0.1', *args, cafile=certs.root.cert,
                        env=client.clean_environment(SSLKEYLOGFILE=str(keylog))).ok()
        get('unrelated', t.unrelated)
        with capture.Capture(t.pcap, f'tcp port {server.port}'):
            get('one', t.keys, '--tlsv1.3')
            get('two', t.keys, '--tls-max', '1.2')
            get('three', t.other)
    with open(t.keys, 'ab') as f:
        f.write(read_bytes(t.unrelated))
    return t


def add(folder, source, out, *keylogs, status=0, more=()):
    args = [x for k in keylogs for x in ('-k', k)]
    code, printed, err = run(folder, 'add', source, *args, '-o', out, *more)
    assert code == status, err
    assert not printed
    return err


# ---- add ----


def test_what_was_put_in_decrypts_and_is_no_more_than_needed(traffic, tmp_path):
    out = tmp_path / 'out.pcapng'
    err = add(tmp_path, traffic.pcap, out, traffic.keys, status=3)
    assert http_of(out) == ['/one', '/two']
    log, unrelated = keys(traffic.keys), keys(traffic.unrelated)
    assert set(secrets_in(out)) == set().union(*(needed(v) for k, v in log.items() if k not in unrelated))
    assert err == f'oriel: {traffic.pcap}: 5 secrets put in, for 2 connections; there is none for 1\n'
    assert os.stat(out).st_mode & 0o777 == 0o600


def test_several_key_logs_decrypt_all(traffic, tmp_path):
    out = tmp_path / 'out.pcapng'
    err = add(tmp_path, traffic.pcap, out, traffic.keys, traffic.other)
    assert http_of(out) == ['/one', '/two', '/three']
    assert '9 secrets put in, for 3 connections\n' in err


def test_the_environment_says_where_the_key_log_is(traffic, tmp_path):
    out = tmp_path / 'out.pcapng'
    status, _, err = oriel.command(tmp_path, 'secrets', 'add', traffic.pcap, '-o', out, env={'SSLKEYLOGFILE': str(traffic.other)})
    assert status == 3, err
    assert http_of(out) == ['/three']


def test_each_secret_stands_before_the_server_hello_of_its_flow(traffic, tmp_path):
    out = tmp_path / 'out.pcapng'
    add(tmp_path, traffic.pcap, out, traffic.keys, traffic.other)
    known, order = set(), []
    for b in blocks(read_bytes(out)):
        if b.type == SECRETS:
            randoms = {line.split()[1] for line in lines_of(b)}
            assert len(randoms) == 1 and not randoms & known, 'one block for each connection'
            known |= randoms
            order.append('secrets')
        elif b.type == PACKET:
            m = re.search(rb'\x16\x03.{3}\x01.{3}\x03.(.{32})', b.raw, re.S)
            if m:
                assert m.group(1).hex() in known
                order.append('client hello')
            elif re.search(rb'\x16\x03.{3}\x02.{3}\x03', b.raw, re.S):
                order.append('server hello')
    assert order == ['secrets', 'client hello', 'server hello'] * 3


def test_all_puts_everything_in(traffic, tmp_path):
    out = tmp_path / 'out.pcapng'
    add(tmp_path, traffic.pcap, out, traffic.keys, status=3, more=['--all'])
    assert set(secrets_in(out)) == set().union(*keys(traffic.keys).values())
    assert [b.type for b in blocks(read_bytes(out))].count(SECRETS) == 1
    assert http_of(out) == ['/one', '/two']


def test_packets_of_a_pcap_keep_their_times_and_lengths(traffic, tmp_path):
    for name, args in (('us', ['-F', 'pcap']), ('ns', ['-F', 'nsecpcap', '-t', '0.000000123']), ('cut', ['-F', 'nsecpcap', '-s', '200'])):
        source, out = tmp_path / f'{name}.pcap', tmp_path / f'{name}.pcapng'
        tool('editcap', *args, traffic.pcap, source)
        add(tmp_path, source, out, traffic.unrelated, status=3)
        (before, content), (after, same) = packets(source), packets(out)
        assert [line.split(b'\t')[1:] for line in before.splitlines()] == [line.split(b'\t')[1:] for line in after.splitlines()]
        assert [float(line.split()[0]) for line in before.splitlines()] == [float(line.split()[0]) for line in after.splitlines()]
        assert content == same
    assert re.search(rb'\.\d{6}123\t', packets(tmp_path / 'ns.pcapng')[0])


@pytest.mark.parametrize('order', '<>')
def test_blocks_of_a_pcapng_are_copied_as_they_are(traffic, tmp_path, order):
    source, out = tmp_path / 'source.pcapng', tmp_path / 'out.pcapng'
    parts = [block(SECTION, struct.pack(order + 'IHHq', 0x1a2b3c4d, 1, 0, -1), order),
             block(INTERFACE, struct.pack(order + 'HHI', 1, 0, 0), order)]
    raw, at = read_bytes(traffic.pcap), 24
    while at < len(raw):
        seconds, micros, n, wire = struct.unpack_from('<IIII', raw, at)
        t = seconds * 1000000 + micros
        parts.append(block(PACKET, struct.pack(order + 'IIIII', 0, t >> 32, t & 0xffffffff, n, wire) + raw[at + 16:at + 16 + n], order))
        parts.append(block(0x0badcafe, b'nobody knows what this is', order))
        at += 16 + n
    write(source, b''.join(parts))
    add(tmp_path, source, out, traffic.keys, traffic.other)
    made = blocks(read_bytes(out))
    assert [b.raw for b in made if b.type != SECRETS] == parts
    assert len(made) == len(parts) + 3
    assert http_of(out) == ['/one', '/two', '/three']
    status, _, err = run(tmp_path, 'drop', out, '-o', tmp_path / 'dropped')
    assert status == 0 and err == f'oriel: {out}: 3 blocks of secrets taken out\n'
    assert read_bytes(tmp_path / 'dropped') == read_bytes(source)


def test_what_is_in_already_is_not_put_in_again(traffic, tmp_path):
    once, twice = tmp_path / 'once.pcapng', tmp_path / 'twice.pcapng'
    add(tmp_path, traffic.pcap, once, traffic.keys, traffic.other)
    assert ': 0 secrets put in, for 3 connections' in add(tmp_path, once, twice, traffic.keys, traffic.other)
    assert read_bytes(once) == read_bytes(twice)


def test_packed_captures_and_standard_input_and_output(traffic, tmp_path):
    plain = tmp_path / 'plain.pcapng'
    add(tmp_path, traffic.pcap, plain, traffic.keys, traffic.other)
    for packer, name in (('gzip', 'a.gz'), ('zstd', 'a.zst')):
        write(tmp_path / name, tool(packer, '-c', traffic.pcap))
        add(tmp_path, tmp_path / name, tmp_path / 'out', traffic.keys, traffic.other)
        assert read_bytes(tmp_path / 'out') == read_bytes(plain)
    status, printed, err = run(tmp_path, 'add', '-', '-k', traffic.keys, '-k', traffic.other, '-o', '-', stdin=read_bytes(traffic.pcap))
    assert status == 0 and printed == read_bytes(plain)
    assert err == 'oriel: standard input: 9 secrets put in, for 3 connections\n'


def test_a_file_may_be_replaced_by_itself(traffic, tmp_path):
    both = tmp_path / 'both'
    write(both, read_bytes(traffic.pcap))
    add(tmp_path, both, both, traffic.keys, status=3)
    assert http_of(both) == ['/one', '/two']


def test_a_hello_behind_starttls_is_found(certs, tmp_path):
    why = reading.possible()
    if why:
        pytest.skip(why)
    near, far = reading.contexts(certs.good(), certs.root.cert, tmp_path / 'keys', ssl.TLSVersion.TLSv1_3)
    with socket.create_server(('127.0.0.1', 0)) as listener:
        port = listener.getsockname()[1]

        def serve():
            raw, _ = listener.accept()
            raw.sendall(b'220 mail\r\n')
            reading.receive(raw, len(b'STARTTLS\r\n'))
            raw.sendall(b'220 go on\r\n')
            with far.wrap_socket(raw, server_side=True) as s:
                s.sendall(b'250 the secret answer\r\n')
        thread = threading.Thread(target=serve)
        with capture.Capture(tmp_path / 'mail.pcap', f'tcp port {port}'):
            thread.start()
            with socket.create_connection(('127.0.0.1', port), PATIENCE) as raw:
                reading.receive(raw, len(b'220 mail\r\n'))
                raw.sendall(b'STARTTLS\r\n')
                reading.receive(raw, len(b'220 go on\r\n'))
                with near.wrap_socket(raw, server_hostname=NAME) as s:
                    assert reading.receive(s, 23) == b'250 the secret answer\r\n'
            thread.join(PATIENCE)
    add(tmp_path, tmp_path / 'mail.pcap', tmp_path / 'out.pcapng', tmp_path / 'keys')
    rows = capture.tshark(tmp_path / 'out.pcapng', 'smtp.response', 'smtp.rsp.parameter', more=('-d', f'tcp.port=={port},smtp'))
    assert ['the secret answer'] in rows


# ---- list and drop, of files that editcap made ----


def test_a_list_shows_labels_and_no_secret(traffic, tmp_path):
    with_secrets = tmp_path / 'in.pcapng'
    tool('editcap', '-F', 'pcapng', '--inject-secrets', f'tls,{traffic.keys}', '--inject-secrets', f'tls,{traffic.other}', traffic.pcap,
         with_secrets)
    status, printed, err = run(tmp_path, 'list', with_secrets)
    assert status == 0 and not err
    log = {**keys(traffic.keys), **keys(traffic.other)}
    shown = {line.split()[0]: set(line.split()[1:]) for line in printed.decode().splitlines()}
    assert shown == {random: {line.split()[0] for line in lines} for random, lines in log.items()}
    assert not any(line.split()[2] in printed.decode() for lines in log.values() for line in lines)


def test_a_raw_list_is_what_editcap_put_in(traffic, tmp_path):
    with_secrets = tmp_path / 'in.pcapng'
    tool('editcap', '-F', 'pcapng', '--inject-secrets', f'tls,{traffic.keys}', traffic.pcap, with_secrets)
    status, printed, err = run(tmp_path, 'list', '--raw', with_secrets)
    assert status == 0 and not err
    assert printed == read_bytes(traffic.keys)


def test_what_was_put_in_is_what_editcap_extracts(traffic, tmp_path):
    if b'--extract-secrets' not in tool('editcap', '--help'):
        pytest.skip('needs an editcap with --extract-secrets')
    out = tmp_path / 'out.pcapng'
    add(tmp_path, traffic.pcap, out, traffic.other, status=3)
    tool('editcap', '--extract-secrets', out, tmp_path / 'extracted')
    assert run(tmp_path, 'list', '--raw', out)[1] == read_bytes(tmp_path / 'extracted')


def test_what_is_dropped_is_what_editcap_discards(tmp_path):
    source = os.path.join(SAMPLES, 'pcapng_sections')
    status, _, err = run(tmp_path, 'drop', source, '-o', tmp_path / 'dropped')
    assert status == 0 and err == f'oriel: {source}: 2 blocks of secrets taken out\n'
    before, after = blocks(read_bytes(source)), blocks(read_bytes(tmp_path / 'dropped'))
    assert [b.raw for b in before if b.type != SECRETS] == [b.raw for b in after]
    # editcap writes section headers of its own.
    one = os.path.join(SAMPLES, 'pcapng_interfaces')
    tool('editcap', '--discard-all-secrets', one, tmp_path / 'discarded')
    assert run(tmp_path, 'drop', one, '-o', tmp_path / 'dropped')[0] == 0
    theirs, ours = blocks(read_bytes(tmp_path / 'discarded')), blocks(read_bytes(tmp_path / 'dropped'))
    assert [b.raw for b in theirs if b.type != SECTION] == [b.raw for b in ours if b.type != SECTION]


def test_a_capture_without_secrets_is_said_to_have_none(tmp_path):
    source = os.path.join(SAMPLES, 'pcap_us')
    assert run(tmp_path, 'list', source) == (0, b'', f'oriel: {source}: no secrets\n')
    status, _, err = run(tmp_path, 'drop', source, '-o', tmp_path / 'out')
    assert status == 0 and err.endswith(': 0 blocks of secrets taken out\n')
    assert read_bytes(tmp_path / 'out') == read_bytes(source)


def test_a_section_that_said_its_length_says_it_no_more(tmp_path):
    body = block(INTERFACE, struct.pack('<HHI', 1, 0, 0)) + block(SECRETS, struct.pack('<II', 0x544c534b, 4) + b'# a\n')
    source = write(tmp_path / 'in', block(SECTION, struct.pack('<IHHq', 0x1a2b3c4d, 1, 0, len(body))) + body)
    assert run(tmp_path, 'drop', source, '-o', tmp_path / 'out')[0] == 0
    assert read_bytes(tmp_path / 'out') == (block(SECTION, struct.pack('<IHHq', 0x1a2b3c4d, 1, 0, -1)) +
                                            block(INTERFACE, struct.pack('<HHI', 1, 0, 0)))


def test_other_secrets_are_listed_and_dropped(tmp_path):
    head = block(SECTION, struct.pack('>IHHq', 0x1a2b3c4d, 1, 0, -1), '>')
    source = write(tmp_path / 'in', head + block(SECRETS, struct.pack('>II', 0x57474b4c, 5) + b'guard', '>'))
    assert run(tmp_path, 'list', source) == (0, b'other secrets, type 0x57474b4c: 5 bytes\n', '')
    assert run(tmp_path, 'drop', source, '-o', '-')[:2] == (0, head)


# ---- bad input ----


def sample(name='pcapng_sections'):
    return read_bytes(os.path.join(SAMPLES, name))


def test_the_beginning_of_a_cut_capture_is_good(tmp_path):
    whole = sample()
    source = write(tmp_path / 'in', whole[:-10])
    for args in (['drop', source, '-o', tmp_path / 'out'], ['list', source]):
        status, printed, err = run(tmp_path, *args)
        assert status == 3
        assert re.search(rf'^oriel: {source}: block 24 at offset \d+ is cut off: \d+ bytes of it are there, \d+ are needed$', err, re.M), err
        assert printed.count(b'\n') == (1 if args[0] == 'list' else 0)
    assert read_bytes(tmp_path / 'out') == b''.join(b.raw for b in blocks(whole)[:-1] if b.type != SECRETS)


def test_a_length_of_four_gigabytes_is_one_sentence(tmp_path):
    whole = blocks(sample())
    bad = whole[-3].raw[:4] + struct.pack('<I', 0xfffffffc) + whole[-3].raw[8:]
    source = write(tmp_path / 'in', b''.join(b.raw for b in whole[:-3]) + bad + b''.join(b.raw for b in whole[-2:]))
    status, _, err = run(tmp_path, 'drop', source, '-o', tmp_path / 'out')
    assert status == 3 and err.count('\n') == 2
    assert re.match(rf'oriel: {source}: block 22 at offset \d+: it says that it has 4294967292 bytes, but the input ends after \d+\n', err)
    assert read_bytes(tmp_path / 'out') == b''.join(b.raw for b in whole[:-3] if b.type != SECRETS)


def test_a_bad_block_is_told_and_copied(tmp_path):
    whole = blocks(sample('pcapng_secrets'))
    bad = block(PACKET, struct.pack('<IIIII', 99, 0, 0, 0, 0))
    source = write(tmp_path / 'in', b''.join(b.raw for b in whole) + bad)
    status, _, err = run(tmp_path, 'drop', source, '-o', tmp_path / 'out')
    assert status == 0 and 'a packet of interface 99, but the section has 1 so far' in err
    assert read_bytes(tmp_path / 'out') == b''.join(b.raw for b in whole if b.type != SECRETS) + bad


def test_a_bad_block_of_secrets_is_dropped_all_the_same(tmp_path):
    head = block(SECTION, struct.pack('<IHHq', 0x1a2b3c4d, 1, 0, -1))
    source = write(tmp_path / 'in', head + block(SECRETS, struct.pack('<II', 0x544c534b, 99) + b'CLIENT_RANDOM'))
    status, _, err = run(tmp_path, 'drop', source, '-o', tmp_path / 'out')
    assert status == 0 and 'block 2 at offset 28: secrets of 99 bytes in a block with room for 16' in err
    assert read_bytes(tmp_path / 'out') == head
    assert run(tmp_path, 'list', source)[0] == 3


@pytest.mark.parametrize('action', ['add', 'list', 'drop'])
def test_what_is_no_capture_is_one_sentence_and_no_file(tmp_path, action):
    out, log = tmp_path / 'out', write(tmp_path / 'log', b'# nothing\n')
    args = {'add': ['-k', log, '-o', out], 'list': [], 'drop': ['-o', out]}[action]
    for content, sentence in ((b'', 'it is empty'), (b'\0\1', 'it begins with the bytes 0001'),
                              (b'GET / HTTP/1.1\r\n', 'it begins with the bytes 47455420')):
        source = write(tmp_path / 'in', content)
        assert run(tmp_path, action, source, *args) == (5, b'', f'oriel: {source}: not a capture (pcap or pcapng): {sentence}\n')
    missing = tmp_path / 'missing'
    assert run(tmp_path, action, missing, *args) == (1, b'', f'oriel: {missing}: No such file or directory\n')
    assert run(tmp_path, action, tmp_path, *args) == (1, b'', f'oriel: {tmp_path} is a folder, not a capture\n')
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_file()) == ['in', 'log']


def test_a_file_that_cannot_be_finished_leaves_the_old_one(tmp_path):
    out = write(tmp_path / 'out', b'what was there')
    assert run(tmp_path, 'drop', write(tmp_path / 'in', b'no capture'), '-o', out)[0] == 5
    assert read_bytes(out) == b'what was there'
    source = os.path.join(SAMPLES, 'pcap_us')
    status, _, err = run(tmp_path, 'drop', source, '-o', tmp_path / 'none' / 'out')
    assert status == 1 and err == f'oriel: {tmp_path}/none/out: No such file or directory\n'
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_file()) == ['in', 'out']


def test_a_key_log_of_garbage_is_one_sentence(tmp_path):
    status, log, _ = run(tmp_path, 'list', '--raw', os.path.join(SAMPLES, 'pcapng_secrets'))
    assert status == 0
    source, garbage = os.path.join(SAMPLES, 'pcap_us'), write(tmp_path / 'garbage', os.urandom(50).replace(b'\n', b'x') + b'\nCLIENT_RANDOM x\n')
    status, _, err = run(tmp_path, 'add', source, '-k', garbage, '-o', tmp_path / 'out')
    assert status == 3 and re.match(r'oriel: of 2 lines in the key logs \d are none; the first is line \d\n', err), err
    assert '0 secrets put in, for 0 connections; there is none for 1' in err
    write(garbage, read_bytes(garbage) + log)
    status, _, err = run(tmp_path, 'add', source, '-k', garbage, '-o', tmp_path / 'out')
    assert status == 0 and '4 secrets put in, for 1 connection\n' in err


@pytest.mark.parametrize('args, sentence', [
    (['add'], 'secrets: it needs add|list|drop FILE'),
    (['put', 'x'], 'secrets: there is no put'),
    (['add', 'x', '-k', 'y'], 'secrets add: --output FILE is needed (- for standard output)'),
    (['drop', 'x'], 'secrets drop: --output FILE is needed (- for standard output)'),
    (['add', 'x', '-o', 'y'], 'secrets add: --keylog FILE is needed, or SSLKEYLOGFILE in the environment'),
    (['list', 'x', '-o', 'y'], 'secrets list: --output is for add and drop'),
    (['list', 'x', '-k', 'y'], 'secrets list: --keylog is for oriel secrets add'),
    (['drop', 'x', '-o', 'y', '--raw'], 'secrets drop: --raw is for oriel secrets list'),
    (['drop', 'x', '-o', 'y', '--all'], 'secrets drop: --all is for oriel secrets add'),
])
def test_a_wrong_command_line_says_what_is_wrong(tmp_path, args, sentence):
    status, printed, err = run(tmp_path, *args)
    assert status == 2 and not printed and err.startswith('oriel: ' + sentence), err
