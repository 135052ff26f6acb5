// A client in Java, for the end-to-end tests: java Get URL VERSION PROTO PROXY-PORT prints the body, and on stderr the
// certificate that was shown as PEM.
import java.net.InetSocketAddress;
import java.net.ProxySelector;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.cert.Certificate;
import java.util.Base64;
import javax.net.ssl.SSLParameters;

public class Get {
	public static void main(String[] args) throws Exception {
		SSLParameters tls = new SSLParameters();
		tls.setProtocols(new String[] { "TLSv" + args[1] });
		HttpClient client = HttpClient.newBuilder()
			.proxy(ProxySelector.of(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[3]))))
			.version(args[2].equals("h2") ? HttpClient.Version.HTTP_2 : HttpClient.Version.HTTP_1_1)
			.sslParameters(tls)
			.build();
		HttpResponse<byte[]> answer =
			client.send(HttpRequest.newBuilder(URI.create(args[0])).build(), HttpResponse.BodyHandlers.ofByteArray());
		Certificate leaf = answer.sslSession().get().getPeerCertificates()[0];
		System.err.println(answer.version());
		System.err.println("-----BEGIN CERTIFICATE-----");
		System.err.println(Base64.getMimeEncoder().encodeToString(leaf.getEncoded()));
		System.err.println("-----END CERTIFICATE-----");
		System.out.write(answer.body());
		System.out.flush();
	}
}
