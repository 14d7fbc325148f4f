from __future__ import annotations

import datetime
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipway import appfile
from shipway.console import ansi, forms, limits, loglines, page, ranges, rendering, showing
from shipway.console.entering import inside
from shipway.console.pages.overview import model as overview
from shipway.console.pages.release import model as release
from shipway.console.pages.run import model as run
from shipway.console.pages.runs import model as runs
from shipway.console.pages.update import model as update
from shipway.kit import errors
from shipway.releases.model import Deployment, Release

NOW = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)


def ago(seconds: float) -> datetime.datetime:
    return NOW - datetime.timedelta(seconds=seconds)


# Logs


def test_colours_become_classes() -> None:
    assert (
        ansi.html("\x1b[1;31mno\x1b[0m yes") == ('<span class="ansi-red ansi-bold">no</span> yes')
        or ansi.html("\x1b[1;31mno\x1b[0m yes") == '<span class="ansi-bold ansi-red">no</span> yes'
    )


@given(st.text())
def test_no_line_of_a_log_makes_a_tag(text: str) -> None:
    made = ansi.html(text + "<b>\x1b[31m<i>")
    assert "<b>" not in made
    assert "<i>" not in made


def test_a_line_has_an_address_and_a_time() -> None:
    item = loglines.items([(7, "2026-11-23T12:00:00.000Z <hello>")])
    assert 'id="L7"' in item
    assert 'title="2026-11-23T12:00:00.000Z"' in item
    assert "&lt;hello&gt;" in item


# Forms and ways in


def test_a_guard_is_another_text_each_time_and_fits_one_key() -> None:
    first, second = forms.guard("a key"), forms.guard("a key")
    assert first != second
    forms.must_be_ours("a key", first)
    forms.must_be_ours("a key", second)
    with pytest.raises(errors.Denied):
        forms.must_be_ours("b key", first)


@given(st.text(max_size=60))
def test_nothing_else_is_a_guard(text: str) -> None:
    with pytest.raises(errors.Denied):
        forms.must_be_ours("a key", text)


@given(st.dictionaries(st.text(max_size=9), st.text(max_size=9)))
def test_a_form_is_kept_as_it_was(fields: dict[str, str]) -> None:
    assert forms.kept(forms.keep(fields)) == {k: v for k, v in fields.items() if k != forms.GUARD}


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', "9" * 5000, "[" * 5000])
def test_what_was_not_kept_is_nothing(text: str) -> None:
    assert forms.kept(text) == {}


@pytest.mark.parametrize(
    "path", ["https://evil.example", "//evil.example", "/v1/apps", "/console/\\evil", "/console/\n"]
)
def test_nobody_is_led_elsewhere_after_signing_in(path: str) -> None:
    assert inside(path) == ""
    assert inside("/console/apps/tiny?panel=runs") == "/console/apps/tiny?panel=runs"


def test_tries_are_counted_for_each_alone() -> None:
    time = [0.0]
    limit = limits.Limit(2, 60, lambda: time[0])
    limit.count("a")
    limit.count("a")
    limit.count("b")
    with pytest.raises(errors.Refused, match="Wait 61 seconds"):
        limit.count("a")
    time[0] = 61
    limit.count("a")
    limit.forget("a")
    limit.count("a")


# How things look


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2, "now"), (59, "59 s ago"), (60, "1 min ago"), (7200, "2 h ago"), (86_400, "1 day ago"),
     (86_400 * 90, "3 months ago"), (86_400 * 800, "2 years ago"), (-120, "in 2 min")],
)  # fmt: skip
def test_how_long_ago(seconds: int, text: str) -> None:
    assert rendering.since(ago(seconds), NOW) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 B"), (999, "999 B"), (1200, "1.2 kB"), (3_400_000, "3.4 MB")]
)
def test_sizes(number: int, text: str) -> None:
    assert rendering.size(number) == text


def test_a_spreadsheet_calculates_nothing() -> None:
    text = showing.table([{"name": "=1+1", "size": -3, "at": NOW}])
    assert text.splitlines() == ["name,size,at", "'=1+1,-3,2026-11-23T12:00:00+00:00"]


# What the overview says


