"""What the agent counts, as OpenMetrics 1.0 text (application/openmetrics-text; version=1.0.0). Pure.

node_exporter's textfile collector reads the older Prometheus text format, to which UNIT and EOF are comments.
Only types that it knows occur here: it refuses the whole file for another one, such as "info".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from kit.agent.extension import AgentMetrics, KeyMetrics
from kit.core.frozen import frozen

_PREFIX = "kit_agent_"
_MICRO = 1_000_000
_DIGITS = 16  # of a key_id; who could make two keys that begin alike could as well name them alike
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


@frozen
class Sample:
    """A number; `suffix` is what its name adds to its family's."""

    suffix: str
    labels: tuple[tuple[str, str], ...]
    value: float


@frozen
class Family:
    """Samples of one kind; `kind` is "gauge", "counter" or "histogram"."""

    name: str
    kind: str
    unit: str
    help: str
    samples: tuple[Sample, ...]


def families(metrics: AgentMetrics) -> tuple[Family, ...]:
    """Everything; those of the keys may be empty."""
    return (
        *(row.family((row.of(metrics),)) for row in _OF_AGENT),
        *(row.family(tuple(s for key in metrics.by_key for s in row.of(metrics, key))) for row in _OF_KEY),
    )


def render(found: Sequence[Family]) -> str:
    """The text, to its last line."""
    return "".join(f"{line}\n" for family in found for line in _lines(family)) + "# EOF\n"


def records(found: Sequence[Family]) -> Iterator[dict[str, Any]]:
    """Each sample as the fields of a JSON object."""
    for family in found:
        for sample in family.samples:
            name = family.name + sample.suffix
            yield {
                "metric": name,
                "type": family.kind,
                "labels": dict(sample.labels),
                "value": sample.value,
            }


def _lines(family: Family) -> Iterator[str]:
    yield f"# TYPE {family.name} {family.kind}"
    if family.unit:
        yield f"# UNIT {family.name} {family.unit}"
    yield f"# HELP {family.name} {family.help}"
    for sample in family.samples:
        labels = ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in sample.labels)
        braced = f"{{{labels}}}" if labels else ""
        yield f"{family.name}{sample.suffix}{braced} {sample.value!r}"


@frozen
class _Row:
    """A family before it has samples; `of` takes them out of the metrics, or a key's."""

    name: str
    kind: str
    help: str
    of: Callable[..., Any]
    unit: str = ""

    def family(self, samples: tuple[Sample, ...]) -> Family:
        return Family(_PREFIX + self.name, self.kind, self.unit, self.help, samples)


def _gauge(name: str, help: str, value: Callable[[AgentMetrics], int], unit: str = "") -> _Row:
    return _Row(name, "gauge", help, lambda metrics: Sample("", (), value(metrics)), unit)


def _counter(name: str, help: str, value: Callable[[AgentMetrics], int]) -> _Row:
    return _Row(name, "counter", help, lambda metrics: Sample("_total", (), value(metrics)))


def _build(metrics: AgentMetrics) -> Sample:
    return Sample("", (("version", metrics.version),), 1)


def _named(key: KeyMetrics, *more: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """Keys of one name are told apart; so is one that takes another's name."""
    short = key.key_id.hex()[:_DIGITS]
    return (("key", key.key_name), ("key_id", short), ("kind", key.kind), *more)


def _operations(_metrics: AgentMetrics, key: KeyMetrics) -> Iterator[Sample]:
    yield Sample("_total", _named(key, ("operation", "sign")), key.signed)
    yield Sample("_total", _named(key, ("operation", "decrypt")), key.decrypted)


def _refusals(_metrics: AgentMetrics, key: KeyMetrics) -> Iterator[Sample]:
    yield Sample("_total", _named(key), key.refused)


def _durations(metrics: AgentMetrics, key: KeyMetrics) -> Iterator[Sample]:
    """Buckets count what the smaller ones do, too; so the last has all."""
    bounds, below = [str(bound / _MICRO) for bound in metrics.bounds_us], 0
    for le, count in zip((*bounds, "+Inf"), key.durations, strict=True):
        below += count
        yield Sample("_bucket", _named(key, ("le", le)), below)
    yield Sample("_sum", _named(key), key.microseconds / _MICRO)
    yield Sample("_count", _named(key), below)


def _expiry(_metrics: AgentMetrics, key: KeyMetrics) -> Iterator[Sample]:
    if key.expires_s:
        yield Sample("", _named(key), key.expires_s)


_OF_AGENT = (
    _Row("build_info", "gauge", "Constant 1, labelled with the agent's version.", _build),
    _gauge("start_time_seconds", "When the agent started, in Unix time.", lambda m: m.started_s, "seconds"),
    _gauge("locked", "Whether the agent is locked; its keys are not shown then.", lambda m: int(m.locked)),
    _gauge("keys", "Keys that the agent holds.", lambda m: m.keys),
    _gauge("workers", "Processes that serve clients.", lambda m: m.workers),
    _counter("worker_restarts", "Workers that ended and were replaced.", lambda m: m.restarts),
    _gauge("connections", "Clients that are connected.", lambda m: m.connections),
    _counter("connections_accepted", "Clients that were let in.", lambda m: m.accepted),
    _counter("connections_rejected", "Clients that were turned away.", lambda m: m.rejected),
    _counter("malformed_messages", "Messages that broke the protocol.", lambda m: m.malformed),
    _counter("failures", "Operations that were allowed and failed.", lambda m: m.failed),
    _gauge("audit_failing", "Whether the audit log cannot be written.", lambda m: int(m.audit_failing)),
    _counter("audit_lost_lines", "Lines that the audit log lacks.", lambda m: m.audit_lost),
)
_OF_KEY = (
    _Row("operations", "counter", "Signatures and decryptions that a key made.", _operations),
    _Row("refusals", "counter", "Uses of a key that were refused.", _refusals),
    _Row("operation_duration_seconds", "histogram", "How long an operation took.", _durations, "seconds"),
    _Row("key_expiry_timestamp_seconds", "gauge", "When a key is forgotten.", _expiry, "seconds"),
)
