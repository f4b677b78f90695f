/*
 * What `kit eeg read` is measured against: P2 packets from a file to lines, by the method of the C tool
 * eegreader. An automaton takes one byte after the other, a clock is read at each packet's first byte, each
 * packet is one printf, and a read asks for as many bytes as one packet has.
 *
 *     eegreader FILE [BYTES]     BYTES: how many a read asks for (17; the tool's own size)
 */
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

enum state { FIRST_SYNC, SECOND_SYNC, VERSION, COUNTER, CHANNELS, SWITCHES };

struct packet {
	uint64_t time_us;
	unsigned version, counter, channels[6], switches;
};

struct automaton {
	enum state state;
	int half; /* of the channels' twelve bytes */
	struct packet packet;
};

static uint64_t now_us(void)
{
	struct timeval now;

	gettimeofday(&now, NULL);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_usec;
}

static void print(const struct packet *p)
{
	const unsigned *c = p->channels;

	printf("%llu|%u|%u|%u|%u|%u|%u|%u|%u|%u\n", (unsigned long long)p->time_us, p->version, p->counter, c[0],
	    c[1], c[2], c[3], c[4], c[5], p->switches);
}

static void take(struct automaton *a, unsigned byte)
{
	struct packet *p = &a->packet;

	switch (a->state) {
	case FIRST_SYNC:
		if (byte == 0xa5) {
			p->time_us = now_us();
			a->state = SECOND_SYNC;
		}
		break;
	case SECOND_SYNC:
		a->state = byte == 0x5a ? VERSION : FIRST_SYNC;
		break;
	case VERSION:
		p->version = byte;
		a->state = byte == 2 ? COUNTER : FIRST_SYNC;
		break;
	case COUNTER:
		p->counter = byte;
		a->half = 0;
		a->state = CHANNELS;
		break;
	case CHANNELS:
		if (a->half % 2 == 0)
			p->channels[a->half / 2] = byte << 8;
		else
			p->channels[a->half / 2] |= byte;
		if (++a->half == 12)
			a->state = SWITCHES;
		break;
	case SWITCHES:
		p->switches = byte & 15;
		print(p);
		a->state = FIRST_SYNC;
		break;
	}
}

int main(int argc, char **argv)
{
	static unsigned char buffer[1 << 16];
	struct automaton automaton = { FIRST_SYNC, 0, { 0 } };
	size_t size = argc > 2 ? strtoul(argv[2], NULL, 10) : 17;
	ssize_t got, at;
	int fd;

	if (argc < 2 || size < 1 || size > sizeof buffer)
		errx(2, "usage: eegreader FILE [BYTES]");
	if ((fd = open(argv[1], O_RDONLY)) < 0)
		err(1, "%s", argv[1]);
	while ((got = read(fd, buffer, size)) > 0)
		for (at = 0; at < got; at++)
			take(&automaton, buffer[at]);
	if (got < 0)
		err(1, "%s", argv[1]);
	return fflush(stdout) ? 1 : 0;
}
