// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* From bytes to options: the length is judged first, then the content is read. */
#include <string.h>

#include "../include/mptcp_options.h"
#include "bytes.h"
#include "options_layout.h"

enum mptcp_reason mptcp_options_next(const uint8_t *options, size_t length, size_t *at,
				     struct mptcp_tcp_option *found)
{
	*found = (struct mptcp_tcp_option){ .kind = TCPOPT_EOL };
	while (*at < length && options[*at] == TCPOPT_NOP)
		++*at;
	if (*at >= length || options[*at] == TCPOPT_EOL)
		return MPTCP_REASON_ok;
	if (*at + 2 > length)
		return MPTCP_REASON_option_truncated;
	if (options[*at + 1] < 2)
		return MPTCP_REASON_option_too_short;
	if (*at + options[*at + 1] > length)
		return MPTCP_REASON_option_truncated;
	*found = (struct mptcp_tcp_option){ options + *at, options[*at], options[*at + 1] };
	*at += found->length;
	return MPTCP_REASON_ok;
}

static bool capable_length_fits(const struct capable_layout *layout, uint8_t version, size_t length,
				enum mptcp_segment segment)
{
	size_t fixed = capable_length(layout);

	if (segment == MPTCP_ACK && version && (length == fixed + 2 || length == fixed + 4))
		return true;
	return length == fixed;
}

static void read_capable(const uint8_t *bytes, size_t length, const struct capable_layout *layout,
			 struct mptcp_capable *capable)
{
	const uint8_t *at = bytes + CAPABLE_HEAD, *end = bytes + length;

	if (layout->values > 0)
		capable->sender = get_number(at, layout->value_bytes);
	at += layout->value_bytes;
	if (layout->values > 1)
		capable->receiver = get_number(at, layout->value_bytes);
	at = bytes + capable_length(layout);
	if (layout->selection)
		capable->key_sources = at[-1];
	capable->has_data_length = end - at >= 2;
	capable->has_checksum = end - at == 4;
	if (capable->has_data_length)
		capable->data_length = (uint16_t)get_number(at, 2);
	if (capable->has_checksum)
		capable->checksum = (uint16_t)get_number(at + 2, 2);
}

static enum mptcp_reason parse_capable(const uint8_t *bytes, size_t length,
				       struct mptcp_option *option)
{
	struct mptcp_capable *capable = &option->capable;
	struct capable_layout layout;

	if (length < CAPABLE_HEAD)
		return MPTCP_REASON_capable_length;
	capable->version = bytes[2] & 0x0f;
	capable->flags = bytes[3];
	if (capable->version > 1 && option->segment != MPTCP_SYN)
		return MPTCP_REASON_capable_version;
	/* SYNs of versions to come are taken if they look like version 1: the answer says ours. */
	layout = capable_layout(capable->version, capable->flags, option->segment);
	if (!capable_length_fits(&layout, capable->version, length, option->segment))
		return MPTCP_REASON_capable_length;
	if (capable->flags & MPTCP_EXTENDED)
		return MPTCP_REASON_capable_extended;
	if (!(capable->flags & (capable->version ? MPTCP_ALGORITHMS_V1 : MPTCP_ALGORITHMS_V0)))
		return MPTCP_REASON_capable_no_algorithm;
	read_capable(bytes, length, &layout, capable);
	return MPTCP_REASON_ok;
}

static enum mptcp_reason parse_join(const uint8_t *bytes, size_t length,
				    struct mptcp_option *option)
{
	struct mptcp_join_option *join = &option->join;

	if (option->segment == MPTCP_ACK) {
		if (length != JOIN_ACK)
			return MPTCP_REASON_join_length;
		memcpy(join->hmac, bytes + JOIN_HEAD, MPTCP_HMAC_ACK);
		return MPTCP_REASON_ok;
	}
	if (length != JOIN_SYNACK && !(option->segment == MPTCP_SYN && length == JOIN_SYN))
		return MPTCP_REASON_join_length;
	join->backup = bytes[2] & JOIN_BACKUP;
	join->key_id = !!(bytes[2] & KEY_ID);
	join->address_id = bytes[3];
	join->nonce = (uint32_t)get_number(bytes + length - 4, 4);
	if (option->segment == MPTCP_SYN) {
		join->token_bytes = (uint8_t)(length - JOIN_HEAD - 4);
		join->token = get_number(bytes + JOIN_HEAD, join->token_bytes);
	} else {
		memcpy(join->hmac, bytes + JOIN_HEAD, MPTCP_HMAC_SYNACK);
	}
	return MPTCP_REASON_ok;
}

