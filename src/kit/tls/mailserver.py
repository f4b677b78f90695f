"""The server's side of an SMTP dialogue that is only there for its STARTTLS (RFC 5321, RFC 3207).

Bytes in, answers out; the descriptor is somebody else's. It takes no mail.
"""

from __future__ import annotations

from kit.tls.conversation import Answer, Negotiated, Next

LINE_LIMIT = 512  # RFC 5321, section 4.5.3.1.4
_MISTAKES_LIMIT = 20


class MailServer:
    """Speaks before TLS and, after STARTTLS, once more from the beginning inside it."""

    plain_first = True

    def __init__(self, name: str = "localhost") -> None:
        self._name = name
        self._buffer = b""
        self._secure = False
        self._mistakes = 0

    def greet(self) -> bytes:
        return f"220 {self._name} ESMTP kit\r\n".encode()

    def secured(self, negotiated: Negotiated) -> bytes:
        """RFC 3207, section 4.2: both forget what was said before; the client goes first."""
        self._secure, self._buffer, self._mistakes = True, b"", 0
        return b""

    def receive(self, data: bytes) -> Answer:
        """Answer each whole line. What was sent behind STARTTLS in one go is dropped (CVE-2011-0411)."""
        self._buffer += data
        answers = []
        while b"\n" in self._buffer:
            line, _, self._buffer = self._buffer.partition(b"\n")
            answer, then = self._line(line.rstrip(b"\r"))
            answers.append(answer)
            if then is not Next.GO_ON:
                self._buffer = b""
                return Answer(_reply(answers), then)
        if len(self._buffer) > LINE_LIMIT:
            return Answer(_reply([*answers, "500 5.5.2 Line too long"]), Next.CLOSE)
        return Answer(_reply(answers), Next.GO_ON)

    def _line(self, line: bytes) -> tuple[str, Next]:
        verb = line.split(None, 1)[0].upper() if line.strip() else b""
        if verb == b"QUIT":
            return f"221 2.0.0 {self._name} closing", Next.CLOSE
        if verb == b"EHLO":
            return self._capabilities(), Next.GO_ON
        if verb == b"STARTTLS" and not self._secure:
            if line.upper().strip() != b"STARTTLS":
                return "501 5.5.4 STARTTLS takes no parameter", Next.GO_ON
            return "220 2.0.0 Ready to start TLS", Next.START_TLS
        return self._other(verb)

    def _other(self, verb: bytes) -> tuple[str, Next]:
        if verb == b"HELO":
            return f"250 {self._name}", Next.GO_ON
        if verb == b"MAIL" and not self._secure:
            return "530 5.7.0 Must issue a STARTTLS command first", Next.GO_ON
        if verb in _ANSWERS:
            return _ANSWERS[verb], Next.GO_ON
        self._mistakes += 1
        if self._mistakes >= _MISTAKES_LIMIT:
            return "421 4.7.0 Too many mistakes", Next.CLOSE
        return "502 5.5.1 Command not implemented", Next.GO_ON

    def _capabilities(self) -> str:
        words = [self._name, "PIPELINING", "ENHANCEDSTATUSCODES", *([] if self._secure else ["STARTTLS"])]
        return "\r\n".join([*(f"250-{word}" for word in words), "250 HELP"])


_ANSWERS = {
    b"NOOP": "250 2.0.0 Ok",
    b"RSET": "250 2.0.0 Ok",
    b"HELP": "214 2.0.0 This server tests TLS: EHLO, STARTTLS, NOOP, RSET, QUIT",
    b"VRFY": "252 2.5.0 Cannot verify",
    b"MAIL": "550 5.7.1 This server tests TLS and takes no mail",
    b"STARTTLS": "503 5.5.1 TLS is already active",
}


def _reply(answers: list[str]) -> bytes:
    return "".join(f"{answer}\r\n" for answer in answers).encode()
