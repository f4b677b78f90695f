"""Programs that speak to the agent itself: by SSH's protocol, by kit's provider, or through a stand-in."""

from __future__ import annotations

import shlex

from kit.agent.recipes import pieces
from kit.agent.recipes.machine import Key, Machine
from kit.agent.recipes.recipe import Recipe, Step

_SSH_AGENT = "the agent as an SSH agent"


def openssh(machine: Machine, key: Key) -> Recipe:
    return Recipe(
        "openssh",
        _SSH_AGENT,
        "OpenSSH 9.2 on Debian 12 and 10.0 on Debian 13",
        (*pieces.missing(machine, "ssh"), *pieces.missing_key(machine, key, pieces.LOGIN)),
        (
            Step(
                "For all users; one's own place is ~/.ssh/config.",
                f"Host *\n    IdentityAgent {machine.socket}\n",
                "/etc/ssh/ssh_config.d/kit.conf",
            ),
            Step(
                "The line for ~/.ssh/authorized_keys of the account to log in to.",
                pieces.kit(machine, "agent", "public", key.name, "--format", "ssh") + "\n",
            ),
        ),
        ("No PKCS#11 is needed, and with it the key would have to sign any digest.",),
    )


def sshd(machine: Machine, key: Key) -> Recipe:
    public = f"/etc/ssh/kit-{key.file_name}.pub"
    return Recipe(
        "sshd",
        _SSH_AGENT,
        "OpenSSH 9.2 on Debian 12 and 10.0 on Debian 13",
        (*pieces.missing(machine, "sshd"), *pieces.missing_key(machine, key, pieces.HOST)),
        (
            Step(
                "The public key stands where the host key stood.",
                pieces.kit(machine, "agent", "public", key.name, "--format", "ssh", "--output", public)
                + "\n",
            ),
            Step(
                "Name it, and who signs.",
                f"HostKeyAgent {machine.socket}\nHostKey {public}\n",
                "/etc/ssh/sshd_config.d/kit.conf",
            ),
            pieces.unit("ssh"),
            pieces.restart("ssh"),
        ),
        (
            "A host key signs a hash that tells nothing of what it is of: it needs a purpose for anything.",
            "sshd is root, and nobody else needs the socket.",
        ),
    )


def python(machine: Machine, key: Key) -> Recipe:
    handle = f"/etc/kit/{key.file_name}.key"
    command = ("-m", "uvicorn", "--ssl-certfile", key.certificate, "--ssl-keyfile", handle, "app:app")
    return Recipe(
        "python",
        "kit's provider",
        "uvicorn with Python 3.11 on Debian 12 and 3.13 on Debian 13",
        (*pieces.missing_key(machine, key, pieces.SERVER),),
        (
            Step(
                "Write the handle that stands where the key file stood; it holds no secret.",
                "mkdir -p /etc/kit\n"
                + pieces.kit(machine, "agent", "handle", key.name, "--output", handle)
                + f"\nchmod 644 {handle}\n",
            ),
            Step("Run the server.", shlex.join([machine.kit, "tls", "run", "--", *command]) + "\n"),
        ),
        ("A program of your own calls kit.agent.install() before it loads the handle.",),
    )


def smtpd(machine: Machine, key: Key) -> Recipe:
    name, dummy = key.file_name, "/etc/kit/smtpd-dummy.key"
    pki = f"/etc/kit/smtpd-{name}.conf"
    return Recipe(
        "smtpd",
        "kit in the place of smtpd's key process",
        "OpenSMTPD 7.6 on Debian 13",
        (*pieces.missing(machine, "smtpd"), *pieces.missing_key(machine, key, pieces.TLS_DIGEST)),
        (
            Step(
                "Make the file that smtpd reads in the place of the key; it holds none that counts.",
                f"mkdir -p /etc/kit\n[ -e {dummy} ] || {machine.kit} agent smtpd --make-dummy {dummy}\n",
            ),
            Step(
                f"Put 'include \"{pki}\"' into /etc/smtpd.conf, and 'tls pki {name}' behind its listen.",
                f'pki {name} cert "{key.certificate}"\npki {name} key "{dummy}"\n',
                pki,
            ),
            Step(
                "See whether all is ready; it also prints the drop-in for opensmtpd.service.",
                pieces.kit(machine, "agent", "smtpd", "--check") + "\n",
            ),
        ),
        (
            "smtpd's user, opensmtpd, needs the agent's socket and the key.",
            "OpenSMTPD 6.8, as Debian 12 has it, cannot serve TLS under OpenSSL 3, and neither can it so.",
        ),
    )
