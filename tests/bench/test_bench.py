"""The benches' own parts: what they read, and that they take nothing else for a signature."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.agent.pkcs11.holder import Holder
from tests.agent.pkcs11.served import served
from tests.bench import agents, load, openssl_speed, pkcs11, processes
from tests.bench.goal import Goal, Shown, all_in_turn, ratio
from tests.bench.load import Answers, Group, Load, Loader
from tests.bench.requests import Question
from tests.peers import needs

_ALONE = """\
+F2:2:2048:3984.848485:60528.000000
"""
_SEVERAL = """\
Forked child 0
Forked child 1
Got: +F4:3:256:50175.000000:15739.000000 from 0
Got: +F4:3:256:50308.000000:16453.000000 from 1
+F4:3:256:100483.000000:32192.000000
"""


def test_openssl_speed_of_one_process_is_its_signatures_a_second() -> None:
    assert openssl_speed.parse(_ALONE) == pytest.approx(3984.848485)


def test_openssl_speed_of_several_processes_is_their_sum() -> None:
    assert openssl_speed.parse(_SEVERAL) == 100483


def test_openssl_speed_without_signatures_is_an_error() -> None:
    with pytest.raises(ValueError, match="no signatures"):
        openssl_speed.parse("+DT:sha256:1:16\n")


def test_openssl_speed_as_installed_is_understood() -> None:
    needs("openssl")
    assert openssl_speed.speed("ecdsap256") > 100


def test_what_the_load_generator_prints_is_understood() -> None:
    assert load.parse("20 0 0.5 164 438 4246\n7 1 0.5 9491 20053 25921\n1234\n") == Load(
        (Answers(20, 0, 0.5, 164, 438, 4246), Answers(7, 1, 0.5, 9491, 20053, 25921)), 1234
    )


def test_a_rate_is_of_good_answers() -> None:
    assert Answers(20, 5, 0.5, 1, 1, 1).per_second == 40


def test_answers_that_are_no_signatures_end_a_bench() -> None:
    with pytest.raises(SystemExit, match="1 answers were no signature"):
        load.signatures(Load((Answers(7, 1, 1, 1, 1, 1),), 1))


@pytest.fixture
def loader() -> Iterator[Loader]:
    needs("cc", "ssh-agent", "ssh-add", "ssh-keygen")
    with load.loader() as built:
        yield built


def test_several_groups_are_answered_at_once_and_counted_apart(loader: Loader) -> None:
    with agents.ssh_agent() as (path, question):
        wrong = Question(question.frame, b"\x05")
        found = loader.run(path, 1, Group(3, question), Group(1, wrong), Group(2, question))
    first, second, third = found.answers
    assert first.good and third.good and second.bad
    assert not first.bad and not third.bad and not second.good
    assert 0 < first.median_us <= first.p99_us <= first.slowest_us


def test_an_agent_that_ends_the_connection_ends_the_load(loader: Loader, tmp_path: Path) -> None:
    with agents.ssh_agent() as (path, _), pytest.raises(subprocess.CalledProcessError):
        loader.run(path, 0.2, Group(1, Question(b"\xff" * 8, b"\x0e")))


def test_a_process_and_its_children_are_told_apart_by_generation() -> None:
    shell = ["sh", "-c", "sleep 60 & echo begun; wait"]
    with subprocess.Popen(shell, stdout=subprocess.PIPE, start_new_session=True) as parent:
        assert parent.stdout
        parent.stdout.readline()
        family = processes.family(parent.pid)
        assert family["supervisor"] == [parent.pid]
        assert len(family["zygote"]) == 1 and family["workers"] == []
        assert processes.cpu_us(family)["supervisor"] > 0
        assert 0 < processes.memory_mib(family)["zygote"] < 100
        subprocess.run(["kill", str(family["zygote"][0])], check=True)


def test_ratios_are_of_figures_from_the_same_round() -> None:
    quick, slow = iter([1.0, 2, 20, 4]), iter([1.0, 1, 10, 2])
    found = all_in_turn(3, {"quick": lambda: next(quick), "slow": lambda: next(slow)})
    assert found == {"quick": [2, 20, 4], "slow": [1, 10, 2]}
    assert ratio(found, "quick", "slow") == 2


def test_none_is_always_the_one_that_comes_first() -> None:
    order: list[str] = []

    def side(name: str) -> float:
        order.append(name)
        return 1

    all_in_turn(2, {"a": partial(side, "a"), "b": partial(side, "b")})
    assert "".join(order) == "ab" + "ba" + "ab"


def test_a_figure_without_a_goal_is_never_missed() -> None:
    assert Shown("what", "figures").reached
    assert not Goal("what", "figures", 2, 1, at_least=False).reached


def test_signatures_by_a_pkcs11_module_are_counted(tmp_path: Path) -> None:
    needs("cc", "p11-kit")
    holder = Holder("p-256", "rsa-2048")
    signer = pkcs11.Signer(tmp_path)
    with served(tmp_path / "socket", holder.answer) as environment:
        token = pkcs11.Token("kit agent", "", environment)
        for key, mechanism in (("p-256", "ecdsa"), ("rsa-2048", "rsa"), ("rsa-2048", "rsa-sha256")):
            signed = signer.run(token, key, mechanism, 0.05, connections=2)
            assert signed.good > 0
            assert signed.bad == 0
            assert signed.median_us <= signed.p99_us


def test_refused_signatures_are_not_counted_as_good(tmp_path: Path) -> None:
    needs("cc", "p11-kit")
    holder = Holder("p-256")
    signer = pkcs11.Signer(tmp_path)
    holder.keys.clear()
    with served(tmp_path / "socket", holder.answer) as environment:
        signed = signer.run(pkcs11.Token("kit agent", "", environment), "p-256", "ecdsa", 0.05)
    assert signed.good == 0
    assert signed.bad > 0


def test_a_key_that_is_not_there_ends_the_count(tmp_path: Path) -> None:
    needs("cc", "p11-kit")
    signer = pkcs11.Signer(tmp_path)
    with served(tmp_path / "socket", Holder("p-256").answer) as environment:
        with pytest.raises(subprocess.CalledProcessError):
            signer.run(pkcs11.Token("kit agent", "", environment), "p-384", "ecdsa", 0.05, connections=2)
