// SPDX-License-Identifier: GPL-2.0-only
/*
 * SHA-256 over the configuration as lines of text, sorted.
 *
 * Left out is what members may differ in without sending a packet elsewhere: the epoch
 * that servers issue under (a rotation switches them one by one), where files are kept,
 * link-layer addresses, and how strict a member is about its clock.
 */
#include <endian.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "fingerprint.h"

#define LINE_SIZE 160
#define FINGERPRINT_BYTES 8

static void need(bool good)
{
	if (!good)
		exit(fail(FAILED, "libcrypto cannot compute SHA-256"));
}

static void __attribute__((format(printf, 2, 3)))
add_line(EVP_MD_CTX *hash, const char *format, ...)
{
	char line[LINE_SIZE];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	need(EVP_DigestUpdate(hash, line, length));
}

static void print_hex(const uint8_t *bytes, size_t count, char *text)
{
	for (size_t i = 0; i < count; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
}

static void add_secret(EVP_MD_CTX *hash, int epoch, const struct token_secret *secret)
{
	uint64_t words[2] = { htole64(secret->k0), htole64(secret->k1) };
	char text[2 * EVP_MAX_MD_SIZE + 1];
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned int size;

	need(EVP_Digest(words, sizeof(words), digest, &size, EVP_sha256(), NULL));
	print_hex(digest, size, text);
	add_line(hash, "secret %d %s\n", epoch, text);
	explicit_bzero(words, sizeof(words));
}

static void add_service(EVP_MD_CTX *hash, const struct config_service *service)
{
	add_line(hash, "service %s port %u joins %s stamps %s flows %d join-port %u\n",
		 address_print(&service->address).text, service->port,
		 service->joins == JOINS_TOKEN ? "token" : "ring", service->stamps ? "on" : "off",
		 service->flows, service->join_port);
	for (uint32_t index = 0; index < MAX_BACKENDS; index++)
		if (service->weight[index])
			add_line(hash, "member %u weight %u\n", index, service->weight[index] - 1u);
}

static int compare_services(const void *left, const void *right)
{
	const struct config_service *a = *(const struct config_service *const *)left;
	const struct config_service *b = *(const struct config_service *const *)right;
	int order = memcmp(&a->address, &b->address, sizeof(a->address));

	return order ? order : (int)a->port - (int)b->port;
}

static void add_services(EVP_MD_CTX *hash, const struct config *config)
{
	const struct config_service *sorted[MAX_SERVICES];

	for (size_t i = 0; i < config->service_count; i++)
		sorted[i] = &config->services[i];
	qsort(sorted, config->service_count, sizeof(sorted[0]), compare_services);
	for (size_t i = 0; i < config->service_count; i++)
		add_service(hash, sorted[i]);
}

static void add_cluster(EVP_MD_CTX *hash, const struct config *config)
{
	static const char *const states[] = { "up", "drain", "down" };

	add_line(hash, "index-bits %u\nring-seed %llu\n", config->index_bits,
		 (unsigned long long)config->ring_seed);
	for (int epoch = 0; epoch < TOKEN_EPOCHS; epoch++)
		if (config->secrets[epoch].present)
			add_secret(hash, epoch, &config->secrets[epoch].secret);
	for (uint32_t index = 0; index < MAX_BACKENDS; index++) {
		const struct config_backend *backend = &config->backends[index];

		if (backend->assigned)
			add_line(hash, "backend %u %s %s\n", index,
				 address_print(&backend->address).text, states[backend->state]);
	}
}

void config_fingerprint(const struct config *config, char out[static 17])
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	uint8_t digest[EVP_MAX_MD_SIZE];

	need(hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL));
	add_cluster(hash, config);
	add_services(hash, config);
	need(EVP_DigestFinal_ex(hash, digest, NULL));
	EVP_MD_CTX_free(hash);
	print_hex(digest, FINGERPRINT_BYTES, out);
}
