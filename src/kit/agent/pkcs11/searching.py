"""The calls about objects. A search asks the agent for its keys, so that changes are seen."""

from __future__ import annotations

from functools import partial

from kit.agent.encoding import uint32
from kit.agent.extension import CertificateList, Failure, GetCertificates, KeyList, List
from kit.agent.pkcs11.attributes import Template, Value, read_template, read_wanted
from kit.agent.pkcs11.codes import UNAVAILABLE_INFORMATION, CallError, Code
from kit.agent.pkcs11.framing import BODY_LIMIT
from kit.agent.pkcs11.objects import TokenObject
from kit.agent.pkcs11.questions import Question, Reply, expect
from kit.agent.pkcs11.sessions import Application, Session
from kit.agent.pkcs11.values import Arguments, found_numbers, number


def find_objects_init(application: Application, arguments: Arguments) -> bytes | Question:
    session = application.session(arguments.number())
    template = read_template(arguments)
    arguments.end()
    if session.found is not None:
        raise CallError(Code.OPERATION_ACTIVE)
    return Question(List(), partial(_with_keys, application, session, template))


def _with_keys(application: Application, session: Session, template: Template, reply: Reply) -> Question:
    keys = expect(KeyList, reply)
    return Question(GetCertificates(), partial(_with_certificates, application, session, template, keys))


def _with_certificates(
    application: Application, session: Session, template: Template, keys: KeyList, reply: Reply
) -> bytes:
    """An agent that tells no certificates has keys all the same."""
    known = () if isinstance(reply, Failure) else expect(CertificateList, reply).certificates
    application.token.replace(keys.keys, known)
    session.found = application.token.find(template)
    return b""


def find_objects(application: Application, arguments: Arguments) -> bytes:
    session, room = application.session(arguments.number()), arguments.count()
    arguments.end()
    if session.found is None:
        raise CallError(Code.OPERATION_NOT_INITIALIZED)
    part, session.found = session.found[:room], session.found[room:]
    return found_numbers(part)


def find_objects_final(application: Application, arguments: Arguments) -> bytes:
    session = application.session(arguments.number())
    arguments.end()
    if session.found is None:
        raise CallError(Code.OPERATION_NOT_INITIALIZED)
    session.found = None
    return b""


def get_object_size(application: Application, arguments: Arguments) -> bytes:
    session, handle = arguments.number(), arguments.number()
    arguments.end()
    application.session(session)
    application.token.get(handle)
    return number(UNAVAILABLE_INFORMATION)


def get_attribute_value(application: Application, arguments: Arguments) -> bytes:
    """Every attribute that was asked for, in this order; what one lacks is told by a code at the end."""
    session, handle = arguments.number(), arguments.number()
    wanted = read_wanted(arguments)
    arguments.end()
    application.session(session)
    one = application.token.get(handle)
    code, parts = 0, [uint32(len(wanted))]
    for kind, room in wanted:
        value = _value(one, kind, room)
        if isinstance(value, Code):
            code = value
            parts.append(uint32(kind) + b"\x00")
        else:
            parts.append(uint32(kind) + b"\x01" + uint32(value.length) + value.wire)
    results = b"".join(parts) + number(code)
    if len(results) > BODY_LIMIT:  # the same certificate over and over
        raise CallError(Code.HOST_MEMORY)
    return results


def _value(one: TokenObject, kind: int, room: int) -> Value | Code:
    """A room of 0 asks for the length; the whole value tells it, and of a list nothing else would."""
    if kind in one.secret:
        return Code.ATTRIBUTE_SENSITIVE
    value = one.values.get(kind)
    if value is None:
        return Code.ATTRIBUTE_TYPE_INVALID
    return Code.BUFFER_TOO_SMALL if 0 < room < value.length else value
