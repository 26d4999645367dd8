// SPDX-License-Identifier: GPL-2.0-only
/* Captured packets: the decision about each, compared with what a table says of it. Needs root. */
#define _GNU_SOURCE
#include <glob.h>

#include "../outcome.h"
#include "../dissect.h"
#include "pcap.h"

struct options options;

#define INDEX_BITS 8
#define PATH_LENGTH 512

/* A row of a .frames.csv, whose fields these are. */
enum field {
	FRAME,
	DIRECTION,
	CONNECTION,
	SOURCE,
	SOURCE_PORT,
	DESTINATION,
	DESTINATION_PORT,
	FLAGS,
	PAYLOAD,
	SUBTYPES,
	JOIN_TOKEN,
	BAD_OPTIONS,
	ETHERTYPE,
	FIELDS
};

struct table_row {
	char line[512];
	char *fields[FIELDS];
};

/* How many frames were compared, by what they are. */
struct tally {
	int joins, new, stamped, others;
};

static const struct token_secret secret = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };

/* Every index is a backend, so that each token and each stamp leads somewhere. */
static struct config *new_config(void)
{
	struct config *config = config_new();

	for (uint32_t epoch = 0; epoch < TOKEN_EPOCHS; epoch++)
		fixture_secret(config, epoch);
	for (uint32_t index = 0; index < 1 << INDEX_BITS; index++)
		fixture_backend(config, index, false, BACKEND_UP);
	return config;
}

static void add_service(struct config *config, const struct address *address, uint16_t port)
{
	struct config_service *service;

	if (config_find_service(config, address, port) || config->service_count == SERVICES_MAX)
		return;
	service = &config->services[config->service_count++];
	service->address = *address;
	service->port = port;
	service->stamps = true;
	for (uint32_t index = 0; index < 1 << INDEX_BITS; index++)
		service->weight[index] = 1 + (index == ON_RING); /* the ring is all of one's */
}

/* Reads a line into its fields; false at the end. */
static bool read_row(FILE *table, struct table_row *row)
{
	char *rest = row->line;

	if (!fgets(row->line, sizeof(row->line), table))
		return false;
	row->line[strcspn(row->line, "\r\n")] = 0;
	for (int i = 0; i < FIELDS; i++)
		row->fields[i] = rest ? strsep(&rest, ",") : "";
	return true;
}

/* The services of a capture, from the table of all of them in its folder. */
static void add_services(struct config *config, const char *folder, const char *capture)
{
	enum { CAPTURE, ADDRESS, PORT };
	char path[PATH_LENGTH];
	struct table_row row;
	struct address address;
	FILE *table;

	snprintf(path, sizeof(path), "%s/VIPS.csv", folder);
	table = fopen(path, "r");
	while (table && read_row(table, &row))
		if (!strcmp(row.fields[CAPTURE], capture) &&
		    address_parse(row.fields[ADDRESS], &address))
			add_service(config, &address, atoi(row.fields[PORT]));
	if (table)
		fclose(table);
}

static int index_of_token(uint32_t token)
{
	return token_open(&secret, token) >> (TOKEN_BODY_BITS - INDEX_BITS);
}

static int index_of_stamp(uint32_t tsecr)
{
	uint32_t slot_ms = 1u << (32 - INDEX_BITS);

	return (uint32_t)(tsecr - WALL_MS + slot_ms - 1 - slot_ms / 16) / slot_ms;
}

static bool is_decision(const struct outcome *outcome, enum reason reason, int backend)
{
	return outcome->reason == reason && outcome->backend == backend;
}

