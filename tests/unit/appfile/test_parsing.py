from __future__ import annotations

import string
import time
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipway.appfile import model, parsing, reading
from shipway.kit import errors

WHOLE = """
name = "shop"

[[install]]
name = "client"
folder = "client"
run = ["npm", "ci"]
inputs = ["package.json", "package-lock.json"]

[server]
kind = "python"
folder = "api"
entry = "shop.main:main"

[client]
folder = "client"
platforms = ["web"]

[database]
folder = "api"
files = ["alembic.ini", "migrations"]
migrate = ["alembic", "upgrade", "head"]
head = ["alembic", "current"]

[[tests.fast]]
name = "types"
folder = "client"
run = ["npm", "run", "typecheck"]

[[tests.full]]
name = "api"
folder = "api"
run = ["pytest"]
services = ["postgres"]
timeout_seconds = 900

[variables.STRIPE_KEY]
kind = "secret"
required = true

[variables.PAGE_SIZE]
default = "20"

[environments.staging]
domain = "staging.shop.example"
variables = { PAGE_SIZE = "5" }

[environments.production]
domain = "shop.example"
api_domain = "backend.shop.example"
routes = [{ host = "www.shop.example", to = "client" }]

[environments.production.policy]
instances = 1
reason = "One small machine."
"""


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(errors.Invalid) as caught:
        parsing.parse(text)
    return caught.value.problems


def only(text: str) -> str:
    (problem,) = problems(text)
    return problem


def test_a_whole_file_becomes_a_product() -> None:
    product = parsing.parse(WHOLE)
    assert product.server
    assert (product.server.port, product.server.health, product.server.ready_seconds) == (
        "PORT",
        "/health",
        60,
    )
    assert product.install[0].run == ("npm", "ci")
    assert product.tests.full[0].services == ("postgres",)
    assert product.environments["staging"].api_domain == "api.staging.shop.example"
    assert product.environments["production"].policy.instances == 1
    assert [(r.host, r.to) for r in product.routes("production")] == [
        ("shop.example", "client"),
        ("backend.shop.example", "server"),
        ("www.shop.example", "client"),
    ]
    assert product.routes("development") == ()


def test_all_problems_are_told_at_once_in_the_order_of_the_file() -> None:
    found = problems(
        """name = "Shop"
[[install]]
name = "client"
run = "npm ci"
[server]
kind = "python"
entri = "shop.main:main"
[[tests.fast]]
name = "a"
run = []
[variables.LD_PRELOAD]
[environments.prodution]
domain = "Shop.example"
"""
    )
    assert [problem.partition(":")[0] for problem in found] == [
        "line 1, name",
        "line 4, install[0].run",
        "line 5, server.entry",
        "line 7, server.entri",
        "line 10, tests.fast[0].run",
        "line 11, variables.LD_PRELOAD",
        "line 12, environments.prodution",
        "line 13, environments.prodution.domain",
    ]


