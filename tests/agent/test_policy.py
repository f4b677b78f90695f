"""A key signs what its purposes cover, whatever the caller says that the content is."""

from __future__ import annotations

import itertools

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import given
from hypothesis import strategies as st

from kit.agent import policy
from kit.agent.content import Kind
from kit.agent.policy import (
    PURPOSES,
    Permit,
    Refusal,
    decide,
    decide_block,
    decide_decrypt,
    decide_digest,
    decide_queue,
    parse_purposes,
    recognise,
)
from kit.agent.public import symmetric
from kit.agent.schemes import BY_NAME, SCHEMES, Scheme
from kit.core.errors import UsageError
from tests.agent import ambiguous
from tests.agent.handshakes import transcript
from tests.agent.samples import (
    CA,
    CLASSICAL,
    KINDS,
    LEAF,
    ML_DSA,
    POINTS,
    certificate,
    certificate_verify,
    good_contents,
    key_exchange,
    login,
    public_key,
    request,
    sshsig,
)

# The purposes that cover each good content, the narrowest first.
COVERED = {
    "TLS 1.3 server": ("tls-server",),
    "TLS 1.2 server": ("tls-server",),
    "TLS 1.3 client": ("tls-client",),
    "TLS 1.2 client": ("tls-client",),
    "request": ("csr",),
    "leaf": ("self-signed", "ca"),
    "issued": ("ca",),
    "login": ("ssh",),
    "SSHSIG": ("ssh",),
}
SIGNING = [name for name in PURPOSES if name not in ("any", "tls-digest", "digest", "decrypt", "queue")]
FITTING = {
    "rsa-2048": ("rsa_pss_rsae_sha256", "rsa_pkcs1_sha256"),
    "p-256": ("ecdsa_secp256r1_sha256",),
    "p-384": ("ecdsa_secp384r1_sha384",),
    "p-521": ("ecdsa_secp521r1_sha512",),
    "ed25519": ("ed25519",),
    **{kind: (kind.replace("-", ""),) for kind in ML_DSA},
}
# What there is of each kind of key: SSH and TLS 1.2 have no ML-DSA.
CASES = [
    (kind, what) for kind in KINDS for what in COVERED if kind in CLASSICAL or what in good_contents(kind)
]


def content(kind: str, what: str) -> bytes:
    return transcript(kind) if what == "TLS 1.2 client" else good_contents(kind)[what]


def fitting(kind: str, what: str) -> Scheme:
    """A scheme for this content: PSS where TLS 1.3 wants it, otherwise PKCS #1."""
    names = FITTING[kind]
    return BY_NAME[names[0] if what.startswith("TLS 1.3") else names[-1]]


def ask(kind: str, what: str, *allowed: str, claimed: str = "") -> Permit | Refusal:
    return decide(public_key(kind), allowed, claimed, fitting(kind, what), content(kind, what))


@pytest.mark.parametrize(("kind", "what"), CASES)
def test_each_content_is_signed_under_its_purposes_and_no_other(kind: str, what: str) -> None:
    for purpose in SIGNING:
        answer = ask(kind, what, purpose)
        if purpose in COVERED[what]:
            assert answer == Permit(purpose)
        else:
            assert isinstance(answer, Refusal)
            assert answer.purpose == COVERED[what][0]
            assert answer.why.endswith(f"({COVERED[what][0]}), and the key may sign {purpose} only")


@pytest.mark.parametrize(("kind", "what"), CASES)
def test_each_content_is_recognised(kind: str, what: str) -> None:
    assert recognise(public_key(kind), content(kind, what)) == frozenset(COVERED[what])


@pytest.mark.parametrize("what", COVERED)
def test_any_signs_everything(what: str) -> None:
    assert ask("p-256", what, "any") == Permit("any")
    assert ask("p-256", what, "any", *COVERED[what]) == Permit(COVERED[what][0])
    assert ask("p-256", what, "any", claimed=COVERED[what][0]) == Permit("any")


@pytest.mark.parametrize("what", COVERED)
def test_a_key_that_signs_any_digest_signs_every_content(what: str) -> None:
    assert ask("p-256", what, "digest") == Permit("digest")
    assert ask("p-256", what, "digest", *COVERED[what]) == Permit(COVERED[what][0])
    assert ask("p-256", what, "digest", claimed=COVERED[what][0]) == Permit("digest")
    assert ask("p-256", what, "digest", "any") == Permit("any")
    assert isinstance(ask("p-256", what, "tls-digest"), Refusal)


