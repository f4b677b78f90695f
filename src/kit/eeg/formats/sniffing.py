"""What format a file is in, by its first bytes. Pure."""

from __future__ import annotations

import re

UNKNOWN = "unknown"
# As much as a sure answer takes: the first line of any format here, and enough of anything else.
HEAD = 4096

_BOM = b"\xef\xbb\xbf"
# What stands in no text: OpenEEG's bytes have some of them in every packet (P2's sync, P3's last byte).
_NOT_TEXT = re.compile(rb"[^\t\r\n -~]")
_TABLE = re.compile(rb"time +sequence ver +ctr ")
_EEGREADER = re.compile(rb"[0-9]{1,20}\|[23]\|[0-9]{1,3}\|[0-9|]*(\r?\n|$)")
_EEGREADER_JSON = re.compile(rb'\{[^{}\n]*"(timestamp:?|frame)"\s*:')
# A header's first field, and the number of its bytes behind the texts and the date.
_EDF = re.compile(rb"(0(?= {7})|\xff(?=BIOSEMI)).{183}[0-9]{1,7} {1,7}", re.DOTALL)
_NDJSON = re.compile(rb'\{[^\n]*"event"\s*:')


def sniff(head: bytes) -> str:
    """The name of a format that there is a reader for, or `unknown`."""
    if head.startswith(b"XDF:"):
        return "xdf"
    if found := _EDF.match(head):
        return "edf" if found[1] == b"0" else "bdf"
    text = head.removeprefix(_BOM).lstrip(b"\r\n")
    line = text.split(b"\n", 1)[0]
    if _NDJSON.match(line):
        return "ndjson"
    if _NOT_TEXT.search(head.removeprefix(_BOM)):
        return "raw"
    if _EEGREADER_JSON.match(line):
        return "eegreader-json"
    if _EEGREADER.match(text):
        return "eegreader"
    if _TABLE.match(line):
        return "table"
    names = [name.strip(b' "\r') for name in re.split(rb"[,\t]", line)]
    if b"counter" in names and (b"ch1" in names or b"ch1_uv" in names):
        return "tsv" if b"\t" in line else "csv"
    return UNKNOWN
