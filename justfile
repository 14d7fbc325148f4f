# The same words as ./dev, for those who have just. Run `just` for the list.
[private]
default:
    @{{ just_executable() }} --list --unsorted

# Watch the AIOS app go from git push to production, and back.
demo *args:
    ./dev demo {{ args }}

# The console's pages as pictures.
screenshots folder:
    ./dev screenshots {{ folder }}

# All tests, in one pytest run.
test *args:
    ./dev test {{ args }}

# Fast and offline: decisions, fakes, shape.
unit *args:
    ./dev test tests/unit tests/architecture {{ args }}

# Format, lint, spelling, types, import rules, shell.
check:
    ./dev check

# Stories and chaos at full size, in a new order; takes --rounds, --shifts and --minutes.
soak *args:
    ./dev soak {{ args }}

# One benchmark; without a name, their names.
bench *name:
    ./dev bench {{ name }}

# Mend what a program can mend.
fix:
    uv run ruff check --fix
    uv run ruff format

# Write the generated reference pages again.
docs:
    uv run python docs/generate.py