@pytest.mark.parametrize("data", [b"", b"hello", bytes(100), b"\x30\x00", b"\x31\x00"])
def test_unknown_content_is_signed_under_any_only(data: bytes) -> None:
    key, scheme = public_key("ed25519"), BY_NAME["ed25519"]
    assert decide(key, ["any"], "", scheme, data) == Permit("any")
    assert decide(key, ["digest"], "", scheme, data) == Permit("digest")
    answer = decide(key, [*SIGNING, "tls-digest", "decrypt"], "", scheme, data)
    assert isinstance(answer, Refusal)
    assert answer.purpose == "any"


@pytest.mark.parametrize("what", COVERED)
@pytest.mark.parametrize("claimed", [*PURPOSES, "", "TLS-server", "tls", "tls-server ", "signing"])
def test_a_claim_narrows_and_never_widens(what: str, claimed: str) -> None:
    for allowed in (("any",), SIGNING, policy.ADDED_DEFAULT):
        answer = ask("p-256", what, *allowed, claimed=claimed)
        covered = set(allowed) & {"any", *COVERED[what]}
        if covered and claimed in ("", "any", "digest", *COVERED[what]):
            assert isinstance(answer, Permit)
            assert answer.purpose in covered
        else:
            assert isinstance(answer, Refusal)


def test_a_false_claim_is_told() -> None:
    assert ask("p-256", "request", "csr", "tls-server", claimed="tls-server") == Refusal(
        "tls-server", "content is a certificate request, and the request calls it tls-server"
    )
    answer = decide(public_key("p-256"), ["any"], "ssh", BY_NAME["ecdsa_secp256r1_sha256"], b"hello")
    assert answer == Refusal("ssh", "content is nothing that the agent knows, and the request calls it ssh")


def test_a_claim_that_is_no_purpose_is_refused_and_not_repeated_at_length() -> None:
    answer = decide(public_key("p-256"), ["any"], "x\n" * 500, BY_NAME["ecdsa_secp256r1_sha256"], b"hello")
    assert isinstance(answer, Refusal)
    assert answer.purpose == "any"
    assert answer.why.startswith("there is no purpose 'x")
    assert "\n" not in answer.why
    assert len(answer.why) < 120


def test_a_claimed_purpose_is_the_one_counted() -> None:
    assert ask("p-256", "leaf", "self-signed", "ca") == Permit("self-signed")
    assert ask("p-256", "leaf", "self-signed", "ca", claimed="ca") == Permit("ca")
    assert ask("p-256", "leaf", "ca") == Permit("ca")
    assert ask("p-256", "leaf", "ca", claimed="self-signed") == Permit("ca")


def test_a_refusal_says_what_the_content_is_and_what_the_key_may_sign() -> None:
    assert ask("p-256", "request", "tls-server") == Refusal(
        "csr", "content is a certificate request (csr), and the key may sign tls-server only"
    )
    assert ask("p-256", "issued", "csr", "self-signed", "tls-server") == Refusal(
        "ca", "content is a certificate (ca), and the key may sign tls-server, csr and self-signed only"
    )
    assert ask("p-256", "login", "decrypt") == Refusal(
        "ssh", "content is an SSH login (ssh), and the key may sign nothing"
    )
    answer = decide(public_key("p-256", 1), ["csr"], "", BY_NAME["ecdsa_secp256r1_sha256"], request("p-256"))
    assert answer == Refusal(
        "any", "content is a certificate request for another key (any), and the key may sign csr only"
    )


# Schemes.


def test_a_scheme_is_for_one_type_of_key() -> None:
    for kind, scheme in itertools.product(KINDS, SCHEMES.values()):
        key = public_key(kind)
        answer = decide(key, ["any"], "", scheme, b"hello")
        assert isinstance(answer, Permit) == (scheme.key_type is key.key_type)
    assert decide(public_key("p-256"), ["any"], "", BY_NAME["ed25519"], b"") == Refusal(
        "any", "ed25519 is not for a key of type p-256"
    )


