// SPDX-License-Identifier: GPL-2.0-only
/* `check`: its summary and warnings; and the fingerprint that it shows. */
#include "../../loader/address.h"
#include "../../loader/cmd.h"
#include "../../loader/fingerprint.h"
#include "../../loader/synchronised.h"
#include "../capture.h"
#include "../tap.h"

struct options options;

static struct capture said, printed;

#define SECRET_0 "000102030405060708090a0b0c0d0e0f\n"
#define SECRET_1 "8f95f09245765f80256934e50c66207f\n"

/* All that a fingerprint depends on, and what it does not. */
#define FIRST_SERVICE \
	"  - {address: 192.0.2.1, ports: [80, 443], backends: [\n" \
	"      {index: 0, address: 10.0.0.10}, {index: 128, address: 10.0.0.11, weight: 50}]}\n"
#define SECOND_SERVICE \
	"  - {address: \"2001:db8::1\", ports: [443], joins: ring, stamps: off, backends: [\n" \
	"      {index: 64, address: 10.0.0.12, lladdr: 02:00:00:00:00:01, state: drain}]}\n"
#define BASE \
	"cluster: {index-bits: 8, epoch: 0, ring-seed: 5, secrets: {0: secret.0, 1: secret.1}}\n" \
	"services:\n" FIRST_SERVICE SECOND_SERVICE

static enum status check(const char *yaml)
{
	char *words[] = { "t.yaml" };
	enum status status;

	write_file("t.yaml", yaml, 0644);
	capture_begin(&said, STDERR_FILENO);
	capture_begin(&printed, STDOUT_FILENO);
	status = cmd_check(&(struct words){ 1, words });
	capture_end(&printed);
	capture_end(&said);
	return status;
}

/* What is said of the clock depends on the machine, and must stand at the end or not at all. */
static bool said_is(const char *expected)
{
	const char *clock = "mptcp-lb: warning: the clock is not synchronised: stamps need it to "
			    "17 minutes\n";
	char *at = strstr(said.text, clock);

	if (!at == !clock_is_synchronised())
		return false;
	if (at)
		*at = 0;
	if (strcmp(said.text, expected))
		diag("got: %s", said.text);
	return !strcmp(said.text, expected);
}

static void test_summary(void)
{
	char fingerprint[17], expected[1024];
	struct config *config = config_new();
	enum status status = check(BASE);

	config_read("t.yaml", config);
	config_fingerprint(config, fingerprint);
	config_free(config);
	snprintf(expected, sizeof(expected),
		 "t.yaml: 3 services, 3 backends, index-bits 8\n"
		 "service 192.0.2.1 port 80: joins token, stamps on, 2 backends\n"
		 "service 192.0.2.1 port 443: joins token, stamps on, 2 backends\n"
		 "service 2001:db8::1 port 443: joins ring, stamps off, 1 backend\n"
		 "backend 0 at 10.0.0.10: idle connections survive 24 days\n"
		 "backend 64 at 10.0.0.12, drain: idle connections survive 12 days\n"
		 "backend 128 at 10.0.0.11: idle connections survive 12 days\n"
		 "clocks may differ by 17 minutes\n"
		 "best free index: 192\n"
		 "fingerprint: %s\n",
		 fingerprint);
	ok(!status && !strcmp(printed.text, expected), "a good file is summed up");
	ok(said_is("mptcp-lb: warning: service 2001:db8::1 port 443 has no backend for new "
		   "connections\n"),
	   "a service whose only backend drains is warned of");
}

static void test_neighbours(void)
{
	ok(!check("services:\n"
		  "  - {address: 192.0.2.1, ports: [80], joins: ring, backends: [\n"
		  "      {index: 255, address: 10.0.0.10}, {index: 0, address: 10.0.0.11}]}\n") &&
		   said_is("mptcp-lb: warning: backends 255 and 0 are neighbours: an idle "
			   "connection to 0 survives 4 hours; with all indices evenly spaced it "
			   "would be 24 days\n"),
	   "neighbours are warned of, round the corner too");
	ok(!check("services:\n"
		  "  - {address: 192.0.2.1, ports: [80], joins: ring, stamps: off, backends: [\n"
		  "      {index: 255, address: 10.0.0.10}, {index: 0, address: 10.0.0.11}]}\n") &&
		   !*said.text,
	   "where nothing goes by stamps, neither neighbours nor the clock matter");
}

static void test_weightless(void)
{
	ok(!check("services:\n"
		  "  - {address: 192.0.2.1, ports: [80], joins: ring, stamps: off, backends: [\n"
		  "      {index: 0, address: 10.0.0.10, weight: 0}]}\n") &&
		   !strcmp(said.text, "mptcp-lb: warning: service 192.0.2.1 port 80 has no backend "
				      "for new connections\n"),
	   "a service whose only backend has weight 0 is warned of");
}

static void test_clock(void)
{
	bool synchronised = clock_is_synchronised();
	enum status status =
		check("cluster: {strict-clock: on}\n"
		      "services:\n"
		      "  - {address: 192.0.2.1, ports: [80], joins: ring, backends: [\n"
		      "      {index: 255, address: 10.0.0.10}]}\n");

	ok(status == (synchronised ? DONE : FAILED) &&
		   !strcmp(said.text, synchronised ? ""
						   : "mptcp-lb: the clock is not synchronised, and "
						     "strict-clock is on\n"),
	   "strict-clock fails where the clock is not synchronised");
}

