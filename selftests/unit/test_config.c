// SPDX-License-Identifier: GPL-2.0-only
/* The configuration reader: what good files mean, and the whole sentence for each bad one. */
#include "../../loader/address.h"
#include "../../loader/config.h"
#include "../capture.h"
#include "../tap.h"

struct options options;

/* Six lines of a good file, for rows that go wrong on line 7. */
#define SERVICE \
	"services:\n" \
	"  - address: 192.0.2.1\n" \
	"    ports: [443]\n" \
	"    joins: ring\n" \
	"    backends:\n" \
	"      - {index: 1, address: 10.0.0.11}\n"

/* One more service, for rows that go wrong on line 11. */
#define TWO_SERVICES \
	SERVICE "  - address: 192.0.2.2\n" \
		"    ports: [443]\n" \
		"    joins: ring\n" \
		"    backends:\n"

/* Three lines to which a key of a service is added on line 4. */
#define SHORT_SERVICE "services:\n  - address: 192.0.2.1\n    ports: [443]\n"

#define SECRET_0 "000102030405060708090a0b0c0d0e0f"

static const struct {
	const char *sentence;
	const char *yaml;
	const char *means; /* as print_config() has it */
} good[] = {
	{ "an empty cluster takes the defaults", "cluster: {}\n",
	  "index-bits 8 ring-seed 0 epoch 0 strict-clock off\n" },
	{ "every key of a cluster",
	  "cluster:\n  index-bits: 12\n  ring-seed: 18446744073709551615\n  epoch: 3\n"
	  "  secrets: {0: secret.0, 3: \"secret.3\"}\n  strict-clock: on\n",
	  "index-bits 12 ring-seed 18446744073709551615 epoch 3 strict-clock on\n"
	  "secret 0 0706050403020100 0f0e0d0c0b0a0908 DIR/secret.0\n"
	  "secret 3 8888888888888888 8888888888888888 DIR/secret.3\n" },
	{ "a service takes the defaults: joins token, stamps on, state up, weight 100",
	  "cluster: {secrets: {0: secret.0}}\n" SHORT_SERVICE
	  "    backends: [{index: 7, address: 10.0.0.7}]\n",
	  "index-bits 8 ring-seed 0 epoch 0 strict-clock off\n"
	  "secret 0 0706050403020100 0f0e0d0c0b0a0908 DIR/secret.0\n"
	  "backend 7 10.0.0.7 - 0\n"
	  "service 192.0.2.1 443 joins 0 stamps 1 7*100\n" },
	{ "flow caches of default and of given size, and entries for when there is one",
	  "services:\n"
	  "  - {address: 192.0.2.1, ports: [80, 443], joins: ring, flows: joins}\n"
	  "  - {address: 192.0.2.2, ports: [80], joins: ring, flows: all, flow-entries: 8192}\n"
	  "  - {address: 192.0.2.3, ports: [80], joins: ring, flow-entries: 16777216}\n",
	  "index-bits 8 ring-seed 0 epoch 0 strict-clock off\n"
	  "service 192.0.2.1 80 joins 1 stamps 1 flows 1 65536\n"
	  "service 192.0.2.1 443 joins 1 stamps 1 flows 1 65536\n"
	  "service 192.0.2.2 80 joins 1 stamps 1 flows 2 8192\n"
	  "service 192.0.2.3 80 joins 1 stamps 1 flows 0 16777216\n" },
	{ "the highest join port, none, and a service beside the join ports of another address",
	  "services:\n"
	  "  - {address: 192.0.2.1, ports: [443, 65279], joins: ring, join-port: 65280}\n"
	  "  - {address: 192.0.2.1, ports: [80], joins: ring, join-port: off}\n"
	  "  - {address: 192.0.2.2, ports: [65400], joins: ring, join-port: 0}\n",
	  "index-bits 8 ring-seed 0 epoch 0 strict-clock off\n"
	  "service 192.0.2.1 443 joins 1 stamps 1 join-port 65280\n"
	  "service 192.0.2.1 65279 joins 1 stamps 1 join-port 65280\n"
	  "service 192.0.2.1 80 joins 1 stamps 1\n"
	  "service 192.0.2.2 65400 joins 1 stamps 1\n" },
	{ "every key of a service, every key of a backend, and the extremes of a weight",
	  "services:\n"
	  "  - {address: \"2001:db8::1\", ports: [1, 65535], joins: ring, stamps: off, flows: "
	  "off,\n"
	  "     backends: [{index: 0, address: \"2001:db8::2\", lladdr: \"02:00:00:00:00:0B\",\n"
	  "                 forward: l2, state: drain, weight: 65534},\n"
	  "                {index: 255, address: 10.0.0.255, lladdr: 02:00:00:00:00:0c, state: "
	  "down, weight: 0}]}\n",
	  "index-bits 8 ring-seed 0 epoch 0 strict-clock off\n"
	  "backend 0 2001:db8::2 02:00:00:00:00:0b 1\n"
	  "backend 255 10.0.0.255 02:00:00:00:00:0c 2\n"
	  "service 2001:db8::1 1 joins 1 stamps 0 0*65534 255*0\n"
	  "service 2001:db8::1 65535 joins 1 stamps 0 0*65534 255*0\n" },
	{ "tunnels, and their sources",
	  "cluster: {tunnel-source: 100.64.0.0/24, tunnel-source-v6: "
	  "\"2001:db8:64::/96\"}\n" SHORT_SERVICE "    joins: ring\n    backends:\n"
	  "      - {index: 1, address: 10.0.0.1, forward: ipip}\n"
	  "      - {index: 2, address: \"2001:db8::2\", forward: gue}\n",
	  "index-bits 8 ring-seed 0 epoch 0 strict-clock off\n"
	  "tunnel-source 100.64.0.0/24\ntunnel-source-v6 2001:db8:64::/96\n"
	  "backend 1 10.0.0.1 - 0 ipip\nbackend 2 2001:db8::2 - 0 gue\n"
	  "service 192.0.2.1 443 joins 1 stamps 1 1*100 2*100\n" },
	{ "df-clear fragment", "cluster: {df-clear: fragment}\n",
	  "index-bits 8 ring-seed 0 epoch 0 strict-clock off\ndf-clear fragment\n" },
	{ "df-clear too-big, as without it", "cluster: {df-clear: too-big}\n",
	  "index-bits 8 ring-seed 0 epoch 0 strict-clock off\n" },
	{ "a later service gives only an index and a weight",
	  TWO_SERVICES "      - {index: 1, weight: 50}\n",
	  "index-bits 8 ring-seed 0 epoch 0 strict-clock off\n"
	  "backend 1 10.0.0.11 - 0\n"
	  "service 192.0.2.1 443 joins 1 stamps 1 1*100\n"
	  "service 192.0.2.2 443 joins 1 stamps 1 1*50\n" },
	{ "an earlier service gives only an index, and a later one the rest",
	  SHORT_SERVICE "    joins: ring\n    backends: [{index: 1}]\n"
			"  - {address: 192.0.2.2, ports: [1], joins: ring,\n"
			"     backends: [{index: 1, address: 10.0.0.11, state: down}]}\n",
	  "index-bits 8 ring-seed 0 epoch 0 strict-clock off\n"
	  "backend 1 10.0.0.11 - 2\n"
	  "service 192.0.2.1 443 joins 1 stamps 1 1*100\n"
	  "service 192.0.2.2 1 joins 1 stamps 1 1*100\n" },
	{ "the same address of a backend may be said again",
	  TWO_SERVICES "      - {index: 1, address: 10.0.0.11}\n",
	  "index-bits 8 ring-seed 0 epoch 0 strict-clock off\n"
	  "backend 1 10.0.0.11 - 0\n"
	  "service 192.0.2.1 443 joins 1 stamps 1 1*100\n"
	  "service 192.0.2.2 443 joins 1 stamps 1 1*100\n" },
	{ "the cluster may stand after the services that its index-bits bound",
	  SHORT_SERVICE "    joins: ring\n    backends: [{index: 4095, address: 10.0.0.11}]\n"
			"cluster: {index-bits: 12}\n",
	  "index-bits 12 ring-seed 0 epoch 0 strict-clock off\n"
	  "backend 4095 10.0.0.11 - 0\n"
	  "service 192.0.2.1 443 joins 1 stamps 1 4095*100\n" },
	{ "a service without backends, as `service add` leaves it",
	  SHORT_SERVICE "    joins: ring\n",
	  "index-bits 8 ring-seed 0 epoch 0 strict-clock off\n"
	  "service 192.0.2.1 443 joins 1 stamps 1\n" },
	{ "an anchor and its alias share a list of backends",
	  "services:\n"
	  "  - {address: 192.0.2.1, ports: [1], joins: ring,\n"
	  "     backends: &all [{index: 1, address: 10.0.0.11}]}\n"
	  "  - {address: 192.0.2.2, ports: [1], joins: ring, backends: *all}\n",
	  "index-bits 8 ring-seed 0 epoch 0 strict-clock off\n"
	  "backend 1 10.0.0.11 - 0\n"
	  "service 192.0.2.1 1 joins 1 stamps 1 1*100\n"
	  "service 192.0.2.2 1 joins 1 stamps 1 1*100\n" },
	{ "a secret file without a newline, in upper case, with an absolute name",
	  "cluster: {secrets: {1: secret.upper}}\n",
	  "index-bits 8 ring-seed 0 epoch 0 strict-clock off\n"
	  "secret 1 abababababababab abababababababab DIR/secret.upper\n" },
	{ "comments, a document marker and empty lists",
	  "# all of it\n---\ncluster: {secrets: {}}\nservices: []\n...\n",
	  "index-bits 8 ring-seed 0 epoch 0 strict-clock off\n" },
};

