"""A gRPC pair without generated code, for the end-to-end tests; messages are plain bytes.

grpc_peer.py serve PORT CHAIN KEY
grpc_peer.py call HOST:PORT PROXY CAFILE unary|down|up|both|error|gzip    prints the answers, one a line, and the status"""
import sys
from concurrent import futures

import grpc

SERVICE = 'oriel.test.Echo'


def handlers():
    def unary(request, context):
        context.send_initial_metadata((('x-from', 'server'),))
        return b'answer to ' + request

    def down(request, context):
        for i in range(3):
            yield b'%d: ' % i + request

    def up(requests, context):
        return b'+'.join(requests)

    def both(requests, context):
        for request in requests:
            yield request.upper()

    def error(request, context):
        context.abort(grpc.StatusCode.NOT_FOUND, 'nothing of that name')

    return grpc.method_handlers_generic_handler(SERVICE, {
        'unary': grpc.unary_unary_rpc_method_handler(unary),
        'gzip': grpc.unary_unary_rpc_method_handler(unary),
        'down': grpc.unary_stream_rpc_method_handler(down),
        'up': grpc.stream_unary_rpc_method_handler(up),
        'both': grpc.stream_stream_rpc_method_handler(both),
        'error': grpc.unary_unary_rpc_method_handler(error),
    })


def read(path):
    with open(path, 'rb') as f:
        return f.read()


def serve(port, chain, key):
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((handlers(),))
    server.add_secure_port(f'127.0.0.1:{port}', grpc.ssl_server_credentials([(read(key), read(chain))]))
    server.start()
    server.wait_for_termination()


def call(target, proxy, cafile, kind):
    requests = [b'one', b'two', b'three']
    path, how = f'/{SERVICE}/{kind}', {'timeout': 15, 'wait_for_ready': False}
    if kind == 'gzip':
        how['compression'] = grpc.Compression.Gzip
        requests[0] = b'one' * 100
    options = [('grpc.http_proxy', proxy)]
    with grpc.secure_channel(target, grpc.ssl_channel_credentials(read(cafile)), options=options) as channel:
        try:
            if kind == 'down':
                answers = list(channel.unary_stream(path)(requests[0], **how))
            elif kind == 'up':
                answers = [channel.stream_unary(path)(iter(requests), **how)]
            elif kind == 'both':
                answers = list(channel.stream_stream(path)(iter(requests), **how))
            else:
                answers = [channel.unary_unary(path)(requests[0], **how)]
        except grpc.RpcError as e:
            print(e.code().name, e.details())
            sys.exit(1)
    print('\n'.join(a.decode() for a in answers))
    print('OK')


if sys.argv[1] == 'serve':
    serve(*sys.argv[2:])
else:
    call(*sys.argv[2:])