static void test_json(void)
{
	options.json = true;
	ok(!check(BASE) && strstr(printed.text, "\"version\":1") &&
		   strstr(printed.text, "\"best-free-index\":192") &&
		   strstr(printed.text, "\"idle-ms\":1072693248"),
	   "-j prints the same as JSON, times in milliseconds");
	options.json = false;
}

static void test_words(void)
{
	char *words[] = { "t.yaml", "now" };
	enum status status;

	capture_begin(&said, STDERR_FILENO);
	status = cmd_check(&(struct words){ 2, words });
	capture_end(&said);
	ok(status == USAGE && !strcmp(said.text, "mptcp-lb: unexpected word 'now'\n"),
	   "a word too many is refused");

	write_file("other.yaml", "cluster: [\n", 0644);
	options.config_file = "other.yaml";
	capture_begin(&said, STDERR_FILENO);
	status = cmd_check(&(struct words){ 0, words });
	capture_end(&said);
	options.config_file = NULL;
	ok(status == BAD_CONFIG && !strncmp(said.text, "mptcp-lb: other.yaml:2:1: ", 26),
	   "without a word, the file of -c is checked");
}

/* BASE with one piece of text replaced: the name of what changed, from, to. */
static const struct edit {
	const char *sentence, *from, *to;
} same[] = {
	{ "the order of services", FIRST_SERVICE SECOND_SERVICE, SECOND_SERVICE FIRST_SERVICE },
	{ "the order of ports", "[80, 443]", "[443, 80]" },
	{ "the order of backends",
	  "{index: 0, address: 10.0.0.10}, {index: 128, address: 10.0.0.11, weight: 50}",
	  "{index: 128, address: 10.0.0.11, weight: 50}, {index: 0, address: 10.0.0.10}" },
	{ "the order of secrets", "0: secret.0, 1: secret.1", "1: secret.1, 0: secret.0" },
	{ "a default that is said", "weight: 50}]}", "weight: 50}], joins: token, stamps: on}" },
	{ "the name of a secret's file", "1: secret.1", "1: secret.copy" },
	{ "the epoch that is issued under", "epoch: 0", "epoch: 1" },
	{ "a link-layer address", "02:00:00:00:00:01", "02:00:00:00:00:02" },
	{ "the size of a flow cache", "stamps: off", "stamps: off, flow-entries: 10000" },
	{ "strict-clock", "index-bits: 8", "strict-clock: on" },
	{ "df-clear", "index-bits: 8", "df-clear: fragment" },
}, other[] = {
	{ "index-bits", "index-bits: 8", "index-bits: 9" },
	{ "ring-seed", "ring-seed: 5", "ring-seed: 6" },
	{ "a secret", "1: secret.1", "1: secret.0" },
	{ "a secret's epoch", "1: secret.1", "2: secret.1" },
	{ "one secret fewer", ", 1: secret.1", "" },
	{ "a service's address", "192.0.2.1", "192.0.2.2" },
	{ "a service's port", "[80, 443]", "[80, 444]" },
	{ "joins", "joins: ring", "joins: token" },
	{ "stamps", "stamps: off", "stamps: on" },
	{ "flows", "stamps: off", "stamps: off, flows: all" },
	{ "a join port", "stamps: off", "stamps: off, join-port: 1000" },
	{ "a weight", "weight: 50", "weight: 51" },
	{ "a member's index", "index: 128", "index: 192" },
	{ "a member fewer", "{index: 0, address: 10.0.0.10}, ", "" },
	{ "a backend's address", "10.0.0.12", "10.0.0.13" },
	{ "a backend's state", "state: drain", "state: up" },
};

static void fingerprint_of(const struct edit *edit, char out[static 17])
{
	struct config *config = config_new();
	const char *at = strstr(BASE, edit->from);
	char yaml[2048];

	if (!at)
		abort();
	snprintf(yaml, sizeof(yaml), "%.*s%s%s", (int)(at - BASE), BASE, edit->to,
		 at + strlen(edit->from));
	write_file("t.yaml", yaml, 0644);
	if (config_read("t.yaml", config))
		abort();
	config_fingerprint(config, out);
	config_free(config);
}

static void test_fingerprint(void)
{
	char base[17], changed[17];

	fingerprint_of(&(struct edit){ "nothing", "", "" }, base);
	ok(strspn(base, "0123456789abcdef") == 16 && !base[16],
	   "a fingerprint is 16 hex digits: %s", base);
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		fingerprint_of(&same[i], changed);
		ok(!strcmp(base, changed), "the fingerprint stays: %s", same[i].sentence);
	}
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		fingerprint_of(&other[i], changed);
		ok(strcmp(base, changed), "the fingerprint changes: %s", other[i].sentence);
	}
}

int main(void)
{
	enter_directory();
	write_file("secret.0", SECRET_0, 0600);
	write_file("secret.1", SECRET_1, 0600);
	write_file("secret.copy", SECRET_1, 0600);
	test_summary();
	test_neighbours();
	test_weightless();
	test_clock();
	test_json();
	test_words();
	test_fingerprint();
	leave_directory();
	return tap_end();
}