@pytest.mark.parametrize(
    ("change", "to", "told"),
    [
        (
            "entry =",
            "entri =",
            (
                "line 13, server.entri: found an unknown key; expected one of bundle, dev, "
                "drain_seconds, entry, external, extras, files, folder, groups, health, kind, "
                "output, port, ready_seconds, requirements, run, start. Did you mean entry?"
            ),
        ),
        (
            '["npm", "ci"]',
            '"npm ci"',
            'line 7, install[0].run: found "npm ci"; expected a list. Write ["npm", "ci"].',
        ),
        (
            'platforms = ["web"]',
            'platforms = ["windows"]',
            (
                'line 17, client.platforms[0]: found "windows"; '
                "expected 'ios', 'android' or 'web'. Choose one of them."
            ),
        ),
        (
            "timeout_seconds = 900",
            "timeout_seconds = 99999",
            "line 35, tests.full[0].timeout_seconds: found 99999; expected at most 7200. Lower it.",
        ),
        (
            "required = true",
            'required = "yes"',
            (
                'line 39, variables.STRIPE_KEY.required: found "yes"; expected true or false. '
                "Write it without quotation marks."
            ),
        ),
        (
            'domain = "shop.example"',
            'domain = "staging.shop.example"',
            (
                'line 49, environments.production.domain: found "staging.shop.example", which staging '
                "has; expected a host of its own. Give each environment and each part its own host."
            ),
        ),
    ],
)
def test_a_problem_says_where_and_what_and_how_to_mend_it(change: str, to: str, told: str) -> None:
    assert change in WHOLE
    found = problems(WHOLE.replace(change, to))
    assert told in found


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ('[server]\nkind = "node"', 'server.entry: found nothing; expected a value, since kind is "node"'),
        ('[server]\nkind = "node"\nentry = "../x.js"', "a source file relative to the folder"),
        ('[server]\nkind = "python"\nentry = "main.py"', "package.module:function"),
        ('[server]\nkind = "node"\nentry = "a.js"\noutput = "b.js"', "Remove output, or change kind."),
        ('[server]\nkind = "node"\nentry = "a.js"\nbundle = false\nexternal = ["x"]', "Remove external, or change bundle."),
        ('[server]\nkind = "node"\nentry = "a.ts"\nexternal = ["../x"]', "the name of an npm package"),
        ('[server]\nkind = "python"\nentry = "a.b:c"\nbundle = false', "Remove bundle, or change kind."),
        ('[client]\nfolder = "../other"', 'without ".."'),
        ('[client]\nfolder = "/etc"', 'without "..", spaces or a leading "/"'),
        ('[client]\nfolder = "a/../../b"', 'without ".."'),
        ('[client]\nfolder = "-rf"', "a path relative to the root"),
        ('[client]\nfolder = "a\\nb"', "a path relative to the root"),
        ("client = 3", "found 3; expected a table"),
        ('client = { folder = "a", folders = "b" }', "Did you mean folder?"),
        ("[client]\n[variables.PORT]", "PORT belongs to the system"),
        ("[client]\n[variables.PGOPTIONS]", "PGOPTIONS belongs to the system"),
        ("[client]\n[variables.SHIPWAY_HOME]", "does not begin with SHIPWAY_"),
        ("[client]\n[variables.SHIV_ROOT]", "does not begin with SHIV_"),
        ("[client]\n[variables.lower]", "upper-case letters"),
        ("[client]\n[variables.EXPO_PUBLIC_A]", 'kind = "public"'),
        ('[client]\n[variables.A]\nkind = "public"', "begins with EXPO_PUBLIC_"),
        ('[client]\n[variables.JWT_SECRET]\nkind = "plain"', 'expected kind = "secret"'),
        ('[client]\n[variables.A]\nkind = "secret"\ndefault = "x"', "a secret must not be"),
        ('[client]\n[variables.DATABASE_URL]\nsame_as = "DB_URL"', '"secret", since DB_URL is one'),
        ('[client]\n[variables.A]\nsame_as = "API_URL"\ndefault = "x"', "Remove default or same_as."),
        ("[client]\n[variables.A]\nsuffix = '/v1'", "Add same_as or remove suffix."),
        ('[client]\n[variables.A]\nkind = "secret"\nsame_as = "DB_URL"\nsuffix = "?x"', "Remove suffix."),
        ('[client]\n[variables.A]\nsame_as = "B"', "expected 'API_URL', 'DB_URL',"),
        ('[client]\n[environments.staging]\ndomain = "a.b"\nvariables.A = "1"', "an unknown key"),
        ('[client]\n[environments.staging]\ndomain = "10.0.0.1"', "a host name that DNS allows"),
        ('[client]\n[environments.staging]\ndomain = "a.b:80"', "without a port"),
        ('[client]\n[environments.staging]\ndomain = "-a.b"', "a host name that DNS allows"),
        (f'[client]\n[environments.staging]\ndomain = "{"a" * 64}.b"', "a host name that DNS allows"),
        ('[client]\n[environments.staging]\ndomain = "a.b\\n"', "a host name that DNS allows"),
        ('[client]\n[environments.staging]\ndomain = "a.b"\n[environments.staging.policy]\nrollout = [50, 10, 100]', "rising shares that end at 100"),
        ('[client]\n[environments.staging]\ndomain = "a.b"\napi_domain = "a.b"', "a host of its own"),
        ('[client]\n[[environments.staging.routes]]\nhost = "x.b"\nto = "server"\n[environments.staging]', "Did you mean"),
        ('[client]\n[[install]]\nname = "a"\nrun = ["a"]\n[[install]]\nname = "a"\nrun = ["a"]', '"a" a second time'),
        ('[client]\n[[install]]\nname = "a"\nrun = ["a\\u001b[31m"]', "text without control characters"),
        ('[server]\nkind = "node"\nentry = "a.js"\nport = "PATH"', "server.port: found"),
        ('[server]\nkind = "node"\nentry = "a.js"\nport = "MY_PORT"\n[variables.MY_PORT]', "it is the port"),
        ('[server]\nkind = "command"\nrun = ["make"]\noutput = "s"\nstart = ["run"]', "the built file among"),
        ('[server]\nkind = "python"', 'server.entry: found nothing; expected a value, since kind is "python"'),
        ('[server]\nkind = "python"\nstart = ["gunicorn", "shop.wsgi"]', 'found "gunicorn"; expected "python", which finds'),
        ('[server]\nkind = "python"\nentry = "a:b"\nextras = ["-x"]', "the name of an extra"),
        ('[server]\nkind = "node"\nentry = "a.js"\nrequirements = "r.txt"', "Remove requirements, or change kind."),
        ('[client]\n[variables.A]\nform = "{user}"', "only DB_URL and API_URL have other forms"),
        ('[client]\n[variables.A]\nkind = "secret"\nsame_as = "DB_URL"\nform = "{usr}"', "found {usr}; expected one of {user}, {password}"),
        ("", "neither a server nor a client"),
    ],
)  # fmt: skip
def test_what_is_unsafe_or_at_odds_is_refused(section: str, told: str) -> None:
    if told == "Did you mean":  # TOML itself forbids to open a table twice
        told = "environments.staging.domain"
    assert any(told in problem for problem in problems(f'name = "a"\n{section}\n'))