struct refusal {
	const char *sentence;
	const char *yaml;
	const char *says;
};

static const struct refusal bad[] = {
	{ "an empty file", "", "t.yaml:1:1: the file is empty" },
	{ "a file of comments", "# nothing\n", "t.yaml:1:1: the file is empty" },
	{ "a list for a file", "- 1\n",
	  "t.yaml:1:1: the file must be a mapping of keys to values" },
	{ "a word for a file", "hello\n",
	  "t.yaml:1:1: the file must be a mapping of keys to values" },
	{ "two documents", "cluster: {}\n---\ncluster: {}\n",
	  "t.yaml:2:1: a second document begins here; there can be only one" },
	{ "a tab for indentation", "cluster:\n\tepoch: 1\n",
	  "t.yaml:2:1: not YAML: found character that cannot start any token" },
	{ "a bracket that does not close", "services: [\n",
	  "t.yaml:2:1: not YAML: did not find expected node content" },
	{ "a mistake in a second document", "cluster: {}\n---\n]\n",
	  "t.yaml:3:1: not YAML: did not find expected node content" },
	{ "a control character", "cluster: {}\n\x01\n",
	  "t.yaml:2:1: not YAML: control characters are not allowed" },
	{ "bytes that are not UTF-8", "cluster: {epoch: \xff}\n",
	  "t.yaml:1:18: not YAML: invalid leading UTF-8 octet" },
	{ "an alias without an anchor", "cluster: *nowhere\n",
	  "t.yaml:1:10: not YAML: found undefined alias" },
	{ "an unknown key of the file", "clusters: {}\n",
	  "t.yaml:1:1: unknown key 'clusters'; the file has cluster and services" },
	{ "a list as a key", "[1]: 2\n", "t.yaml:1:1: a key must be one value, not a list" },
	{ "a key with a zero byte", "\"cluster\\0\": {}\n", "t.yaml:1:1: a key holds a zero byte" },
	{ "the cluster twice", "cluster: {}\nservices: []\ncluster: {}\n",
	  "t.yaml:3:1: cluster is said twice, first at line 1" },

	{ "a number for a cluster", "cluster: 8\n",
	  "t.yaml:1:10: cluster must be a mapping of keys to values" },
	{ "nothing for a cluster", "cluster:\n",
	  "t.yaml:1:9: cluster must be a mapping of keys to values" },
	{ "an unknown key of the cluster", "cluster:\n  index_bits: 8\n",
	  "t.yaml:2:3: unknown key 'index_bits'; cluster has index-bits, ring-seed, epoch, "
	  "secrets, strict-clock, tunnel-source, tunnel-source-v6 and df-clear" },
	{ "a tunnel source with host bits", "cluster: {tunnel-source: 100.64.0.1/24}\n",
	  "t.yaml:1:26: tunnel-source must be an IPv4 prefix such as 100.64.0.0/24, not "
	  "'100.64.0.1/24'" },
	{ "a tunnel source of the other family", "cluster: {tunnel-source: \"2001:db8::/64\"}\n",
	  "t.yaml:1:26: tunnel-source must be an IPv4 prefix such as 100.64.0.0/24, not "
	  "'2001:db8::/64'" },
	{ "a tunnel source of 33 bits", "cluster: {tunnel-source: 100.64.0.0/33}\n",
	  "t.yaml:1:26: tunnel-source must be an IPv4 prefix such as 100.64.0.0/24, not "
	  "'100.64.0.0/33'" },
	{ "a tunnel source whose length is missing", "cluster: {tunnel-source: 100.64.0.0/}\n",
	  "t.yaml:1:26: tunnel-source must be an IPv4 prefix such as 100.64.0.0/24, not "
	  "'100.64.0.0/'" },
	{ "an IPv6 tunnel source of no bits", "cluster: {tunnel-source-v6: \"::/0\"}\n",
	  "t.yaml:1:29: tunnel-source-v6 must be an IPv6 prefix such as 2001:db8:64::/96, not "
	  "'::/0'" },
	{ "too few index bits", "cluster:\n  index-bits: 3\n",
	  "t.yaml:2:15: index-bits must be a number from 4 to 12, not '3'" },
	{ "too many index bits", "cluster:\n  index-bits: 13\n",
	  "t.yaml:2:15: index-bits must be a number from 4 to 12, not '13'" },
	{ "index bits as a list", "cluster:\n  index-bits: [8]\n",
	  "t.yaml:2:15: index-bits must be one value, not a list" },
	{ "index bits as a mapping", "cluster:\n  index-bits: {8: 8}\n",
	  "t.yaml:2:15: index-bits must be one value, not a mapping" },
	{ "a ring seed beyond 64 bits", "cluster: {ring-seed: 18446744073709551616}\n",
	  "t.yaml:1:22: ring-seed must be a number from 0 to 18446744073709551615, not "
	  "'18446744073709551616'" },
	{ "a ring seed in hexadecimal", "cluster: {ring-seed: 0x10}\n",
	  "t.yaml:1:22: ring-seed must be a number from 0 to 18446744073709551615, not '0x10'" },
	{ "a negative ring seed", "cluster: {ring-seed: -1}\n",
	  "t.yaml:1:22: ring-seed must be a number from 0 to 18446744073709551615, not '-1'" },
	{ "a number with a zero before it, which YAML takes for octal",
	  "cluster: {ring-seed: 010}\n",
	  "t.yaml:1:22: ring-seed must be a number from 0 to 18446744073709551615, not '010'" },
	{ "an epoch beyond 3", "cluster: {epoch: 4}\n",
	  "t.yaml:1:18: epoch must be a number from 0 to 3, not '4'" },
	{ "no epoch", "cluster: {epoch: }\n",
	  "t.yaml:1:18: epoch must be a number from 0 to 3, not ''" },
	{ "strict-clock yes", "cluster: {strict-clock: yes}\n",
	  "t.yaml:1:25: strict-clock must be on or off, not 'yes'" },

	{ "another df-clear", "cluster: {df-clear: drop}\n",
	  "t.yaml:1:21: df-clear must be too-big or fragment, not 'drop'" },

	{ "a list of secrets", "cluster: {secrets: [secret.0]}\n",
	  "t.yaml:1:20: secrets must be a mapping of epochs to files" },
	{ "a secret of epoch 4", "cluster:\n  secrets: {4: secret.0}\n",
	  "t.yaml:2:13: a secret's epoch must be a number from 0 to 3, not '4'" },
	{ "two secrets of one epoch", "cluster:\n  secrets: {0: secret.0, \"0\": secret.3}\n",
	  "t.yaml:2:26: epoch 0 has two secrets" },
	{ "a secret that is a list", "cluster:\n  secrets: {0: [secret.0]}\n",
	  "t.yaml:2:16: a secret's file must be one value, not a list" },
	{ "a secret without a file", "cluster:\n  secrets: {0: }\n",
	  "t.yaml:2:16: a secret needs the name of its file" },
	{ "a secret from the maps, where no maps are read", "cluster:\n  secrets: {0: \"-\"}\n",
	  "t.yaml:2:16: secret '-' is the loaded one, which only apply knows" },
	{ "a secret file with a digit too few", "cluster:\n  secrets: {0: secret.short}\n",
	  "t.yaml:2:16: secret file secret.short does not hold 32 hex digits and nothing else" },
	{ "a secret file with a digit too many", "cluster:\n  secrets: {0: secret.long}\n",
	  "t.yaml:2:16: secret file secret.long does not hold 32 hex digits and nothing else" },
	{ "a secret file with a second line", "cluster:\n  secrets: {0: secret.lines}\n",
	  "t.yaml:2:16: secret file secret.lines does not hold 32 hex digits and nothing else" },
	{ "a secret file with a letter that is no digit", "cluster:\n  secrets: {0: secret.g}\n",
	  "t.yaml:2:16: secret file secret.g does not hold 32 hex digits and nothing else" },
	{ "an empty secret file", "cluster:\n  secrets: {0: /dev/null}\n",
	  "t.yaml:2:16: secret file /dev/null does not hold 32 hex digits and nothing else" },
	{ "a path that is too long",
	  "cluster: {secrets: {0: "
	  "/2345678901234567890123456789012345678901234567890123456789012345678901234567890"
	  "/2345678901234567890123456789012345678901234567890123456789012345678901234567890"
	  "/2345678901234567890123456789012345678901234567890123456789012345678901234567890"
	  "/23456789012}}\n",
	  "t.yaml:1:24: a secret file's path has at most 251 bytes" },

	{ "services as a mapping", "services: {address: 192.0.2.1}\n",
	  "t.yaml:1:11: services must be a list" },
	{ "a service that is a word", "services: [web]\n",
	  "t.yaml:1:12: a service must be a mapping of keys to values" },
	{ "an unknown key of a service", SHORT_SERVICE "    port: 443\n",
	  "t.yaml:4:5: unknown key 'port'; a service has address, ports, joins, stamps, flows, "
	  "backends, flow-entries and join-port" },
	{ "a service without an address", "services:\n  - ports: [443]\n",
	  "t.yaml:2:5: a service needs address" },
	{ "a service without ports", "services:\n  - address: 192.0.2.1\n",
	  "t.yaml:2:5: a service needs ports" },
	{ "a service at no address", "services:\n  - address: 192.0.2.256\n",
	  "t.yaml:2:14: address must be an IPv4 or IPv6 address, not '192.0.2.256'" },
	{ "a service at a prefix", "services:\n  - address: 192.0.2.0/24\n",
	  "t.yaml:2:14: address must be an IPv4 or IPv6 address, not '192.0.2.0/24'" },
	{ "a service at a list of addresses", "services:\n  - address: [192.0.2.1]\n",
	  "t.yaml:2:14: address must be one value, not a list" },
	{ "a service at a multicast address", "services:\n  - address: 224.0.0.1\n",
	  "t.yaml:2:14: 224.0.0.1 is not a unicast address" },
	{ "a service at an IPv6 multicast address", "services:\n  - address: \"ff02::1\"\n",
	  "t.yaml:2:14: ff02::1 is not a unicast address" },
	{ "a service at the unspecified address", "services:\n  - address: \"::\"\n",
	  "t.yaml:2:14: :: is not a unicast address" },
	{ "a service at the broadcast address", "services:\n  - address: 255.255.255.255\n",
	  "t.yaml:2:14: 255.255.255.255 is not a unicast address" },
	{ "a service at an IPv4 address in IPv6 clothes",
	  "services:\n  - address: \"::ffff:192.0.2.1\"\n",
	  "t.yaml:2:14: address must be an IPv4 or IPv6 address, not '::ffff:192.0.2.1'" },
	{ "an address with a zero byte", "services:\n  - address: \"192.0.2.1\\0\"\n",
	  "t.yaml:2:14: address holds a zero byte" },
	{ "ports that are no list", "services:\n  - {address: 192.0.2.1, ports: 443}\n",
	  "t.yaml:2:33: ports must be a list" },
	{ "no port in the list", "services:\n  - {address: 192.0.2.1, ports: []}\n",
	  "t.yaml:2:33: ports must name a port" },
	{ "port 0", "services:\n  - {address: 192.0.2.1, ports: [0]}\n",
	  "t.yaml:2:34: port must be a number from 1 to 65535, not '0'" },
	{ "port 65536", "services:\n  - {address: 192.0.2.1, ports: [443, 65536]}\n",
	  "t.yaml:2:39: port must be a number from 1 to 65535, not '65536'" },
	{ "a port by name", "services:\n  - {address: 192.0.2.1, ports: [https]}\n",
	  "t.yaml:2:34: port must be a number from 1 to 65535, not 'https'" },
	{ "a port twice in a service",
	  "services:\n  - {address: 192.0.2.1, joins: ring, ports: [1, 1]}\n",
	  "t.yaml:2:50: service 192.0.2.1 port 1 is said twice, first at line 2" },
	{ "a port of one address in two services",
	  SERVICE "  - address: 192.0.2.1\n    ports: [80, 443]\n",
	  "t.yaml:8:17: service 192.0.2.1 port 443 is said twice, first at line 3" },
	{ "joins by guess", SHORT_SERVICE "    joins: guess\n",
	  "t.yaml:4:12: joins must be token or ring, not 'guess'" },
	{ "joins learn", SHORT_SERVICE "    joins: learn\n",
	  "t.yaml:4:12: joins 'learn' is not built yet; use token or ring" },
	{ "stamps true", SHORT_SERVICE "    stamps: true\n",
	  "t.yaml:4:13: stamps must be on or off, not 'true'" },
	{ "flows on", SHORT_SERVICE "    flows: on\n",
	  "t.yaml:4:12: flows must be off, joins or all, not 'on'" },
	{ "too few flow entries", SHORT_SERVICE "    flow-entries: 8191\n",
	  "t.yaml:4:19: flow-entries must be a number from 8192 to 16777216, not '8191'" },
	{ "too many flow entries", SHORT_SERVICE "    flow-entries: 16777217\n",
	  "t.yaml:4:19: flow-entries must be a number from 8192 to 16777216, not '16777217'" },
	{ "a join port by name", SHORT_SERVICE "    join-port: high\n",
	  "t.yaml:4:16: join-port must be a number from 0 to 65535, not 'high'" },
	{ "a join port beyond 65535", SHORT_SERVICE "    join-port: 65536\n",
	  "t.yaml:4:16: join-port must be a number from 0 to 65535, not '65536'" },
	{ "join ports beyond 65535", SHORT_SERVICE "    joins: ring\n    join-port: 65281\n",
	  "t.yaml:5:16: join-port must not exceed 65280, since indices have 8 bits" },
	{ "join ports beyond 65535 by more index bits",
	  "cluster: {index-bits: 12}\n" SHORT_SERVICE "    joins: ring\n    join-port: 61441\n",
	  "t.yaml:6:16: join-port must not exceed 61440, since indices have 12 bits" },
	{ "a join port that is the service's own",
	  SHORT_SERVICE "    joins: ring\n    join-port: 443\n",
	  "t.yaml:5:16: the join ports 443 to 698 hold a service, 192.0.2.1 port 443" },
	{ "join ports that end with a service of the same address",
	  "services:\n  - {address: 192.0.2.1, ports: [80], joins: ring, join-port: 188}\n"
	  "  - {address: 192.0.2.1, ports: [443], joins: ring}\n",
	  "t.yaml:2:63: the join ports 188 to 443 hold a service, 192.0.2.1 port 443" },
	{ "two join ports at one address",
	  "services:\n  - {address: 192.0.2.1, ports: [80], joins: ring, join-port: 1000}\n"
	  "  - {address: 192.0.2.1, ports: [443], joins: ring, join-port: 2000}\n",
	  "t.yaml:3:64: join-port of 192.0.2.1 port 443 is 2000, but that of port 80 is 1000" },
	{ "joins token without any secret", SHORT_SERVICE,
	  "t.yaml:1:1: epoch 0 has no secret, but service 192.0.2.1 port 443 has joins token" },
	{ "joins token without a secret for the epoch that is issued under",
	  "cluster:\n  secrets: {0: secret.0}\n  epoch: 1\n" SHORT_SERVICE,
	  "t.yaml:3:10: epoch 1 has no secret, but service 192.0.2.1 port 443 has joins token" },

	{ "backends as a mapping", SHORT_SERVICE "    backends: {index: 1}\n",
	  "t.yaml:4:15: backends must be a list" },
	{ "nothing for backends", SHORT_SERVICE "    backends:\n",
	  "t.yaml:4:14: backends must be a list" },
	{ "a backend that is a number", SHORT_SERVICE "    backends: [1]\n",
	  "t.yaml:4:16: a backend must be a mapping of keys to values" },
	{ "an unknown key of a backend", SERVICE "      - {index: 2, mac: x}\n",
	  "t.yaml:7:20: unknown key 'mac'; a backend has index, address, lladdr, forward, state "
	  "and weight" },
	{ "a key of a backend twice", SERVICE "      - index: 2\n        index: 3\n",
	  "t.yaml:8:9: index is said twice, first at line 7" },
	{ "a backend without an index", SERVICE "      - {address: 10.0.0.12}\n",
	  "t.yaml:7:9: a backend needs index" },
	{ "an index beyond the default index bits", SERVICE "      - {index: 256}\n",
	  "t.yaml:7:17: index must be a number from 0 to 255, not '256'" },
	{ "an index beyond index bits that are said later",
	  SERVICE "      - {index: 16, address: 10.0.0.12}\ncluster: {index-bits: 4}\n",
	  "t.yaml:7:17: index must be a number from 0 to 15, not '16'" },
	{ "a negative index", SERVICE "      - {index: -1}\n",
	  "t.yaml:7:17: index must be a number from 0 to 255, not '-1'" },
	{ "an index twice in a service", SERVICE "      - {index: 1, weight: 5}\n",
	  "t.yaml:7:9: index 1 is in this service twice, first at line 6" },
	{ "a backend at no address", SERVICE "      - {index: 2, address: web2}\n",
	  "t.yaml:7:29: address must be an IPv4 or IPv6 address, not 'web2'" },
	{ "a backend at a multicast address", SERVICE "      - {index: 2, address: 239.1.1.1}\n",
	  "t.yaml:7:29: 239.1.1.1 is not a unicast address" },
	{ "a backend at the loopback address", SERVICE "      - {index: 2, address: 127.0.0.1}\n",
	  "t.yaml:7:29: 127.0.0.1 is not a unicast address" },
	{ "a backend without an address", SERVICE "      - {index: 2, weight: 3}\n",
	  "t.yaml:7:9: backend 2 has no address" },
	{ "two backends at one address", SERVICE "      - {index: 2, address: 10.0.0.11}\n",
	  "t.yaml:7:29: backends 1 and 2 have the same address 10.0.0.11" },
	{ "two addresses for one index", TWO_SERVICES "      - {index: 1, address: 10.0.0.12}\n",
	  "t.yaml:11:29: backend 1 has another address here than at line 6" },
	{ "two lladdrs for one index",
	  TWO_SERVICES "      - {index: 1, lladdr: 02:00:00:00:00:01}\n"
		       "  - address: 192.0.2.3\n    ports: [1]\n    backends:\n"
		       "      - {index: 1, lladdr: 02:00:00:00:00:02}\n",
	  "t.yaml:15:28: backend 1 has another lladdr here than at line 11" },
	{ "two states for one index",
	  TWO_SERVICES "      - {index: 1, state: up}\n"
		       "  - address: 192.0.2.3\n    ports: [1]\n    backends:\n"
		       "      - {index: 1, state: down}\n",
	  "t.yaml:15:27: backend 1 has another state here than at line 11" },
	{ "an lladdr with dashes", SERVICE "      - {index: 2, lladdr: 02-00-00-00-00-0b}\n",
	  "t.yaml:7:28: lladdr must look like 02:00:00:00:00:0b, not '02-00-00-00-00-0b'" },
	{ "an lladdr of five bytes", SERVICE "      - {index: 2, lladdr: 02:00:00:00:00}\n",
	  "t.yaml:7:28: lladdr must look like 02:00:00:00:00:0b, not '02:00:00:00:00'" },
	{ "an lladdr for many devices",
	  SERVICE "      - {index: 2, address: 10.0.0.2, lladdr: 01:00:5e:00:00:01}\n",
	  "t.yaml:7:29: backend 2: its lladdr is not that of one device" },
	{ "an lladdr of zeroes",
	  SERVICE "      - {index: 2, address: 10.0.0.2, lladdr: 00:00:00:00:00:00}\n",
	  "t.yaml:7:29: backend 2: its lladdr is not that of one device" },
	{ "forward ipip without a tunnel source",
	  SERVICE "      - {index: 2, address: 10.0.0.2, forward: ipip}\n",
	  "t.yaml:7:29: backend 2 is reached by a tunnel, which needs tunnel-source" },
	{ "forward gue over IPv6 without an IPv6 tunnel source",
	  "cluster: {tunnel-source: 100.64.0.0/24}\n" SHORT_SERVICE
	  "    joins: ring\n    backends: [{index: 2, address: \"2001:db8::2\", forward: gue}]\n",
	  "t.yaml:6:36: backend 2 is reached by a tunnel, which needs tunnel-source-v6" },
	{ "two ways to forward to one index",
	  TWO_SERVICES "      - {index: 1, forward: l2}\n"
		       "  - address: 192.0.2.3\n    ports: [1]\n    backends:\n"
		       "      - {index: 1, forward: ipip}\n",
	  "t.yaml:15:29: backend 1 has another forward here than at line 11" },
	{ "forward by pigeon", SERVICE "      - {index: 2, forward: pigeon}\n",
	  "t.yaml:7:29: forward must be l2, ipip or gue, not 'pigeon'" },
	{ "a state that is none", SERVICE "      - {index: 2, state: off}\n",
	  "t.yaml:7:27: state must be up, drain or down, not 'off'" },
	{ "a weight that maps cannot hold", SERVICE "      - {index: 2, weight: 65535}\n",
	  "t.yaml:7:28: weight must be a number from 0 to 65534, not '65535'" },
	{ "a weight with a fraction", SERVICE "      - {index: 2, weight: 0.5}\n",
	  "t.yaml:7:28: weight must be a number from 0 to 65534, not '0.5'" },
	{ "a merge key", SERVICE "      - {<<: {index: 2}}\n",
	  "t.yaml:7:10: unknown key '<<'; a backend has index, address, lladdr, forward, state "
	  "and weight" },
	{ "a list that is an item of itself", "services: &a [*a]\n",
	  "t.yaml:1:11: a service must be a mapping of keys to values" },
};

