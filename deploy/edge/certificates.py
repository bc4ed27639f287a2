"""Certificates for the tests, made by the openssl program."""

import subprocess

CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
RSA = ["-newkey", "rsa:2048"]


def openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"openssl {' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout


class Authority:
    """A certificate authority in a directory of its own."""

    def __init__(self, directory, name):
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.certificate = directory / "ca.pem"
        self._key = directory / "ca.key"
        openssl("req", "-x509", "-nodes", *CURVE, "-keyout", self._key, "-out", self.certificate, "-days", 30,
                "-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def issue(self, name, subject, names=(), key=CURVE):
        """Makes NAME.pem (with the authority's own behind it) and NAME.key; their paths."""
        request, leaf = self.directory / f"{name}.csr", self.directory / f"{name}.leaf"
        extensions = self.directory / f"{name}.ext"
        chain, private = self.directory / f"{name}.pem", self.directory / f"{name}.key"
        lines = ["basicConstraints=CA:FALSE", "extendedKeyUsage=serverAuth,clientAuth"]
        if names:
            lines.append("subjectAltName=" + ",".join(f"DNS:{one}" for one in names) + ",IP:127.0.0.1")
        extensions.write_text("\n".join(lines) + "\n")
        openssl("req", "-new", "-nodes", *key, "-keyout", private, "-out", request, "-subj", f"/CN={subject}")
        openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial",
                "-days", 30, "-extfile", extensions, "-out", leaf)
        chain.write_text(leaf.read_text() + self.certificate.read_text())
        private.chmod(0o644)
        return chain, private
