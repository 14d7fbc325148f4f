"""What runs inside the sandbox of a step, and nothing else: the standard library, no Shipway.

The worker packs these modules into ``box.pyz`` (`shipway.builds.boxed`), runs it as a task, hands
it the step as JSON on standard input, and finds what came of it in ``/box/out/result.json``.
There is in ``/box``:

    commit/   the sources, read-only        src/      the part of them that the step sees
    run/      box.pyz and the step's files  out/      artifacts and result.json
    cache/    package managers' caches      scratch/  temporary files too big for /tmp
    tools/    uv, pip, shiv, esbuild, read-only

The paths never change, so that what is built does not depend on where or when.
"""