MISFITS = [
    ("rsa-2048", certificate_verify(), "rsa_pkcs1_sha256", "tls-server"),
    ("rsa-2048", certificate_verify("client"), "rsa_pkcs1_sha512", "tls-client"),
    ("p-256", certificate_verify(), "ecdsa_secp384r1_sha384", "tls-server"),
    ("p-384", certificate_verify(), "ecdsa_secp256r1_sha256", "tls-server"),
    ("rsa-2048", login("rsa-2048"), "rsa_pss_rsae_sha256", "ssh"),
    ("rsa-2048", login("rsa-2048"), "rsa_pkcs1_sha512", "ssh"),
    ("rsa-2048", sshsig(), "rsa_pkcs1_sha384", "ssh"),
    ("p-256", sshsig(), "ecdsa_secp384r1_sha384", "ssh"),
    ("p-256", certificate("p-256").tbs_certificate_bytes, "ecdsa_secp384r1_sha384", "self-signed"),
    ("rsa-2048", certificate("rsa-2048", CA).tbs_certificate_bytes, "rsa_pss_rsae_sha256", "ca"),
    *(
        (kind, data, kind.replace("-", ""), purpose)
        for kind in ML_DSA
        for data, purpose in ((key_exchange(), "tls-server"), (sshsig(), "ssh"))
    ),
]


@pytest.mark.parametrize(("kind", "data", "scheme", "purpose"), MISFITS)
def test_a_scheme_that_does_not_fit_the_content_is_refused(
    kind: str, data: bytes, scheme: str, purpose: str
) -> None:
    for allowed in ([purpose], ["any"], list(PURPOSES)):
        answer = decide(public_key(kind), allowed, "", BY_NAME[scheme], data)
        assert isinstance(answer, Refusal)
        assert answer.purpose == purpose
        assert answer.why.startswith(f"{scheme} does not fit the content, ")


@pytest.mark.parametrize("kind", CLASSICAL)
def test_tls_1_2_binds_only_the_keys_type(kind: str) -> None:
    for scheme in SCHEMES.values():
        for data, purpose in ((key_exchange(), "tls-server"), (transcript(kind), "tls-client")):
            answer = decide(public_key(kind), [purpose], "", scheme, data)
            assert isinstance(answer, Permit) == (scheme.key_type is public_key(kind).key_type)


def test_a_pss_certificate_is_signed_with_pss() -> None:
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    data = certificate("rsa-2048", LEAF, rsa_padding=pss).tbs_certificate_bytes
    for scheme, permitted in (
        ("rsa_pss_rsae_sha256", True),
        ("rsa_pss_rsae_sha384", False),
        ("rsa_pkcs1_sha256", False),
    ):
        answer = decide(public_key("rsa-2048"), ["self-signed"], "", BY_NAME[scheme], data)
        assert isinstance(answer, Permit) == permitted


# Ambiguity.


@pytest.mark.parametrize("attack", ambiguous.ATTACKS, ids=lambda attack: attack.__name__)
@pytest.mark.parametrize("claimed", ["", "any", "tls-server"])
def test_ambiguous_content_is_refused_to_a_server(attack: ambiguous.Attack, claimed: str) -> None:
    key, scheme = public_key("ed25519"), BY_NAME["ed25519"]
    data, other = attack(key)
    answer = decide(key, ["tls-server"], claimed, scheme, data)
    assert isinstance(answer, Refusal)
    assert answer.why.startswith(f"content can be read as {other.value} (")
    # Nor the other way round: a key for the other thing does not sign for a server.
    for purpose in policy.ALLOWED_BY[other]:
        assert isinstance(decide(key, [purpose], purpose, scheme, data), Refusal)


def test_ambiguous_content_is_signed_where_all_its_readings_are_allowed() -> None:
    key, scheme = public_key("ed25519"), BY_NAME["ed25519"]
    data, _ = ambiguous.own_request(key)
    assert decide(key, ["tls-server", "csr"], "", scheme, data) == Permit("csr")
    assert decide(key, ["tls-server", "csr"], "tls-server", scheme, data) == Permit("tls-server")
    assert recognise(key, data) == {"tls-server", "csr"}
    like, _ = ambiguous.careless_certificate(key)
    assert isinstance(decide(key, SIGNING, "", scheme, like), Refusal)
    assert decide(key, ["any"], "", scheme, like) == Permit("any")


# The table.


def test_the_table_names_every_kind_and_only_purposes() -> None:
    assert set(policy.ALLOWED_BY) == set(Kind)
    for purposes in policy.ALLOWED_BY.values():
        assert set(purposes) <= set(SIGNING)
    assert {name for names in policy.ALLOWED_BY.values() for name in names} == set(SIGNING)


