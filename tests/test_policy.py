"""The rules, held against the running binary: which apply, what they do, and when."""
import socket
import ssl

import pytest

from harness import client, oriel, peers, ways
from harness.ports import free_port

NAMES = ('www.oriel.test', 'a.bank.test', 'a.b.bank.test', 'bank.test', 'other.test', 'evil.test')
HOSTS = {name: '127.0.0.1' for name in NAMES}
UNRECOGNIZED_NAME = 112


def names_cert(certs):
    if not hasattr(certs, 'policy_names'):
        certs.policy_names = certs.server('policy-names', names=NAMES + ('IP:127.0.0.1',))
    return certs.policy_names


@pytest.fixture
def server(certs):
    """One server that has a certificate for all the names, and notes what connects to it."""
    with peers.HttpsServer(names_cert(certs)) as s:
        yield s


@pytest.fixture
def with_rules(run_oriel):
    """Starts oriel with these rules on its listener."""
    def begin(rules, default=None, hosts=HOSTS, **listener):
        one = {'bind': '127.0.0.1:PORT', 'rules': rules, **listener}
        if default:
            one['default'] = default
        return run_oriel({'listeners': [one], 'hosts': hosts})
    return begin


def issuer(o, host, port, sni='same', connect=None):
    """Who signed the certificate that a client sees: 'oriel' or 'origin'; or how the handshake failed."""
    raw = (connect or client.connect_through)(o.port, host, port)
    name = host if sni == 'same' else sni
    try:
        with raw, client.context(verify=False).wrap_socket(raw, server_hostname=name) as s:
            text = client.certificate_text(s.getpeercert(True))
    except ssl.SSLError as e:
        return e.reason
    return 'origin' if 'Issuer: CN=Oriel Test Intermediate' in text else 'oriel'


def rule(do, **match):
    return {'match': match, 'do': do}


@pytest.mark.sanitized
def test_rules_are_asked_in_order_and_the_first_that_matches_wins(with_rules, server):
    o = with_rules([rule('splice', target=['a.bank.test'], sni=['a.bank.test']),
                    rule('block', target=['*.bank.test']),
                    rule('splice', target=['*.bank.test', 'other.test'])], default='bump')
    assert issuer(o, 'a.bank.test', server.port) == 'origin'
    assert ways.connect_status(o.port, 'a.b.bank.test', server.port)[0] == 403
    assert issuer(o, 'other.test', server.port) == 'origin'
    assert issuer(o, 'www.oriel.test', server.port) == 'oriel'
    actions = [o.wait_event(type='connection', target=f'{name}:{server.port}')['action']
               for name in ('a.bank.test', 'a.b.bank.test', 'other.test', 'www.oriel.test')]
    assert actions == ['splice', 'block', 'splice', 'bump']


@pytest.mark.parametrize('pattern,hits,misses', [
    ('bank.test', ['bank.test'], ['a.bank.test', 'other.test']),
    ('*.bank.test', ['a.bank.test', 'a.b.bank.test'], ['bank.test', 'other.test']),
    ('BANK.test', ['bank.test'], ['a.bank.test']),
])
@pytest.mark.parametrize('where', ['target', 'sni'])
def test_names_match_exactly_or_by_suffix(with_rules, server, where, pattern, hits, misses):
    o = with_rules([rule('splice', **{where: [pattern]})], default='bump')
    assert {name: issuer(o, name, server.port) for name in hits + misses} == \
        {**{name: 'origin' for name in hits}, **{name: 'oriel' for name in misses}}


def test_a_star_also_matches_no_sni(with_rules, server):
    o = with_rules([rule('splice', sni=['*'])], default='bump')
    assert issuer(o, 'www.oriel.test', server.port, sni=None) == 'origin'
    only_names = with_rules([rule('splice', sni=['*.oriel.test'])], default='bump')
    assert issuer(only_names, 'www.oriel.test', server.port, sni=None) == 'oriel'
    assert issuer(only_names, 'www.oriel.test', server.port) == 'origin'


def test_targets_match_by_address_range_and_port(with_rules, server, certs):
    with peers.HttpsServer(names_cert(certs)) as second:
        o = with_rules([rule('splice', target=[f'127.0.0.0/8:{second.port}'], sni=['*'])], default='bump')
        # By the address asked for, and by the one that the name turned out to have.
        for host in ('127.0.0.1', 'www.oriel.test'):
            assert issuer(o, host, second.port, sni='www.oriel.test') == 'origin'
            assert issuer(o, host, server.port, sni='www.oriel.test') == 'oriel'
        elsewhere = with_rules([rule('splice', target=['10.0.0.0/8'], sni=['*'])], default='bump')
        assert issuer(elsewhere, '127.0.0.1', server.port, sni='www.oriel.test') == 'oriel'


