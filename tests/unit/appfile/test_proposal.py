from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shipway.appfile import model, parsing, proposal
from shipway.kit import errors


def write(root: pathlib.Path, files: Mapping[str, str | dict[str, Any]]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if isinstance(text, str) else json.dumps(text))


def proposed(root: pathlib.Path, files: Mapping[str, str | dict[str, Any]]) -> model.Product:
    write(root, files)
    return parsing.parse(proposal.propose(root))


EXPO = {"dependencies": {"expo": "57", "react-native-web": "0.21"}}


def test_the_seeds_shape_one_package_with_expo_and_express(tmp_path: pathlib.Path) -> None:
    product = proposed(
        tmp_path,
        {
            "package.json": {
                "name": "@team/AIOS App",
                "dependencies": {**EXPO["dependencies"], "express": "5", "pg": "8"},
                "scripts": {
                    "server:build": "esbuild server/index.ts --bundle --outdir=server_dist",
                    "test": "jest",
                    "lint": "expo lint",
                },
            },
            "package-lock.json": "{}",
            "app.json": {"expo": {}},
            "server/index.ts": 'app.get("/api/health", ok); read("templates/home.html");',
            "server/templates/home.html": "",
            "shared/schema.ts": 'import { x } from "express"; import y from "./other";',
            "drizzle.config.ts": (
                'import z from "zod"; export default { out: "./migrations",'
                ' schema: "./shared/schema.ts", dialect: "postgresql" };'
            ),
            ".env.example": (
                "# seed\nNODE_ENV=development\nEXPO_PUBLIC_DOMAIN=localhost:5000\n"
                "DATABASE_URL=postgresql://x\nJWT_SECRET=dev\nexport STRIPE_KEY='sk_test'\n"
                "PAGE_SIZE=20 # rows\nEXPO_PUBLIC_THEME=light\nPGHOST=x\n"
            ),
        },
    )
    assert product.name == "team-aios-app"
    assert product.server
    assert (product.server.kind, product.server.entry) == ("node", "server/index.ts")
    # The client's packages are in the same node_modules: only what is imported comes along.
    assert (product.server.bundle, product.server.external) == (True, ("*",))
    assert product.server.files == ("server/templates",)
    assert product.server.health == "/api/health"
    assert product.client
    assert product.client.platforms == ("ios", "android", "web")
    assert [step.run for step in product.install] == [("npm", "ci")]
    assert product.database
    assert product.database.migrate == ("drizzle-kit", "push")  # there are no migrations
    assert product.database.files == ("drizzle.config.ts", "shared")
    assert product.database.packages == ("drizzle-kit", "drizzle-orm", "express", "pg")
    assert product.database.by_port
    assert [test.run[-1] for test in product.tests.fast] == ["lint", "test"]
    assert product.variables["DATABASE_URL"].same_as == "DB_URL"
    assert {name: v.kind for name, v in product.variables.items()} == {
        "DATABASE_URL": "secret",
        "STRIPE_KEY": "secret",
        "PAGE_SIZE": "plain",
        "EXPO_PUBLIC_THEME": "public",
    }
    assert product.variables["PAGE_SIZE"].default == "20"
    assert product.environments["production"].domain == "team-aios-app.localhost"


def test_fastapi_with_alembic_beside_an_expo_app(tmp_path: pathlib.Path) -> None:
    product = proposed(
        tmp_path,
        {
            "api/pyproject.toml": (
                '[project]\nname = "shop"\ndependencies = ["FastAPI>=0.1", "psycopg[binary]"]\n'
                '[project.scripts]\nshop = "shop.main:main"\n'
                '[dependency-groups]\ndev = ["pytest>=9"]\n'
            ),
            "api/uv.lock": "",
            "api/alembic.ini": "[alembic]\nscript_location = %(here)s/db/migrations\n",
            "app/package.json": {"dependencies": {"expo": "57"}},
            "app/pnpm-lock.yaml": "",
        },
    )
    assert product.server
    assert product.server.entry == "shop.main:main"
    assert product.database
    assert product.database.files == ("alembic.ini", "db/migrations")
    assert product.client
    assert product.client.platforms == ("ios", "android")
    assert product.tests.fast[0].services == ("postgres",)
    assert {step.run[0] for step in product.install} == {"uv", "npx"}


