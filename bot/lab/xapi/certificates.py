"""Self-signed certificates, one per simulated host, as a fresh XenServer has them."""

import datetime as dt
import ipaddress
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_VALID_FOR = dt.timedelta(days=3650)


@dataclass(frozen=True)
class HostCertificate:
    """A certificate ready to serve.

    Attributes:
        fingerprint: `sha256:` and the hexadecimal digest of the certificate.
        valid: From when and until when it is good.
        pem: The certificate itself, without its key.
    """

    context: ssl.SSLContext
    fingerprint: str
    valid: tuple[dt.datetime, dt.datetime]
    pem: str


def load_certificate(name: str, address: str, folder: Path | None) -> HostCertificate:
    """Returns the certificate of a host: from `folder` when one is there, else a new one, kept in `folder`."""
    if folder is None:
        with tempfile.TemporaryDirectory() as temporary:
            return load_certificate(name, address, Path(temporary))
    path = folder / f"xapi-{address}.pem"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(_make_pem(name, address))
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(path)
    return HostCertificate(
        context,
        f"sha256:{certificate.fingerprint(hashes.SHA256()).hex()}",
        (certificate.not_valid_before_utc, certificate.not_valid_after_utc),
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
    )


def _make_pem(name: str, address: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + _VALID_FOR)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
