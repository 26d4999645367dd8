# SPDX-License-Identifier: GPL-2.0-only
"""Stock nginx, lighttpd and HAProxy as a topology's servers, each with a configuration of its own."""

import os
import subprocess

from topology import PORT, SERVICES, Failure, wait_until

MPTCPIZE = ("mptcpize", "run")
PROGRAMS = {"s1": "nginx", "s2": "lighttpd", "s3": "haproxy", "s4": "nginx"}
PLAIN = "s4"  # its nginx listens with TCP, as nginx does; all others listen with MPTCP
V4, V6 = f"{SERVICES[4]}:{PORT}", f"[{SERVICES[6]}]:{PORT}"

# The worker must be able to read the test's directory. Temporary files get a place of their own
# since nginx makes its worker's user the owner of the usual ones, used or not.
NGINX = """
daemon off;
user root;
pid %(dir)s/pid;
events { }
http {
	access_log off;
	client_body_temp_path %(dir)s/temp;
	proxy_temp_path %(dir)s/temp;
	fastcgi_temp_path %(dir)s/temp;
	uwsgi_temp_path %(dir)s/temp;
	scgi_temp_path %(dir)s/temp;
	server {
		listen %(v4)s;
		listen %(v6)s;
		root %(dir)s;
	}
}
"""
LIGHTTPD = """
server.document-root = "%(dir)s"
server.bind = "%(address)s"
server.port = %(port)s
$SERVER["socket"] == "%(v6)s" { }
"""
HAPROXY = """
defaults
	mode http
	timeout client 1m
	timeout connect 1m
	timeout server 1m
frontend service
	bind %(v4)s
	bind %(v6)s
	http-request return status 200 content-type text/plain string %(name)s
"""
CONFIGS = {"nginx": NGINX, "lighttpd": LIGHTTPD, "haproxy": HAPROXY}


def command_line(program, place, config):
    return {"nginx": ("/usr/sbin/nginx", "-e", os.path.join(place, "error.log"), "-c", config),
            "lighttpd": ("/usr/sbin/lighttpd", "-D", "-f", config),
            "haproxy": ("/usr/sbin/haproxy", "-db", "-f", config)}[program]


class Server:
    """A program in the namespace of that name, which answers /name with the name."""

    def __init__(self, net, name):
        self.space = net[name]
        self.program = PROGRAMS[name]
        self.plain = name == PLAIN
        self.dir = os.path.join(net.dir, name)
        self.process = None
        os.mkdir(self.dir)
        self.write("name", name)
        self.config = self.write("config", CONFIGS[self.program] % {
                "dir": self.dir, "name": name, "address": SERVICES[4], "port": PORT, "v4": V4,
                "v6": V6})

    def write(self, file_name, text):
        path = os.path.join(self.dir, file_name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path

    def start(self):
        argv = command_line(self.program, self.dir, self.config)
        with open(os.path.join(self.dir, "output"), "w", encoding="ascii") as output:
            self.process = self.space.start(*(() if self.plain else MPTCPIZE), *argv,
                                            stdout=output, stderr=subprocess.STDOUT)
        wait_until(f"{self.program} listens", self.listens)

    def listens(self):
        """Over both families, and with MPTCP unless it is the plain one."""
        if self.process.poll() is not None:
            with open(os.path.join(self.dir, "output"), encoding="ascii") as output:
                raise Failure(f"{self.program} ended: {output.read()}")
        with_tcp, with_mptcp = self.listeners("-t"), self.listeners("-M")
        return with_tcp == {V4, V6} and with_mptcp == (set() if self.plain else with_tcp)

    def listeners(self, protocol):
        """Where the program listens; ss knows sockets of MPTCP, and the TCP sockets in them."""
        lines = self.space.run("ss", protocol, "-lnpH").splitlines()
        return {line.split()[3] for line in lines if f'"{self.program}"' in line}