def test_the_defaults_are_purposes_in_their_order() -> None:
    for names in (policy.ADDED_DEFAULT, policy.GENERATED_DEFAULT, policy.SSH_ADDED):
        assert parse_purposes(names) == names


def test_purposes_are_parsed_in_one_order_each_once() -> None:
    assert parse_purposes(["csr", "tls-server", "csr"]) == ("tls-server", "csr")
    together = [name for name in PURPOSES if name != "queue"]
    assert parse_purposes(reversed(together)) == tuple(together)
    assert parse_purposes([]) == ()


@pytest.mark.parametrize("name", ["", "TLS-server", "tls", "all"])
def test_an_unknown_purpose_is_named_with_the_known_ones(name: str) -> None:
    with pytest.raises(UsageError, match=f"no purpose '{name}'") as caught:
        parse_purposes(["csr", name])
    assert caught.value.hint == (
        "the purposes are "
        "tls-server, tls-client, ssh, csr, self-signed, ca, any, tls-digest, digest, decrypt and queue"
    )


def test_the_purpose_of_queue_files_stands_alone() -> None:
    assert parse_purposes(["queue", "queue"]) == ("queue",)
    with pytest.raises(UsageError, match="a key with the purpose 'queue' has no other"):
        parse_purposes(["queue", "any"])


def test_only_a_symmetric_key_with_its_purpose_is_for_queue_files() -> None:
    key = symmetric("queue")
    assert decide_queue(key, ["queue"]) == Permit("queue")
    assert isinstance(decide_queue(key, ["any"]), Refusal)
    for kind in KINDS:
        refusal = decide_queue(public_key(kind), ["any", "queue"])
        assert refusal == Refusal("queue", f"a key of type {kind} seals and opens no queue files (queue)")


def test_a_symmetric_key_signs_and_decrypts_nothing() -> None:
    key = symmetric("queue")
    for scheme in SCHEMES.values():
        assert isinstance(decide(key, PURPOSES, "", scheme, b"content"), Refusal)
    assert isinstance(decide_decrypt(key, PURPOSES), Refusal)


def test_decryption_has_to_be_allowed_by_name() -> None:
    rsa, ec = public_key("rsa-2048"), public_key("p-256")
    assert decide_decrypt(rsa, ["decrypt"]) == Permit("decrypt")
    assert decide_decrypt(rsa, ["any", "tls-server"]) == Refusal(
        "decrypt", "content is to be decrypted (decrypt), and the key may sign tls-server and any only"
    )
    assert isinstance(decide_decrypt(ec, ["decrypt"]), Refusal)


def test_decryption_lets_nothing_be_signed() -> None:
    for what in COVERED:
        assert isinstance(ask("rsa-2048", what, "decrypt"), Refusal)


# Digests.

# By key: the schemes whose digests TLS has it sign, and those that it does not.
OF_TLS = {
    "rsa-2048": ([s.name for s in SCHEMES.values() if s.name.startswith("rsa")], []),
    "p-256": (["ecdsa_secp256r1_sha256"], ["ecdsa_secp384r1_sha384", "ecdsa_secp521r1_sha512"]),
    "p-384": (["ecdsa_secp256r1_sha256", "ecdsa_secp384r1_sha384"], ["ecdsa_secp521r1_sha512"]),
    "p-521": (["ecdsa_secp256r1_sha256", "ecdsa_secp384r1_sha384", "ecdsa_secp521r1_sha512"], []),
}


def ask_digest(kind: str, scheme: str, *allowed: str, claimed: str = "") -> Permit | Refusal:
    return decide_digest(public_key(kind), allowed, claimed, BY_NAME[scheme])


@pytest.mark.parametrize("kind", OF_TLS)
def test_a_digest_is_signed_only_where_that_was_said(kind: str) -> None:
    tls, others = OF_TLS[kind]
    for scheme in tls:
        assert ask_digest(kind, scheme, "tls-digest") == Permit("tls-digest")
        assert ask_digest(kind, scheme, "digest") == Permit("digest")
        assert ask_digest(kind, scheme, "digest", "tls-digest") == Permit("tls-digest")
        assert ask_digest(kind, scheme, *SIGNING, "any", "decrypt") == Refusal(
            "tls-digest",
            "only a digest arrives (tls-digest), and the key may sign "
            "tls-server, tls-client, ssh, csr, self-signed, ca and any only",
        )
    for scheme in others:
        assert ask_digest(kind, scheme, "digest") == Permit("digest")
        size = 48 if "384" in scheme else 64
        assert ask_digest(kind, scheme, "tls-digest") == Refusal(
            "digest",
            f"only a digest arrives, of {size} bytes, which TLS has no key of type {kind} sign (digest), "
            "and the key may sign tls-digest only",
        )


