"""HAR 1.2 as its specification has it."""
import base64
import datetime

import pytest


def check(har):
    """What must be there, and of what kind; the entries."""
    number, text = (int, float), str
    entry = {'startedDateTime': text, 'time': number, 'request': dict, 'response': dict, 'cache': dict, 'timings': dict}
    request = {'method': text, 'url': text, 'httpVersion': text, 'cookies': list, 'headers': list, 'queryString': list, 'headersSize': int, 'bodySize': int}
    response = {'status': int, 'statusText': text, 'httpVersion': text, 'cookies': list, 'headers': list, 'content': dict, 'redirectURL': text,
                'headersSize': int, 'bodySize': int}
    log = har['log']
    assert log['version'] == '1.2' and log['creator']['name'] == 'oriel' and isinstance(log['creator']['version'], str)
    for one in log['entries']:
        for part, wanted in ((one, entry), (one['request'], request), (one['response'], response)):
            for key, kind in wanted.items():
                assert isinstance(part[key], kind), (key, part)
        datetime.datetime.fromisoformat(one['startedDateTime'].replace('Z', '+00:00'))
        assert isinstance(one['response']['content']['size'], int) and isinstance(one['response']['content']['mimeType'], str)
        timings = one['timings']
        assert all(timings[k] >= 0 for k in ('send', 'wait', 'receive')), timings
        assert one['time'] == pytest.approx(sum(v for k, v in timings.items() if v > 0 and k != 'ssl'), abs=0.1)
        for pair in one['request']['headers'] + one['response']['headers'] + one['request']['queryString'] + one['request']['cookies']:
            assert isinstance(pair['name'], str) and isinstance(pair['value'], str)
    return log['entries']


def content(entry):
    """The body of an answer."""
    body = entry['response']['content']
    return base64.b64decode(body['text']) if body.get('encoding') == 'base64' else body.get('text', '').encode()
