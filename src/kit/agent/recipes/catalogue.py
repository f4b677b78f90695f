"""Which recipes there are."""

from __future__ import annotations

from collections.abc import Callable

from kit.agent.recipes import agents, clients, servers
from kit.agent.recipes.machine import Key, Machine
from kit.agent.recipes.recipe import Recipe

RECIPES: dict[str, Callable[[Machine, Key], Recipe]] = {
    "nginx": servers.nginx,
    "postfix": servers.postfix,
    "haproxy": servers.haproxy,
    "smtpd": agents.smtpd,
    "openssh": agents.openssh,
    "sshd": agents.sshd,
    "python": agents.python,
    "openssl": clients.openssl,
    "curl": clients.curl,
    "gnutls": clients.gnutls,
    "java": clients.java,
    "nss": clients.nss,
}