/* The table lists tokens; that a segment echoes a timestamp, and which, is read from it. */
static bool agrees(const struct table_row *row, const struct dissected_options *found,
		   const struct outcome *outcome, struct tally *tally)
{
	uint32_t flags = strtoul(row->fields[FLAGS], NULL, 16);
	uint32_t token = strtoul(row->fields[JOIN_TOKEN], NULL, 16);

	if (atoi(row->fields[BAD_OPTIONS]))
		return outcome->backend == ON_RING;
	if ((flags & (TCP_SYN | TCP_ACK)) == TCP_SYN && *row->fields[JOIN_TOKEN]) {
		tally->joins++;
		return is_decision(outcome, REASON_token, index_of_token(token));
	}
	if ((flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
		tally->new ++;
		return is_decision(outcome, REASON_ring_new, ON_RING);
	}
	if (flags & TCP_ACK && found->stamped && found->tsecr) {
		tally->stamped++;
		return is_decision(outcome, REASON_stamp, index_of_stamp(found->tsecr));
	}
	tally->others++;
	return is_decision(outcome, REASON_ring_no_stamp, ON_RING);
}

static bool is_to_service(struct config *config, const struct table_row *row)
{
	struct address address;

	return address_parse(row->fields[DESTINATION], &address) &&
	       config_find_service(config, &address, atoi(row->fields[DESTINATION_PORT]));
}

static bool check_frame(struct config *config, const struct table_row *row, const uint8_t *frame,
			size_t length, struct tally *tally)
{
	struct dissected segment = dissect(frame, length);
	struct dissected_options found = { 0 };
	struct outcome outcome;
	bool good;

	if (!decision_run(frame, length, &outcome) || !bytes_are_kept(frame, length, &outcome))
		return false;
	if (segment.has_tcp)
		found = dissect_options(segment.options, segment.end, segment.stop);
	good = is_to_service(config, row) ? agrees(row, &found, &outcome, tally)
					  : !is_for_backend(outcome.reason);
	if (!good)
		diag("frame %s: reason %d, backend %d, token '%s'", row->fields[FRAME],
		     outcome.reason, outcome.backend, row->fields[JOIN_TOKEN]);
	return good;
}

/* table: FOLDER/NAME.frames.csv, beside FOLDER/NAME.eth.pcap. */
static void check_capture(const char *folder, const char *table_path)
{
	const char *name = table_path + strlen(folder) + 1;
	int name_length = strlen(name) - strlen(".frames.csv");
	struct config *config = new_config();
	uint8_t frame[PCAP_FRAME_MAX];
	struct tally tally = { 0 };
	char path[PATH_LENGTH], capture[PATH_LENGTH];
	FILE *table = fopen(table_path, "r");
	struct table_row row;
	struct pcap pcap;
	size_t length;
	bool good;

	snprintf(capture, sizeof(capture), "%.*s", name_length, name);
	snprintf(path, sizeof(path), "%s/%.*s.eth.pcap", folder, name_length, name);
	add_services(config, folder, capture);
	decision_publish(config);
	good = pcap_open(&pcap, path) && table && read_row(table, &row);
	while (good && read_row(table, &row)) {
		length = pcap_next(&pcap, frame);
		good = length && check_frame(config, &row, frame, length, &tally);
	}
	ok(good && !pcap_next(&pcap, frame),
	   "%s: %d joins by their tokens, %d new, %d by stamps, %d by the ring", capture,
	   tally.joins, tally.new, tally.stamped, tally.others);
	pcap_close(&pcap);
	fclose(table);
	config_free(config);
}

static void for_each(const char *folder, const char *pattern,
		     void (*check)(const char *folder, const char *path))
{
	char path[PATH_LENGTH];
	glob_t found = { 0 };

	snprintf(path, sizeof(path), "%s/%s", folder, pattern);
	ok(!glob(path, 0, NULL, &found), "there are captures in %s", folder);
	for (size_t i = 0; i < found.gl_pathc; i++)
		check(folder, found.gl_pathv[i]);
	globfree(&found);
}

/* Whatever a frame claims to be sent to becomes a service. */
static void add_destination(struct config *config, const uint8_t *frame, size_t length)
{
	struct dissected segment = dissect(frame, length);
	struct address address = { .bytes = { [10] = 0xff, [11] = 0xff } };

	if (!segment.tcp || segment.tcp + 20 > segment.stop)
		return;
	memcpy(address.bytes + (segment.v6 ? 0 : 12), segment.destination, segment.v6 ? 16 : 4);
	add_service(config, &address, segment.dport);
}

/* A clue counts only if it is there, and what it is worth. */
static bool is_sound(const uint8_t *frame, size_t length, const struct outcome *outcome)
{
	struct dissected segment = dissect(frame, length);
	struct dissected_options found = { 0 };

	if (segment.has_tcp)
		found = dissect_options(segment.options, segment.end, segment.stop);
	if (outcome->reason == REASON_token)
		return found.joins && !found.capable && !found.malformed &&
		       outcome->backend == index_of_token(found.token);
	if (outcome->reason == REASON_stamp)
		return found.stamped && outcome->backend == index_of_stamp(found.tsecr);
	return !is_for_backend(outcome->reason) || outcome->backend == ON_RING;
}

static void check_malformed(const char *folder, const char *path)
{
	struct config *config = new_config();
	uint8_t frame[PCAP_FRAME_MAX];
	struct outcome outcome;
	struct pcap pcap;
	size_t length;
	int frames = 0, balanced = 0;
	bool good = pcap_open(&pcap, path);

	while (good && (length = pcap_next(&pcap, frame)))
		add_destination(config, frame, length);
	decision_publish(config);
	pcap_close(&pcap);
	for (good = pcap_open(&pcap, path); good && (length = pcap_next(&pcap, frame)); frames++) {
		good = decision_run(frame, length, &outcome) &&
		       bytes_are_kept(frame, length, &outcome) && is_sound(frame, length, &outcome);
		balanced += is_for_backend(outcome.reason);
	}
	ok(good && frames, "%s: %d frames, %d of them balanced, none by what is not there",
	   path + strlen(folder) + 1, frames, balanced);
	pcap_close(&pcap);
	config_free(config);
}

int main(int argc, char **argv)
{
	char folder[PATH_LENGTH];

	if (argc != 2) {
		fprintf(stderr, "usage: test_captures DIR, a folder that holds kernel, public and "
				"malformed\n");
		return 2;
	}
	decision_begin();
	for (const char **name = (const char *[]){ "kernel", "public", NULL }; *name; name++) {
		snprintf(folder, sizeof(folder), "%s/%s", argv[1], *name);
		for_each(folder, "*.frames.csv", check_capture);
	}
	snprintf(folder, sizeof(folder), "%s/malformed", argv[1]);
	for_each(folder, "*.pcap", check_malformed);
	decision_end();
	return tap_end();
}