def test_a_workspace_is_installed_once_where_its_lock_file_is(tmp_path: pathlib.Path) -> None:
    product = proposed(
        tmp_path,
        {
            "package.json": {"name": "mono", "workspaces": ["apps/*", "packages/*"]},
            "yarn.lock": "__metadata:\n",
            ".yarnrc.yml": "nodeLinker: node-modules\n",
            "apps/mobile/package.json": EXPO,
            "apps/mobile/app.config.ts": "",
            "apps/server/package.json": {"dependencies": {"fastify": "5"}, "main": "./index.js"},
            "apps/server/index.js": "",
            "apps/server/prisma/schema.prisma": 'datasource db {\n provider = "postgresql"\n}',
            "e2e/package.json": {
                "devDependencies": {"@playwright/test": "1"},
                "scripts": {"test": "playwright test"},
            },
        },
    )
    assert [(step.folder, step.run) for step in product.install] == [
        (".", ("npx", "--yes", "@yarnpkg/cli-dist@4", "install", "--immutable"))
    ]
    assert product.client
    assert product.client.folder == "apps/mobile"
    assert product.server
    assert product.server.entry == "index.js"
    assert product.database
    assert product.database.migrate == ("prisma", "migrate", "deploy")
    assert product.database.packages == ("prisma", "pg")
    assert product.tests.e2e[0].folder == "e2e"


@pytest.mark.parametrize(
    ("files", "migrate", "entry"),
    [
        (
            {
                "manage.py": "",
                "requirements.txt": "# web\nDjango==5.2\npsycopg2-binary\n",
                "site/__init__.py": "",
                "tests/test_a.py": "",
            },
            ("python", "manage.py", "migrate", "--noinput"),
            "site.main:main",
        ),
        (
            {
                "pyproject.toml": '[tool.poetry]\nname = "x"\n[tool.poetry.dependencies]\nflask = "3"\n',
                "poetry.lock": "",
                "alembic.ini": "",
                "src/web/__init__.py": "",
            },
            ("python", "-m", "alembic", "upgrade", "head"),
            "web.main:main",
        ),
        (
            {
                "package.json": {"dependencies": {"koa": "3"}, "scripts": {"start": "node srv.js"}},
                "srv.js": "",
                "knexfile.js": "",
            },
            ("knex", "migrate:latest"),
            "srv.js",
        ),
    ],
)
def test_other_servers_and_tools_are_known(
    tmp_path: pathlib.Path,
    files: dict[str, str | dict[str, Any]],
    migrate: tuple[str, ...],
    entry: str,
) -> None:
    product = proposed(tmp_path, files)
    assert product.database
    assert product.database.migrate == migrate
    assert product.server
    assert product.server.entry == entry


def test_folders_that_read_the_same_get_names_of_their_own(tmp_path: pathlib.Path) -> None:
    scripts = {"lint": "eslint .", "start": "node ../outside.js"}
    product = proposed(
        tmp_path,
        {
            "a.b/package.json": {**EXPO, "scripts": scripts},
            "a_b/package.json": {"dependencies": {"express": "5"}, "scripts": scripts},
            "outside.js": "",
        },
    )
    assert [step.name for step in product.install] == ["a-b", "a-b-2"]
    assert [test.name for test in product.tests.fast] == ["a-b-lint", "a-b-lint-2"]


def test_a_server_without_a_source_file_is_asked_about(tmp_path: pathlib.Path) -> None:
    write(
        tmp_path,
        {"package.json": {"dependencies": {"express": "5"}, "scripts": {"build": "make"}}},
    )
    text = proposal.propose(tmp_path)
    assert "# CHECK: no file was found that starts the server." in text
    assert parsing.parse(text).server


def server_of(tmp_path: pathlib.Path, files: Mapping[str, str | dict[str, Any]]) -> model.Server:
    found = proposed(tmp_path, files).server
    assert found
    return found


def test_a_server_with_a_build_of_its_own_runs_as_that_leaves_it(tmp_path: pathlib.Path) -> None:
    server = server_of(
        tmp_path,
        {
            "api/package.json": {
                "dependencies": {"fastify": "5"},
                "scripts": {
                    "build": "tsc -p .",
                    "start": "NODE_ENV=production node --import ./trace.js ./dist/main",
                },
            },
            "api/src/main.ts": "app.route('/ping'); listen(process.env.API_PORT, process.env.DB_PORT)",
        },
    )
    assert (server.bundle, server.run, server.entry) == (
        False, ("npm", "run", "build"), "dist/main.js",
    )  # fmt: skip
    assert server.start == ("node", "--import", "./trace.js", "{server}")
    assert (server.port, server.health) == ("API_PORT", "/ping")


def test_a_server_that_uses_packages_of_the_repository_is_bundled(tmp_path: pathlib.Path) -> None:
    server = server_of(
        tmp_path,
        {
            "package.json": {"workspaces": ["*"]},
            "package-lock.json": "{}",
            "api/package.json": {
                "dependencies": {"hono": "4", "@x/shared": "*"},
                "scripts": {"build": "tsc", "start": "node dist/index.js"},
            },
            "api/src/index.ts": "",
            "shared/package.json": {"name": "@x/shared"},
        },
    )
    assert (server.bundle, server.entry, server.external) == (True, "src/index.ts", ("*",))


