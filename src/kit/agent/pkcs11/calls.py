"""Every call of the protocol, as p11-kit numbers them: what is answered, and what is refused unread.

`asks` and `answers` are the texts in front of arguments and results, by which both sides make sure that they
mean the same. A client of p11-kit 0.25 may make calls 66 to 87 whatever version was agreed; 88 and 89 are the
only difference of the versions 1 and 2, so that all versions up to 2 are spoken here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from kit.agent.encoding import string, uint32
from kit.agent.pkcs11 import general, searching, signing
from kit.agent.pkcs11.questions import Question
from kit.agent.pkcs11.sessions import Application
from kit.agent.pkcs11.values import Arguments

VERSION_MAX = 2
INITIALIZE = 1

Run = Callable[[Application, Arguments], bytes | Question]


class Call(NamedTuple):
    """A call: how its request and its answer begin, and what is done."""

    name: str
    request: bytes
    answer: bytes
    run: Run


def _call(number: int, name: str, asks: str, answers: str, run: Run) -> tuple[bytes, Call]:
    head = uint32(number)
    return head, Call(name, head + string(asks), head + string(answers), run)


# By the four bytes of its number.
ANSWERED: dict[bytes, Call] = dict(
    (
        _call(INITIALIZE, "C_Initialize", "ayyay", "", general.initialize),
        _call(2, "C_Finalize", "", "", general.finalize),
        _call(3, "C_GetInfo", "", "vsusv", general.get_info),
        _call(4, "C_GetSlotList", "yfu", "au", general.get_slot_list),
        _call(5, "C_GetSlotInfo", "u", "ssuvv", general.get_slot_info),
        _call(6, "C_GetTokenInfo", "u", "ssssuuuuuuuuuuuvvs", general.get_token_info),
        _call(7, "C_GetMechanismList", "ufu", "au", general.get_mechanism_list),
        _call(8, "C_GetMechanismInfo", "uu", "uuu", general.get_mechanism_info),
        _call(10, "C_OpenSession", "uu", "u", general.open_session),
        _call(11, "C_CloseSession", "u", "", general.close_session),
        _call(12, "C_CloseAllSessions", "u", "", general.close_all_sessions),
        _call(13, "C_GetSessionInfo", "u", "uuuu", general.get_session_info),
        _call(18, "C_Login", "uuay", "", general.login),
        _call(19, "C_Logout", "u", "", general.logout),
        _call(23, "C_GetObjectSize", "uu", "u", searching.get_object_size),
        _call(24, "C_GetAttributeValue", "uufA", "aAu", searching.get_attribute_value),
        _call(26, "C_FindObjectsInit", "uaA", "", searching.find_objects_init),
        _call(27, "C_FindObjects", "ufu", "au", searching.find_objects),
        _call(28, "C_FindObjectsFinal", "u", "", searching.find_objects_final),
        _call(42, "C_SignInit", "uMu", "", signing.sign_init),
        _call(43, "C_Sign", "uayfy", "ay", signing.sign),
        _call(44, "C_SignUpdate", "uay", "", signing.sign_update),
        _call(45, "C_SignFinal", "ufy", "ay", signing.sign_final),
        # These three only to say no in the way that clients expect: no seed, no random bytes, no event.
        _call(63, "C_SeedRandom", "uay", "", general.seed_random),
        _call(64, "C_GenerateRandom", "ufy", "ay", general.generate_random),
        _call(65, "C_WaitForSlotEvent", "u", "u", general.wait_for_slot_event),
        _call(67, "C_SessionCancel", "uu", "", signing.session_cancel),
    )
)

# CKR_FUNCTION_NOT_SUPPORTED, whatever stands behind the number; any other number, too.
REFUSED: dict[int, str] = {
    9: "C_InitToken",
    14: "C_InitPIN",
    15: "C_SetPIN",
    16: "C_GetOperationState",  # pkcs11-provider asks after each C_SignUpdate, and goes on without
    17: "C_SetOperationState",
    20: "C_CreateObject",
    21: "C_CopyObject",  # NSS's servers ask, and go on without
    22: "C_DestroyObject",
    25: "C_SetAttributeValue",
    **dict(enumerate(("C_EncryptInit", "C_Encrypt", "C_EncryptUpdate", "C_EncryptFinal"), 29)),
    **dict(enumerate(("C_DecryptInit", "C_Decrypt", "C_DecryptUpdate", "C_DecryptFinal"), 33)),
    **dict(enumerate(("C_DigestInit", "C_Digest", "C_DigestUpdate", "C_DigestKey", "C_DigestFinal"), 37)),
    46: "C_SignRecoverInit",
    47: "C_SignRecover",
    **dict(enumerate(("C_VerifyInit", "C_Verify", "C_VerifyUpdate", "C_VerifyFinal"), 48)),
    52: "C_VerifyRecoverInit",
    53: "C_VerifyRecover",
    54: "C_DigestEncryptUpdate",
    55: "C_DecryptDigestUpdate",
    56: "C_SignEncryptUpdate",
    57: "C_DecryptVerifyUpdate",
    58: "C_GenerateKey",
    59: "C_GenerateKeyPair",
    60: "C_WrapKey",
    61: "C_UnwrapKey",
    62: "C_DeriveKey",
    66: "C_LoginUser",
    **dict.fromkeys(range(68, 88), "the message-based calls of PKCS#11 3.0"),
    88: "C_InitToken2",
    89: "C_DeriveKey2",
}