/* A file that is named cannot be read: FAILED, where all above are BAD_CONFIG. */
static const struct refusal unreadable[] = {
	{ "a secret file that is not there", "cluster:\n  secrets: {0: nowhere/secret}\n",
	  "t.yaml:2:16: secret file nowhere/secret cannot be opened: No such file or directory" },
	{ "a secret file that is a directory", "cluster:\n  secrets: {0: /tmp}\n",
	  "t.yaml:2:16: secret file /tmp cannot be read: Is a directory" },
	{ "a secret written into the configuration itself",
	  "cluster: {secrets: {0: " SECRET_0 "}}\n",
	  "t.yaml:1:24: secret file " SECRET_0 " cannot be opened: No such file or directory" },
};

static void print_backend(FILE *out, uint32_t index, const struct config_backend *backend)
{
	static const char *const forwards[] = { "", " ipip", " gue" };
	char lladdr[LLADDR_TEXT_MAX] = "-";

	if (backend->lladdr_given)
		lladdr_print(backend->lladdr, lladdr);
	fprintf(out, "backend %u %s %s %d%s\n", index, address_print(&backend->address).text,
		lladdr, backend->state, forwards[backend->forward]);
}

static void print_service(FILE *out, const struct config_service *service)
{
	fprintf(out, "service %s %u joins %d stamps %d", address_print(&service->address).text,
		service->port, service->joins, service->stamps);
	if (service->flows || service->flow_entries != FLOW_ENTRIES_DEFAULT)
		fprintf(out, " flows %d %u", service->flows, service->flow_entries);
	if (service->join_port)
		fprintf(out, " join-port %u", service->join_port);
	for (uint32_t index = 0; index < MAX_BACKENDS; index++)
		if (service->weight[index])
			fprintf(out, " %u*%u", index, service->weight[index] - 1);
	fputc('\n', out);
}