def test_a_broken_section_hides_no_problem_of_another() -> None:
    text = 'name = "a"\n[client]\nfoldr = "x"\n[variables.PATH]\n'
    assert len(problems(text)) == 2


def test_syntax_that_is_not_toml_is_told_with_its_line() -> None:
    assert only('name = "a"\nserver = [\n').startswith("line ")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        "a = " + "[" * 8_000,
        "x" * 300_000,
        "name = " + "9" * 8_000,
        ".".join("a" * 4_000) + " = 1\n",
        "\n".join(".".join([f"a{i}", *"b" * 1_000]) + " = 1" for i in range(60)),
        "\n".join(f"key{i} = 1" for i in range(15_000)),
        'name = "a"\n' + "[[install]]\n" * 15_000,
        'name = "\\ud800"',
        "\x00",
        "\ud800",
    ],
    ids=["brackets", "array", "size", "digits", "dotted", "many-dotted", "keys", "tables",
         "surrogate", "zero", "lone-surrogate"],
)  # fmt: skip
def test_hostile_text_is_refused_soon_and_briefly(text: str) -> None:
    began = time.process_time()
    with pytest.raises(errors.Invalid) as caught:
        parsing.parse(text)
    assert time.process_time() - began < 5
    assert caught.value.problems
    assert len(str(caught.value).encode(errors="replace")) < 40_000


def test_many_problems_are_counted_not_listed() -> None:
    found = problems('name = "a"\n[client]\n' + "\n".join(f"k{i} = 1" for i in range(200)))
    assert len(found) == 51
    assert found[-1] == "and 150 more."


@given(st.text(max_size=400))
def test_any_text_is_a_product_or_refused(text: str) -> None:
    try:
        assert isinstance(parsing.parse(text), model.Product)
    except errors.Invalid as error:
        assert error.problems  # noqa: PT017 -- both outcomes are fine


_TOML: st.SearchStrategy[Any] = st.recursive(
    st.booleans() | st.integers(-5, 10**6) | st.text(string.ascii_letters + './-"\\\n', max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "run", "kind", "staging", "x"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)
_KEYS = st.sampled_from(
    ["install", "server", "client", "database", "tests", "variables", "environments", "x"]
)


@given(st.dictionaries(_KEYS, _TOML, max_size=5))
def test_any_shape_is_a_product_or_refused(sections: dict[str, Any]) -> None:
    text = "\n".join(['name = "a"', *(f"{key} = {_inline(v)}" for key, v in sections.items())])
    assert tomllib.loads(text)
    try:
        parsing.parse(text)
    except errors.Invalid as error:
        assert error.problems  # noqa: PT017 -- both outcomes are fine


def _inline(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case str():
            escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
            return f'"{escaped}"'
        case list():
            return f"[{', '.join(map(_inline, value))}]"
        case _:
            return "{" + ", ".join(f"{k} = {_inline(v)}" for k, v in value.items()) + "}"


def test_lines_are_those_of_keys_and_headers() -> None:
    text = '''# a comment = with [brackets]
name = """
[not.a.table]
also = "not a key"
"""
list = [ # of lists
  [1, 2],
  { a = "b]" },
]

[[tests.fast]] # first
name = 'one # not a comment'
[[tests.fast]]
"quoted.key".sub = 1
[tests.fast.deeper]
x = 1
[a.b]
'''
    assert tomllib.loads(text)
    lines = reading.lines(text)
    assert lines["name",] == 2
    assert lines["list",] == 6
    assert lines["tests", "fast", 0] == 11
    assert lines["tests", "fast", 0, "name"] == 12
    assert lines["tests", "fast", 1] == 13
    assert lines["tests", "fast", 1, "quoted.key", "sub"] == 14
    assert lines["tests", "fast", 1, "deeper", "x"] == 16
    assert lines["a", "b"] == 17
