"""A gRPC pair over plaintext HTTP/2, with messages of protobuf's own types, for the end-to-end tests.

grpc_plain.py serve PORT ...
grpc_plain.py call HOST:PORT KIND    unary: a Timestamp for a Struct; stream: three; gzip: a long text; error: NOT_FOUND"""
import sys
from concurrent import futures

import grpc
from google.protobuf import struct_pb2, timestamp_pb2, wrappers_pb2

SERVICE = 'oriel.test.Fields'
TIME = timestamp_pb2.Timestamp(seconds=1700000000, nanos=123)


def question():
    asked = struct_pb2.Struct()
    asked['name'] = 'oriel'
    return asked


def handlers():
    def unary(_request, context):
        context.send_initial_metadata((('x-from', 'server'),))
        context.set_trailing_metadata((('x-after', 'all'),))
        return TIME

    def stream(_request, _context):
        for _ in range(3):
            yield TIME

    def text(request, _context):
        return request

    def error(_request, context):
        context.abort(grpc.StatusCode.NOT_FOUND, 'nothing of that name')

    out = timestamp_pb2.Timestamp.SerializeToString
    take = struct_pb2.Struct.FromString
    return grpc.method_handlers_generic_handler(SERVICE, {
        'unary': grpc.unary_unary_rpc_method_handler(unary, take, out),
        'stream': grpc.unary_stream_rpc_method_handler(stream, take, out),
        'gzip': grpc.unary_unary_rpc_method_handler(text, wrappers_pb2.StringValue.FromString, wrappers_pb2.StringValue.SerializeToString),
        'error': grpc.unary_unary_rpc_method_handler(error, take, out),
    })


def serve(*ports):
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((handlers(),))
    for port in ports:
        server.add_insecure_port(f'127.0.0.1:{port}')
    server.start()
    server.wait_for_termination()


def call(target, kind):
    path, how = f'/{SERVICE}/{kind}', {'timeout': 15, 'wait_for_ready': False}
    pack, take = struct_pb2.Struct.SerializeToString, timestamp_pb2.Timestamp.FromString
    with grpc.insecure_channel(target) as channel:
        try:
            if kind == 'stream':
                print(len(list(channel.unary_stream(path, pack, take)(question(), **how))))
            elif kind == 'gzip':
                text = wrappers_pb2.StringValue
                ask = channel.unary_unary(path, text.SerializeToString, text.FromString)
                print(ask(text(value='one' * 100), compression=grpc.Compression.Gzip, **how).value)
            else:
                print(channel.unary_unary(path, pack, take)(question(), **how).seconds)
        except grpc.RpcError as e:
            print(e.code().name, e.details())


if sys.argv[1] == 'serve':
    serve(*sys.argv[2:])
else:
    call(*sys.argv[2:])