static void print_prefix(FILE *out, const char *key, const struct prefix *prefix)
{
	if (prefix->length)
		fprintf(out, "%s %s/%u\n", key, address_print(&prefix->address).text,
			prefix->length);
}

static void print_config(FILE *out, const struct config *config)
{
	fprintf(out, "index-bits %u ring-seed %llu epoch %u strict-clock %s\n", config->index_bits,
		(unsigned long long)config->ring_seed, config->epoch,
		config->strict_clock ? "on" : "off");
	print_prefix(out, "tunnel-source", &config->tunnel_source);
	print_prefix(out, "tunnel-source-v6", &config->tunnel_source_v6);
	if (config->df_clear == DF_CLEAR_FRAGMENT)
		fputs("df-clear fragment\n", out);
	for (int epoch = 0; epoch < TOKEN_EPOCHS; epoch++) {
		const struct config_secret *secret = &config->secrets[epoch];

		if (secret->present)
			fprintf(out, "secret %d %016llx %016llx %s\n", epoch,
				(unsigned long long)secret->secret.k0,
				(unsigned long long)secret->secret.k1, secret->file);
	}
	for (uint32_t index = 0; index < MAX_BACKENDS; index++)
		if (config->backends[index].assigned)
			print_backend(out, index, &config->backends[index]);
	for (size_t i = 0; i < config->service_count; i++)
		print_service(out, &config->services[i]);
}