def column(**given: object) -> overview.Column:
    api = {"instances": [{"alive": True}, {"alive": True}], "waiting": []}
    facts: dict[str, object] = {
        "name": "production", "live": {"version": "v2"}, "moving": None, "shares": (),
        "update": None, "api": api,
    }  # fmt: skip
    return overview.Column(**(facts | given))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "tone", "sentence"),
    [
        ({}, "good", "Production is all right."),
        ({"live": None}, "quiet", "Nothing is in production yet."),
        ({"moving": {"state": "running", "version": "v3"}}, "busy", "Production is changing to v3."),
        ({"moving": {"state": "failed", "version": "v3"}}, "warn",
         "Production is all right with v2; v3 did not get there."),
        ({"api": {"instances": [{"alive": False}, {"alive": True}], "waiting": []}}, "bad",
         "Production lacks 1 of 2 instances."),
    ],
)  # fmt: skip
def test_the_one_sentence(given: dict[str, object], tone: str, sentence: str) -> None:
    assert overview.verdict(column(**given)) == overview.Verdict(tone, sentence)  # type: ignore[arg-type]


def test_the_next_thing_to_do() -> None:
    waiting = {"instances": [], "waiting": [{"version": "v3", "sentence": "0 of 1."}]}
    found = overview.next_step("tiny", [column(api=waiting)], [])
    assert found == overview.Next(
        "Review v3 for production", "/console/apps/tiny/releases/v3#gates", "0 of 1."
    )
    failed = [{"state": "failed", "id": "run_1", "sentence": "No."}]
    later = overview.next_step("tiny", [column()], failed)
    assert later
    assert later.label == "See why the run failed"
    assert overview.next_step("tiny", [column()], []) is None


# A run


def step(name: str, state: str, began: float | None, ended: float | None) -> dict[str, object]:
    return {
        "name": name,
        "state": state,
        "started": None if began is None else ago(began),
        "ended": None if ended is None else ago(ended),
    }


def test_steps_stand_side_by_side_in_time() -> None:
    steps = [step("a", "succeeded", 100, 50), step("b", "running", 50, None), step("c", "waiting", None, None)]  # fmt: skip
    assert run.bars(steps, NOW) == {"a": (0, 500), "b": (500, 500)}
    assert run.bars([], NOW) == {}


def test_the_step_that_tells_most_is_shown() -> None:
    steps = [step("a", "succeeded", 9, 8), step("b", "failed", 8, 7), step("c", "waiting", None, None)]  # fmt: skip
    assert run.chosen(steps, "") == "b"
    assert run.chosen(steps, "a") == "a"
    assert run.chosen(steps, "<x>") == "b"
    assert run.chosen(steps[:1], "") == "a"
    assert run.chosen([], "") == ""


def test_steps_of_a_layer_stand_together() -> None:
    def of(name: str, layer: int | None) -> dict[str, object]:
        return {"name": name, "layer": layer}

    found = run.layers([of("a", 0), of("b", 1), of("c", 1), of("d", 4)])
    assert [[one["name"] for one in layer] for layer in found] == [["a"], ["b", "c"], ["d"]]
    assert run.layers([of("a", 0), of("b", None)]) == (), "of an older run nothing is made up"
    assert not run.layers([])


def test_runs_stand_in_a_row_to_one_scale() -> None:
    found = runs.bars([step("c", "running", 20, None), step("x", "waiting", None, None),
                       step("b", "failed", 60, 60), step("a", "succeeded", 100, 60)], NOW)  # fmt: skip
    assert [(bar.run["name"], bar.height) for bar in found] == [("a", 40), ("b", 2), ("c", 20)]
    assert [bar.x for bar in found] == [0, 12, 24]
    assert runs.bars([], NOW) == []


# Parts of time


@pytest.mark.parametrize(
    ("query", "since", "until"),
    [
        ({}, None, None),
        ({"from": "2026-11-01"}, "2026-11-01T00:00", None),
        ({"from": "2026-11-01", "to": "2026-11-01"}, "2026-11-01T00:00", "2026-11-02T00:00"),
        ({"to": "2026-11-01T12:30"}, None, "2026-11-01T12:30"),
        ({"from": "2026-11-01T12:30+02:00"}, "2026-11-01T10:30", None),
    ],
)
def test_a_part_of_time_has_whole_days(
    query: dict[str, str], since: str | None, until: str | None
) -> None:
    def moment(text: str | None) -> datetime.datetime | None:
        return datetime.datetime.fromisoformat(f"{text}+00:00") if text else None

    found = ranges.of(query)
    assert (found.since, found.until) == (moment(since), moment(until))
    assert found.is_all is (not query)


@given(st.text(max_size=50), st.text(max_size=50))
def test_any_other_part_of_time_is_refused(first: str, last: str) -> None:
    try:
        found = ranges.of({"from": first, "to": last})
    except errors.Invalid:
        return
    for moment in (found.since, found.until):
        assert moment is None or moment.tzinfo


