// SPDX-License-Identifier: GPL-2.0-only
/*
 * runner OBJECT: applies the configurations and runs the packets that come in on stdin
 * through the balancer in an object file, with poisoned headroom, and writes what it did.
 *
 * In:  "C", u32 length, the name of a configuration file
 *      "P", u32 bytes, and in them packets: u32 wall clock in ms, u32 length, the frame
 * Out: of C, u32 services, and for each 16 bytes of address, u16 port, u16 id
 *      of P, u32 bytes, and in them for each packet a struct verdict, and the frame if it
 *      has changed
 * All in this machine's byte order.
 */
#define _GNU_SOURCE
#include <linux/bpf.h>
#include <sys/mman.h>

#include "../../loader/bpffs.h"
#include "../../loader/cmd.h"
#include "fixture.h"

struct options options;

#define FRAME_MAX 4096
#define UNCHANGED UINT32_MAX
#define NONE 0xffff
#define SEVERAL 0xfffe

struct verdict {
	uint32_t action;
	uint32_t length; /* of the frame that follows; UNCHANGED: none does */
	uint16_t reason; /* SEVERAL: not exactly one was counted */
	uint16_t service;
	uint16_t backend;
	uint16_t pad;
};

struct input {
	uint32_t wall_ms;
	uint32_t length;
};

static struct tables *tables;
static struct config *config;
static uint64_t *counters;
static struct stamped *stamped;
static int program;

/* Reads all of it, or ends the program where the input does. */
static void take(void *data, size_t length)
{
	if (fread(data, 1, length, stdin) != length)
		exit(0);
}

static void put(const void *data, size_t length)
{
	if (fwrite(data, 1, length, stdout) != length)
		fixture_die("can't write");
}

/* Only the one that is run: the others take the verifier as long again. */
static struct bpf_program *choose_program(struct bpf_object *file)
{
	struct bpf_program *each;

	bpf_object__for_each_program(each, file)
		bpf_program__set_autoload(each, !strcmp(bpf_program__name(each), "lb_poisoned"));
	return bpf_object__find_program_by_name(file, "lb_poisoned");
}

/* For an array that this program sees at once, in place of a per-CPU one. */
static struct bpf_map *choose_counters(struct bpf_object *file, const char *name)
{
	struct bpf_map *map = bpf_object__find_map_by_name(file, name);

	if (!map || bpf_map__set_type(map, BPF_MAP_TYPE_ARRAY) ||
	    bpf_map__set_map_flags(map, BPF_F_MMAPABLE))
		fixture_die("can't choose the counters");
	return map;
}

static void *see_counters(struct bpf_map *map)
{
	size_t length = (size_t)bpf_map__value_size(map) * bpf_map__max_entries(map);
	void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	if (memory == MAP_FAILED)
		fixture_die("can't map the counters");
	return memory;
}

/* Pins the object's maps as `load` does, but for the counters. */
static void load(const char *object)
{
	LIBBPF_OPTS(bpf_object_open_opts, open_options, .pin_root_path = fixture_pins);
	struct bpf_object *file = bpf_object__open_file(object, &open_options);
	struct bpf_program *chosen = file ? choose_program(file) : NULL;
	struct bpf_map *counters_map, *stamped_map;

	if (!chosen)
		fixture_die("can't open the object");
	counters_map = choose_counters(file, "counters");
	stamped_map = choose_counters(file, "stamped");
	if (bpffs_prepare(fixture_pins) || bpf_object__load(file))
		fixture_die("can't load the object");
	program = bpf_program__fd(chosen);
	counters = see_counters(counters_map);
	stamped = see_counters(stamped_map);
}

/* Those of clusters.py that fixture.h has not. */
static void add_routes(void)
{
	if (system("ip route add 10.7.0.0/16 dev lo mtu 1300 && "
		   "ip route add 10.6.0.0/16 dev lo mtu 300 && "
		   "ip route add 10.5.0.0/16 dev lo mtu 60 && "
		   "ip route add 10.4.0.0/16 dev out mtu 1400 && "
		   "ip -6 route add fd00:7::/32 dev lo mtu 1300 && "
		   "ip -6 route add fd00:6::/32 dev lo mtu 300 && "
		   "ip -6 route add fd00:5::/32 dev lo mtu 60 && "
		   "ip -6 route add fd00:4::/32 dev out mtu 1400 && "
		   "ip -6 route add fd00:8::/32 dev out"))
		fixture_die("can't make the routes");
}