/* Whether text is what was expected; shows both if not. */
static bool same(const char *text, const char *expected)
{
	if (!strcmp(text, expected))
		return true;
	diag("got:      %s", text);
	diag("expected: %s", expected);
	return false;
}

/* Reads a file; what is said on stderr ends up in said, with the directory hidden. */
static enum status read_quietly(const char *file, struct config *config, struct capture *said)
{
	enum status status;

	capture_begin(said, STDERR_FILENO);
	status = config_read(file, config);
	capture_end(said);
	capture_hide_directory(said);
	return status;
}

static struct capture said, printed;

static void test_good(void)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct config *config = config_new();
		enum status status;

		write_file("t.yaml", good[i].yaml, 0644);
		status = read_quietly("t.yaml", config, &said);
		capture_begin(&printed, STDOUT_FILENO);
		print_config(stdout, config);
		capture_end(&printed);
		capture_hide_directory(&printed);
		ok(!status && same(said.text, "") && same(printed.text, good[i].means), "%s",
		   good[i].sentence);
		config_free(config);
	}
}

static void test_refusal(const struct refusal *row, enum status wanted)
{
	struct config *config = config_new();
	enum status status;
	char expected[1024];

	write_file("t.yaml", row->yaml, 0644);
	status = read_quietly("t.yaml", config, &said);
	snprintf(expected, sizeof(expected), "mptcp-lb: %s\n", row->says);
	ok(same(said.text, expected) && status == wanted, "refused: %s", row->sentence);
	config_free(config);
}