def test_clients_match_by_address(with_rules, server):
    o = with_rules([rule('splice', client=['127.0.0.0/31']), rule('block', client=['127.0.0.3'])], default='bump')

    def from_address(address):
        return lambda *where: ways.connect(*where, source=address)
    assert issuer(o, 'www.oriel.test', server.port, connect=from_address('127.0.0.1')) == 'origin'
    assert issuer(o, 'www.oriel.test', server.port, connect=from_address('127.0.0.2')) == 'oriel'
    with pytest.raises(AssertionError, match='403'):
        issuer(o, 'www.oriel.test', server.port, connect=from_address('127.0.0.3'))


def test_a_splice_passes_the_bytes_untouched(with_rules, https):
    """The ClientHello as it was, down to the way it was cut into records, and the answers too."""
    hello = ways.client_hello('www.oriel.test')
    assert len(hello) > 200
    body = hello[5:]
    # Two records where there was one: nobody but a proxy that parsed and wrote it anew would join them.
    cut = b''.join(hello[:3] + len(part).to_bytes(2, 'big') + part for part in (body[:77], body[77:]))
    answer = b'\x16\x03\x03 these bytes are as the server sent them'
    recorder = ways.Recorder(lambda conn: conn.sendall(answer))
    with peers.RawServer(recorder) as raw:
        o = with_rules([], default='splice')
        for sent in (hello, cut):
            with client.connect_through(o.port, 'www.oriel.test', raw.port) as s:
                s.sendall(sent)
                assert ways.recv_until(s, b'sent them') == answer
    assert recorder.first == [hello, cut]
    assert o.wait_event(type='connection', count=2, action='splice')['bytes'] == {'up': len(cut), 'down': len(answer)}


def test_after_a_splice_the_client_has_the_origins_own_certificate(with_rules, server, certs):
    o = with_rules([], default='splice')
    got = client.curl(f'https://www.oriel.test:{server.port}/echo', proxy=o, cafile=certs.root.cert).ok()
    assert got.issuer.endswith('Oriel Test Intermediate') and b'GET /echo' in got.body
    event = o.wait_event(type='connection', action='splice')
    assert event['tls']['sni'] == 'www.oriel.test' and event['exchanges'] == 0


BANK = ['*.bank.test']


@pytest.mark.parametrize('target,sni', [
    ('evil.test', 'a.bank.test'), ('a.bank.test', 'evil.test'), ('127.0.0.2', 'a.bank.test'),
])
@pytest.mark.parametrize('match', [{'sni': BANK}, {'target': BANK}, {'sni': BANK, 'target': BANK}])
def test_nobody_splices_himself_past_inspection(with_rules, certs, match, target, sni):
    """SNI and target differ, and only one of them is to be spliced."""
    with peers.HttpsServer(names_cert(certs), host='0.0.0.0') as server:
        o = with_rules([rule('splice', **match)], default='bump')
        assert issuer(o, target, server.port, sni=sni) == 'oriel'
        # It is the difference that kept the rule from applying: the line says so.
        alone = {'sni': sni, 'target': target}
        applies = all(alone[key] == 'a.bank.test' for key in match)
        assert ('rule 1 did not splice' in o.wait_event(type='connection').get('reason', '')) == applies
        # Where both are to be spliced, they are.
        assert issuer(o, 'a.bank.test', server.port, sni='a.b.bank.test') == 'origin'


def test_the_line_says_that_a_splice_rule_did_not_apply(with_rules, server):
    o = with_rules([rule('splice', sni=['a.bank.test'])], default='bump')
    assert issuer(o, 'evil.test', server.port, sni='a.bank.test') == 'oriel'
    reason = o.wait_event(type='connection', action='bump')['reason']
    assert reason.startswith('bump by the default; rule 1 did not splice: ')
    assert f'SNI a.bank.test and target evil.test:{server.port} differ' in reason


def test_oriel_dials_the_target_and_not_the_sni(with_rules, server):
    """The SNI's address would be another port's owner: nothing listens there."""
    hosts = dict(HOSTS, **{'a.bank.test': '127.0.0.9'})
    o = with_rules([], default='bump', hosts=hosts)
    assert issuer(o, 'www.oriel.test', server.port, sni='a.bank.test') == 'oriel'
    event = o.wait_event(type='connection', action='bump')
    assert event['tls']['server']['remote'] == f'127.0.0.1:{server.port}'


@pytest.mark.sanitized
def test_an_address_has_the_snis_name_when_the_resolver_says_so(with_rules, server):
    """What clients that resolve themselves ask for is an address; the rules have names."""
    hosts = dict(HOSTS, **{'a.bank.test': ['127.0.0.7', '127.0.0.1'], 'evil.test': '127.0.0.7'})
    o = with_rules([rule('splice', sni=['a.bank.test', 'evil.test']), rule('block', target=['other.test'])],
                   default='bump', hosts=hosts)
    assert issuer(o, '127.0.0.1', server.port, sni='a.bank.test') == 'origin'
    assert issuer(o, '127.0.0.1', server.port, sni='evil.test') == 'oriel'
    assert issuer(o, '127.0.0.1', server.port, sni='other.test') == 'TLSV1_ALERT_ACCESS_DENIED'
    # A name that nobody knows is no proof (and .onion is never asked of DNS).
    assert issuer(o, '127.0.0.1', server.port, sni='bank.onion') == 'oriel'


