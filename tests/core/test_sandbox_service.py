"""A confined agent can still do its work: keys from files and children, connections, signatures, signals."""

from __future__ import annotations

import pytest

from tests.core.confined import WORKER, ZYGOTE, Setting
from tests.core.sandbox_settings import ask, every
from tests.core.service import ROUNDS

_LEVELS = ("strict", "compat", "off")


@pytest.mark.parametrize("setting", every(WORKER, levels=_LEVELS))
def test_a_sealed_worker_takes_connections_and_signs_until_it_is_told_to_end(setting: Setting) -> None:
    assert ask("serve", setting) == str(ROUNDS)


@pytest.mark.parametrize("setting", every(ZYGOTE, levels=_LEVELS))
def test_a_confined_process_reads_keys_and_rules_its_children(setting: Setting) -> None:
    assert ask("serve", setting) == "all done"


def test_a_worker_works_where_the_system_has_neither_landlock_nor_filters_nor_namespaces() -> None:
    lacking = ("landlock_create_ruleset", "unshare", "seccomp", "mlock2", "mlockall")
    assert ask("serve", Setting(role=WORKER, lacking=lacking)) == str(ROUNDS)