static void test_refusals(void)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		test_refusal(&bad[i], BAD_CONFIG);
	for (size_t i = 0; i < sizeof(unreadable) / sizeof(unreadable[0]); i++)
		test_refusal(&unreadable[i], FAILED);
}

static void test_files(void)
{
	struct config *config = config_new();
	enum status status = read_quietly("nowhere.yaml", config, &said);

	ok(status == FAILED &&
		   same(said.text,
			"mptcp-lb: cannot open nowhere.yaml: No such file or directory\n"),
	   "a file that is not there cannot be opened");
	status = read_quietly(".", config, &said);
	ok(status == FAILED && same(said.text, "mptcp-lb: cannot read .: Is a directory\n"),
	   "a directory cannot be read");

	write_file("secret.open", SECRET_0 "\n", 0640);
	write_file("t.yaml", "cluster: {secrets: {0: secret.open}}\n", 0644);
	status = read_quietly("t.yaml", config, &said);
	ok(!status && same(said.text, "mptcp-lb: warning: secret file DIR/secret.open can be read "
				      "by others than its owner: chmod 600\n"),
	   "a secret that a group can read is warned of, and taken");
	config_free(config);
}

static void test_directories(void)
{
	struct config *config = config_new();

	if (mkdir("etc", 0755) || symlink("../secret.0", "etc/link"))
		abort();
	write_file("etc/t.yaml", "cluster: {secrets: {0: link}}\n", 0644);
	ok(!read_quietly("etc/t.yaml", config, &said) &&
		   config->secrets[0].secret.k0 == 0x0706050403020100,
	   "a secret is looked for beside the configuration, through a symlink");
	ok(strstr(config->secrets[0].file, "/etc/link") && config->secrets[0].file[0] == '/',
	   "its name is kept absolute");
	config_free(config);
}

