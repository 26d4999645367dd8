// SPDX-License-Identifier: GPL-2.0-only
/* The ring and the flow hash, against the golden vectors of docs/ring.md's second model. */
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "../../loader/address.h"
#include "../../loader/ring.h"
#include "../tap.h"
#include "../vectors.h"

struct options options;

static struct config *config;
static struct config_service *service;
static struct ring ring;

static bool check_flow(const char *line)
{
	char service_text[64], client_text[64];
	unsigned int port, client_port, slot;
	struct address address, client;
	struct flow_key key;
	uint64_t seed;

	if (sscanf(line, "%" SCNu64 " %63s %u %63s %u %u", &seed, service_text, &port, client_text,
		   &client_port, &slot) != 6 ||
	    !address_parse(service_text, &address) || !address_parse(client_text, &client))
		return false;
	key = flow_key_of(seed, address.halves, htons(port));
	return slot == ring_slot(address_is_v4(&client)
					 ? flow_hash_v4(&key, client.words[3], htons(client_port))
					 : flow_hash_v6(&key, client.halves, htons(client_port)));
}

static void set_members(const char *text)
{
	memset(config->backends, 0, sizeof(config->backends));
	memset(service->weight, 0, sizeof(service->weight));
	do {
		unsigned long index = strtoul(text, (char **)&text, 10);

		config->backends[index].assigned = true;
		service->weight[index] = 1 + strtoul(text + 1, (char **)&text, 10);
	} while (*text++ == ',');
}

/* The first 16 hex digits of SHA-256 over the slots' indices, big-endian. */
static void digest_slots(char text[static 17])
{
	uint8_t bytes[RING_SLOTS * 2], digest[EVP_MAX_MD_SIZE];

	for (size_t slot = 0; slot < RING_SLOTS; slot++) {
		bytes[2 * slot] = (ring.slot[slot] - 1) >> 8;
		bytes[2 * slot + 1] = ring.slot[slot] - 1;
	}
	EVP_Digest(bytes, sizeof(bytes), digest, NULL, EVP_sha256(), NULL);
	for (int i = 0; i < 8; i++)
		sprintf(text + 2 * i, "%02x", digest[i]);
}

static bool check_ring(const char *line)
{
	char members[2048], expected[17], digest[17];

	if (sscanf(line, "%" SCNu64 " %2047s %16s", &config->ring_seed, members, expected) != 3)
		return false;
	set_members(members);
	ring_build(config, service, &ring);
	digest_slots(digest);
	return !strcmp(digest, expected);
}

static unsigned int slots_of(uint16_t index)
{
	unsigned int count = 0;

	for (size_t slot = 0; slot < RING_SLOTS; slot++)
		count += ring.slot[slot] == index + 1;
	return count;
}

static void check_states(void)
{
	set_members("1:100,2:100,3:100,4:0");
	config->backends[2].state = BACKEND_DRAIN;
	config->backends[3].state = BACKEND_DOWN;
	config->index_bits = 8;
	ring_build(config, service, &ring);
	ok(slots_of(1) == RING_SLOTS, "only a member that is up and has a weight is in the ring");
}

static void check_shares(void)
{
	static struct ring before;
	unsigned int moved = 0;

	set_members("1:100,2:200,3:100");
	ring_build(config, service, &before);
	ring = before;
	ok(abs((int)slots_of(2) - RING_SLOTS / 2) < 700, "half the weight gets half the slots");
	set_members("1:100,2:200,3:100,4:100");
	ring_build(config, service, &ring);
	for (size_t slot = 0; slot < RING_SLOTS; slot++)
		moved += ring.slot[slot] != before.slot[slot] && ring.slot[slot] != 5;
	ok(moved < RING_SLOTS / 20, "a member that is added moves few slots that it does not get");
}

static void check_none(void)
{
	memset(config->backends, 0, sizeof(config->backends));
	memset(service->weight, 0, sizeof(service->weight));
	ring_build(config, service, &ring);
	ok(!ring.slot[0], "no members make an empty ring");
}

int main(void)
{
	config = config_new();
	service = &config->services[config->service_count++];
	vectors_locate();
	ok(vectors_check_file("vectors-ring.txt", "flow slot", check_flow) == 64,
	   "flows fall into the slots of the golden vectors");
	ok(vectors_check_file("vectors-ring.txt", "ring", check_ring) == 18,
	   "rings are those of the golden vectors");
	check_states();
	check_shares();
	check_none();
	config_free(config);
	return tap_end();
}
