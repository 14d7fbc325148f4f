"""Is the Shipway on this machine well? Needs no API: it is for the day on which that is down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shipway.cli import options, serve
from shipway.cli.session import Session, verb
from shipway.kit import errors

if TYPE_CHECKING:
    from shipway.doctor.findings import Finding, Report

STYLES = {"wrong": "red", "doubtful": "yellow", "given up": "cyan", "fine": "green"}
SIGNS = {"wrong": "✗", "doubtful": "!", "given up": "-", "fine": "✓"}


@options.examples("sudo shipway doctor", "sudo shipway doctor --fix")
@click.command()
@click.option("--fix", is_flag=True, help="Mend what can be mended without any risk.")
@options.as_json
@verb
async def doctor(session: Session, *, fix: bool, as_json: bool) -> None:
    """Say what ails Shipway on this machine, and what mends it.

    Run it where and as whom Shipway runs. --fix sets owners and modes of Shipway's folders right,
    removes what dead runs have left, and ends runs that nothing is at: no data, no running
    process and no other Shipway is touched. Leaves with exit code 0 only when nothing is wrong.
    """
    serve.need_server_parts()
    from shipway.doctor import examining, mending  # noqa: PLC0415 -- the command line works without the server's parts
    from shipway.kit import settings  # noqa: PLC0415 -- likewise

    found = settings.load()
    report = await examining.examine(found)
    if fix:
        mended = await mending.mend(found, report.findings)
        again = await examining.examine(found)
        report = again.model_copy(update={"mended": mended})
    if as_json:
        session.out.json(report)
    else:
        _show(session, report)
    if report.wrong:
        count = len(report.wrong)
        raise errors.Unavailable(f"{count} {'thing is' if count == 1 else 'things are'} wrong.")


def _show(session: Session, report: Report) -> None:
    for sentence in report.mended:
        session.out.say(f"mended: {sentence}", "bold")
    for one in report.findings:
        session.out.say(f"{SIGNS[one.weight]} {one.part:<13} {one.sentence}", STYLES[one.weight])
        _show_mend(session, one)
    if not report.wrong:
        session.out.say("Nothing is wrong.", "green")


def _show_mend(session: Session, one: Finding) -> None:
    if one.mend:
        by_itself = " (--fix does it)" if one.remedy else ""
        session.out.say(f"  {'':<13} {one.mend}{by_itself}")