static void test_loaded_secret(void)
{
	struct config *loaded = config_new(), *config = config_new();
	enum status status;

	loaded->secrets[2] =
		(struct config_secret){ .present = true, .secret = { 5, 6 }, .file = "-" };
	write_file("t.yaml", "cluster: {secrets: {2: \"-\"}}\n", 0644);
	status = config_read_over("t.yaml", loaded, config);
	ok(!status && config->secrets[2].present && config->secrets[2].secret.k1 == 6,
	   "the secret '-' is the loaded one");
	config_free(config);

	config = config_new();
	write_file("t.yaml", "cluster: {secrets: {1: \"-\"}}\n", 0644);
	capture_begin(&said, STDERR_FILENO);
	status = config_read_over("t.yaml", loaded, config);
	capture_end(&said);
	ok(status == BAD_CONFIG &&
		   same(said.text, "mptcp-lb: t.yaml:1:24: secret '-' is the loaded "
				   "one, but none is loaded\n"),
	   "the secret '-' needs one that is loaded");
	config_free(config);
	config_free(loaded);
}

static void test_many_services(void)
{
	struct config *config = config_new();
	FILE *file = fopen("t.yaml", "w");
	enum status status;

	fputs("services:\n  - {address: 192.0.2.1, joins: ring, ports: [1", file);
	for (int port = 2; port <= MAX_SERVICES; port++)
		fprintf(file, ", %d", port);
	fputs("]}\n", file);
	fflush(file);
	status = read_quietly("t.yaml", config, &said);
	ok(!status && config->service_count == MAX_SERVICES, "%d services fit", MAX_SERVICES);
	config_free(config);

	config = config_new();
	fputs("  - {address: 192.0.2.2, joins: ring, ports: [1]}\n", file);
	fclose(file);
	status = read_quietly("t.yaml", config, &said);
	ok(status == BAD_CONFIG && same(said.text, "mptcp-lb: t.yaml:3:47: there can be no more "
						   "than 512 services\n"),
	   "one more does not");
	config_free(config);
}

