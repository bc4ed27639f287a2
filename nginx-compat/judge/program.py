"""The NGINX that lb is compared with."""

import os
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).resolve().parent.parent.parent / "deploy" / "nginx-current.sh"


def current_nginx():
    """The path of the NGINX to compare with, or nothing; deploy/nginx-current.sh says what is missing."""
    found = subprocess.run([SCRIPT], stdout=subprocess.PIPE, text=True, check=False)
    # NGINX itself reads a variable of this name: the sockets that it inherits.
    os.environ.pop("NGINX", None)
    return found.stdout.strip()


def version(program):
    return subprocess.run([program, "-v"], capture_output=True, text=True, check=False).stderr.strip()
