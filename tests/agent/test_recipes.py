"""Recipes as text: what they say is missing, that no name breaks out of its place, that claims are tested."""

from __future__ import annotations

import ast
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.agent.pkcs11_uri import named
from kit.agent.recipes.catalogue import RECIPES
from kit.agent.recipes.machine import MODULES, PROGRAMS, Key, Machine
from kit.agent.recipes.recipe import Missing, Recipe

SYSTEM = Path(__file__).parent.parent / "system"
EVERYTHING = {name: f"/usr/lib/somewhere/{name}.so" for name in MODULES}
PLACES = ("/usr/local/bin/kit", "/run/kit/agent.sock", "/run/kit/pkcs11.sock")
ALLOWED = ("tls-server", "tls-client", "ssh", "any", "tls-digest")


def machine(openssl: tuple[int, int], **changes: object) -> Machine:
    """Everything is installed and answers, but for the changes."""
    programs = {name: f"/usr/bin/{name}" for name in PROGRAMS}
    facts: dict[str, object] = {"modules": EVERYTHING, "programs": programs, "bridge_there": True}
    return Machine(*PLACES, openssl=openssl, **{**facts, **changes})  # type: ignore[arg-type]


OLD, NEW = machine((3, 0)), machine((3, 5))
KEY = Key("web", "/etc/ssl/certs/web.crt", "p-256", ALLOWED, named("web"))
# On what a program runs that cannot load a key by its URI.
NEEDS_NEW = ("postfix", "haproxy")


def both() -> list[Recipe]:
    return [make(at, KEY) for at in (OLD, NEW) for make in RECIPES.values()]


def marks() -> set[tuple[str, str]]:
    """The recipes that tests say to carry out: the arguments of their marks."""
    found = set()
    for path in SYSTEM.glob("test_recipes*.py"):
        tree = ast.parse(path.read_text())
        constants = dict(_constants(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.recipe":
                program, way = (
                    argument.value if isinstance(argument, ast.Constant) else constants[ast.unparse(argument)]
                    for argument in node.args
                )
                found.add((str(program), str(way)))
    return found


def _constants(tree: ast.Module) -> list[tuple[str, object]]:
    """Names that a module gives to texts, also several at once."""
    pairs = []
    for node in tree.body:
        if isinstance(node, ast.Assign):
            [target] = node.targets
            values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            targets = target.elts if isinstance(target, ast.Tuple) else [target]
            if len(values) == len(targets):
                pairs += [
                    (ast.unparse(name), value.value)
                    for name, value in zip(targets, values, strict=True)
                    if isinstance(value, ast.Constant)
                ]
    return pairs


def test_every_recipe_that_claims_to_be_tested_has_a_test_that_names_it() -> None:
    claimed = {(recipe.name, recipe.way) for recipe in both() if recipe.tested}
    assert marks() == claimed


@pytest.mark.parametrize("program", RECIPES)
def test_nothing_is_missing_where_everything_is_there(program: str) -> None:
    assert RECIPES[program](NEW, KEY).missing == ()
    assert bool(RECIPES[program](OLD, KEY).missing) == (program in NEEDS_NEW)


@pytest.mark.parametrize("program", RECIPES)
def test_what_is_not_installed_is_named_with_its_package(program: str) -> None:
    bare = Machine(*PLACES, openssl=(3, 5), bridge_there=True)
    missing = {lack.what: lack.cure for lack in RECIPES[program](bare, KEY).missing}
    packages = {f"apt install {package}" for package in (*MODULES.values(), *PROGRAMS.values())}
    assert set(missing.values()) <= packages
    assert bool(missing) == (program != "python")


def test_an_agent_that_does_not_answer_is_missing() -> None:
    silent = machine((3, 5), no_agent="no agent answers on '/run/kit/agent.sock'", bridge_there=False)
    recipe = RECIPES["nginx"](silent, Key("web", "web.crt"))
    assert [lack.what for lack in recipe.missing] == [
        "a socket for PKCS#11 programs at /run/kit/pkcs11.sock",
        "no agent answers on '/run/kit/agent.sock'",
    ]
    assert "object=web" not in recipe.steps[0].text  # the file is kit's to write


@pytest.mark.parametrize(
    ("program", "openssl", "purpose"),
    [
        ("nginx", NEW, "tls-server"),
        ("nginx", OLD, "tls-digest"),
        ("curl", NEW, "tls-client"),
        ("gnutls", NEW, "tls-digest"),
        ("openssh", OLD, "ssh"),
        ("sshd", OLD, "any"),
    ],
)
def test_a_purpose_that_the_key_lacks_is_missing(program: str, openssl: Machine, purpose: str) -> None:
    key = Key("web", "web.crt", "p-256", ("csr",), named("web"))
    [lack] = RECIPES[program](openssl, key).missing
    assert lack == Missing(
        f"the purpose {purpose} of the key 'web', which has csr", f"add or generate it with --allow {purpose}"
    )


def test_a_key_that_pkcs11_programs_are_not_shown_is_told() -> None:
    key = Key("login", "login.crt", "ed25519", ALLOWED)
    assert ["ed25519" in lack.what for lack in RECIPES["nginx"](NEW, key).missing] == [True]
    assert RECIPES["sshd"](NEW, key).missing == ()


def test_the_steps_name_what_is_on_this_machine() -> None:
    [_, openssl, *_] = RECIPES["openssl"](NEW, KEY).steps
    assert "module = /usr/lib/somewhere/pkcs11-provider.so\n" in openssl.text
    assert "pkcs11-module-path = /usr/lib/somewhere/p11-kit-client.so\n" in openssl.text
    [module, *_] = (step for step in RECIPES["nginx"](NEW, KEY).steps if step.path.endswith(".module"))
    assert module.text == "remote: unix:path=/run/kit/pkcs11.sock\nenable-in: nginx\n"


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=60))
def test_a_name_breaks_out_of_no_file_and_no_command(name: str) -> None:
    key = Key(name, "/etc/ssl/certs/web.crt", "p-256", ALLOWED, named(name))
    for at in (OLD, NEW):
        for make in RECIPES.values():
            for step, plain in zip(make(at, key).steps, make(at, KEY).steps, strict=True):
                assert step.path.isascii() and ".." not in step.path and " " not in step.path
                if step.path:
                    assert step.text.count("\n") == plain.text.count("\n")
                    assert step.text.isascii()
                else:
                    words = shlex.split(step.text)
                    assert len(words) == len(shlex.split(plain.text))
