// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* From options to bytes. Each function writes what follows the subtype, and returns its end. */
#include <string.h>

#include "../include/mptcp_options.h"
#include "bytes.h"
#include "options_layout.h"

static uint8_t *put_bytes(uint8_t *at, const uint8_t *bytes, size_t size)
{
	memcpy(at, bytes, size);
	return at + size;
}

/* The low half of the third byte. */
static void set_flags(uint8_t *bytes, uint8_t flags)
{
	bytes[2] |= flags;
}

static uint8_t *encode_capable(const struct mptcp_option *option, uint8_t *bytes)
{
	const struct mptcp_capable *capable = &option->capable;
	struct capable_layout layout =
		capable_layout(capable->version, capable->flags, option->segment);
	uint8_t *at = bytes + OPTION_HEAD;

	set_flags(bytes, capable->version);
	*at++ = capable->flags;
	if (layout.values > 0)
		at = put_number(at, capable->sender, layout.value_bytes);
	if (layout.values > 1)
		at = put_number(at, capable->receiver, layout.value_bytes);
	if (layout.selection)
		*at++ = capable->key_sources;
	if (capable->has_data_length)
		at = put_number(at, capable->data_length, 2);
	if (capable->has_checksum)
		at = put_number(at, capable->checksum, 2);
	return at;
}

static uint8_t *encode_join(const struct mptcp_option *option, uint8_t *bytes)
{
	const struct mptcp_join_option *join = &option->join;
	uint8_t *at = bytes + OPTION_HEAD;

	set_flags(bytes, (join->backup ? JOIN_BACKUP : 0) | (join->key_id ? KEY_ID : 0));
	*at++ = join->address_id;
	switch (option->segment) {
	case MPTCP_SYN:
		at = put_number(at, join->token, join->token_bytes);
		return put_number(at, join->nonce, 4);
	case MPTCP_SYNACK:
		at = put_bytes(at, join->hmac, MPTCP_HMAC_SYNACK);
		return put_number(at, join->nonce, 4);
	default:
		return put_bytes(at, join->hmac, MPTCP_HMAC_ACK);
	}
}

static uint8_t dss_flags(const struct mptcp_dss *dss)
{
	return (dss->ack_bytes ? DSS_ACK : 0) | (dss->ack_bytes == 8 ? DSS_ACK_WIDE : 0) |
	       (dss->dsn_bytes ? DSS_DSN : 0) | (dss->dsn_bytes == 8 ? DSS_DSN_WIDE : 0) |
	       (dss->fin ? DSS_FIN : 0);
}

static uint8_t *encode_dss(const struct mptcp_option *option, uint8_t *bytes)
{
	const struct mptcp_dss *dss = &option->dss;
	uint8_t *at = bytes + OPTION_HEAD;

	*at++ = dss_flags(dss);
	at = put_number(at, dss->ack, dss->ack_bytes);
	if (!dss->dsn_bytes)
		return at;
	at = put_number(at, dss->dsn, dss->dsn_bytes);
	at = put_number(at, dss->ssn, 4);
	at = put_number(at, dss->length, 2);
	return dss->has_checksum ? put_number(at, dss->checksum, 2) : at;
}

static uint8_t *encode_add_addr(const struct mptcp_option *option, uint8_t *bytes)
{
	const struct mptcp_add_addr *add = &option->add_addr;
	uint8_t *at = bytes + OPTION_HEAD;

	if (add->echo)
		set_flags(bytes, ADD_ADDR_ECHO);
	else if (!add->has_hmac)
		set_flags(bytes, add->address_bytes == 4 ? 4 : 6);
	set_flags(bytes, add->key_id ? KEY_ID : 0);
	*at++ = add->address_id;
	at = put_bytes(at, add->address, add->address_bytes);
	if (add->has_port)
		at = put_number(at, add->port, 2);
	return add->has_hmac ? put_bytes(at, add->hmac, MPTCP_HMAC_ADDRESS) : at;
}

static uint8_t *encode_remove_addr(const struct mptcp_option *option, uint8_t *bytes)
{
	return put_bytes(bytes + OPTION_HEAD, option->remove_addr.ids, option->remove_addr.count);
}

static uint8_t *encode_prio(const struct mptcp_option *option, uint8_t *bytes)
{
	uint8_t *at = bytes + OPTION_HEAD;

	set_flags(bytes, option->prio.backup ? PRIO_BACKUP : 0);
	if (option->prio.has_address_id)
		*at++ = option->prio.address_id;
	return at;
}

static uint8_t *encode_fail(const struct mptcp_option *option, uint8_t *bytes)
{
	return put_number(bytes + 4, option->fail_dsn, 8);
}

static uint8_t *encode_fastclose(const struct mptcp_option *option, uint8_t *bytes)
{
	set_flags(bytes, option->fastclose.key_id);
	return put_number(bytes + 4, option->fastclose.key, KEY_BYTES);
}

static uint8_t *encode_new_key(const struct mptcp_option *option, uint8_t *bytes)
{
	set_flags(bytes, option->new_key.key_id);
	return put_number(bytes + 4, option->new_key.hmac, 8);
}

static uint8_t *encode_reset(const struct mptcp_option *option, uint8_t *bytes)
{
	set_flags(bytes, option->reset.flags);
	bytes[3] = option->reset.reason;
	return bytes + TCPRST_LENGTH;
}

size_t mptcp_option_encode(const struct mptcp_option *option, uint8_t *bytes)
{
	static uint8_t *(*const encoders[])(const struct mptcp_option *, uint8_t *) = {
		[MPTCPOPT_MP_CAPABLE] = encode_capable,
		[MPTCPOPT_MP_JOIN] = encode_join,
		[MPTCPOPT_DSS] = encode_dss,
		[MPTCPOPT_ADD_ADDR] = encode_add_addr,
		[MPTCPOPT_RM_ADDR] = encode_remove_addr,
		[MPTCPOPT_MP_PRIO] = encode_prio,
		[MPTCPOPT_MP_FAIL] = encode_fail,
		[MPTCPOPT_MP_FASTCLOSE] = encode_fastclose,
		[MPTCPOPT_RST] = encode_reset,
		[MPTCPOPT_NEW_KEY] = encode_new_key,
	};

	memset(bytes, 0, MPTCP_OPTION_MAX);
	bytes[0] = TCPOPT_MPTCP;
	bytes[2] = (uint8_t)(option->subtype << 4);
	bytes[1] = (uint8_t)(encoders[option->subtype](option, bytes) - bytes);
	return bytes[1];
}
