// SPDX-License-Identifier: GPL-2.0-only
/* Makes the lab's namespaces with ip(8), and starts programs in them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab_network.h"

#define SPACE "mptcp-lab-"
#define PATH_LENGTH 64

const char *const lab_client_addresses[LAB_PATHS] = { "10.1.0.3", "10.2.0.3" };
const char *const lab_servers[LAB_SERVERS] = { "s1", "s2", "s3" };

static const char *const spaces[] = { "switch", "client", "lb", "s1", "s2", "s3", NULL };

#define CABLE(port, device, space, number) \
	"link add " port " netns " SPACE "switch type veth peer name " device \
	" address 02:00:00:00:00:" number " netns " SPACE space "\n"

static const char cables[] = CABLE("c0", "c0", "client", "20") CABLE("c1", "c1", "client", "21")
	CABLE("lb", "lb0", "lb", "30") CABLE("s1", "eth0", "s1", "11")
		CABLE("s2", "eth0", "s2", "12") CABLE("s3", "eth0", "s3", "13");

#define PORT_UP(port) "link set " port " up master br0\n"
#define PATH(path, net, table) \
	"link set c" path " up\naddr add " net ".2/24 dev c" path "\n" \
	"route add default via " net ".1 dev c" path " table " table "\n" \
	"rule add from " net ".3 lookup " table "\n" \
	"route add " net ".3/32 dev tun0\nneigh add proxy " net ".3 dev c" path "\n"
#define SERVER(address) \
	"link set eth0 up\naddr add " address "/24 dev eth0\n" \
	"tuntap add dev tun0 mode tun\nlink set tun0 up\n" \
	"route add " LAB_SERVICE "/32 dev tun0\n" \
	"route add 10.1.0.0/24 dev eth0\nroute add 10.2.0.0/24 dev eth0\n"

/* What the kernels know: not the service, nor the client's address, which are user space's. */
static const struct {
	const char *space, *commands;
} batches[] = {
	{ "switch",
	  "link add br0 type bridge forward_delay 0 mcast_snooping 0\nlink set br0 up\n" PORT_UP(
		  "c0") PORT_UP("c1") PORT_UP("lb") PORT_UP("s1") PORT_UP("s2") PORT_UP("s3") },
	{ "client", "tuntap add dev tun0 mode tun\nlink set tun0 up\n" PATH("0", "10.1.0", "100")
			    PATH("1", "10.2.0", "101") },
	{ "lb", "link set lb0 up\naddr add 10.0.0.1/24 dev lb0\n"
		"addr add 10.1.0.1/24 dev lb0\naddr add 10.2.0.1/24 dev lb0\n" },
	{ "s1", SERVER("10.0.0.11") },
	{ "s2", SERVER("10.0.0.12") },
	{ "s3", SERVER("10.0.0.13") },
};

static void enter(const char *space)
{
	char path[PATH_LENGTH];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/" SPACE "%s", space);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		_exit(127);
}

bool lab_start(const char *space, const char *const *argv, struct lab_program *program)
{
	int orders[2], answers[2];

	if (pipe2(orders, O_CLOEXEC) || pipe2(answers, O_CLOEXEC))
		return false;
	program->pid = fork();
	if (!program->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setpgid(0, 0); /* a terminal's ctrl-C is for the lab, which ends them in order */
		if (space)
			enter(space);
		dup2(orders[0], STDIN_FILENO);
		dup2(answers[1], STDOUT_FILENO);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	close(orders[0]);
	close(answers[1]);
	program->orders = fdopen(orders[1], "w");
	program->answers = fdopen(answers[0], "r");
	return program->pid > 0;
}

static bool await(struct lab_program *program)
{
	int result = -1;

	fclose(program->orders);
	while (fgetc(program->answers) != EOF)
		;
	fclose(program->answers);
	while (waitpid(program->pid, &result, 0) < 0 && errno == EINTR)
		;
	program->pid = 0;
	return WIFEXITED(result) && !WEXITSTATUS(result);
}

bool lab_run(const char *space, const char *const *argv)
{
	struct lab_program program;

	return lab_start(space, argv, &program) && await(&program);
}

void lab_stop(struct lab_program *program)
{
	if (program->pid <= 0)
		return;
	kill(program->pid, SIGKILL);
	await(program);
}

static bool run_batch(const char *space, const char *commands)
{
	static const char *const argv[] = { "ip", "-batch", "-", NULL };
	struct lab_program ip;

	if (!lab_start(space, argv, &ip))
		return false;
	fputs(commands, ip.orders);
	return await(&ip);
}

static bool set_up_space(const char *name)
{
	static const char *const sysctl[] = { "sysctl",
					      "-qw",
					      "net.ipv4.ip_forward=1",
					      "net.ipv4.conf.all.rp_filter=0",
					      "net.ipv4.conf.default.rp_filter=0",
					      "net.ipv6.conf.all.disable_ipv6=1",
					      "net.ipv6.conf.default.disable_ipv6=1",
					      NULL };
	char space[PATH_LENGTH];

	snprintf(space, sizeof(space), SPACE "%s", name);
	return lab_run(NULL, (const char *[]){ "ip", "netns", "add", space, NULL }) &&
	       lab_run(name, sysctl);
}

void lab_network_down(void)
{
	char path[PATH_LENGTH];

	for (const char *const *name = spaces; *name; name++) {
		snprintf(path, sizeof(path), "/run/netns/" SPACE "%s", *name);
		if (!access(path, F_OK))
			lab_run(NULL, (const char *[]){ "ip", "netns", "del",
							path + strlen("/run/netns/"), NULL });
	}
}

enum status lab_network_up(void)
{
	bool done = true;

	lab_network_down();
	for (const char *const *name = spaces; done && *name; name++)
		done = set_up_space(*name);
	done = done && run_batch(NULL, cables);
	for (size_t i = 0; done && i < sizeof(batches) / sizeof(*batches); i++)
		done = run_batch(batches[i].space, batches[i].commands);
	return done ? DONE
		    : fail(FAILED, "the lab's network namespaces cannot be made; ip(8) says why");
}