@pytest.mark.parametrize("text", ["9999-12-31", "0001-01-01T00:00+14:00", "9999-12-31T23:00-14:00"])
def test_the_ends_of_the_calendar_are_refused(text: str) -> None:
    with pytest.raises(errors.Invalid):
        ranges.of({"from": text})


def test_an_address_keeps_what_was_asked_but_for_the_changes() -> None:
    query = {"branch": "a&b", "before": "x", "panel": "runs", "as": "csv"}
    assert page.again(query, before="", state="failed") == "?branch=a%26b&state=failed"
    assert page.again({}) == "?"


# An update


def test_adoption_rises_from_what_was_there_before() -> None:
    launches = [
        {"part": 0, "launches": 1},
        {"part": 30, "launches": 4},
        {"part": 61, "launches": 5},
    ]
    shares = update.shares(launches, 10)
    assert (shares[0], shares[29], shares[30], shares[-1]) == (10, 10, 50, 100)
    assert update.curve(shares).startswith("0,90 ")
    assert update.curve(shares).endswith(" 600,0")
    times, told = update.points(shares, ago(600), NOW)
    assert (times[0], times[-1], told) == (NOW.timestamp() - 600, NOW.timestamp(), shares)
    assert update.shares([], 10) == ()


# A release


def product(more: str) -> appfile.Product:
    return appfile.parse(
        'name = "tiny"\n[server]\nkind = "command"\nrun = ["x"]\noutput = "o"\nstart = ["{server}"]\n'
        f'[environments.production]\ndomain = "t.example"\n{more}'
    )


def a_release(state: Any) -> Release:
    return Release(
        id="rel_3", app="tiny", number=3, version="v3", commit="c", run="run_3", schema_head="",
        artifacts={}, product="", changelog="", authors=("ana",), state=state, created=NOW,
    )  # fmt: skip


def a_deployment(place: str) -> Deployment:
    environment, state = cast("tuple[str, Any]", place.split())
    return Deployment(
        id=place, app="tiny", environment=environment, release="rel_3", version="v3", kind="deploy",
        state=state, asked_by="bo", reason="", served_by=place, before=None, plan=(1000,), stage=0,
        started=NOW, ended=None, warm_until=None, sentence="",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("state", "places", "given", "tone", "sentence"),
    [
        ("candidate", [], {}, "busy", "v3 is being tried."),
        ("candidate", ["staging running"], {}, "busy", "v3 is entering staging."),
        ("refused", ["staging failed"], {}, "bad", "v3 did not become ready."),
        (
            "ready",
            ["staging live"],
            {"waits": "production"},
            "warn",
            "v3 waits for a yes to production.",
        ),
        ("ready", ["staging live"], {"approved": "production"}, "busy", "v3 may enter production."),
        (
            "ready",
            ["production waiting"],
            {"approved": "production"},
            "busy",
            "v3 is entering production.",
        ),
        ("ready", ["production live", "staging live"], {}, "good", "v3 is live in production."),
        ("ready", ["production failed"], {}, "bad", "v3 did not get into production."),
        ("ready", ["production rolled_back"], {}, "warn", "v3 was taken back from production."),
        ("ready", ["production warm", "staging live"], {}, "quiet", "v3 was in production."),
        ("ready", ["staging live"], {}, "quiet", "v3 is not in production."),
    ],
)
def test_where_a_release_stands(
    state: str, places: list[str], given: dict[str, str], tone: str, sentence: str
) -> None:
    found = release.standing(a_release(state), [a_deployment(one) for one in places], **given)
    assert (found.tone, found.sentence) == (tone, sentence)
    assert bool(found.entering) is ("entering" in sentence)


def test_variables_are_compared_by_name() -> None:
    declared = '[variables.A]\nkind = "plain"\n[variables.B]\nkind = "plain"\n'
    before = product(f'variables = {{ A = "1" }}\n{declared}')
    after = product(
        'variables = { A = "2" }\n[variables.A]\nkind = "plain"\n[variables.D]\nkind = "plain"\n'
    )
    found = [(one["name"], one["change"]) for one in release.variables(before, after)]
    assert found == [("A", "changed"), ("B", "removed"), ("D", "added")]


def test_a_rollout_stands_somewhere() -> None:
    found = release.stages((10, 100, 1000), 1, "running")
    assert [(one["share"], one["standing"]) for one in found] == [
        ("1 %", "done"), ("10 %", "now"), ("100 %", "to come"),
    ]  # fmt: skip
