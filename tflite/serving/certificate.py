"""A certificate for this machine, made by itself: browsers ask once whether to trust it."""

import datetime
import ipaddress
import ssl
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tflite.errors import ModelError

if TYPE_CHECKING:
    from cryptography import x509

_DAYS = 30
# A phone's clock may be behind.
_BEFORE = datetime.timedelta(days=1)


def certified(hosts: Sequence[str]) -> tuple[ssl.SSLContext, str]:
    """A server's side of TLS with a new key, and the SHA-256 fingerprint that a browser shows of its certificate.

    The key exists in this process alone, and for a moment in a file that only its owner may read.

    Args:
        hosts: names and addresses that this machine is reached by.

    Raises:
        ModelError: the package `cryptography` is not installed.
    """
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
    except ImportError as error:
        raise ModelError("HTTPS needs the package cryptography: pip install 'distillite[https]'") from error
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "distiller serve")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + datetime.timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName([_named(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with tempfile.TemporaryDirectory() as folder:  # the library of Python reads them from files alone
        chain = Path(folder) / "chain.pem"
        chain.touch(0o600)
        plain = serialization.NoEncryption()
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        chain.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        context.load_cert_chain(chain)
    return context, certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def _named(host: str) -> "x509.GeneralName":
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
