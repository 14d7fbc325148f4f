"""Looks at SHIPWAY_HOME: folders, users, certificates, keys, and what is left there."""

from __future__ import annotations

import grp
import os
import pathlib
import pwd
import stat
from collections.abc import Collection, Iterator

import psutil
from cryptography import x509

from shipway.doctor.judging import home as judging
from shipway.environments.vault import Vault
from shipway.kit import clock, errors
from shipway.runtime.drivers import boot
from shipway.runtime.model import Kind, Owner

_OWN_KINDS = frozenset({Kind.STORE, Kind.API, Kind.WORKER, Kind.INTAKE, Kind.EDGE})
_HOLDS_NO_DATA = frozenset({Kind.BUILD, Kind.SERVER})
_CGROUPS = pathlib.Path("/sys/fs/cgroup")
_UNTOUCHED_SECONDS = 3600.0


def places(home: pathlib.Path) -> list[judging.Place]:
    """Return the folders and keys below the home, as they are and as they should be."""
    seen = [
        _place(one.path, _uid(home, one.owner), _gid(one.group), one.mode)
        for one in boot.foundations(home)
    ]
    worker = _uid(home, Owner(Kind.WORKER))
    key = home / "secrets" / "vault.key"
    return [*seen, _place(key, worker, 0, 0o600)]


def _place(path: pathlib.Path, uid: int, gid: int, mode: int) -> judging.Place:
    """The group matters only where it may do what others may not."""
    try:
        found = path.lstat()
        gid = gid if (mode >> 3) & 7 != mode & 7 else found.st_gid
        is_now = found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)
    except FileNotFoundError:
        is_now = None
    return judging.Place(path=str(path), wanted=(uid, gid, mode), found=is_now)


def _uid(home: pathlib.Path, owner: Owner | None) -> int:
    """The id of an owner's user; ours where there is one user, -1 where it is missing."""
    if os.geteuid() != 0 or owner is None:
        return os.geteuid()
    try:
        return pwd.getpwnam(owner.user(str(home))).pw_uid
    except KeyError:
        return -1


def _gid(group: str) -> int:
    if os.geteuid() != 0:
        return os.getegid()
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        return -1


def closed_way(home: pathlib.Path) -> list[str]:
    """Return the folders above the home that not everybody may walk through."""
    return [str(one) for one in (home, *home.parents) if not one.stat().st_mode & stat.S_IXOTH]


def owners(home: pathlib.Path) -> list[Owner]:
    """Return those whose folders are in the home."""
    folder, found = home / "owners", []
    for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
        kind, app, environment, *_ = [*entry.name.split("."), "", ""]
        if kind in {each.value for each in Kind}:
            found.append(Owner(Kind(kind), app, environment))
    return found


def accounts(home: pathlib.Path) -> tuple[list[judging.Account], list[str]]:
    """Return the users of Shipways on this machine, and the owners here that have none."""
    if os.geteuid() != 0:
        return [], []
    counts: dict[int, int] = {}
    for one in psutil.process_iter(["uids"]):
        if one.info["uids"]:
            counts[one.info["uids"].real] = counts.get(one.info["uids"].real, 0) + 1
    seen = []
    for entry in pwd.getpwall():
        folder = pathlib.Path(entry.pw_dir)
        if entry.pw_name.startswith("sw-") and folder.parent.name == "owners":
            account = judging.Account(
                name=entry.pw_name,
                folder=entry.pw_dir,
                ours=folder.parent.parent == home,
                folder_exists=folder.is_dir(),
                processes=counts.get(entry.pw_uid, 0),
            )
            if account.ours or not account.folder_exists:
                seen.append(account)
    missing = [one.slug for one in owners(home) if _uid(home, one) < 0]
    return seen, missing


def users(home: pathlib.Path) -> dict[int, str]:
    """Return the users of this home by their ids; none where all of it is one user."""
    if os.geteuid() != 0:
        return {}
    named = {one.user(str(home)) for one in owners(home)}
    return {entry.pw_uid: entry.pw_name for entry in pwd.getpwall() if entry.pw_name in named}


def certificates(home: pathlib.Path) -> list[judging.Certificate]:
    """Return the authority and every leaf that it has signed. Raises `errors.Failed` for one
    that cannot be read."""
    files = [home / "ca" / "ca.pem", *sorted((home / "ca" / "leaves").glob("*/chain.pem"))]
    return [_certificate(file, leaf=index > 0) for index, file in enumerate(files) if file.exists()]


def _certificate(file: pathlib.Path, *, leaf: bool) -> judging.Certificate:
    try:
        found = x509.load_pem_x509_certificate(file.read_bytes())
    except ValueError as error:
        raise errors.Failed(
            f"The certificate {file} cannot be read: {error}.",
            fix="Remove its folder: the worker makes it anew.",
        ) from error
    hosts: tuple[str, ...] = ()
    if leaf:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        hosts = tuple(str(name.value) for name in names)
    left = found.not_valid_after_utc - clock.now()
    return judging.Certificate(hosts=hosts, days=left.total_seconds() / 86400)


def try_vault(home: pathlib.Path) -> None:
    """Seal something and open it again. Raises `errors.ShipwayError` when that does not work."""
    vault = Vault.at(home, opens=True)
    if vault.open(vault.seal("well")) != "well":
        raise errors.Failed("The vault opens something else than what was sealed.")


def leftovers(
    home: pathlib.Path, apps: Collection[str] | None, runs: Collection[str] | None
) -> list[judging.Leftover]:
    """Return what nothing needs any more; ``apps`` and ``runs`` are those on record that are
    there and under way, None when the record could not be asked."""
    found = [*_drafts(home), *_groups(home)]
    if apps is not None:
        found += _of_removed_apps(home, apps)
    if runs is not None:
        found += _of_dead_runs(home, runs)
    return found


def _drafts(home: pathlib.Path) -> Iterator[judging.Leftover]:
    names = [home / "tools.old", home / "tools.new", *(home / "services").glob(".kept/.gone-*")]
    for path in names:
        if path.exists() and _is_old(path):
            yield judging.Leftover(
                path=str(path), why="half of a change that was cut off", safe=True
            )


def _groups(home: pathlib.Path) -> Iterator[judging.Leftover]:
    name = next(one.group for one in boot.foundations(home))
    for path in _CGROUPS.glob(f"**/{name}/task-*"):
        if path.is_dir() and not (path / "cgroup.procs").read_text().strip() and _is_old(path):
            why = "the control group of a task that has ended"
            yield judging.Leftover(path=str(path), why=why, safe=True, kind="group")


def _of_removed_apps(home: pathlib.Path, apps: Collection[str]) -> Iterator[judging.Leftover]:
    for owner in owners(home):
        if owner.app and owner.app not in apps:
            yield judging.Leftover(
                path=str(home / "owners" / owner.slug),
                why=f"there is no app {owner.app}",
                safe=owner.kind in _HOLDS_NO_DATA,
            )


def _of_dead_runs(home: pathlib.Path, runs: Collection[str]) -> Iterator[judging.Leftover]:
    for path in sorted((home / "owners").glob("build.*/runs/*")):
        if path.name not in runs and _is_old(path):
            why = "the workspace of a run that has ended"
            yield judging.Leftover(path=str(path), why=why, safe=True)


def _is_old(path: pathlib.Path) -> bool:
    """Whether it has not been touched for an hour: somebody may be about to use it."""
    return clock.now().timestamp() - path.lstat().st_mtime > _UNTOUCHED_SECONDS