def test_a_digest_is_for_one_type_of_key_and_none_that_hashes_itself() -> None:
    everything = tuple(PURPOSES)
    for kind, scheme in itertools.product(KINDS, SCHEMES.values()):
        answer = decide_digest(public_key(kind), everything, "", scheme)
        fits = scheme.key_type is public_key(kind).key_type and bool(scheme.hash_name)
        assert isinstance(answer, Permit) == fits
    assert ask_digest("ed25519", "ed25519", "digest") == Refusal(
        "digest", "ed25519 signs no digest with a key of type ed25519"
    )


@pytest.mark.parametrize("claimed", [*PURPOSES, "", "TLS-digest", "digests"])
def test_a_claim_for_a_digest_narrows_and_never_widens(claimed: str) -> None:
    for allowed in (("tls-digest",), ("digest",), ("digest", "tls-digest"), SIGNING, ("any",)):
        for scheme in ("ecdsa_secp256r1_sha256", "ecdsa_secp384r1_sha384"):
            covers = {"tls-digest", "digest"} if scheme.endswith("256") else {"digest"}
            answer = ask_digest("p-256", scheme, *allowed, claimed=claimed)
            if covers & set(allowed) and claimed in ("", *covers):
                assert isinstance(answer, Permit)
                assert answer.purpose in covers & set(allowed)
            else:
                assert isinstance(answer, Refusal)


def test_a_block_is_signed_only_if_it_is_encoded_and_that_was_said() -> None:
    rsa, pss = public_key("rsa-2048"), BY_NAME["rsa_pss_rsae_sha256"]
    assert decide_block(rsa, ["tls-digest"], "", pss) == Permit("tls-digest")
    assert decide_block(rsa, ["digest"], "", pss) == Permit("digest")
    assert decide_block(rsa, ["digest"], "tls-digest", pss) == Permit("digest")
    assert decide_block(rsa, ["tls-server"], "", pss) == Refusal(
        "tls-digest", "only an encoded digest arrives (tls-digest), and the key may sign tls-server only"
    )
    assert decide_block(rsa, ["tls-digest"], "tls-server", pss) == Refusal(
        "tls-digest", "only an encoded digest arrives (tls-digest), and the request calls it 'tls-server'"
    )
    for allowed in (list(PURPOSES), ["tls-digest"], ["digest", "any", "decrypt"]):
        assert decide_block(rsa, allowed, "", None) == Refusal(
            "tls-digest", "a block arrives that is not encoded as RSASSA-PSS in TLS is"
        )
    assert isinstance(decide_block(public_key("p-256"), list(PURPOSES), "", pss), Refusal)


# Anything at all.


@given(
    st.sampled_from(KINDS),
    st.lists(st.sampled_from(list(PURPOSES))),
    st.one_of(st.sampled_from(["", *PURPOSES]), st.text(max_size=20)),
    st.sampled_from(list(SCHEMES.values())),
    st.one_of(
        st.binary(max_size=300),
        st.builds(
            lambda a, b: a + POINTS["x25519"][:4] + b,
            st.binary(min_size=64, max_size=64),
            st.binary(max_size=40),
        ),
        st.sampled_from(
            [data for kind in ("p-256", "rsa-2048", "ml-dsa-44") for data in good_contents(kind).values()]
        ),
    ),
)
def test_a_permit_is_always_covered(
    kind: str, allowed: list[str], claimed: str, scheme: Scheme, data: bytes
) -> None:
    key = public_key(kind)
    answer = decide(key, allowed, claimed, scheme, data)
    readings = recognise(key, data)
    if isinstance(answer, Permit):
        assert answer.purpose in allowed
        assert {"any", "digest"} & set(allowed) or readings & set(allowed)
        assert claimed in ("", "any", "digest") or claimed in readings
        assert scheme.key_type is key.key_type
    else:
        assert answer.why
        assert answer.purpose
