"""The rules of the house, read off the source: who imports whom, what stays pure, what stays short."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
SOURCE = REPOSITORY / "src"
FUNCTION_LINES, MODULE_LINES, COMMAND_LINES = 40, 400, 15

# A room, and the rooms that it may import.
ROOMS = {
    "cli": {"cli", "agent", "tls", "eeg", "core"},
    "agent": {"agent", "core"},
    "tls": {"tls", "core"},
    "eeg": {"eeg", "core"},
    "core": {"core"},
}
# A library, and the only modules (or packages) that may import it.
LIBRARIES = {
    "click": ("kit.cli",),
    "rich": ("kit.core.output",),
    "serial": ("kit.eeg.sources.serial",),
    "matplotlib": ("kit.eeg.plotting",),
    "pylsl": ("kit.eeg.streaming.library",),
    "edfio": ("kit.eeg.recordings.edf_reader",),
    "cffi": ("kit.agent.provider",),
    "_cffi_backend": ("kit.agent.provider", "kit.agent.bare_rsa"),
    "cryptography": (
        "kit.agent.public",
        "kit.agent.mldsa",
        "kit.agent.keeper",
        "kit.agent.decrypter",
        "kit.agent.keys",
        "kit.agent.queue.cipher",
        "kit.agent.request",
        "kit.tls.certificate_facts",
        "kit.tls.certificates",
        "kit.tls.traces",
    ),
}
# These are given bytes, times and chances; they fetch none. A package stands for its modules, too.
PURE = (
    "kit.agent.audit.act",
    "kit.agent.audit.codec",
    "kit.agent.audit.journal_entry",
    "kit.agent.audit.render",
    "kit.agent.audit.writer",
    "kit.agent.config.certificate",
    "kit.agent.config.lines",
    "kit.agent.config.parsing",
    "kit.agent.config.problems",
    "kit.agent.config.settings",
    "kit.agent.config.values",
    "kit.agent.content",
    "kit.agent.conversion",
    "kit.agent.der",
    "kit.agent.encoding",
    "kit.agent.errors",
    "kit.agent.extension",
    "kit.agent.records",
    "kit.agent.fields",
    "kit.agent.forms",
    "kit.agent.handle",
    "kit.agent.keystore",
    "kit.agent.later",
    "kit.agent.metrics",
    "kit.agent.peers",
    "kit.agent.pkcs11",
    "kit.agent.policy",
    "kit.agent.channels.messages",
    "kit.agent.pkcs11_uri",
    "kit.agent.processes.restarts",
    "kit.agent.pss",
    "kit.agent.mldsa",
    "kit.agent.public",
    "kit.agent.queue.format",
    "kit.agent.queue.messages",
    "kit.agent.rate",
    "kit.agent.rates",
    "kit.agent.recipes.agents",
    "kit.agent.recipes.catalogue",
    "kit.agent.recipes.clients",
    "kit.agent.recipes.machine",
    "kit.agent.recipes.pieces",
    "kit.agent.recipes.recipe",
    "kit.agent.recipes.servers",
    "kit.agent.schemes",
    "kit.agent.sealed",
    "kit.agent.selection",
    "kit.agent.smtpd.configuration",
    "kit.agent.smtpd.conversation",
    "kit.agent.smtpd.imsg",
    "kit.agent.smtpd.keys",
    "kit.agent.smtpd.names",
    "kit.agent.smtpd.requests",
    "kit.agent.ssh_keys",
    "kit.agent.startup",
    "kit.agent.transcript",
    "kit.agent.wire",
    "kit.agent.x509",
    "kit.core.duration",
    "kit.core.errors",
    "kit.core.framing",
    "kit.core.frozen",
    "kit.core.sandbox.bpf",
    "kit.core.sandbox.compiler",
    "kit.core.sandbox.filters",
    "kit.core.sandbox.plan",
    "kit.core.sandbox.syscalls",
    "kit.core.stats",
    "kit.core.text",
    "kit.eeg.acceleration",
    "kit.eeg.batch",
    "kit.eeg.calibrating.fitting",
    "kit.eeg.calibrating.keeping",
    "kit.eeg.calibrating.measuring",
    "kit.eeg.capture",
    "kit.eeg.clock",
    "kit.eeg.conversion",
    "kit.eeg.dating",
    "kit.eeg.doctor.facts",
    "kit.eeg.doctor.finding",
    "kit.eeg.doctor.findings",
    "kit.eeg.doctor.port_rules",
    "kit.eeg.doctor.record",
    "kit.eeg.doctor.sight",
    "kit.eeg.doctor.stream_rules",
    "kit.eeg.doctor.words",
    "kit.eeg.fast",
    "kit.eeg.formats",
    "kit.eeg.intake",
    "kit.eeg.limits",
    "kit.eeg.loss",
    "kit.eeg.loss_by_time",
    "kit.eeg.notes",
    "kit.eeg.p2",
    "kit.eeg.p3",
    "kit.eeg.processing",
    "kit.eeg.plotting.columns",
    "kit.eeg.plotting.envelope",
    "kit.eeg.plotting.spectra",
    "kit.eeg.recognition",
    "kit.eeg.playing.rounds",
    "kit.eeg.playing.timeline",
    "kit.eeg.records",
    "kit.eeg.recordings.checking",
    "kit.eeg.recordings.edf",
    "kit.eeg.recordings.edf_encoder",
    "kit.eeg.recordings.edf_reader",
    "kit.eeg.recordings.grid",
    "kit.eeg.recordings.held",
    "kit.eeg.recordings.lines_encoder",
    "kit.eeg.recordings.making",
    "kit.eeg.recordings.parts",
    "kit.eeg.recordings.pieces",
    "kit.eeg.recordings.replay",
    "kit.eeg.recordings.settings",
    "kit.eeg.recordings.tals",
    "kit.eeg.recordings.xdf",
    "kit.eeg.recordings.xdf_encoder",
    "kit.eeg.recordings.xdf_reader",
    "kit.eeg.scale",
    "kit.eeg.schedule",
    "kit.eeg.sending.passages",
    "kit.eeg.signals",
    "kit.eeg.simulator.device",
    "kit.eeg.simulator.faults",
    "kit.eeg.simulator.line",
    "kit.eeg.simulator.seen",
    "kit.eeg.simulator.signal",
    "kit.eeg.simulator.spelling",
    "kit.eeg.simulator.truth",
    "kit.eeg.simulator.wish",
    "kit.eeg.skips",
    "kit.eeg.spans",
    "kit.eeg.stats",
    "kit.eeg.streaming.description",
    "kit.eeg.streaming.markers",
    "kit.eeg.streaming.stamps",
    "kit.eeg.summary",
    "kit.eeg.tally",
    "kit.eeg.viewing.colours",
    "kit.eeg.viewing.decibels",
    "kit.eeg.viewing.dots",
    "kit.eeg.viewing.filtering",
    "kit.eeg.viewing.frame",
    "kit.eeg.viewing.glyphs",
    "kit.eeg.viewing.drawing",
    "kit.eeg.viewing.graphs",
    "kit.eeg.viewing.history",
    "kit.eeg.viewing.images",
    "kit.eeg.viewing.keys",
    "kit.eeg.viewing.keystrokes",
    "kit.eeg.viewing.lanes",
    "kit.eeg.viewing.looking",
    "kit.eeg.viewing.page",
    "kit.eeg.viewing.paint",
    "kit.eeg.viewing.panels",
    "kit.eeg.viewing.lines",
    "kit.eeg.viewing.picture",
    "kit.eeg.viewing.raster",
    "kit.eeg.viewing.ring",
    "kit.eeg.viewing.scene",
    "kit.eeg.viewing.settings",
    "kit.eeg.viewing.snapshot",
    "kit.eeg.viewing.spectra",
    "kit.eeg.viewing.status",
    "kit.eeg.viewing.strokes",
    "kit.eeg.watching.conditions",
    "kit.eeg.watching.engine",
    "kit.eeg.watching.events",
    "kit.eeg.watching.expressions",
    "kit.eeg.watching.grammar",
    "kit.eeg.watching.measuring",
    "kit.eeg.watching.quantities",
    "kit.eeg.watching.subscribing",
    "kit.eeg.watching.telling",
    "kit.eeg.watching.tone",
    "kit.tls.cells",
    "kit.tls.conversation",
    "kit.tls.dialogue",
    "kit.tls.facts",
    "kit.tls.handshakes",
    "kit.tls.mailserver",
    "kit.tls.pages",
    "kit.tls.target",
    "kit.tls.verdict",
    "kit.eeg.viewing.words",
)
IMPURE = {"os", "time", "socket", "threading", "random", "secrets", "subprocess", "select", "selectors"}
NAMELESS = {"utils", "util", "helpers", "helper", "common", "misc"}


@dataclass(frozen=True)
class Import:
    """One imported module, whether that happens when its importer is imported, and whether at all."""

    importer: str
    name: str
    line: int
    late: bool
    for_types: bool

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.name}"


def _module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def _modules() -> dict[str, tuple[Path, ast.Module]]:
    paths = sorted((SOURCE / "kit").rglob("*.py"))
    return {_module_name(path): (path, ast.parse(path.read_text())) for path in paths}


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert not node.level, "imports name the whole path"
        module = node.module or ""
        inner = [f"{module}.{alias.name}" for alias in node.names]
        return [name if name in _modules() else module for name in inner]
    return []


def _walk(node: ast.AST, late: bool = False, types: bool = False) -> Iterator[tuple[ast.AST, bool, bool]]:
    """Every node, whether it stands in a function, and whether it is for the type checker only."""
    for child in ast.iter_child_nodes(node):
        inner = late or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        for_types = types or _for_types(child)
        yield child, inner or for_types, for_types
        yield from _walk(child, inner, for_types)


def _for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


@cache
def _imports() -> tuple[Import, ...]:
    return tuple(
        Import(module, name, node.lineno, late, for_types)  # type: ignore[attr-defined]
        for module, (_, tree) in _modules().items()
        for node, late, for_types in _walk(tree)
        for name in dict.fromkeys(_imported(node))
    )


def _within(module: str, places: tuple[str, ...]) -> bool:
    return any(module == place or module.startswith(f"{place}.") for place in places)


def _room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def _functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for module, (_, tree) in _modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield module, node


def test_a_room_imports_only_the_rooms_below_it() -> None:
    wrong = [
        str(found)
        for found in _imports()
        if found.name.startswith("kit.")
        and _room(found.importer) in ROOMS
        and _room(found.name) in {*ROOMS}
        and _room(found.name) not in ROOMS[_room(found.importer)]
    ]
    assert wrong == []


def test_no_group_of_the_command_imports_another() -> None:
    groups = ("kit.cli.agent", "kit.cli.tls", "kit.cli.eeg")
    wrong = [
        str(found)
        for found in _imports()
        for group in groups
        if _within(found.name, (group,)) and not _within(found.importer, (group,))
    ]
    assert wrong == []


def test_every_module_stands_in_a_room() -> None:
    outside = {"kit", "kit.__main__"}
    assert [name for name in _modules() if name not in outside and _room(name) not in ROOMS] == []


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_is_imported_only_where_it_belongs(library: str) -> None:
    wrong = [
        str(found)
        for found in _imports()
        if found.name.split(".")[0] == library and not _within(found.importer, LIBRARIES[library])
    ]
    assert wrong == []


def test_rich_is_imported_when_a_table_is_drawn_and_not_before() -> None:
    assert [str(found) for found in _imports() if found.name.startswith("rich") and not found.late] == []


def test_what_imports_numpy_is_imported_where_there_is_much_to_do() -> None:
    eager = [str(found) for found in _imports() if found.name == "kit.eeg.fast" and not found.late]
    assert eager == []


def test_the_core_imports_the_standard_library_and_late_rich() -> None:
    allowed = {*sys.stdlib_module_names, "kit", "rich"}
    wrong = [
        str(found)
        for found in _imports()
        if _room(found.importer) == "core" and found.name.split(".")[0] not in allowed
    ]
    assert wrong == []


def test_pure_modules_fetch_neither_time_nor_chance_nor_files() -> None:
    wrong = [
        str(found)
        for found in _imports()
        if _within(found.importer, PURE) and found.name.split(".")[0] in IMPURE and not found.for_types
    ]
    assert wrong == []
    assert [name for name in PURE if name not in _modules()] == []


def test_pure_modules_are_built_on_pure_modules() -> None:
    wrong = [
        str(found)
        for found in _imports()
        if _within(found.importer, PURE) and found.name.startswith("kit.") and not _within(found.name, PURE)
    ]
    assert [text for text in wrong if not text.endswith(("imports kit.agent", "imports kit.core"))] == []


def test_a_function_fits_on_a_screen() -> None:
    wrong = [
        f"{module}.{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for module, node in _functions()
        if node.end_lineno and node.end_lineno - node.lineno + 1 > FUNCTION_LINES
    ]
    assert wrong == []


def test_a_module_can_be_read_in_one_go() -> None:
    lengths = {name: len(path.read_text().splitlines()) for name, (path, _) in _modules().items()}
    assert {name: length for name, length in lengths.items() if length > MODULE_LINES} == {}


def _is_command(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(
        isinstance(mark, ast.Call)
        and isinstance(mark.func, ast.Attribute)
        and mark.func.attr in ("command", "group")
        for mark in node.decorator_list
    )


def test_a_command_parses_calls_one_function_and_renders() -> None:
    wrong = []
    for module, node in _functions():
        body = node.body[1:] if ast.get_docstring(node) else node.body
        if _is_command(node) and body and body[-1].end_lineno:
            lines = body[-1].end_lineno - body[0].lineno + 1
            if lines > COMMAND_LINES:
                wrong.append(f"{module}.{node.name}: {lines} lines")
    assert wrong == []


def test_no_module_is_named_after_nothing() -> None:
    assert [name for name in _modules() if NAMELESS & set(name.split("."))] == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [name for name, (_, tree) in _modules().items() if tree.body and not ast.get_docstring(tree)]
    assert silent == []


def test_names_with_an_underscore_need_no_list_of_exports() -> None:
    listed = [
        name
        for name, (_, tree) in _modules().items()
        for node in tree.body
        if isinstance(node, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets)
    ]
    assert listed == []


def _loaded(code: str) -> set[str]:
    """The top-level modules (and kit's own, whole) in sys.modules after `code` ran in a fresh Python."""
    program = f"import sys\n{code}\nprint('\\n'.join(sys.modules), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    names = done.stderr.split()
    return {name.split(".")[0] for name in names} | set(names)


_HELP = """
from kit.cli.main import root
assert root.main(["{group}", "--help"] if "{group}" else ["--help"], prog_name="kit") == 0
"""


@pytest.mark.parametrize("group", ["", "agent", "tls", "eeg"])
def test_help_loads_no_heavy_library(group: str) -> None:
    heavy = {
        "cryptography",
        "ssl",
        "rich",
        "asyncio",
        "cffi",
        "_cffi_backend",
        "multiprocessing",
        "serial",
        "numpy",
        "pylsl",
        "matplotlib",
    }
    assert _loaded(_HELP.format(group=group)) & heavy == set()


def test_commands_import_their_domain_in_the_body() -> None:
    domains = ("kit.agent.", "kit.tls.", "kit.eeg.")
    loaded = _loaded("import kit.cli.agent.group, kit.cli.eeg.group, kit.cli.tls.group")
    assert [name for name in sorted(loaded) if name.startswith(domains)] == []


def test_the_library_loads_lightly() -> None:
    assert _loaded("import kit.agent") & {"click", "rich", "asyncio", "ssl", "cffi", "cryptography"} == set()


def test_the_eeg_library_loads_lightly() -> None:
    heavy = {"click", "rich", "serial", "numpy", "socket", "subprocess", "cryptography"}
    assert _loaded("import kit.eeg") & heavy == set()


def test_the_processes_that_hold_the_keys_load_no_more_than_signing_takes() -> None:
    loaded = _loaded("import kit.agent.processes.supervisor")
    foreign = {
        "_ssl",
        "asyncio",
        "cffi",
        "click",
        "cryptography.x509",
        "http",
        "logging",
        "multiprocessing",
        "numpy",
        "rich",
        "ssl",
        "subprocess",
        "tempfile",
        "threading",
    }
    assert loaded & foreign == set()
    others = ("kit.cli", "kit.tls", "kit.eeg", "kit.agent.client", "kit.agent.launch", "kit.agent.provider")
    assert [name for name in sorted(loaded) if name.startswith(others)] == []
