/*
 * What asks an agent in the benches: connections to one Unix socket, each with one request open, which is sent
 * again as soon as its answer is whole. In C, because a client in Python on the same cores would be measured
 * instead.
 *
 *     signer SOCKET SECONDS CONNECTIONS HEAD REQUEST [CONNECTIONS HEAD REQUEST ...]
 *
 * HEAD: how a good answer begins behind its length, in hex. REQUEST: a file with the request, length in front.
 * Prints a line for each three: good answers, others, seconds, and the microseconds that the median, the 99th
 * percentile and the slowest good answer took; a last line: the microseconds of CPU that this program took.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { GROUPS = 8, PREFIX = 4, HEAD_LIMIT = 64, MESSAGE_LIMIT = 1 << 18, SLOWEST_US = 1 << 20, EVENTS = 64 };

struct group {
	unsigned char head[HEAD_LIMIT], request[MESSAGE_LIMIT];
	size_t head_size, request_size;
	uint64_t good, bad, slowest_us;
	uint32_t took[SLOWEST_US]; /* how many took so many microseconds; the last one stands for more, too */
};

struct connection {
	struct group *group;
	int fd;
	size_t have;
	uint64_t sent_ns;
	unsigned char answer[4096];
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void read_head(struct group *g, const char *hex)
{
	unsigned byte;

	for (; sscanf(hex, "%2x", &byte) == 1 && g->head_size < HEAD_LIMIT; hex += 2)
		g->head[g->head_size++] = (unsigned char)byte;
}

static void read_request(struct group *g, const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t got = fd < 0 ? -1 : read(fd, g->request, sizeof g->request);

	if (got <= 0)
		err(1, "%s", path);
	g->request_size = (size_t)got;
	close(fd);
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (strlen(path) >= sizeof address.sun_path)
		errx(2, "%s: too long", path);
	strcpy(address.sun_path, path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address))
		err(1, "%s", path);
	return fd;
}

static void ask(struct connection *c, uint64_t at_ns)
{
	const struct group *g = c->group;

	c->have = 0;
	c->sent_ns = at_ns;
	if (send(c->fd, g->request, g->request_size, MSG_NOSIGNAL) != (ssize_t)g->request_size)
		err(1, "a request was not taken");
}

/* Is the answer whole? */
static int receive(struct connection *c)
{
	const unsigned char *a = c->answer;
	ssize_t got = recv(c->fd, c->answer + c->have, sizeof c->answer - c->have, 0);
	size_t size;

	if (got <= 0)
		errx(1, "the agent ended a connection");
	c->have += (size_t)got;
	if (c->have < PREFIX)
		return 0;
	size = PREFIX + ((size_t)a[0] << 24 | (size_t)a[1] << 16 | (size_t)a[2] << 8 | a[3]);
	if (size > sizeof c->answer || c->have > size)
		errx(1, "an answer of %zu bytes, %zu came", size, c->have);
	return c->have == size;
}

static void count(struct connection *c, uint64_t at_ns)
{
	struct group *g = c->group;
	uint64_t us = (at_ns - c->sent_ns) / 1000;

	if (c->have < PREFIX + g->head_size || memcmp(c->answer + PREFIX, g->head, g->head_size) != 0) {
		g->bad++;
		return;
	}
	g->good++;
	g->took[us < SLOWEST_US ? us : SLOWEST_US - 1]++;
	if (us > g->slowest_us)
		g->slowest_us = us;
}

/* Ask until `end_ns`, then wait for the answers that are under way: they do not count. */
static void load(int epoll, size_t open, uint64_t end_ns)
{
	struct epoll_event events[EVENTS];
	int ready, at;

	while (open > 0) {
		if ((ready = epoll_wait(epoll, events, EVENTS, -1)) < 0 && errno != EINTR)
			err(1, "epoll_wait");
		for (at = 0; at < ready; at++) {
			struct connection *c = events[at].data.ptr;
			uint64_t at_ns;

			if (!receive(c))
				continue;
			if ((at_ns = now_ns()) < end_ns) {
				count(c, at_ns);
				ask(c, at_ns);
			} else
				open--;
		}
	}
}

static uint64_t percentile(const struct group *g, unsigned percent)
{
	uint64_t left = (g->good * percent + 99) / 100;
	size_t us = 0;

	while (us < SLOWEST_US - 1 && g->took[us] < left)
		left -= g->took[us++];
	return us;
}

static uint64_t cpu_us(void)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 +
	    (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static struct connection *open_connections(const char *path, struct group *g, size_t count, int epoll)
{
	struct connection *made = calloc(count, sizeof *made), *c;

	if (!made)
		err(1, "calloc");
	for (c = made; c < made + count; c++) {
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };

		c->group = g;
		c->fd = connect_to(path);
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event))
			err(1, "epoll_ctl");
	}
	return made;
}

int main(int argc, char **argv)
{
	static struct group groups[GROUPS];
	struct connection *connections[GROUPS];
	size_t counts[GROUPS], all = 0, used = ((size_t)argc - 3) / 3, number, at;
	int epoll = epoll_create1(0);
	double seconds;
	uint64_t begin_ns;

	if (argc < 6 || (argc - 3) % 3 || used > GROUPS)
		errx(2, "usage: signer SOCKET SECONDS CONNECTIONS HEAD REQUEST [...]");
	seconds = atof(argv[2]);
	for (number = 0; number < used; number++) {
		char **arguments = argv + 3 + 3 * number;

		counts[number] = strtoul(arguments[0], NULL, 10);
		read_head(&groups[number], arguments[1]);
		read_request(&groups[number], arguments[2]);
		connections[number] = open_connections(argv[1], &groups[number], counts[number], epoll);
		all += counts[number];
	}
	begin_ns = now_ns();
	for (number = 0; number < used; number++)
		for (at = 0; at < counts[number]; at++)
			ask(&connections[number][at], now_ns());
	load(epoll, all, begin_ns + (uint64_t)(seconds * 1e9));
	for (number = 0; number < used; number++) {
		const struct group *g = &groups[number];

		printf("%llu %llu %g %llu %llu %llu\n", (unsigned long long)g->good, (unsigned long long)g->bad, seconds,
		    (unsigned long long)percentile(g, 50), (unsigned long long)percentile(g, 99),
		    (unsigned long long)g->slowest_us);
	}
	printf("%llu\n", (unsigned long long)cpu_us());
	return 0;
}
