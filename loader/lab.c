// SPDX-License-Identifier: GPL-2.0-only
/* lab: one connection of user space through a balancer of its own, for people to watch. */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "lab_network.h"

#define DIRECTORY "/run/mptcp-lb-lab"
#define PINS "/sys/fs/bpf/mptcp-lb-lab"
#define SECRET DIRECTORY "/secret"
#define BYTES "40000"
#define LINE_MAX_LENGTH 512

struct lab {
	const char *dialect, *keys, *write;
	char loader[PATH_MAX], peer[PATH_MAX];
	struct lab_program servers[LAB_SERVERS], client;
};

static volatile sig_atomic_t interrupted;

/* Ctrl-C ends the lab before its next order, and what it waits for at once; then it cleans up. */
static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

static const char *const indices[LAB_SERVERS] = { "0", "255", "128" };

static enum status write_text(const char *file, const char *format, const char *word)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || dprintf(fd, format, word) < 0 || close(fd))
		return fail(FAILED, "cannot write %s: %s", file, strerror(errno));
	return DONE;
}

/* Two configurations that differ in the ring's seed, so that most slots change hands. */
static enum status write_files(void)
{
	static const char config[] =
		"cluster: {index-bits: 8, epoch: 0, secrets: {0: secret}, ring-seed: %s}\n"
		"services:\n"
		"  - address: " LAB_SERVICE "\n"
		"    ports: [" LAB_PORT "]\n"
		"    backends:\n"
		"      - {index: 0, address: 10.0.0.11, lladdr: '02:00:00:00:00:11'}\n"
		"      - {index: 255, address: 10.0.0.12, lladdr: '02:00:00:00:00:12'}\n"
		"      - {index: 128, address: 10.0.0.13, lladdr: '02:00:00:00:00:13'}\n";
	char secret[33];
	uint64_t random[2];
	enum status status;

	if (mkdir(DIRECTORY, 0700) && errno != EEXIST)
		return fail(FAILED, "cannot make " DIRECTORY ": %s", strerror(errno));
	if (getentropy(random, sizeof(random)))
		return fail(FAILED, "there is no randomness to make a secret of");
	snprintf(secret, sizeof(secret), "%016llx%016llx", (unsigned long long)random[0],
		 (unsigned long long)random[1]);
	status = write_text(SECRET, "%s\n", secret);
	if (!status)
		status = write_text(DIRECTORY "/lab.yaml", config, "0");
	return status ? status : write_text(DIRECTORY "/moved.yaml", config, "1");
}

static void remove_files(void)
{
	unlink(SECRET);
	unlink(DIRECTORY "/lab.yaml");
	unlink(DIRECTORY "/moved.yaml");
	rmdir(DIRECTORY);
}

/* This program itself, as the balancer's command; words that are not needed are NULL. */
static bool balancer(const struct lab *lab, const char *word, const char *second, const char *third,
		     const char *fourth)
{
	const char *argv[] = { lab->loader, "-p", PINS, word, second, third, fourth, NULL };

	return lab_run("lb", argv);
}

static enum status start_balancer(const struct lab *lab)
{
	if (balancer(lab, "load", NULL, NULL, NULL) &&
	    balancer(lab, "apply", DIRECTORY "/lab.yaml", NULL, NULL) &&
	    balancer(lab, "attach", "dev", "lb0", "generic"))
		return DONE;
	return fail(FAILED, "the lab's balancer cannot be started");
}

/* Where one recording cannot be written the others cannot. */
static enum status try_writing(const char *write)
{
	char file[PATH_MAX];
	int fd;

	snprintf(file, sizeof(file), "%s-client.pcap", write);
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0)
		return fail(FAILED, "cannot write %s: %s", file, strerror(errno));
	close(fd);
	return DONE;
}

static enum status start_peer(const struct lab *lab, const char *space, const char *const *words,
			      struct lab_program *program)
{
	const char *argv[40] = { lab->peer };
	char file[PATH_MAX], line[LINE_MAX_LENGTH];
	int count = 1;

	while (*words)
		argv[count++] = *words++;
	snprintf(file, sizeof(file), "%s-%s.pcap", lab->write ? lab->write : "", space);
	if (lab->write) {
		argv[count++] = "write";
		argv[count++] = file;
	}
	if (!lab_start(space, argv, program) ||
	    (!fgets(line, sizeof(line), program->answers) && !interrupted))
		return fail(FAILED, "%s cannot be started in the namespace of %s", lab->peer,
			    space);
	return DONE;
}

static enum status start_peers(struct lab *lab)
{
	const char *client[] = { "client", "dev",     "tun0",   "dialects", lab->dialect,
				 "keys",   lab->keys, "shared", SECRET,     NULL };
	enum status status = DONE;

	for (int i = 0; !status && i < LAB_SERVERS; i++) {
		const char *server[] = { "server",       "dev",      "tun0",       "address",
					 LAB_SERVICE,    "port",     LAB_PORT,     "name",
					 lab_servers[i], "index",    indices[i],   "secret",
					 SECRET,         "dialects", lab->dialect, "keys",
					 lab->keys,      "shared",   SECRET,       NULL };

		status = start_peer(lab, lab_servers[i], server, &lab->servers[i]);
	}
	return status ? status : start_peer(lab, "client", client, &lab->client);
}

