"""Passwords are kept as Argon2id hashes."""

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

# OWASP's smaller profile: the library's default takes 64 MiB per sign-in, and forty may run at once.
HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
HASH_OF_NOBODY = HASHER.hash("the password of nobody")


def hash_password(password: str) -> str:
    """Return the hash to store."""
    return HASHER.hash(password)


def password_matches(password: str, stored_hash: str | None) -> bool:
    """Check a password, taking as long for an unknown person as for a known one."""
    try:
        HASHER.verify(stored_hash or HASH_OF_NOBODY, password)
    except VerifyMismatchError:
        return False
    return stored_hash is not None