static uint8_t dss_width(uint8_t flags, uint8_t present, uint8_t wide)
{
	if (!(flags & present))
		return 0;
	return flags & wide ? 8 : 4;
}

static void read_dss(const uint8_t *bytes, struct mptcp_dss *dss)
{
	bytes += DSS_HEAD;
	dss->ack = get_number(bytes, dss->ack_bytes);
	if (!dss->dsn_bytes)
		return;
	bytes += dss->ack_bytes;
	dss->dsn = get_number(bytes, dss->dsn_bytes);
	bytes += dss->dsn_bytes;
	dss->ssn = (uint32_t)get_number(bytes, 4);
	dss->length = (uint16_t)get_number(bytes + 4, 2);
	if (dss->has_checksum)
		dss->checksum = (uint16_t)get_number(bytes + 6, 2);
}

static enum mptcp_reason parse_dss(const uint8_t *bytes, size_t length, struct mptcp_option *option)
{
	struct mptcp_dss *dss = &option->dss;
	size_t expected;

	if (length < DSS_HEAD)
		return MPTCP_REASON_dss_length;
	dss->fin = bytes[3] & DSS_FIN;
	dss->ack_bytes = dss_width(bytes[3], DSS_ACK, DSS_ACK_WIDE);
	dss->dsn_bytes = dss_width(bytes[3], DSS_DSN, DSS_DSN_WIDE);
	expected = DSS_HEAD + dss->ack_bytes + (dss->dsn_bytes ? dss->dsn_bytes + 6 : 0);
	dss->has_checksum = dss->dsn_bytes && length == expected + 2;
	if (length != expected && !dss->has_checksum)
		return MPTCP_REASON_dss_length;
	if (dss->fin && !dss->dsn_bytes)
		return MPTCP_REASON_dss_fin_unmapped;
	read_dss(bytes, dss);
	return MPTCP_REASON_ok;
}

/* Behind the address there may be a port, 2 bytes, and an HMAC, 8. */
static enum mptcp_reason parse_add_addr(const uint8_t *bytes, size_t length,
					struct mptcp_option *option)
{
	struct mptcp_add_addr *add = &option->add_addr;
	size_t rest = length - (length < ADD_ADDR_IPV6 ? ADD_ADDR_IPV4 : ADD_ADDR_IPV6);

	if (length < ADD_ADDR_IPV4 || rest & ~(2ul | MPTCP_HMAC_ADDRESS))
		return MPTCP_REASON_add_addr_length;
	add->address_bytes = length < ADD_ADDR_IPV6 ? 4 : 16;
	add->has_port = rest & 2;
	add->has_hmac = rest & MPTCP_HMAC_ADDRESS;
	add->echo = bytes[2] & ADD_ADDR_ECHO;
	if (add->echo && add->has_hmac)
		return MPTCP_REASON_add_addr_length;
	/* Version 0 has the version of IP where version 1 has flags. */
	if (!add->echo && !add->has_hmac && (bytes[2] & 0x0f) != (add->address_bytes == 4 ? 4 : 6))
		return MPTCP_REASON_add_addr_family;
	add->key_id = add->echo || add->has_hmac ? !!(bytes[2] & KEY_ID) : 0;
	add->address_id = bytes[3];
	memcpy(add->address, bytes + ADD_ADDR_HEAD, add->address_bytes);
	bytes += ADD_ADDR_HEAD + add->address_bytes;
	if (add->has_port)
		add->port = (uint16_t)get_number(bytes, 2);
	if (add->has_hmac)
		memcpy(add->hmac, bytes + (rest & 2), MPTCP_HMAC_ADDRESS);
	return MPTCP_REASON_ok;
}

