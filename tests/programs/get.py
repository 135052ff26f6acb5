"""A client in Python, for the end-to-end tests: get.py LIBRARY URL VERSION, the library being urllib or requests.
Prints the body, and on stderr the certificate that was shown as PEM. The proxy and the CA come from the environment,
as for every program that uses these libraries."""
import ssl
import sys
import urllib.request

library, url, version = sys.argv[1:]
context = ssl.create_default_context()
context.minimum_version = context.maximum_version = {'1.2': ssl.TLSVersion.TLSv1_2, '1.3': ssl.TLSVersion.TLSv1_3}[version]


def show(sock):
    sys.stderr.write(ssl.DER_cert_to_PEM_cert(sock.getpeercert(True)))


def with_urllib():
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))
    with opener.open(url, timeout=20) as answer:
        show(answer.fp.raw._sock)
        return answer.read()


def with_requests():
    import requests
    from requests.adapters import HTTPAdapter

    class Versioned(HTTPAdapter):
        def init_poolmanager(self, *args, **how):
            super().init_poolmanager(*args, ssl_context=context, **how)

        def proxy_manager_for(self, proxy, **how):
            return super().proxy_manager_for(proxy, ssl_context=context, **how)

    with requests.Session() as session:
        session.mount('https://', Versioned())
        answer = session.get(url, stream=True, timeout=20)
        show(answer.raw.connection.sock)
        return answer.content


sys.stdout.buffer.write(with_urllib() if library == 'urllib' else with_requests())
