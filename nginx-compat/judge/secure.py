"""A client that speaks TLS: what it offers is given, what was agreed on goes into the transcript."""

import socket
import ssl

import certificates
from casebook import CASES, Case, topic_of
from client import Connection

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class SecureConnection(Connection):
    """A client connection over TLS; it is there once the handshake is done."""

    def __init__(self, address, write, context, server_name, session=None):
        super().__init__(address, write)
        self._socket = context.wrap_socket(self._socket, server_hostname=server_name, session=session)

    @property
    def tls(self):
        """Python's own object: session, certificate, version, cipher."""
        return self._socket

    def _fill(self):
        try:
            part = self._socket.recv(65536)
        except TimeoutError:
            raise
        except (OSError, ssl.SSLError):
            part = b""
        self._buffer += part
        return bool(part)


def context(version=None, ciphers=None, certificate=None, directory=None, alpn=("http/1.1",), curve=None):
    """What a client offers: one version (`1.2`, `1.3`) or both, suites of TLS 1.2, a certificate to show."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    if version:
        made.minimum_version = made.maximum_version = VERSIONS[version]
    if ciphers:
        made.set_ciphers(ciphers)
    if curve:
        made.set_ecdh_curve(curve)
    if certificate:
        made.load_cert_chain(directory / f"{certificate}.pem", directory / f"{certificate}.key")
    if alpn:
        made.set_alpn_protocols(list(alpn))
    return made


def connect(stage, server_name="a.test", port="PORT", session=None, within=None, **offer):
    """A connection whose handshake is done, or None, which is noted with the reason. `within` is a context made before,
    for the resumption of a session of it."""
    within = within or context(directory=stage.directory, **offer)
    address = ("127.0.0.1", stage.port(port))
    try:
        connection = SecureConnection(address, stage.note, within, server_name, session)
    except (ssl.SSLError, OSError) as error:
        stage.note(f"no handshake for {server_name}: {why(error)}")
        return None
    stage.keep(connection)
    return connection


def why(error):
    """OpenSSL's words for the alert that came; anything else is the end of the connection."""
    reason = getattr(error, "reason", None) or ""
    return reason.lower().replace("_", " ") if "ALERT" in reason.upper() else "the connection ended"


def shown(connection):
    """The name in the certificate that the server has shown."""
    der = connection.tls.getpeercert(binary_form=True)
    # Names are plain text in it; a parser would be another thing to trust.
    names = [name for name in (b"a.test", b"b.test", b"rsa.test", b"chain.test") if name in der]
    return names[-1].decode() if names else "another"


def get(stage, target="/", host="a.test", server_name="a.test", fields=(), **offer):
    """One GET on a connection of its own."""
    connection = connect(stage, server_name, **offer)
    if not connection:
        return None
    lines = [f"GET {target} HTTP/1.1", f"Host: {host}", *fields]
    connection.send("\r\n".join(lines) + "\r\n\r\n")
    answer = connection.read()
    if answer:
        connection.end()
    connection.close()
    return answer


def case(http, name=None):
    """As `casebook.case`, with the certificates beside the configuration."""

    def add(script):
        title = name or script.__name__.replace("_", " ")
        made = Case(f"{topic_of(script.__module__)}/{title}", http, script, lays_out=certificates.lay_out)
        CASES.append(made)
        return script

    return add


def configurations(topic, rows):
    """As `casebook.configurations`, with the certificates beside them."""
    for name, text in rows:
        CASES.append(Case(f"{topic}/{name}", text, lambda t: None, checks_only=True, lays_out=certificates.lay_out))