/* Rules that no file can break because the reader would not let it, but commands might. */
static void break_index_bits(struct config *config)
{
	config->index_bits = 13;
}

static void break_epoch(struct config *config)
{
	config->epoch = 4;
}

static void break_index(struct config *config)
{
	config->backends[256] = config->backends[1];
}

static void break_member(struct config *config)
{
	config->backends[1].assigned = false;
}

static void break_port(struct config *config)
{
	config->services[0].port = 0;
}

static void break_service_address(struct config *config)
{
	config->services[0].address = (struct address){ 0 };
}

static void break_service_twice(struct config *config)
{
	config->services[1] = config->services[0];
	config->service_count = 2;
}

static void break_backend_address(struct config *config)
{
	config->backends[1].address.words[3] = 0;
}

static void break_joins(struct config *config)
{
	config->services[0].joins = JOINS_TOKEN;
}

static void break_service_count(struct config *config)
{
	config->service_count = MAX_SERVICES + 1;
}

static const struct {
	void (*spoil)(struct config *config);
	const char *says;
} rules[] = {
	{ break_index_bits, "index-bits must lie between 4 and 12, not 13" },
	{ break_epoch, "epoch must lie between 0 and 3, not 4" },
	{ break_index, "backend 256 does not fit in 8 index bits: 0 to 255" },
	{ break_member, "index 1 of service 192.0.2.1 port 443 is not a backend" },
	{ break_port, "service 192.0.2.1: port must lie between 1 and 65535, not 0" },
	{ break_service_address, "service: :: is not a unicast address" },
	{ break_service_twice, "service 192.0.2.1 port 443 is said twice" },
	{ break_backend_address, "backend 1: 0.0.0.0 is not a unicast address" },
	{ break_joins, "epoch 0 has no secret, but service 192.0.2.1 port 443 has joins token" },
	{ break_service_count, "there can be no more than 512 services" },
};

static void test_rules(void)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		struct config *config = config_new();
		enum status status;
		char expected[256];

		write_file("t.yaml", SERVICE, 0644);
		status = config_read("t.yaml", config);
		rules[i].spoil(config);
		capture_begin(&said, STDERR_FILENO);
		status |= config_validate(config);
		capture_end(&said);
		snprintf(expected, sizeof(expected), "mptcp-lb: %s\n", rules[i].says);
		ok(same(said.text, expected) && status == BAD_CONFIG, "the rule holds: %s",
		   rules[i].says);
		config_free(config);
	}
}

int main(void)
{
	enter_directory();
	write_file("secret.0", SECRET_0 "\n", 0600);
	write_file("secret.3", "88888888888888888888888888888888\n", 0600);
	write_file("secret.upper", "ABABABABABABABABABABABABABABABAB", 0400);
	write_file("secret.short", "000102030405060708090a0b0c0d0e0\n", 0600);
	write_file("secret.long", SECRET_0 "0", 0600);
	write_file("secret.lines", SECRET_0 "\n\n", 0600);
	write_file("secret.g", "g00102030405060708090a0b0c0d0e0f\n", 0600);
	test_good();
	test_refusals();
	test_files();
	test_directories();
	test_loaded_secret();
	test_many_services();
	test_rules();
	leave_directory();
	return tap_end();
}
