"""Where the bytes come from: serial ports, servers, files, pipes, simulated devices.

`opening` decides by what the user named; `serial` and `network` read what is live, `files` what is not;
`reconnecting` waits for a device that went away; `ports`, `holders` and `refusals` say what is there, who has
it and why it cannot be had. What a source gives are chunks of bytes with the times of their reads.
"""

from __future__ import annotations

from kit.eeg.sources.opening import open_source as open_source
from kit.eeg.sources.source import DeviceGone as DeviceGone
from kit.eeg.sources.source import Source as Source
