/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Why an MPTCP option, a handshake or a join was refused: each reason, what to do then, its words.
 */
#ifndef MPTCP_LB_MPTCP_REASON_H
#define MPTCP_LB_MPTCP_REASON_H

/* What the stack does with the segment. */
enum mptcp_action {
	MPTCP_GO_ON,
	MPTCP_IGNORE_OPTION, /* as if it were not there; a handshake falls back to TCP then */
	MPTCP_DROP_SEGMENT,  /* in silence: the peer will repeat it */
	MPTCP_RESET_SUBFLOW,
};

/* REASON(name, action, words) */
#define MPTCP_REASONS(REASON) \
	REASON(ok, MPTCP_GO_ON, "accepted") \
	REASON(option_truncated, MPTCP_IGNORE_OPTION, "an option runs beyond the header's end") \
	REASON(option_too_short, MPTCP_IGNORE_OPTION, "an option is shorter than its own head") \
	REASON(no_subtype, MPTCP_IGNORE_OPTION, "an MPTCP option has no subtype") \
	REASON(unknown_subtype, MPTCP_IGNORE_OPTION, "an MPTCP option of an unknown subtype") \
	REASON(out_of_place, MPTCP_IGNORE_OPTION, "no segment of this kind carries the option") \
	REASON(capable_length, MPTCP_IGNORE_OPTION, \
	       "MP_CAPABLE of a length that this segment never has") \
	REASON(capable_version, MPTCP_IGNORE_OPTION, "MP_CAPABLE of an unknown version") \
	REASON(capable_extended, MPTCP_IGNORE_OPTION, "MP_CAPABLE with the extensibility flag") \
	REASON(capable_no_algorithm, MPTCP_IGNORE_OPTION, "MP_CAPABLE without any algorithm") \
	REASON(join_length, MPTCP_IGNORE_OPTION, \
	       "MP_JOIN of a length that this segment never has") \
	REASON(dss_length, MPTCP_IGNORE_OPTION, "DSS of another length than its flags say") \
	REASON(dss_fin_unmapped, MPTCP_IGNORE_OPTION, "DATA_FIN without a data sequence number") \
	REASON(add_addr_length, MPTCP_IGNORE_OPTION, "ADD_ADDR of a length that none has") \
	REASON(add_addr_family, MPTCP_IGNORE_OPTION, \
	       "ADD_ADDR whose IP version and length contradict each other") \
	REASON(remove_addr_length, MPTCP_IGNORE_OPTION, "REMOVE_ADDR without an address ID") \
	REASON(prio_length, MPTCP_IGNORE_OPTION, "MP_PRIO of a length that none has") \
	REASON(new_key_length, MPTCP_IGNORE_OPTION, "NEW_KEY of a length that none has") \
	REASON(fail_length, MPTCP_IGNORE_OPTION, "MP_FAIL of a length that none has") \
	REASON(fastclose_length, MPTCP_IGNORE_OPTION, "MP_FASTCLOSE of a length that none has") \
	REASON(tcprst_length, MPTCP_IGNORE_OPTION, "MP_TCPRST of a length that none has") \
	REASON(nothing_offered, MPTCP_IGNORE_OPTION, \
	       "no MP_CAPABLE in a segment of the handshake") \
	REASON(nothing_in_common, MPTCP_IGNORE_OPTION, "no dialect of MPTCP that both ends speak") \
	REASON(answer_not_asked, MPTCP_IGNORE_OPTION, \
	       "the SYN/ACK agrees to what the SYN did not offer, or to several dialects at once") \
	REASON(ack_of_other_dialect, MPTCP_IGNORE_OPTION, \
	       "the third segment is of another dialect than was agreed") \
	REASON(ack_repeats_other, MPTCP_IGNORE_OPTION, \
	       "the third segment repeats other keys or tokens than were sent") \
	REASON(out_of_turn, MPTCP_IGNORE_OPTION, "the handshake does not wait for this segment") \
	REASON(key_source_unknown, MPTCP_IGNORE_OPTION, \
	       "no source of keys that both ends have, or several in an answer") \
	REASON(keys_not_external, MPTCP_IGNORE_OPTION, "the handshake has exchanged keys itself") \
	REASON(keys_given_already, MPTCP_IGNORE_OPTION, "the handshake has its keys already") \
	REASON(tls_not_ready, MPTCP_IGNORE_OPTION, "TLS has no keys to export yet") \
	REASON(tls_not_bound, MPTCP_IGNORE_OPTION, \
	       "TLS 1.2 without the extended master secret: another session may share its keys") \
	REASON(new_key_wrong, MPTCP_IGNORE_OPTION, "NEW_KEY of another key than ours") \
	REASON(key_id_unknown, MPTCP_RESET_SUBFLOW, "a join under a key that nobody has given") \
	REASON(keys_missing, MPTCP_DROP_SEGMENT, "a join before the keys are in place") \
	REASON(not_multipath, MPTCP_RESET_SUBFLOW, "a join to a connection that is not MPTCP") \
	REASON(token_unknown, MPTCP_RESET_SUBFLOW, "a join whose token names another connection") \
	REASON(hmac_wrong, MPTCP_RESET_SUBFLOW, "an HMAC that the keys do not give") \
	REASON(address_too_early, MPTCP_IGNORE_OPTION, "ADD_ADDR before the keys are in place") \
	REASON(address_unsigned, MPTCP_IGNORE_OPTION, "ADD_ADDR without HMAC") \
	REASON(address_hmac_wrong, MPTCP_IGNORE_OPTION, "ADD_ADDR whose HMAC the keys do not give")

#define MPTCP_REASON_ENUM(name, action, words) MPTCP_REASON_##name,
enum mptcp_reason { MPTCP_REASONS(MPTCP_REASON_ENUM) MPTCP_REASON_COUNT };
#undef MPTCP_REASON_ENUM

/* reason: below MPTCP_REASON_COUNT. */
enum mptcp_action mptcp_reason_action(enum mptcp_reason reason);
const char *mptcp_reason_words(enum mptcp_reason reason);

#endif
