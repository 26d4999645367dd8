# SPDX-License-Identifier: GPL-2.0-only
"""What can happen to balancers, backends and routers: each event leaves the installation as it was."""

import dataclasses
import random
import typing

from installation import BASE, CLOCK_ERROR_MS
from network import BALANCERS
from topology import SERVERS, Failure

KILLS = 20
KILL_WITHIN_S = 0.2  # of the start of an apply
ALL = BASE + ("s4",)
LB1, LB2 = BALANCERS


class Trial:
    """One variant at work."""

    def __init__(self, site, routing, load):
        self.site = site
        self.routing = routing
        self.load = load
        self.notes = []

    def note(self, text):
        self.notes.append(text)

    # Backends and rings.

    def nothing(self):
        self.load.go_on()

    def add_backend(self):
        self.site.set_members(*ALL)
        self.load.go_on()
        self.site.set_members(*BASE)

    def remove_backend(self):
        """Drained; then its connections end, as their clients please; then it is taken out."""
        self.site.set_members(*BASE, s1={"state": "drain"})
        self.load.go_on()
        self.load.end(1)
        self.site.set_members(*BASE[1:])
        self.load.go_on()
        self.site.set_members(*BASE)

    def change_weight(self):
        self.site.set_members(*BASE, s1={"weight": 10})
        self.load.go_on()
        self.site.set_members(*BASE)

    def set_down(self):
        self.site.set_members(*BASE, s2={"state": "down"})
        self.load.settle()
        self.site.set_members(*BASE)

    def rebuild_ring(self):
        self.site.rebuild_ring()

    def rotate_secret(self):
        self.site.add_secret()
        self.load.go_on()
        self.site.use_secret()
        self.load.go_on()
        self.site.retire_secret()

    # Balancers and what runs on them.

    def replace_program(self):
        for name in BALANCERS:
            self.site.balancers[name]("load")
            self.load.go_on()

    def kill_balancer(self):
        self.site.links(LB1, "down")
        self.routing.wait_for(LB2)
        self.load.go_on()

    def bring_back(self):
        self.site.links(LB1, "up")
        self.site.net[LB1].ip(f"route replace default via {self.routing.gateway(LB1)}")
        self.routing.wait_for(*BALANCERS)
        self.load.go_on()

    def restart(self, name):
        """As an operator does: withdrawn first."""
        self.routing.withdraw(name)
        self.routing.wait_for(*(set(BALANCERS) - {name}))
        self.site.stop(name)
        self.load.go_on()
        self.site.start(name)
        self.routing.announce(name)
        self.routing.wait_for(*BALANCERS)
        self.load.go_on()

    def restart_in_turn(self):
        for name in BALANCERS:
            self.restart(name)

    def kill_loader(self):
        killed = sum(self.site.kill_apply(random.choice(BALANCERS),
                                          random.uniform(0, KILL_WITHIN_S)) for _ in range(KILLS))
        self.load.go_on()
        self.site.rebuild_ring()
        self.note(f"{killed} of {KILLS} were killed before their end")
        if not killed:
            raise Failure("each apply had ended before it was killed")

    def kill_daemons(self):
        for name in SERVERS:
            self.site.kill_daemon(name)
        self.load.go_on()
        for name in SERVERS:
            self.site.start_daemon(name)
        self.site.wait_for_keys()

    # The router.

    def change_hash(self):
        for _ in range(3):
            self.routing.change_hash()
            self.load.go_on()

    def swap_balancers(self):
        """All flows to one balancer, and then all to the other."""
        for name, other in (BALANCERS, BALANCERS[::-1]):
            self.routing.announce(name)
            self.routing.wait_for(*BALANCERS)
            self.routing.withdraw(other)
            self.routing.wait_for(name)
            self.load.go_on()
        self.routing.announce(LB1)
        self.routing.wait_for(*BALANCERS)

    # Clocks.

    def set_clock(self, ahead_ms):
        self.site.set_clock(LB1, ahead_ms)
        self.load.go_on()
        self.load.settle()
        self.site.apply(LB1)

    def clock_ahead(self):
        self.set_clock(CLOCK_ERROR_MS // 2)

    def clock_behind(self):
        """It must show before it hurts; without stamps there is nothing to show."""
        before = self.site.far_future()
        self.set_clock(-CLOCK_ERROR_MS // 2)
        if self.site.variant == "mptcp-lb" and self.site.far_future() == before:
            raise Failure("no stamp of the future was counted")

    def clock_wrong(self):
        """Nearly what is allowed, which must show; and then more."""
        before = self.site.reasons()
        self.set_clock(-CLOCK_ERROR_MS * 15 // 16)
        after = self.site.reasons()
        moved = sorted(name for name in after if after[name] != before.get(name, 0))
        self.note(f"just within what is allowed, counters that moved: {', '.join(moved)}")
        self.set_clock(-CLOCK_ERROR_MS * 2)

    # Some together.

    def add_and_kill(self):
        """What the killed balancer remembered of flows, the other does not know."""
        self.site.set_members(*ALL)
        self.load.go_on()
        self.kill_balancer()
        self.bring_back()
        self.site.set_members(*BASE)

    def rebuild_and_hash(self):
        self.site.rebuild_ring()
        self.load.go_on()
        self.change_hash()

    def everything(self):
        """A backend drains, the ring and the secret are new, one balancer restarts, one is killed."""
        self.site.add_secret()
        self.site.set_members(*ALL, s1={"state": "drain"})
        self.site.rebuild_ring()
        self.restart(LB2)
        for name in SERVERS:
            self.site.kill_daemon(name)
            self.site.start_daemon(name)
        self.site.use_secret()
        self.kill_balancer()
        self.routing.change_hash()
        self.bring_back()
        self.site.retire_secret()
        self.site.set_members(*BASE)


HASH, TABLE = "hash", "hash+table"


@dataclasses.dataclass
class Event:
    name: str
    happen: typing.Callable
    loses: tuple = ()  # the variants of which it is known that they lose connections
    dead: int = 0  # the number of the server whose connections may end
    hurts: bool = False  # it is more than is allowed, and mptcp-lb may lose connections too


EVENTS = (
        Event("nothing", Trial.nothing),
        Event("backend added", Trial.add_backend, (HASH,)),
        Event("backend drained and removed", Trial.remove_backend, (HASH,)),
        Event("weight changed", Trial.change_weight, (HASH,)),
        Event("backend set down", Trial.set_down, dead=2),
        Event("ring rebuilt", Trial.rebuild_ring, (HASH,)),
        Event("secret rotated", Trial.rotate_secret),
        Event("program upgraded", Trial.replace_program),
        Event("balancer killed", Trial.kill_balancer),
        Event("balancer brought back", Trial.bring_back),
        Event("balancers restarted in turn", Trial.restart_in_turn),
        Event("loader killed in mid-apply", Trial.kill_loader, (HASH,)),
        Event("router's hash changed", Trial.change_hash),
        Event("all flows to the other balancer", Trial.swap_balancers),
        Event("server daemons killed", Trial.kill_daemons),
        Event("clock ahead by half of what is allowed", Trial.clock_ahead),
        Event("clock behind by half of what is allowed", Trial.clock_behind),
        Event("clock behind by too much", Trial.clock_wrong, hurts=True),
        Event("backend added, then a balancer killed", Trial.add_and_kill, (HASH, TABLE)),
        Event("ring rebuilt, then the router's hash changed", Trial.rebuild_and_hash,
              (HASH, TABLE)),
        Event("all of these at once", Trial.everything, (HASH, TABLE)),
)
