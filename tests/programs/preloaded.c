/* A TLS client for the tests of the preload library. It fetches / from a server on loopback; the first
 * word says how it comes by OpenSSL, and what else it does:
 *
 *   dlsym     everything by dlopen(RTLD_LOCAL) and dlsym(); links to no TLS library
 *   dlsym-own the same, with a key log callback of its own, set by dlsym
 *   own       linked (as is all that follows), with a key log callback of its own, which prints
 *   own-late  the same, set when the SSL is there already
 *   threads   eight threads, five connections each
 *   fork      a context, and four children with a connection each
 *   closing   a daemon's manners: all descriptors above 2 are closed after the context was made
 *
 * usage: preloaded HOW PORT */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 8, EACH = 5, CHILDREN = 4 };

static struct {
	__typeof__(&TLS_client_method) method;
	__typeof__(&SSL_CTX_new) ctx_new;
	__typeof__(&SSL_new) ssl_new;
	__typeof__(&SSL_set_fd) set_fd;
	__typeof__(&SSL_connect) connect;
	__typeof__(&SSL_write) write;
	__typeof__(&SSL_read) read;
	__typeof__(&SSL_free) ssl_free;
	__typeof__(&SSL_CTX_set_keylog_callback) set_keylog;
	__typeof__(&SSL_CTX_get_keylog_callback) get_keylog;
} tls;

static int port;

static void die(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

#ifdef LINKED
static void load(void)
{
	tls.method = TLS_client_method;
	tls.ctx_new = SSL_CTX_new;
	tls.ssl_new = SSL_new;
	tls.set_fd = SSL_set_fd;
	tls.connect = SSL_connect;
	tls.write = SSL_write;
	tls.read = SSL_read;
	tls.ssl_free = SSL_free;
	tls.set_keylog = SSL_CTX_set_keylog_callback;
	tls.get_keylog = SSL_CTX_get_keylog_callback;
}
#else
static void load(void)
{
	void *library = dlopen("libssl.so.3", RTLD_NOW | RTLD_LOCAL);

	if (!library)
		die("no libssl.so.3");
	tls.method = dlsym(library, "TLS_client_method");
	tls.ctx_new = dlsym(library, "SSL_CTX_new");
	tls.ssl_new = dlsym(library, "SSL_new");
	tls.set_fd = dlsym(library, "SSL_set_fd");
	tls.connect = dlsym(library, "SSL_connect");
	tls.write = dlsym(library, "SSL_write");
	tls.read = dlsym(library, "SSL_read");
	tls.ssl_free = dlsym(library, "SSL_free");
	tls.set_keylog = dlsym(library, "SSL_CTX_set_keylog_callback");
	tls.get_keylog = dlsym(library, "SSL_CTX_get_keylog_callback");
}
#endif

static void own(const SSL *ssl, const char *line)
{
	(void)ssl;
	printf("%s\n", line);
	fflush(stdout);
}

/* late: when the callback is to be set; NULL for not at all. */
static void fetch(SSL_CTX *ctx, SSL_CTX *late)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	static const char request[] = "GET / HTTP/1.0\r\nHost: www.oriel.test\r\n\r\n";
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	SSL *ssl = tls.ssl_new(ctx);
	char got[4096];

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (late)
		tls.set_keylog(late, own);
	if (!ssl || connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || tls.set_fd(ssl, fd) != 1 ||
	    tls.connect(ssl) != 1 || tls.write(ssl, request, sizeof(request) - 1) <= 0 ||
	    tls.read(ssl, got, sizeof(got)) <= 0)
		die("no connection");
	tls.ssl_free(ssl);
	close(fd);
}

static void *several(void *ctx)
{
	for (int i = 0; i < EACH; i++)
		fetch(ctx, NULL);
	return NULL;
}

static void threads(SSL_CTX *ctx)
{
	pthread_t all[THREADS];

	for (int i = 0; i < THREADS; i++)
		pthread_create(&all[i], NULL, several, ctx);
	for (int i = 0; i < THREADS; i++)
		pthread_join(all[i], NULL);
}

static void children(SSL_CTX *ctx)
{
	int status;

	for (int i = 0; i < CHILDREN; i++) {
		if (fork() == 0) {
			fetch(ctx, NULL);
			_exit(0);
		}
	}
	for (int i = 0; i < CHILDREN; i++) {
		if (wait(&status) < 0 || status != 0)
			die("a child failed");
	}
}

int main(int argc, char **argv)
{
	const char *how = argc == 3 ? argv[1] : "";
	SSL_CTX *ctx;

	port = argc == 3 ? (int)strtol(argv[2], NULL, 10) : 0;
	load();
	ctx = tls.ctx_new(tls.method());
	if (!ctx)
		die("no context");
	if (strcmp(how, "own") == 0 || strcmp(how, "dlsym-own") == 0)
		tls.set_keylog(ctx, own);
	if (strcmp(how, "own") == 0 && tls.get_keylog(ctx) != own)
		die("the callback is another's");
	if (strcmp(how, "closing") == 0)
		close_range(3, ~0U, 0);
	if (strcmp(how, "threads") == 0)
		threads(ctx);
	else if (strcmp(how, "fork") == 0)
		children(ctx);
	else
		fetch(ctx, strcmp(how, "own-late") == 0 ? ctx : NULL);
	return 0;
}