def test_blocked_targets_get_403_and_socks_2_before_anything_is_dialled(with_rules):
    with peers.RawServer(peers.hangs) as raw:
        o = with_rules([rule('block', target=['evil.test', f'127.0.0.0/8:{raw.port}']),
                        rule('block', client=['127.0.0.3'])], default='bump')
        for host in ('evil.test', '127.0.0.1'):
            status, answer = ways.connect_status(o.port, host, raw.port)
            assert status == 403 and b'X-Oriel-Reason' in answer
            with pytest.raises(ways.SocksRefused) as refused:
                ways.socks(o.port, host, raw.port)
            assert refused.value.code == 2
        with socket.create_connection(('127.0.0.1', o.port)) as s:
            status, _ = ways.http_exchange(s, f'GET http://evil.test:{raw.port}/ HTTP/1.1\r\nHost: evil.test\r\n\r\n'.encode())
        assert status == 403
        assert raw.accepted == 0
        event = o.wait_event(type='connection', count=5, action='block')
        assert event['failure'] == 'policy-block' and 'block by rule 1' in event['reason']


def test_a_name_whose_address_is_blocked_is_not_dialled(with_rules):
    with peers.RawServer(peers.hangs) as raw:
        o = with_rules([rule('block', target=['127.0.0.0/8'])], default='bump')
        assert ways.connect_status(o.port, 'www.oriel.test', raw.port)[0] == 403
        assert raw.accepted == 0
        assert 'blocked by rule 1' in o.wait_event(type='connection')['reason']


def test_after_200_a_block_is_an_alert(with_rules, server):
    o = with_rules([rule('block', sni=['evil.test'])], default='bump')
    assert issuer(o, 'www.oriel.test', server.port, sni='evil.test') == 'TLSV1_ALERT_ACCESS_DENIED'
    event = o.wait_event(type='connection', action='block')
    assert event['failure'] == 'policy-block'
    assert event['tls']['client']['alert'] == {'code': 49, 'name': 'access_denied', 'sent': True}


def test_a_listener_without_a_catch_all_must_say_default(tmp_path):
    path = tmp_path / 'oriel.yaml'
    path.write_text('listeners:\n  - bind: 127.0.0.1:1\n    rules:\n      - {match: {sni: ["*.x.test"]}, do: splice}\n')
    status, out, err = oriel.command(tmp_path, 'run', '--check', path)
    assert status == 4 and out == ''
    assert err.startswith('oriel: oriel.yaml:2:5: ') or 'oriel.yaml:' in err
    assert 'default' in err and 'bump' in err and err.count('\n') == 1
    for rules in ('{do: bump}', '{match: {target: ["*"]}, do: bump}', '{match: {sni: ["*"]}, do: block}'):
        path.write_text(f'listeners:\n  - bind: 127.0.0.1:1\n    rules:\n      - {rules}\n')
        assert oriel.command(tmp_path, 'run', '--check', path)[0] == 0


@pytest.mark.parametrize('name', [b'a\0b.test', b'a/b.test', b'\x1b[31m.test', b'x' * 300, b'127.0.0.1', b'a..test', b'-.test '])
def test_an_sni_that_is_no_name_is_refused_and_never_sent_upstream(with_rules, name):
    recorder = ways.Recorder()
    with peers.RawServer(recorder) as raw:
        for default in ('bump', 'splice'):
            o = with_rules([], default=default)
            with client.connect_through(o.port, 'www.oriel.test', raw.port) as s:
                s.sendall(ways.hello_with_name(name))
                assert ways.alert_of(s) == UNRECOGNIZED_NAME
            event = o.wait_event(type='connection')
            assert event['failure'] == 'sni-invalid'
            assert all(ord(c) >= 32 for c in event['reason'])
            o.stop()
    assert not [data for data in recorder.first if data]


def test_tls_that_comes_directly_goes_where_its_sni_says_and_by_the_rules(with_rules, server):
    o = with_rules([rule('block', target=['evil.test'])], default='bump', port=server.port)

    def directly(port, *_):
        return socket.create_connection(('127.0.0.1', port), timeout=20)
    assert issuer(o, 'www.oriel.test', server.port, connect=directly) == 'oriel'
    assert issuer(o, 'evil.test', server.port, connect=directly) == 'TLSV1_ALERT_ACCESS_DENIED'


def test_nothing_listens_where_a_rule_blocks(with_rules):
    """A blocked target is refused without being looked at: a closed port looks the same."""
    o = with_rules([], default='block')
    assert ways.connect_status(o.port, 'www.oriel.test', free_port())[0] == 403
