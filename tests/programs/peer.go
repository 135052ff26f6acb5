// A client and a server in Go, for the end-to-end tests. Only the standard library.
//
//	peer get URL VERSION PROTO   prints the body; the certificate that was shown, as PEM, on stderr
//	peer serve ADDR CHAIN KEY    HTTP/1.1 and HTTP/2 over TLS
//
// get adds its secrets to the file that SSLKEYLOGFILE names.
package main

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func keyLog() io.Writer {
	path := os.Getenv("SSLKEYLOGFILE")
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	check(err)
	return f
}

func get(url, version, proto string) {
	versions := map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}
	transport := &http.Transport{
		Proxy:             http.ProxyFromEnvironment,
		ForceAttemptHTTP2: proto == "h2",
		TLSClientConfig:   &tls.Config{MinVersion: versions[version], MaxVersion: versions[version], KeyLogWriter: keyLog()},
	}
	if proto != "h2" {
		transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	answer, err := (&http.Client{Transport: transport}).Get(url)
	check(err)
	defer answer.Body.Close()
	fmt.Fprintln(os.Stderr, answer.Proto)
	check(pem.Encode(os.Stderr, &pem.Block{Type: "CERTIFICATE", Bytes: answer.TLS.PeerCertificates[0].Raw}))
	_, err = io.Copy(os.Stdout, answer.Body)
	check(err)
}

func serve(addr, chain, key string) {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		fmt.Fprintf(w, "go over %s: %s %s %s\n", r.Proto, r.Method, r.URL.Path, body)
	})
	check(http.ListenAndServeTLS(addr, chain, key, nil))
}

func main() {
	if len(os.Args) != 5 {
		check(fmt.Errorf("usage: peer get URL VERSION PROTO | peer serve ADDR CHAIN KEY"))
	}
	if os.Args[1] == "get" {
		get(os.Args[2], os.Args[3], os.Args[4])
	} else {
		serve(os.Args[2], os.Args[3], os.Args[4])
	}
}