@pytest.mark.parametrize(
    ("files", "version"),
    [
        ({".nvmrc": "v22.3.1\n"}, "22"),
        ({".node-version": "lts/*"}, ""),
        ({"package.json": {"volta": {"node": "20.1.0"}}}, "20"),
        ({"package.json": {"engines": {"node": "^24.1"}}}, "24"),
        ({"package.json": {"engines": {"node": ">=20 <23"}}}, "20"),
        ({"package.json": {"engines": {"node": ">=18"}}}, ""),
    ],
)
def test_the_version_of_node_is_the_one_that_the_repository_asks_for(
    tmp_path: pathlib.Path, files: dict[str, Any], version: str
) -> None:
    package = {"dependencies": {"express": "5"}, **files.get("package.json", {})}
    found = proposed(tmp_path, {"index.js": "", **files, "package.json": package})
    assert found.node_version == version


@pytest.mark.parametrize(
    ("files", "run"),
    [
        ({"package-lock.json": "", "Dockerfile": "RUN npm ci --omit=dev --legacy-peer-deps"},
         ("npm", "ci", "--legacy-peer-deps")),
        ({"pnpm-lock.yaml": "lockfileVersion: '6.0'"},
         ("npx", "--yes", "pnpm@8", "install", "--frozen-lockfile")),
        ({"yarn.lock": "# yarn lockfile v1"},
         ("npx", "--yes", "yarn@1.22.22", "install", "--frozen-lockfile")),
    ],
)  # fmt: skip
def test_dependencies_are_installed_as_the_repository_does_it(
    tmp_path: pathlib.Path, files: dict[str, str], run: tuple[str, ...]
) -> None:
    package = {"dependencies": {"express": "5"}}
    found = proposed(tmp_path, {"index.js": "", "package.json": package, **files})
    assert [step.run for step in found.install] == [run]


def test_prismas_client_is_made_where_there_is_network(tmp_path: pathlib.Path) -> None:
    found = proposed(
        tmp_path,
        {
            "package.json": {"dependencies": {"express": "5", "prisma": "6"}},
            "package-lock.json": "{}",
            "index.js": "",
            "prisma/schema.prisma": 'datasource db {\n provider = "postgresql"\n}',
        },
    )
    assert [(step.run, step.inputs) for step in found.install] == [
        (("npm", "ci"), ("package.json", "package-lock.json")),
        (("npx", "prisma", "generate"), ("package.json", "prisma")),
    ]


def test_variables_that_only_the_sources_read_are_found(tmp_path: pathlib.Path) -> None:
    found = proposed(
        tmp_path,
        {
            "api/package.json": {"dependencies": {"express": "5", "node-pg-migrate": "8"}},
            "api/index.js": "connect(process.env['DATABASE_URL']); listen(process.env.PORT)",
            "api/migrations/1.sql": "",
            "app/package.json": EXPO,
            "app/App.tsx": "fetch(process.env.EXPO_PUBLIC_API_URL)",
            "app/.env.example": "EXPO_PUBLIC_SERVER_URL=http://localhost:3000/api/v1\n",
        },
    )
    assert {name: (one.same_as, one.suffix) for name, one in found.variables.items()} == {
        "DATABASE_URL": ("DB_URL", ""),
        "EXPO_PUBLIC_API_URL": ("API_URL", ""),
        "EXPO_PUBLIC_SERVER_URL": ("API_URL", "/api/v1"),
    }


@pytest.mark.parametrize(
    ("client", "domain"),
    [
        ("fetch(`https://${process.env.EXPO_PUBLIC_DOMAIN}/api/notes`)", "api.shop.example:8443"),
        ("fetch(`https://api.${process.env.EXPO_PUBLIC_DOMAIN}/notes`)", None),
        ("fetch('https://api.' + process.env.EXPO_PUBLIC_DOMAIN)", None),
        ("share(process.env.EXPO_PUBLIC_DOMAIN); fetch(process.env.EXPO_PUBLIC_API_URL)", None),
    ],
)
def test_a_client_that_looks_for_its_server_at_the_domain_is_told_where_it_is(
    tmp_path: pathlib.Path, client: str, domain: str | None
) -> None:
    found = proposed(
        tmp_path,
        {
            "package.json": {"dependencies": {**EXPO["dependencies"], "express": "5"}},
            "app.json": {"expo": {}},
            "server/index.ts": "allow(process.env.REPLIT_DOMAINS); listen(process.env.PORT)",
            "lib/client.tsx": client,
        },
    )
    facts = {"EXPO_PUBLIC_DOMAIN": "shop.example", "API_URL": "https://api.shop.example:8443"}
    values = found.same(facts, filled=facts.keys())
    assert values["REPLIT_DOMAINS"] == "shop.example"
    assert values.get("EXPO_PUBLIC_DOMAIN") == domain