static enum mptcp_reason parse_remove_addr(const uint8_t *bytes, size_t length,
					   struct mptcp_option *option)
{
	struct mptcp_remove_addr *remove = &option->remove_addr;

	if (length <= OPTION_HEAD || length > MPTCP_OPTION_MAX)
		return MPTCP_REASON_remove_addr_length;
	remove->count = (uint8_t)(length - OPTION_HEAD);
	memcpy(remove->ids, bytes + OPTION_HEAD, remove->count);
	return MPTCP_REASON_ok;
}

static enum mptcp_reason parse_prio(const uint8_t *bytes, size_t length,
				    struct mptcp_option *option)
{
	if (length != OPTION_HEAD && length != PRIO_OF_ADDRESS)
		return MPTCP_REASON_prio_length;
	option->prio.backup = bytes[2] & PRIO_BACKUP;
	option->prio.has_address_id = length == PRIO_OF_ADDRESS;
	option->prio.address_id = option->prio.has_address_id ? bytes[3] : 0;
	return MPTCP_REASON_ok;
}

static enum mptcp_reason parse_fail(const uint8_t *bytes, size_t length,
				    struct mptcp_option *option)
{
	if (length != FAIL_LENGTH)
		return MPTCP_REASON_fail_length;
	option->fail_dsn = get_number(bytes + 4, 8);
	return MPTCP_REASON_ok;
}

static enum mptcp_reason parse_fastclose(const uint8_t *bytes, size_t length,
					 struct mptcp_option *option)
{
	if (length != FASTCLOSE_LENGTH)
		return MPTCP_REASON_fastclose_length;
	option->fastclose.key_id = bytes[2] & KEY_ID_LOWEST;
	option->fastclose.key = get_number(bytes + 4, KEY_BYTES);
	return MPTCP_REASON_ok;
}

static enum mptcp_reason parse_reset(const uint8_t *bytes, size_t length,
				     struct mptcp_option *option)
{
	if (length != TCPRST_LENGTH)
		return MPTCP_REASON_tcprst_length;
	option->reset.flags = bytes[2] & 0x0f;
	option->reset.reason = bytes[3];
	return MPTCP_REASON_ok;
}

static enum mptcp_reason parse_new_key(const uint8_t *bytes, size_t length,
				       struct mptcp_option *option)
{
	if (length != NEW_KEY_LENGTH)
		return MPTCP_REASON_new_key_length;
	option->new_key.key_id = bytes[2] & KEY_ID_LOWEST;
	option->new_key.hmac = get_number(bytes + 4, 8);
	return MPTCP_REASON_ok;
}

enum mptcp_reason mptcp_option_parse(const uint8_t *bytes, size_t length,
				     enum mptcp_segment segment, struct mptcp_option *option)
{
	static enum mptcp_reason (*const parsers[])(const uint8_t *, size_t,
						    struct mptcp_option *) = {
		[MPTCPOPT_MP_CAPABLE] = parse_capable,
		[MPTCPOPT_MP_JOIN] = parse_join,
		[MPTCPOPT_DSS] = parse_dss,
		[MPTCPOPT_ADD_ADDR] = parse_add_addr,
		[MPTCPOPT_RM_ADDR] = parse_remove_addr,
		[MPTCPOPT_MP_PRIO] = parse_prio,
		[MPTCPOPT_MP_FAIL] = parse_fail,
		[MPTCPOPT_MP_FASTCLOSE] = parse_fastclose,
		[MPTCPOPT_RST] = parse_reset,
		[MPTCPOPT_NEW_KEY] = parse_new_key,
	};
	uint8_t subtype;

	memset(option, 0, sizeof(*option));
	if (length < OPTION_HEAD)
		return MPTCP_REASON_no_subtype;
	subtype = bytes[2] >> 4;
	if (subtype >= sizeof(parsers) / sizeof(*parsers))
		return MPTCP_REASON_unknown_subtype;
	if (segment != MPTCP_ACK && subtype != MPTCPOPT_MP_CAPABLE && subtype != MPTCPOPT_MP_JOIN)
		return MPTCP_REASON_out_of_place;
	option->subtype = subtype;
	option->segment = segment;
	return parsers[subtype](bytes, length, option);
}
