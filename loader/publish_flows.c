// SPDX-License-Identifier: GPL-2.0-only
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "publish_flows.h"

/* Joins whose SYN is all that was seen have room of their own: that many times less. */
#define FRESH_SHARE 8

static bool is_cache_of(const struct service *lines, uint32_t id)
{
	for (uint32_t line = 0; line < SERVICE_LINES; line++)
		if (lines[line].flows && lines[line].flow_caches == id)
			return true;
	return false;
}

static enum status make_cache(struct tables *tables, uint32_t id, uint32_t entries)
{
	int inner = bpf_map_create(BPF_MAP_TYPE_LRU_HASH, "flow_cache", sizeof(struct client),
				   sizeof(uint32_t), entries, NULL);
	int err = inner < 0 ? -errno : 0;

	tables_note_end(&tables_state(tables)->flow_caches_end, id);
	if (!err && bpf_map_update_elem(tables->fd[FLOWS], &id, &inner, BPF_ANY))
		err = -errno;
	if (inner >= 0)
		close(inner);
	return err ? fail(FAILED, "can't make a flow cache of %u entries: %s", entries,
			  strerror(-err))
		   : DONE;
}

enum status flows_place(struct tables *tables, const struct config_service *service, uint16_t *id,
			uint32_t *next)
{
	const struct service *lines = services_of(tables, live_bank(tables));
	const struct service *live = tables_find_service(tables, &service->address, service->port);
	enum status status;

	*id = 0;
	if (service->flows == FLOWS_OFF)
		return DONE;
	if (live && live->flows != FLOWS_OFF && live->flow_entries == service->flow_entries) {
		*id = live->flow_caches;
		return DONE;
	}
	while (is_cache_of(lines, *next))
		*next += FLOW_CACHES;
	*id = *next;
	*next += FLOW_CACHES;
	status = make_cache(tables, *id + FLOWS_SETTLED, service->flow_entries);
	return status ? status
		      : make_cache(tables, *id + FLOWS_FRESH, service->flow_entries / FRESH_SHARE);
}

void flows_drop_unused(struct tables *tables)
{
	const struct service *live = services_of(tables, live_bank(tables));
	uint32_t *end = &tables_state(tables)->flow_caches_end, last = 0, map_id;

	for (uint32_t id = 0; id < *end && id < MAX_FLOW_CACHES; id++) {
		if (is_cache_of(live, id - id % FLOW_CACHES))
			last = id;
		else if (!bpf_map_lookup_elem(tables->fd[FLOWS], &id, &map_id))
			bpf_map_delete_elem(tables->fd[FLOWS], &id);
	}
	*end = last + 1;
}
