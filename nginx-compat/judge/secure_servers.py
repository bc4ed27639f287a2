"""Servers that speak TLS, for cases of `proxy_ssl_*` and `grpc_ssl_*`."""

import ssl

import certificates
import streams
from casebook import CASES, Case, topic_of

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class Tls:
    """The TLS of one server. It tells of each connection what the proxy has chosen: the version, the name, the protocol,
    whether a session was resumed, and the proxy's certificate."""

    def __init__(self, directory, certificate="a", version=None, ciphers=None, alpn=(), wants=None, says=("name",)):
        """`wants` is the file of the authorities of the proxy's certificate; `says`: what is told."""
        self._says = says
        made = self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(directory / f"{certificate}.pem", directory / f"{certificate}.key")
        if version:
            made.minimum_version = made.maximum_version = VERSIONS[version]
        if ciphers:
            made.set_ciphers(ciphers)
        if alpn:
            made.set_alpn_protocols(list(alpn))
        if wants:
            made.load_verify_locations(directory / wants)
            made.verify_mode = ssl.CERT_OPTIONAL
        made.sni_callback = self._named

    @staticmethod
    def _named(connection, name, _context):
        connection.name_of_sni = name

    def wrap(self, connection):
        return self._context.wrap_socket(connection, server_side=True)

    def about(self, connection):
        name, alpn = getattr(connection, "name_of_sni", None), connection.selected_alpn_protocol()
        shown = connection.getpeercert() or {}
        subject = ",".join(f"{key}={value}" for part in shown.get("subject", ()) for key, value in part)
        told = {
            "name": f"name {name or 'not told'}",
            "version": connection.version(),
            "cipher": connection.cipher()[0],
            "alpn": f"protocol {alpn or 'not agreed on'}",
            "resumed": "resumed" if connection.session_reused else "not resumed",
            "certificate": f"certificate {subject or 'none'}",
        }
        return "TLS: " + "; ".join(told[what] for what in self._says)


def speaking(http_2=False, servers="a", **offer):
    """Has these servers (letters) of a stage speak TLS."""

    def prepare(stage):
        certificates.lay_out(stage)
        alpn = {"alpn": ("h2",)} if http_2 else {}
        for letter in servers:
            server = getattr(stage, letter)
            server.speaks(Tls(stage.directory, **alpn | offer), streams.Streams if http_2 else None,
                          streams.answer(f"{server.name}\n", "200", ("content-type", "text/plain")) if http_2 else None)

    return prepare


def clear_http_2(stage):
    """Has all servers of a stage speak HTTP/2 without TLS."""
    certificates.lay_out(stage)
    for server in (stage.a, stage.b, stage.c, stage.d):
        server.speaks(streams=streams.Streams,
                      behave=streams.answer(f"{server.name}\n", "200", ("content-type", "text/plain")))


def case(http, prepare, name=None):
    """As `casebook.case`, with servers that are prepared before the proxy starts."""

    def add(script):
        title = name or script.__name__.replace("_", " ")
        CASES.append(Case(f"{topic_of(script.__module__)}/{title}", http, script, lays_out=prepare))
        return script

    return add
