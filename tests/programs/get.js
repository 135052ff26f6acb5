// A client in Node, for the end-to-end tests: node get.js URL VERSION PROTO PROXY-PORT prints the body, and on stderr
// the certificate that was shown as PEM. CONNECT is made by hand: Node before 24 has nothing of its own for that, and
// its fetch takes no agent but one of a package.
'use strict';
const http = require('http');
const http2 = require('http2');
const https = require('https');
const tls = require('tls');

const [text, version, proto, port] = process.argv.slice(2);
const url = new URL(text);

function fail(error) {
	process.stderr.write(error + '\n');
	process.exit(1);
}

function show(socket) {
	const pem = socket.getPeerCertificate().raw.toString('base64').replace(/(.{64})/g, '$1\n');
	process.stderr.write(`${socket.alpnProtocol}\n-----BEGIN CERTIFICATE-----\n${pem}\n-----END CERTIFICATE-----\n`);
}

function over1(socket) {
	https.get(url, { createConnection: () => socket }, (answer) => answer.pipe(process.stdout)).on('error', fail);
}

function over2(socket) {
	const session = http2.connect(url, { createConnection: () => socket }).on('error', fail);
	const stream = session.request({ ':path': url.pathname }).on('error', fail);
	stream.on('end', () => session.close());
	stream.pipe(process.stdout);
}

http.request({ host: '127.0.0.1', port, method: 'CONNECT', path: url.host }).on('error', fail).on('connect', (answer, raw) => {
	if (answer.statusCode !== 200)
		fail(`CONNECT was answered with ${answer.statusCode}`);
	const socket = tls.connect({
		socket: raw,
		servername: url.hostname,
		minVersion: 'TLSv' + version,
		maxVersion: 'TLSv' + version,
		ALPNProtocols: [proto],
	}, () => {
		show(socket);
		(proto === 'h2' ? over2 : over1)(socket);
	}).on('error', fail);
}).end();
