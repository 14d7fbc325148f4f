from __future__ import annotations

import datetime
import pathlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import oid, verification

from shipway.edge.ca import Authority
from shipway.kit import clock, errors

pytestmark = pytest.mark.anyio

NAMES = ("aios.localhost", "api.aios.localhost", "127.0.0.1")


class Moving:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time = clock.now()

    def __call__(self) -> datetime.datetime:
        return self.time

    def pass_days(self, days: int) -> None:
        self.time += datetime.timedelta(days=days)


@pytest.fixture
def time() -> Moving:
    return Moving()


@pytest.fixture
def authority(tmp_path: pathlib.Path, time: Moving) -> Authority:
    return Authority(tmp_path / "ca", now=time)


def read(path: pathlib.Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


async def test_a_strict_verifier_accepts_the_chain(authority: Authority, time: Moving) -> None:
    pair = await authority.certificate(NAMES)
    store = verification.Store([read(authority.bundle)])
    for name in NAMES[:2]:
        verifier = (
            verification.PolicyBuilder()
            .store(store)
            .time(time())
            .build_server_verifier(x509.DNSName(name))
        )
        assert len(verifier.verify(read(pair.chain), [])) == 2
    stranger = verification.PolicyBuilder().store(store).time(time())
    with pytest.raises(verification.VerificationError):
        stranger.build_server_verifier(x509.DNSName("evil.localhost")).verify(read(pair.chain), [])


async def test_the_leaf_is_what_browsers_ask_for(authority: Authority) -> None:
    pair = await authority.certificate(NAMES)
    leaf = read(pair.chain)
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= datetime.timedelta(days=397)
    key = leaf.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [oid.ExtendedKeyUsageOID.SERVER_AUTH]
    root = read(authority.bundle).extensions.get_extension_for_class(x509.BasicConstraints)
    assert root.critical
    assert (root.value.ca, root.value.path_length) == (True, 0)


async def test_keys_are_readable_by_their_owner_alone(authority: Authority) -> None:
    pair = await authority.certificate(NAMES)
    for key in (pair.key, authority.folder / "ca.key"):
        assert key.stat().st_mode & 0o777 == 0o600


async def test_a_certificate_is_kept_until_a_month_before_its_end(
    authority: Authority, time: Moving
) -> None:
    first = await authority.certificate(NAMES)
    time.pass_days(366)
    assert await authority.certificate(NAMES) == first
    time.pass_days(2)
    renewed = await authority.certificate(NAMES)
    assert renewed.version != first.version
    assert read(renewed.chain).not_valid_after_utc > time() + datetime.timedelta(days=390)


async def test_other_hosts_get_another_certificate(authority: Authority) -> None:
    one, two = (
        await authority.certificate(["a.localhost"]),
        await authority.certificate(["b.localhost"]),
    )
    assert one.chain != two.chain
    assert one.version != two.version


@pytest.mark.parametrize("damage", ["chain.pem", "key.pem"])
async def test_a_damaged_certificate_is_made_again(authority: Authority, damage: str) -> None:
    first = await authority.certificate(NAMES)
    (first.chain.parent / damage).write_text("half a fi")
    second = await authority.certificate(NAMES)
    assert second.version != first.version
    assert await authority.certificate(NAMES) == second


async def test_another_authority_signs_anew(authority: Authority) -> None:
    first = await authority.certificate(NAMES)
    for name in ("ca.pem", "ca.key"):
        (authority.folder / name).unlink()
    second = await authority.certificate(NAMES)
    assert second.version != first.version
    read(second.chain).verify_directly_issued_by(read(authority.bundle))


async def test_the_authority_is_made_once(tmp_path: pathlib.Path) -> None:
    await Authority(tmp_path / "ca").create()
    before = (tmp_path / "ca" / "ca.pem").read_bytes()
    await Authority(tmp_path / "ca").create()
    assert (tmp_path / "ca" / "ca.pem").read_bytes() == before


async def test_a_lost_key_is_told_and_not_papered_over(authority: Authority) -> None:
    await authority.create()
    (authority.folder / "ca.key").unlink()
    with pytest.raises(errors.Failed, match="cannot be read"):
        await authority.certificate(NAMES)


async def test_no_certificate_outlives_its_authority(authority: Authority, time: Moving) -> None:
    await authority.create()
    time.pass_days(3500)
    pair = await authority.certificate(NAMES)
    assert read(pair.chain).not_valid_after_utc == read(authority.bundle).not_valid_after_utc
    time.pass_days(200)
    with pytest.raises(errors.Failed, match="has come to its end"):
        await authority.certificate(NAMES)