@pytest.mark.parametrize("ignored", ["/api/.env", ".env*", "**/.env"])
def test_a_dotenv_that_is_committed_is_an_example(tmp_path: pathlib.Path, ignored: str) -> None:
    files: dict[str, str | dict[str, Any]] = {
        "api/requirements.txt": "fastapi\nuvicorn\npsycopg[binary]\n",
        "api/main.py": (
            'app = FastAPI()\nurl = PostgresDsn.build(host=env["POSTGRES_SERVER"])\n'
            'routes = APIRouter(prefix="/utils")\n@routes.get("/health-check/")\n'
        ),
        "api/alembic.ini": "",
        "api/.env": "PROJECT=Shop\nPOSTGRES_SERVER=db\nSMTP_PASSWORD=\nSIGNING_KEY=changethis\n",
        ".gitignore": "# mine\n.vscode/*\nnode_modules/\n.env.local\n",
    }
    found = proposed(tmp_path, files)
    assert {
        name: (one.kind, one.required, one.default or one.form)
        for name, one in found.variables.items()
    } == {
        "PROJECT": ("plain", False, "Shop"),
        "POSTGRES_SERVER": ("secret", False, "{host}"),
        "SMTP_PASSWORD": ("secret", False, ""),
        "SIGNING_KEY": ("secret", True, ""),
    }
    assert found.database
    assert found.database.by_port
    assert found.server
    assert found.server.health == "/utils/health-check/"

    place = "api/.gitignore" if ignored.startswith("**") else ".gitignore"
    write(tmp_path, {place: f"{ignored.removeprefix('/api')}\n"})
    assert not parsing.parse(proposal.propose(tmp_path)).variables


def test_a_driver_that_reaches_only_its_makers_databases_is_told(tmp_path: pathlib.Path) -> None:
    manifest = {"dependencies": {"express": "5", "@neondatabase/serverless": "1"}}
    source = 'import { Pool } from "@neondatabase/serverless"; listen(process.env.PORT)'
    write(tmp_path, {"package.json": manifest, "server.ts": source})
    assert "reaches no other databases than Neon's" in proposal.propose(tmp_path)


def test_pages_of_the_repositorys_own_are_not_tested_on_staging(tmp_path: pathlib.Path) -> None:
    playwright = {
        "devDependencies": {"@playwright/test": "1"},
        "scripts": {"e2e": "playwright test"},
    }
    found = proposed(
        tmp_path,
        {
            "app/package.json": EXPO,
            "e2e/package.json": playwright,
            "admin/package.json": {**playwright, "dependencies": {"vite": "7"}},
        },
    )
    assert [test.folder for test in found.tests.e2e] == ["e2e"]


def test_where_nothing_is_known_it_says_so(tmp_path: pathlib.Path) -> None:
    write(tmp_path, {"README.md": "", "package.json": "[not json", "pyproject.toml": "= no"})
    with pytest.raises(errors.NotFound, match="neither an Expo app nor a server"):
        proposal.propose(tmp_path)


def test_installed_packages_and_odd_folders_are_passed_over(tmp_path: pathlib.Path) -> None:
    write(
        tmp_path,
        {
            "node_modules/x/package.json": EXPO,
            "my app/package.json": EXPO,
            ".hidden/package.json": EXPO,
            "one/two/three/four/package.json": EXPO,
        },
    )
    with pytest.raises(errors.NotFound):
        proposal.propose(tmp_path)


_NAMES = st.text(max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    name=_NAMES,
    scripts=st.dictionaries(st.sampled_from(["test", "start", "lint", "e2e"]), _NAMES),
    example=st.text(max_size=200),
    folder=st.sampled_from([".", "3d", "A_b", "x" * 60, "@app", "a.b"]),
)
def test_whatever_is_found_the_proposal_is_read_without_a_problem(
    tmp_path: pathlib.Path, name: str, scripts: dict[str, str], example: str, folder: str
) -> None:
    manifest = {**EXPO, "name": name, "scripts": scripts, "main": name}
    write(tmp_path, {f"{folder}/package.json": manifest})
    (tmp_path / folder / ".env.example").write_bytes(
        (example + f"\nFOO={example}\n").encode(errors="replace")
    )
    try:
        parsing.parse(proposal.propose(tmp_path))
    finally:
        (tmp_path / folder / "package.json").unlink()
        (tmp_path / folder / ".env.example").unlink()
