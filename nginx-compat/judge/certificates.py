"""The certificates of the judge's cases, made on the spot with `openssl`, once for a run.

    ca.pem                     an authority; other.pem another one, which nobody trusts
    a.pem b.pem rsa.pem        certificates of servers, with a.key and so on; chain.pem has an authority between
    client.pem                 a client's, of the authority ca; deep.pem one with an authority between
    stranger.pem self.pem      a client's of the other authority, and of none
    revoked.pem crl.pem        a client's that the list of ca revokes
    dns.pem                    a server's with the name *.wild.test beside dns.test, which is its common name too
    old.key p8.key             a.key under the passphrase "secret", in OpenSSL's older form and in PKCS#8
    ticket1 ticket2 ticket3    keys of tickets
"""

import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

_LOCK = threading.Lock()
_MADE = None


def openssl(directory, *arguments):
    done = subprocess.run(["openssl", *arguments], cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"openssl {' '.join(arguments)}: {done.stderr}")


def authority(directory, name, above=None):
    """A certificate that may sign others; its own signature or that of `above`."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key"]
    signed = ["-CA", f"{above}.pem", "-CAkey", f"{above}.key"] if above else []
    openssl(directory, "req", "-x509", *key, *signed, "-days", "30", "-subj", f"/O=judge/CN={name}", "-out", f"{name}.pem",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")


def certificate(directory, name, above, subject=None, rsa=False, names=None):
    """A certificate that may not, with its key."""
    key = ["rsa:2048"] if rsa else ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    signed = ["-CA", f"{above}.pem", "-CAkey", f"{above}.key"] if above else []
    openssl(directory, "req", "-x509", "-newkey", *key, "-nodes", "-keyout", f"{name}.key", *signed, "-days", "30",
            "-subj", subject or f"/CN={name}.test", "-out", f"{name}.pem",
            "-addext", "basicConstraints=critical,CA:FALSE", "-addext", f"subjectAltName={names or f'DNS:{name}.test'}")


def revoke(directory):
    """crl.pem: the list of ca, with revoked.pem in it."""
    (directory / "index").write_text("")
    (directory / "ca.cnf").write_text("[ca]\ndefault_ca=d\n[d]\ndatabase=index\ndefault_md=sha256\ndefault_crl_days=30\n")
    signing = ["ca", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key"]
    openssl(directory, *signing, "-revoke", "revoked.pem")
    openssl(directory, *signing, "-gencrl", "-out", "crl.pem")


def make(directory):
    authority(directory, "ca")
    authority(directory, "other")
    authority(directory, "between", "ca")
    for name in ("a", "b", "revoked"):
        certificate(directory, name, "ca")
    certificate(directory, "rsa", "ca", rsa=True)
    certificate(directory, "dns", "ca", names="DNS:dns.test,DNS:*.wild.test,IP:127.0.0.1")
    certificate(directory, "client", "ca", "/C=CH/O=The \"Client\", Ltd/CN=client")
    certificate(directory, "stranger", "other")
    certificate(directory, "self", None)
    for name in ("chain", "deep"):
        certificate(directory, name, "between")
        leaf = directory / f"{name}.pem"
        leaf.write_text(leaf.read_text() + (directory / "between.pem").read_text())
    revoke(directory)
    openssl(directory, "ec", "-in", "a.key", "-aes256", "-passout", "pass:secret", "-out", "old.key")
    openssl(directory, "pkcs8", "-topk8", "-in", "a.key", "-passout", "pass:secret", "-out", "p8.key")
    (directory / "passwords").write_text("wrong\nsecret\n")
    for number, length in ((1, 48), (2, 80), (3, 80)):
        (directory / f"ticket{number}").write_bytes(bytes([number]) * length)


def lay_out(stage):
    """Puts all of them beside a case's configuration."""
    global _MADE
    with _LOCK:
        if _MADE is None:
            _MADE = Path(tempfile.mkdtemp(prefix="judge-certificates-"))
            make(_MADE)
    for file in _MADE.iterdir():
        # Some are read by NGINX's worker, which is nobody.
        shutil.copyfile(file, stage.directory / file.name)


def forget():
    """Removes what was made."""
    if _MADE is not None:
        shutil.rmtree(_MADE, ignore_errors=True)
