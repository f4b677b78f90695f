"""What `kit agent recipe` prints, carried out: real servers serve with keys that they never see."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.peers import find, only_on_debian
from tests.system import probe_servers
from tests.system.agents import KIT
from tests.system.kitchen import Kit, Kitchen, cells
from tests.system.mail_servers import ALONE

_NGINX = """
user www-data; daemon off; worker_processes 2; pid {here}/nginx.pid; error_log {here}/error.log info;
{modules}
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {here}/b; proxy_temp_path {here}/p; fastcgi_temp_path {here}/f;
  uwsgi_temp_path {here}/u; scgi_temp_path {here}/s;
  server {{ listen 127.0.0.1:{port} ssl; ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache off;
    include /etc/nginx/snippets/kit-rsa.conf; include /etc/nginx/snippets/kit-ecdsa.conf;
    return 200 "ok\\n"; }}
}}
"""


ALL_GOOD = [(version, kind, "ok") for version in ("1.2", "1.3") for kind in ("RSA", "ECDSA")]


def _nginx(room: Kitchen, kit: Kit, wait_until: probe_servers.Wait) -> None:
    environment: dict[str, str] = {}
    for leaf in (room.authority.rsa, room.authority.ecdsa):
        environment |= room.follow(room.recipe("nginx", leaf))
    ours = room.etc / "nginx" / "modules-enabled" / "90-kit.conf"
    here, port = room.here / "nginx", probe_servers.free_port()
    here.mkdir()
    modules = f"include /etc/nginx/modules-enabled/{ours.name};" if ours.exists() else ""
    (here / "nginx.conf").write_text(_NGINX.format(here=here, port=port, modules=modules))
    command = [*room.enter, find("nginx"), "-p", str(here), "-c", str(here / "nginx.conf")]
    with probe_servers.running(command, here, [port], wait_until, environment):
        assert cells(kit, room, f"localhost:{port}") == ALL_GOOD, (here / "error.log").read_text()


@only_on_debian(13, "OpenSSL with pkcs11-provider")
@pytest.mark.recipe("nginx", "OpenSSL's pkcs11-provider")
def test_nginx_of_debian_13_serves_with_the_file_that_holds_a_uri(
    room: Kitchen, kit: Kit, wait_until: probe_servers.Wait
) -> None:
    _nginx(room, kit, wait_until)


@only_on_debian(12, "OpenSSL with the engine of libp11")
@pytest.mark.recipe("nginx", "the PKCS#11 engine of OpenSSL")
def test_nginx_of_debian_12_serves_with_the_engine(
    lenient: Kitchen, kit: Kit, wait_until: probe_servers.Wait
) -> None:
    _nginx(lenient, kit, wait_until)


@only_on_debian(13, "OpenSSL with pkcs11-provider, and a Postfix that takes a configuration for it")
@pytest.mark.recipe("postfix", "OpenSSL's pkcs11-provider")
def test_postfix_of_debian_13_serves_with_the_files_that_hold_uris(
    room: Kitchen, kit: Kit, wait_until: probe_servers.Wait
) -> None:
    here = room.here / "postfix"
    here.mkdir()
    port = probe_servers.free_port()
    main, master = probe_servers.postfix_configuration(here, port, [])
    room.write("/etc/postfix/main.cf", main)
    # As Debian has it: smtpd in the jail of the queue, where no socket of ours is.
    room.write("/etc/postfix/master.cf", master.replace(" inet n - n - - smtpd", " inet n - y - - smtpd"))
    for leaf in (room.authority.rsa, room.authority.ecdsa):
        room.follow(room.recipe("postfix", leaf))
    room.run("postfix", "check")
    try:
        with probe_servers.running([*room.enter, find("postfix"), "start-fg"], here, [port], wait_until):
            assert cells(kit, room, "--starttls", "smtp", f"localhost:{port}") == ALL_GOOD
    finally:
        room.run("postfix", "stop")


@only_on_debian(13, "its smtpd can sign under OpenSSL 3, as those since 7.3 can")
@pytest.mark.recipe("smtpd", "kit in the place of smtpd's key process")
@pytest.mark.parametrize("kind", ["RSA", "ECDSA"])
def test_smtpd_of_debian_13_serves_with_kit_in_its_key_process_place(
    kind: str,
    lenient: Kitchen,
    kit: Kit,
    wait_until: probe_servers.Wait,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = find("smtpd")  # where it is unpacked, beside a Postfix that is installed
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:{Path(program).parent}")
    leaf = lenient.authority.rsa if kind == "RSA" else lenient.authority.ecdsa
    *before, check = lenient.recipe("smtpd", leaf)["steps"]
    lenient.follow({"steps": before})
    port, name = probe_servers.free_port(), leaf.key.stem
    lenient.write(
        "/etc/smtpd.conf",
        f'include "/etc/kit/smtpd-{name}.conf"\n'
        f"listen on 127.0.0.1 port {port} tls pki {name}\nmatch from any for any reject\n",
    )
    checked = lenient.run("sh", "-ec", check["text"], environment=os.environ)
    assert (checked.returncode, "opensmtpd.service" in checked.stdout) == (0, True), checked.stdout
    here = lenient.here / "smtpd"
    here.mkdir()
    serve = [KIT, "agent", "smtpd", "--socket", lenient.agent.socket, "--", program, "-d"]
    command = [*lenient.enter, "unshare", "--mount", "sh", "-ec", ALONE, "sh", *serve]
    with probe_servers.running(command, here, [port], wait_until):
        found = cells(kit, lenient, "--starttls", "smtp", f"localhost:{port}")
    assert found == [("1.2", kind, "ok"), ("1.3", kind, "ok")], (here / "output.log").read_text()
