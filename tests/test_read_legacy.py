"""oriel read on TLS that nobody should speak any more, between real programs: every byte of both sides."""
import pytest

from harness import legacy, vary
from harness.reading import read, said


def recorded(make, *programs):
    """A fixture that records once for all tests of this file."""
    @pytest.fixture(scope='module', name=make.__name__)
    def fixture(tmp_path_factory):
        why = legacy.possible(*programs)
        if why:
            pytest.skip(why)
        return make(tmp_path_factory.mktemp(make.__name__))
    return fixture


nss = recorded(legacy.nss, 'selfserv', 'tstclnt', 'certutil', 'pk12util')
gnutls = recorded(legacy.gnutls, 'gnutls-serv', 'gnutls-cli')
gnutls_long = recorded(legacy.gnutls_long, 'gnutls-serv', 'gnutls-cli')
gnutls_psk = recorded(legacy.gnutls_psk, 'gnutls-serv', 'gnutls-cli')
openssl_old = recorded(legacy.openssl_old, 'openssl')


def check(recording, *args, keylog=None):
    """Each connection ran under what was asked for, and says what was said."""
    connections = read(recording.capture, '--json', *args, keylog=keylog).ok().connections()
    ran = {c['flow']: (c['tls']['client']['version'], c['tls']['client']['cipher']) for c in connections}
    assert ran == {n: (t.version, t.suite) for n, t in enumerate(recording.talks, 1)}
    for number, talk in enumerate(recording.talks, 1):
        for side, want in ('client', talk.sent), ('server', talk.received):
            got = read(recording.capture, f'--follow={number}', '--raw', f'--{side}', *args, keylog=keylog).ok().out
            assert got == want, (number, talk.version, talk.suite, side)


def test_nss_with_rsa_key(nss):
    assert {t.version for t in nss.talks} == {'SSL 3.0', 'TLS 1.0', 'TLS 1.1', 'TLS 1.2'}
    assert {'DES', 'SEED', 'RC4', '3DES', 'NULL'} <= {t.suite.split('_WITH_')[1].split('_')[0] for t in nss.talks}
    check(nss, '--rsa-key', nss.rsa_key)


def test_gnutls_with_key_log(gnutls):
    check(gnutls, keylog=gnutls.keylog)


def test_gnutls_with_psk(gnutls_psk):
    check(gnutls_psk, '--psk', gnutls_psk.psk)


def test_openssl_with_key_log(openssl_old):
    check(openssl_old, keylog=openssl_old.keylog)


def test_rsa_key_opens_what_used_it_and_nothing_else(gnutls):
    done = read(gnutls.capture, '--json', '--rsa-key', gnutls.rsa_key)
    assert done.status == 3
    decrypted = {c['flow']: c['decrypted'] is True for c in done.connections()}
    assert decrypted == {n: t.suite.startswith('TLS_RSA_WITH') for n, t in enumerate(gnutls.talks, 1)}


def test_keys_of_others_open_nothing(nss, gnutls, gnutls_psk):
    for recording, args in ((nss, ['--rsa-key', gnutls.rsa_key]), (gnutls_psk, ['--psk', '00' * 16])):
        done = read(recording.capture, '--json', *args)
        assert done.status == 3
        # Where nothing is encrypted there is a MAC that does not fit.
        assert not any(c['decrypted'] is True for c in done.connections())
        assert len(read(recording.capture, '--why', *args).text.splitlines()) == len(recording.talks)


def losing(recording, folder, which, from_server=True):
    """The lines that are missed in each connection when one segment of one side is lost in each."""
    packets = vary.load(recording.capture)
    starts = [i for i, p in enumerate(packets) if p.flags & (vary.SYN | vary.ACK) == vary.SYN]
    assert len(starts) == len(recording.talks)
    lost = [[i for i in vary.of(packets, packets[start].ports[1], from_server) if start < i < end][which]
            for start, end in zip(starts, [*starts[1:], len(packets)])]
    path = vary.save(folder / 'c.pcap', vary.without(packets, *lost))
    out = []
    for number, talk in enumerate(recording.talks, 1):
        sides = {side: said(path, side, flow=number, keylog=recording.keylog) for side in ('client', 'server')}
        got = sides.pop('server' if from_server else 'client').splitlines(keepends=True)
        missing = [i for i, line in enumerate(legacy.LINES) if line not in got]
        assert got == [line for i, line in enumerate(legacy.LINES) if i not in missing], (number, talk.suite)
        assert list(sides.values()) == [talk.sent]
        out.append(missing)
    return out


def is_chained(talk):
    """Where a record's vector is the end of the one before, that one cannot be read either when it is lost."""
    return talk.version == 'TLS 1.0' and 'CBC' in talk.suite


@pytest.mark.parametrize('from_server', [True, False])
def test_a_lost_segment_costs_its_record_only(gnutls_long, tmp_path, from_server):
    # The 16th from the end but for the goodbye: line 14.
    for talk, missing in zip(gnutls_long.talks, losing(gnutls_long, tmp_path, -17, from_server)):
        assert missing == list(range(missing[0], missing[0] + 1 + is_chained(talk))), (talk.version, talk.suite)


@pytest.mark.parametrize('from_server', [True, False])
def test_the_end_of_the_handshake_may_be_lost(gnutls_long, tmp_path, from_server):
    """The second segment of either side, with ChangeCipherSpec and Finished."""
    for talk, missing in zip(gnutls_long.talks, losing(gnutls_long, tmp_path, 1, from_server)):
        assert missing == ([0] if is_chained(talk) else []), (talk.version, talk.suite)
