"""kit tls: the commands that test TLS handshakes."""

from __future__ import annotations

from typing import Any

import click

from kit.cli.options import json_option, socket_option, timeout_option
from kit.core.errors import UsageError
from kit.core.output import Output


@click.group()
def tls() -> None:
    """Test TLS handshakes with RSA, ECDSA and ML-DSA keys."""


@tls.command()
@click.argument("target", metavar="[HOST[:PORT]]", required=False)
@click.option("--starttls", type=click.Choice(["smtp"]), help="Hold this dialogue before TLS.")
@click.option("--ca", "ca_file", metavar="FILE", help="Trust only these authorities. [default: the system's]")
@click.option("--servername", metavar="NAME", help="Ask for NAME and verify it. [default: HOST]")
@click.option("--want", metavar="TYPES", help="Fail where one of these is not served: rsa,ecdsa,ml-dsa.")
@timeout_option(5.0)
@json_option
def probe(
    target: str | None,
    starttls: str | None,
    ca_file: str | None,
    servername: str | None,
    want: str | None,
    timeout_s: float,
    output: Output,
) -> int:
    """Try {TLS 1.2, 1.3} x {RSA, ECDSA} and TLS 1.3 with ML-DSA, each by itself.

    Without HOST, show kit's own servers.
    """
    if target is None:
        return _demonstrate(output, starttls=starttls, ca=ca_file, servername=servername, want=want)
    from kit.tls import report, verdict
    from kit.tls.probe import probe_target

    wanted = verdict.parse_wanted(want or "")
    place, cells, hybrids = probe_target(target, starttls, ca_file, servername, timeout_s)
    error = verdict.complaint(place, cells, starttls)
    if output.as_json or not error:
        report.render(output, place, cells, verdict.findings(cells, wanted), hybrids)
    if error:
        raise error
    return verdict.exit_status(cells, wanted)


def _demonstrate(output: Output, **given: str | None) -> int:
    """What is asked of a server needs one: the demonstration would leave it out without a word."""
    from kit.cli.tls.demonstration import demonstrate

    for option, value in given.items():
        if value is not None:
            raise UsageError(f"--{option} needs a HOST to probe", hint="try 'kit tls probe --help'")
    return demonstrate(output)


@tls.command()
@click.option("--cert", "certificates", multiple=True, metavar="FILE", help="A certificate (chain) in PEM.")
@click.option(
    "--key", "keys", multiple=True, metavar="FILE|NAME", help="Its key: PEM, a handle, or a key in the agent."
)
@click.option(
    "--self-signed",
    is_flag=True,
    help="Make test certificates of each type for localhost.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=4433, show_default=True, type=click.IntRange(0, 65535), help="0 for any.")
@click.option(
    "--mode",
    default="echo",
    show_default=True,
    type=click.Choice(["echo", "https", "smtp"]),
    help="What to speak.",
)
@click.option("--count", default=0, type=click.IntRange(0), metavar="N", help="End after N handshakes.")
@timeout_option(10)
@socket_option
@json_option
def serve(output: Output, **wish: Any) -> None:
    """Serve test handshakes and log what each negotiated.

    --cert and --key are given in pairs; RSA, ECDSA and ML-DSA certificates for the same names share the port,
    and of certificates for several names the client's SNI chooses.
    """
    from kit.cli.tls.serving import Wish, serve_tls

    serve_tls(Wish(**wish), output)


@tls.command()
@click.option(
    "--tls",
    "version",
    type=click.Choice(["1.2", "1.3"]),
    default="1.3",
    show_default=True,
    help="The version.",
)
@click.option(
    "-n",
    "--connections",
    default=8,
    show_default=True,
    type=click.IntRange(1, 256),
    metavar="N",
    help="Clients at a time, beside one.",
)
@click.option(
    "--rounds", default=7, show_default=True, type=click.IntRange(1, 1000), metavar="N", help="Rounds a case."
)
@click.option(
    "--round-time",
    "round_s",
    default=0.4,
    show_default=True,
    type=click.FloatRange(0.05, 60),
    metavar="SECONDS",
    help="How long each side has in a round.",
)
@json_option
def bench(output: Output, **wish: Any) -> int:
    """Compare handshakes signed by an agent with handshakes signed by a local key.

    Two servers, one with its keys in a private agent and one with keys of its own, are asked in turn.
    """
    from kit.cli.tls import benching

    return benching.bench(benching.Wish(**wish), output)


@tls.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("program", metavar="-- PROGRAM [ARG]...", nargs=-1, required=True, type=click.UNPROCESSED)
@timeout_option(5.0)
@socket_option
def run(program: tuple[str, ...], timeout_s: float, socket: str | None) -> int:
    """Run a Python program that takes an agent's handle where it takes a key file.

    PROGRAM is '-m MODULE' or a script, as for python itself. --socket is for handles that name no socket.
    """
    from kit.agent.provider import install
    from kit.cli.tls.run import run_program, use_socket

    use_socket(socket)
    install(timeout_s=timeout_s)
    return run_program(program)