/* An order to the client, what it means, and the answer. */
static enum status order(struct lab *lab, const char *meaning, const char *words)
{
	struct json_object *answer, *error;
	char line[LINE_MAX_LENGTH];
	enum status status = DONE;

	fprintf(lab->client.orders, "%s\n", words);
	fflush(lab->client.orders);
	if (!fgets(line, sizeof(line), lab->client.answers) || interrupted)
		return fail(FAILED, interrupted ? "interrupted" : "the lab's client has ended");
	answer = json_tokener_parse(line);
	if (json_object_object_get_ex(answer, "error", &error))
		status = fail(FAILED, "%s: %s", meaning, json_object_get_string(error));
	else if (options.json)
		fputs(line, stdout);
	else
		printf("%s\n  %s", meaning, line);
	json_object_put(answer);
	return status;
}

static enum status move_ring(struct lab *lab)
{
	if (!balancer(lab, "apply", DIRECTORY "/moved.yaml", NULL, NULL))
		return fail(FAILED, "the lab's ring cannot be moved");
	if (!options.json)
		puts("The balancer gets another ring: most of its slots change hands.");
	return DONE;
}

static enum status play(struct lab *lab)
{
	char opening[LINE_MAX_LENGTH], join[LINE_MAX_LENGTH];
	enum status status;

	snprintf(opening, sizeof(opening), "open %s " LAB_SERVICE " " LAB_PORT,
		 lab_client_addresses[0]);
	snprintf(join, sizeof(join), "join 0 %s", lab_client_addresses[1]);
	status = order(lab, "The client opens a connection over its first path.", opening);
	if (!status)
		status = move_ring(lab);
	if (!status)
		status = order(lab, "It joins over its second path.", join);
	if (!status)
		status = order(lab, "Data on the first subflow; the echo takes both.",
			       "send 0 0 " BYTES);
	if (!status)
		status = order(lab, "Data on the second.", "send 0 1 " BYTES);
	return status ? status : order(lab, "The client closes.", "close 0");
}

/* The network is gone then, too; what was not loaded is not said to be missing. */
static void stop_balancer(const struct lab *lab)
{
	bool loaded = !access(PINS, F_OK);

	if (loaded)
		balancer(lab, "detach", "dev", "lb0", NULL);
	lab_network_down();
	if (loaded)
		lab_run(NULL, (const char *[]){ lab->loader, "-p", PINS, "unload", NULL });
}

static enum status run_lab(struct lab *lab)
{
	enum status status = write_files();

	if (!status)
		status = lab_network_up();
	if (!status)
		status = start_balancer(lab);
	if (!status)
		status = start_peers(lab);
	if (!status)
		status = play(lab);
	lab_stop(&lab->client);
	for (int i = 0; i < LAB_SERVERS; i++)
		lab_stop(&lab->servers[i]);
	stop_balancer(lab);
	remove_files();
	return status;
}

/* mptcp-peer is where this program is. */
static enum status find_programs(struct lab *lab)
{
	ssize_t length = readlink("/proc/self/exe", lab->loader, sizeof(lab->loader) - 1);
	char *name;

	if (length < 0)
		return fail(FAILED, "cannot find this program: %s", strerror(errno));
	lab->loader[length] = 0;
	strcpy(lab->peer, lab->loader);
	name = strrchr(lab->peer, '/') + 1;
	snprintf(name, (size_t)(lab->peer + sizeof(lab->peer) - name), "mptcp-peer");
	if (access(lab->peer, X_OK))
		return fail(FAILED, "cannot run %s: %s", lab->peer, strerror(errno));
	return DONE;
}

static enum status run_alone(struct lab *lab)
{
	struct sigaction action = { .sa_handler = on_signal };
	int lock = open("/run/mptcp-lb-lab.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	enum status status;

	if (geteuid())
		return fail(FAILED, "the lab makes network namespaces, and needs root for it");
	if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB))
		return fail(FAILED, "another lab is running");
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	setlinebuf(stdout); /* who watches through a pipe sees it happen, too */
	status = lab->write ? try_writing(lab->write) : DONE;
	if (!status)
		status = run_lab(lab);
	unlink("/run/mptcp-lb-lab.lock");
	close(lock);
	return status;
}

enum status cmd_lab(struct words *words)
{
	static const char *const dialects[] = { "v0", "v1", "d", "e", "f", "g", NULL };
	static const char *const sources[] = { "none", "tls12", "tls13", "shared", "null", NULL };
	unsigned int dialect = 1, keys = 0;
	struct lab lab = { 0 };
	enum status status = DONE;

	while (!status && words->count) {
		if (words_take(words, "dialect"))
			status = words_choice(words, "dialect", dialects, &dialect);
		else if (words_take(words, "keys"))
			status = words_choice(words, "keys", sources, &keys);
		else if (words_take(words, "write"))
			status = (lab.write = words_next(words))
					 ? DONE
					 : fail(USAGE, "write needs the beginning of file names");
		else
			status = words_end(words);
	}
	lab.dialect = dialects[dialect];
	lab.keys = sources[keys];
	if (!status && !keys && dialect >= 3)
		status = fail(USAGE, "dialect %s needs keys tls12, tls13, shared or null",
			      lab.dialect);
	if (!status)
		status = find_programs(&lab);
	return status ? status : run_alone(&lab);
}
