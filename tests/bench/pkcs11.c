/*
 * What uses a PKCS#11 module in the benches: C_SignInit and C_Sign over and over, in as many processes as there
 * are to be connections, since a program's threads would share one.
 *
 *     pkcs11 MODULE TOKEN KEY MECHANISM SECONDS CONNECTIONS [PIN]
 *
 * TOKEN and KEY are labels; MECHANISM is "ecdsa" (a digest of 32 bytes), "rsa" (a DigestInfo of SHA-256), or
 * "ecdsa-sha256" and "rsa-sha256" (content of 130 bytes). All begin at the same time. Prints one line: good
 * signatures, others, seconds, and the microseconds that the median and the 99th percentile took.
 */
#include <dlfcn.h>
#include <err.h>
#include <p11-kit/pkcs11.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS = 64, CONTENT = 130, SIGNATURE = 1024, SLOWEST_US = 1 << 17, CONNECTIONS = 64 };

/* RFC 8017, section 9.2, note 1. */
static const unsigned char sha256_info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
	0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};

struct kind {
	const char *name;
	CK_MECHANISM_TYPE mechanism;
	CK_ULONG prefix, size;
};

static const struct kind kinds[] = {
	{"ecdsa", CKM_ECDSA, 0, 32},
	{"rsa", CKM_RSA_PKCS, sizeof(sha256_info), sizeof(sha256_info) + 32},
	{"ecdsa-sha256", CKM_ECDSA_SHA256, 0, CONTENT},
	{"rsa-sha256", CKM_SHA256_RSA_PKCS, 0, CONTENT},
};

struct account {
	uint64_t good, bad, ns;
	uint32_t took[SLOWEST_US]; /* how many took so many microseconds; the last one stands for more, too */
};

/* Shared by all processes. */
struct start {
	volatile int ready, go; /* go: 1 to begin, -1 to give up */
	struct account accounts[CONNECTIONS];
};

struct token {
	CK_FUNCTION_LIST_PTR call;
	CK_SESSION_HANDLE session;
	CK_OBJECT_HANDLE key;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void must(CK_RV rv, const char *what)
{
	if (rv != CKR_OK)
		errx(1, "%s: 0x%lx", what, rv);
}

static CK_FUNCTION_LIST_PTR load(const char *module)
{
	CK_FUNCTION_LIST_PTR list;
	CK_C_GetFunctionList get;
	void *library = dlopen(module, RTLD_NOW | RTLD_LOCAL);

	if (library == NULL)
		errx(1, "%s", dlerror());
	*(void **)&get = dlsym(library, "C_GetFunctionList");
	if (get == NULL)
		errx(1, "%s: no C_GetFunctionList", module);
	must(get(&list), "C_GetFunctionList");
	return list;
}

static int is_label(const unsigned char label[32], const char *wanted)
{
	char padded[33];

	snprintf(padded, sizeof(padded), "%-32s", wanted);
	return memcmp(label, padded, 32) == 0;
}

static CK_SLOT_ID find_slot(CK_FUNCTION_LIST_PTR call, const char *label)
{
	CK_SLOT_ID slots[SLOTS];
	CK_ULONG count = SLOTS;
	CK_TOKEN_INFO info;

	must(call->C_GetSlotList(CK_TRUE, slots, &count), "C_GetSlotList");
	for (CK_ULONG n = 0; n < count; n++)
		if (call->C_GetTokenInfo(slots[n], &info) == CKR_OK && is_label(info.label, label))
			return slots[n];
	errx(1, "no token %s", label);
}

static void find_key(struct token *t, char *label)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE wanted[] = {
		{CKA_CLASS, &class, sizeof(class)},
		{CKA_LABEL, label, strlen(label)},
	};
	CK_ULONG found = 0;

	must(t->call->C_FindObjectsInit(t->session, wanted, 2), "C_FindObjectsInit");
	must(t->call->C_FindObjects(t->session, &t->key, 1, &found), "C_FindObjects");
	must(t->call->C_FindObjectsFinal(t->session), "C_FindObjectsFinal");
	if (found != 1)
		errx(1, "no key %s", label);
}