static void write_services(void)
{
	uint32_t count = config->service_count;

	put(&count, sizeof(count));
	for (uint32_t i = 0; i < count; i++) {
		const struct config_service *service = &config->services[i];
		uint16_t id = tables_service_id(tables, &service->address, service->port);

		put(&service->address, sizeof(service->address));
		put(&service->port, sizeof(service->port));
		put(&id, sizeof(id));
	}
}

static void apply(char *file)
{
	struct words words = { 2, (char *[]){ file, "force" } };

	if (tables)
		tables_close(tables);
	if (cmd_apply(&words) || tables_open(fixture_pins, &tables))
		fixture_die("can't apply");
	config_free(config);
	config = config_new();
	if (tables_read(tables, config))
		fixture_die("can't read the tables");
	write_services();
}

/* The only counter of a range that was moved, by one, which is set back; NONE or SEVERAL. */
static uint32_t take_counter(uint32_t first, uint32_t end)
{
	uint32_t found = NONE;

	for (uint32_t i = first; i < end; i++) {
		if (!counters[i])
			continue;
		found = found == NONE && counters[i] == 1 ? i - first : SEVERAL;
		counters[i] = 0;
	}
	return found;
}

static void move_stamped(void)
{
	for (uint32_t part = 0; part < STAMPED_PARTS; part++)
		tables_add_stamped(counters, part, &stamped[part]);
	memset(stamped, 0, STAMPED_PARTS * sizeof(*stamped));
}

static void read_counters(struct verdict *verdict)
{
	uint32_t counter;

	move_stamped();
	counter = take_counter(0, COUNTER_BACKENDS);
	verdict->backend = take_counter(COUNTER_BACKENDS, COUNTERS);
	verdict->service = counter >= SEVERAL ? 0 : counter / COUNTER_REASONS;
	verdict->reason = counter >= SEVERAL ? SEVERAL : counter % COUNTER_REASONS;
}

/* Returns the bytes written at `at`. */
static size_t run(const struct input *input, const uint8_t *frame, uint8_t *at)
{
	struct verdict verdict = { .length = UNCHANGED };
	LIBBPF_OPTS(bpf_test_run_opts, test, .data_in = frame, .data_size_in = input->length,
		    .data_out = at + sizeof(verdict), .data_size_out = FRAME_MAX);

	fixture_freeze_clock(tables, input->wall_ms);
	tables_state(tables)->error_turn_ns = 0; /* as if no error had been sent of late */
	if (bpf_prog_test_run_opts(program, &test))
		fixture_die("BPF_PROG_TEST_RUN");
	verdict.action = test.retval;
	read_counters(&verdict);
	if (test.data_size_out != input->length ||
	    memcmp(frame, at + sizeof(verdict), input->length))
		verdict.length = test.data_size_out;
	memcpy(at, &verdict, sizeof(verdict));
	return sizeof(verdict) + (verdict.length == UNCHANGED ? 0 : verdict.length);
}

static void run_batch(const uint8_t *batch, uint32_t length)
{
	static uint8_t *out;
	static size_t room;
	uint32_t written = 0;

	for (uint32_t at = 0; at < length;) {
		struct input input;

		if (room < written + sizeof(struct verdict) + FRAME_MAX) {
			room = 2 * room + sizeof(struct verdict) + FRAME_MAX;
			out = realloc(out, room);
			if (!out)
				fixture_die("no memory");
		}
		memcpy(&input, batch + at, sizeof(input));
		written += run(&input, batch + at + sizeof(input), out + written);
		at += sizeof(input) + input.length;
	}
	put(&written, sizeof(written));
	put(out, written);
}

static void obey(char command)
{
	uint32_t length;
	char *text;

	take(&length, sizeof(length));
	text = calloc(1, length + 1);
	if (!text)
		fixture_die("no memory");
	take(text, length);
	if (command == 'C')
		apply(text);
	else
		run_batch((uint8_t *)text, length);
	free(text);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int command;

	if (argc != 2)
		return fail(USAGE, "usage: runner OBJECT");
	options.json = true; /* apply says nothing on stdout */
	fixture_network("differential");
	add_routes();
	load(argv[1]);
	while ((command = getchar()) != EOF)
		obey(command);
	return 0;
}
