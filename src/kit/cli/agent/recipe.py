"""kit agent recipe: how a program that nobody changed gets its key from the agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kit.cli.options import json_option, socket_option
from kit.core.errors import EXIT_DONE, EXIT_NO, UsageError
from kit.core.output import Output

if TYPE_CHECKING:
    from kit.agent.recipes.recipe import Recipe, Step


@click.command()
@click.argument("program", required=False)
@click.option("--key", metavar="KEY", help="The key that the program is to use.")
@click.option("--cert", metavar="FILE", help="The key's certificate. [default: /etc/ssl/certs/KEY.crt]")
@click.option(
    "--pkcs11", metavar="PATH", help="The agent's socket for PKCS#11 programs. [default: as it is found]"
)
@socket_option
@json_option
def recipe(
    program: str | None,
    key: str | None,
    cert: str | None,
    pkcs11: str | None,
    socket: str | None,
    output: Output,
) -> int:
    """Tell how a program gets its key from the agent, on this machine.

    Prints the files and commands it takes, and what is missing. Without a program, lists those that there
    are recipes for.
    """
    from kit.agent.recipes import sight
    from kit.agent.recipes.machine import Key

    if program and not key:
        raise UsageError("which key is the program to use?", hint="give it by --key")
    found = sight.machine(socket, pkcs11)
    if not program:
        return _show_all(
            [make(found, Key(key or "KEY", cert or "FILE")) for make in _catalogue().values()], output
        )
    make = _chosen(program)
    wanted = sight.key(found, key or "", cert or f"/etc/ssl/certs/{key}.crt")
    return _show(make(found, wanted), output)


def _catalogue() -> Any:
    from kit.agent.recipes.catalogue import RECIPES

    return RECIPES


def _chosen(program: str) -> Any:
    catalogue = _catalogue()
    if program not in catalogue:
        raise UsageError(f"no recipe for {program!r}", hint=f"there are {', '.join(catalogue)}")
    return catalogue[program]


def _show_all(recipes: list[Recipe], output: Output) -> int:
    if output.as_json:
        for each in recipes:
            output.record({"program": each.name, "way": each.way, "tested": each.tested or None})
    else:
        rows = [(each.name, each.way, each.tested or "no: from documentation") for each in recipes]
        output.table(("PROGRAM", "BY", "TESTED"), rows)
    return EXIT_DONE


def _show(recipe: Recipe, output: Output) -> int:
    if output.as_json:
        output.record(_fields(recipe))
    else:
        _print(recipe, output)
    return EXIT_NO if recipe.missing else EXIT_DONE


def _fields(recipe: Recipe) -> dict[str, Any]:
    return {
        "program": recipe.name,
        "way": recipe.way,
        "tested": recipe.tested or None,
        "missing": [{"what": lack.what, "cure": lack.cure} for lack in recipe.missing],
        "steps": [{"what": step.what, "path": step.path or None, "text": step.text} for step in recipe.steps],
        "remarks": list(recipe.remarks),
    }


def _print(recipe: Recipe, output: Output) -> None:
    output.line(f"{recipe.name}, by {recipe.way}")
    tested = f"tested: {recipe.tested}" if recipe.tested else "not tested: it follows from documentation"
    output.line(tested)
    for lack in recipe.missing:
        output.line(f"missing: {lack.what} ({lack.cure})")
    for number, step in enumerate(recipe.steps, 1):
        _print_step(number, step, output)
    if recipe.remarks:
        output.line()
    for remark in recipe.remarks:
        output.line(remark)


def _print_step(number: int, step: Step, output: Output) -> None:
    output.line(f"\n{number}. {step.what}")
    output.line(f"   In {step.path}:\n" if step.path else "")
    for line in step.text.splitlines():
        output.line(f"    {line}".rstrip())
