"""The root of the command, and the one place where an error becomes a message and an exit status."""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from kit import __version__
from kit.core.errors import EXIT_INTERRUPTED, EXIT_UNAVAILABLE, EXIT_USAGE, KitError

_GROUPS = ("agent", "eeg", "tls")


class _Root(click.Group):
    """Runs a command and turns what it raises into `kit: error: …`, `kit: hint: …` and the exit status.

    Of the groups, which are rooms of this package, it imports the one that is asked for.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*_GROUPS, *self.commands})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _GROUPS and cmd_name not in self.commands:
            self.add_command(getattr(importlib.import_module(f"kit.cli.{cmd_name}.group"), cmd_name))
        return super().get_command(ctx, cmd_name)

    def main(
        self, args: Sequence[str] | None = None, prog_name: str | None = None, *_: Any, **extra: Any
    ) -> Any:
        """Stands in for click's, which has ends of its own for an interrupt and a broken pipe."""
        extra.pop("standalone_mode", None)
        try:
            arguments = sys.argv[1:] if args is None else list(args)
            with self.make_context(prog_name or "kit", arguments, **extra) as context:
                result = self.invoke(context)
            _flush_stdout()
        except click.exceptions.Exit as end:
            return end.exit_code
        except KitError as error:
            return self._end(str(error), error.hint, error.exit_status)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            return EXIT_USAGE
        except click.ClickException as error:
            return self._end(_in_our_style(error.format_message()), _usage_hint(error), EXIT_USAGE)
        except (KeyboardInterrupt, click.Abort):
            return EXIT_INTERRUPTED
        except BrokenPipeError:
            _silence_stdout()
            # The reader has what it wanted; like other tools, end as SIGPIPE would.
            return 128 + signal.SIGPIPE
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            _silence_stdout()
            return self._end("no space left to write the result", None, EXIT_UNAVAILABLE)
        return result if isinstance(result, int) else 0

    @staticmethod
    def _end(message: str, hint: str | None, exit_status: int) -> int:
        for line in message.splitlines():
            click.echo(f"kit: error: {line}", err=True)
        if hint:
            click.echo(f"kit: hint: {hint}", err=True)
        return exit_status


def _in_our_style(message: str) -> str:
    """click's messages are sentences, kit's are not."""
    return message[:1].lower() + message[1:].rstrip(".")


def _usage_hint(error: click.ClickException) -> str | None:
    context = getattr(error, "ctx", None)
    return f"try '{context.command_path} --help'" if context else None


def _flush_stdout() -> None:
    """The result is written to the last byte, or an error is raised where it is still told."""
    if sys.stdout:  # None where the caller closed it
        sys.stdout.flush()


def _silence_stdout() -> None:
    """Python flushes stdout once more at exit; give it a place where that succeeds."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(cls=_Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="kit", message="%(prog)s %(version)s")
def root() -> None:
    """Keys in a process of their own, TLS handshakes tested, OpenEEG data captured."""


def main() -> NoReturn:
    """The entry point of the `kit` command."""
    sys.exit(root.main(prog_name="kit"))
