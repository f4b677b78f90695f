"""What the commands of `kit eeg` take: protocol, speed, rate, start, units, limits."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kit.core.errors import UsageError

if TYPE_CHECKING:
    from kit.eeg.scale import Scale

_AUTO = "auto"
FORMATS = (
    *(_AUTO, "raw", "eegreader", "eegreader-json", "csv", "tsv", "ndjson", "table"),
    *("edf", "bdf", "xdf"),
)

_F = TypeVar("_F", bound=Callable[..., Any])
_FRACTION = re.compile(r"\d{1,7}(\.\d{1,9})?(/\d{1,7})?")
_SECONDS = re.compile(r"\d{1,30}(\.\d{1,9})?")
_CHANNELS = re.compile(r"(\d{1,2})(?:-(\d{1,2}))?")
_RATE_LIMIT_HZ = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LAST_US = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND


class Number(click.FloatRange):
    """A finite number: "nan" is within any range, and "inf" is within some."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return number


def _form(_context: click.Context, _parameter: click.Parameter, value: str) -> str | None:
    return None if value == _AUTO else value


def form_option(function: _F) -> _F:
    """--from, handed to the command as `form`; None is to look at the first bytes."""
    return click.option(
        "--from",
        "form",
        type=click.Choice(FORMATS),
        default=_AUTO,
        show_default=True,
        callback=_form,
        help="The input's format; auto looks at its first bytes. A device sends raw ones.",
    )(function)


def protocol_option(function: _F) -> _F:
    """--protocol, handed to the command as `protocol`: auto, p2 or p3."""
    return click.option(
        "--protocol",
        type=click.Choice(["auto", "p2", "p3"]),
        default="auto",
        show_default=True,
        help="What the device speaks.",
    )(function)


def baud_option(function: _F) -> _F:
    """--baud, handed to the command as `baud`."""
    return click.option(
        "--baud",
        type=click.IntRange(50, 4_000_000),
        default=57_600,
        show_default=True,
        metavar="BITS",
        help="The serial line's speed, in bits a second.",
    )(function)


def _rate(_context: click.Context, _parameter: click.Parameter, value: str) -> Fraction:
    if _FRACTION.fullmatch(value):
        whole, _, part = value.partition("/")
        if not part or int(part):
            rate_hz = Fraction(whole) / int(part or 1)
            if 0 < rate_hz <= _RATE_LIMIT_HZ:
                return rate_hz
    raise click.BadParameter(f"{value!r} is no rate like 256, 255.9 or 1000/3")


def rate_option(function: _F) -> _F:
    """--rate, the nominal one, handed to the command as `rate_hz`, a Fraction."""
    return click.option(
        "--rate",
        "rate_hz",
        default="256",
        show_default=True,
        callback=_rate,
        metavar="HZ",
        help="Packets a second, as the device's firmware says.",
    )(function)


def _start(_context: click.Context, _parameter: click.Parameter, value: str) -> int:
    try:
        start_us = _microseconds(value)
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{value!r} is no time like 2021-05-26T13:09:07Z, nor seconds since 1970"
        ) from None
    if not 0 <= start_us <= _LAST_US:
        raise click.BadParameter(f"{value!r} is not between 1970 and 9999 (seconds, not microseconds)")
    return start_us


def _microseconds(value: str) -> int:
    """Digits are seconds since 1970; a date without a zone is local time, as in ISO 8601."""
    if _SECONDS.fullmatch(value):
        return int(Fraction(value) * 1_000_000)
    return (datetime.fromisoformat(value).astimezone(UTC) - _EPOCH) // _MICROSECOND


def start_option(function: _F) -> _F:
    """--start, handed to the command as `start_us`: microseconds since 1970, 0 if it is not given."""
    return click.option(
        "--start",
        "start_us",
        default="0",
        callback=_start,
        metavar="TIME",
        help="When the first packet was sent, where nothing in the input tells: ISO 8601, or seconds since "
        "1970. [default: 1970]",
    )(function)


_UNITS = click.option(
    "--units",
    type=click.Choice(["adc", "uv"]),
    default="adc",
    show_default=True,
    help="Counts of the converter, or microvolts.",
)


def _scale_options(function: _F, condition: str) -> _F:
    """--uv-per-count and --zero; the condition under which they hold is part of the help."""
    zero = click.option(
        "--zero",
        type=Number(0, 1023),
        metavar="N",
        help=f"{condition}the count of no voltage. [default: 512]",
    )
    uv_per_count = click.option(
        "--uv-per-count",
        type=Number(0, 1_000_000, min_open=True),
        metavar="X",
        help=f"{condition}microvolts per count. [default: 0.5]",
    )
    return uv_per_count(zero(function))