static void open_token(struct token *t, const char *module, const char *token, char *key, char *pin)
{
	CK_SLOT_ID slot;

	t->call = load(module);
	must(t->call->C_Initialize(NULL), "C_Initialize");
	slot = find_slot(t->call, token);
	must(t->call->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &t->session), "C_OpenSession");
	if (pin != NULL)
		must(t->call->C_Login(t->session, CKU_USER, (unsigned char *)pin, strlen(pin)), "C_Login");
	find_key(t, key);
}

static void sign(struct token *t, const struct kind *kind, double seconds, struct account *a)
{
	CK_MECHANISM mechanism = {kind->mechanism, NULL, 0};
	unsigned char content[CONTENT] = {0}, signature[SIGNATURE];
	uint64_t begun = now_ns(), end = begun + (uint64_t)(seconds * 1e9), before = begun, after = begun, us;

	memcpy(content, sha256_info, kind->prefix);
	while (before < end) {
		CK_ULONG size = sizeof(signature);
		CK_RV rv = t->call->C_SignInit(t->session, &mechanism, t->key);

		if (rv == CKR_OK)
			rv = t->call->C_Sign(t->session, content, kind->size, signature, &size);
		after = now_ns();
		us = (after - before) / 1000;
		if (rv == CKR_OK) {
			a->good++;
			a->took[us < SLOWEST_US ? us : SLOWEST_US - 1]++;
		} else {
			a->bad++;
		}
		before = after;
	}
	a->ns = after - begun;
}

static unsigned percentile(const struct start *s, int connections, uint64_t good, double part)
{
	uint64_t seen = 0;

	for (unsigned us = 0; us < SLOWEST_US; us++) {
		for (int n = 0; n < connections; n++)
			seen += s->accounts[n].took[us];
		if (seen > 0 && (double)seen >= part * (double)good)
			return us;
	}
	return 0;
}

static void report(const struct start *s, int connections)
{
	uint64_t good = 0, bad = 0, ns = 0;

	for (int n = 0; n < connections; n++) {
		good += s->accounts[n].good;
		bad += s->accounts[n].bad;
		ns = s->accounts[n].ns > ns ? s->accounts[n].ns : ns;
	}
	printf("%llu %llu %.6f %u %u\n", (unsigned long long)good, (unsigned long long)bad, (double)ns / 1e9,
		percentile(s, connections, good, 0.5), percentile(s, connections, good, 0.99));
}

static const struct kind *find_kind(const char *name)
{
	for (size_t n = 0; n < sizeof(kinds) / sizeof(kinds[0]); n++)
		if (strcmp(kinds[n].name, name) == 0)
			return &kinds[n];
	errx(2, "no mechanism %s", name);
}

static void connect_and_sign(struct start *s, int number, char **argv, char *pin, const struct kind *kind)
{
	struct token t;

	open_token(&t, argv[1], argv[2], argv[3], pin);
	s->ready++;
	while (s->go == 0)
		usleep(1000);
	if (s->go > 0)
		sign(&t, kind, atof(argv[5]), &s->accounts[number]);
	_exit(0);
}

/* One after the other: SoftHSM2 fails where several processes open its database at once. */
static void open_connections(struct start *s, int connections, char **argv, char *pin, const struct kind *kind)
{
	for (int n = 0; n < connections; n++) {
		pid_t child = fork();

		if (child == -1)
			err(1, "fork");
		if (child == 0)
			connect_and_sign(s, n, argv, pin, kind);
		while (s->ready == n) {
			usleep(1000);
			if (waitpid(child, NULL, WNOHANG) == child) {
				s->go = -1;
				errx(1, "connection %d could not be opened", n + 1);
			}
		}
	}
}

int main(int argc, char **argv)
{
	const struct kind *kind;
	struct start *s;
	int connections, status, failed = 0;

	if (argc < 7 || argc > 8)
		errx(2, "usage: pkcs11 MODULE TOKEN KEY MECHANISM SECONDS CONNECTIONS [PIN]");
	kind = find_kind(argv[4]);
	connections = atoi(argv[6]);
	if (connections < 1 || connections > CONNECTIONS)
		errx(2, "1 to %d connections", CONNECTIONS);
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s == MAP_FAILED)
		err(1, "mmap");
	open_connections(s, connections, argv, argc > 7 ? argv[7] : NULL, kind);
	s->go = 1;
	while (wait(&status) > 0)
		failed |= status != 0;
	report(s, connections);
	return failed;
}