def units_options(function: _F) -> _F:
    """--units, --uv-per-count and --zero, handed to the command as `units` (adc or uv) and `scale`."""

    @wraps(function)
    def command(*values: Any, uv_per_count: float | None, zero: float | None, **options: Any) -> Any:
        scale = _scale(options["units"], uv_per_count, zero)
        return function(*values, scale=scale, **options)

    return _UNITS(_scale_options(command, "With --units uv: "))  # type: ignore[return-value]


def scale_options(function: _F) -> _F:
    """--uv-per-count and --zero where microvolts are always shown, handed to the command as `scale`."""

    @wraps(function)
    def command(*values: Any, uv_per_count: float | None, zero: float | None, **options: Any) -> Any:
        return function(*values, scale=_scale("uv", uv_per_count, zero), **options)

    return _scale_options(command, "For the microvolts: ")  # type: ignore[return-value]


def _scale(units: str, uv_per_count: float | None, zero: float | None) -> Scale:
    """The scale that was asked for; what is not used must not be given."""
    from kit.eeg import scale

    for option, value in (("--uv-per-count", uv_per_count), ("--zero", zero)):
        if units != "uv" and value is not None:
            raise UsageError(f"{option} is for microvolts", hint="add --units uv")
    nominal = scale.Scale()
    return scale.Scale(
        nominal.uv_per_count if uv_per_count is None else uv_per_count,
        nominal.zero if zero is None else zero,
        nominal.origin if uv_per_count is None else "given",
    )


def fail_above_option(function: _F) -> _F:
    """--fail-above, handed to the command as `fail_above_percent`, None if it is not given."""
    return click.option(
        "--fail-above",
        "fail_above_percent",
        type=Number(0, 100),
        metavar="PCT",
        help="End with status 1 if more than PCT % of the packets were lost.",
    )(function)


def duration_option(function: _F) -> _F:
    """--duration, handed to the command as `duration_s`, None if it is not given."""
    return click.option(
        "--duration",
        "duration_s",
        type=Number(0, 31_622_400, min_open=True),
        metavar="SECONDS",
        help="End after this time.",
    )(function)


def _speed(_context: click.Context, _parameter: click.Parameter, value: str) -> Fraction | None:
    from kit.eeg.simulator.spelling import read_option

    speed: Fraction | None = read_option("speed", value, f"--speed {value}")[1]
    return speed


def speed_option(function: _F) -> _F:
    """--speed, handed to the command as `speed`: a Fraction, or None for as quick as it goes."""
    return click.option(
        "--speed",
        default="1",
        show_default=True,
        callback=_speed,
        metavar="X|max",
        help="Times real time.",
    )(function)


def place_options(function: _F) -> _F:
    """--stdout, --tcp and --link, handed to the command as `place`, a `places.Place`."""

    @wraps(function)
    def command(*values: Any, to_stdout: bool, tcp: str | None, link: str | None, **options: Any) -> Any:
        from kit.cli.eeg.places import Place

        return function(*values, place=Place(to_stdout, tcp, link), **options)

    named = click.option("--link", metavar="NAME", help="Have a symbolic link to the pty under this name.")
    tcp_port = click.option(
        "--tcp", metavar="[HOST:]PORT", help="Serve on a TCP port, of 127.0.0.1 if no HOST is given."
    )
    stdout = click.option(
        "--stdout", "to_stdout", is_flag=True, help="Write to standard output, not to a pty."
    )
    return stdout(tcp_port(named(command)))  # type: ignore[return-value]


def _channels(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[int, ...] | None:
    if value == "all":
        return None
    found: set[int] = set()
    for part in value.split(","):
        match = _CHANNELS.fullmatch(part)
        if not match or not 0 < int(match[1]) <= int(match[2] or match[1]):
            raise click.BadParameter(f"{value!r} is no list of channels like 1,2 or 1-4")
        found.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return tuple(sorted(found))


def channels_option(default: str) -> Callable[[_F], _F]:
    """--channels, handed to the command as `channels`, the numbers from 1 on, None for all of them."""
    return click.option(
        "--channels",
        default=default,
        show_default=True,
        callback=_channels,
        metavar="LIST",
        help="Which ones, as in 1,2 or 1-4 or all.",
    )


def capture_options(function: _F) -> _F:
    """SOURCE and how it is read, handed to the command as `capture`, a `capturing.CaptureWish`."""

    @wraps(function)
    def command(*values: Any, **options: Any) -> Any:
        from kit.cli.eeg.capturing import CaptureWish, calibrated

        names = CaptureWish.__dataclass_fields__
        capture = calibrated(CaptureWish(**{name: options.pop(name) for name in names}))
        return function(*values, capture=capture, **options)

    source = click.argument("source", metavar="[SOURCE]", required=False)
    reconnect = click.option(
        "--reconnect", is_flag=True, help="Wait for a device that is not there, or goes away."
    )
    wrapped: Any = command
    for option in (rate_option, baud_option, protocol_option, reconnect, duration_option, scale_options):
        wrapped = option(wrapped)
    return source(form_option(wrapped))  # type: ignore[no-any-return]
