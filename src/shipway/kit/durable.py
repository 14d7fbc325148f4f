"""The one door to durable workflows: DBOS, with the guards that make it safe to kill.

A workflow is an async function of one request. Its steps are functions marked `step`; a
finished step is never run again, one that was interrupted is run again from its start, so each
must look before it acts. What a step returns is kept as JSON and given back as its annotated
type. A `ShipwayError` that a step raises is kept as its result, so that a workflow which is
resumed sees the same error that it saw before.

The guards, each learned the hard way: one worker at a time (an advisory lock, held for life),
a fixed executor and a version bumped by hand, priorities and time-outs always given, JSON
instead of pickle, and children that are enqueued only when they may run.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import typing
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

import dbos
import pydantic

from shipway.kit import disk, errors, kept_errors, log, single

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")

VERSION = "3"
"""Bump when the steps of a workflow change their order; old runs then wait for the old worker."""

URGENT, NORMAL = 1, 100
"""Priorities. Always given: a workflow without one would run before everything."""

RECOVERIES = 100
"""How often a workflow is resumed before it is given up."""

PATIENCE = (0.5, 1, 2, 4, 8)
"""Seconds between tries of a step whose outside does not answer."""

RESULT_SECONDS = 0.1
"""How often a workflow looks whether its child has ended: the engine does not tell it."""

_running: dict[str, set[asyncio.Task[Any]]] = {}
_log = log.get("durable")


class Interrupted(errors.ShipwayError):
    """Somebody cancelled the run."""

    status = 409
    exit_code = 9


@dataclass(frozen=True)
class Point:
    """A place where a test may kill the worker."""

    workflow: str
    step: str
    moment: str
    """before, inside, done (body finished, not recorded) or recorded."""


on_point: list[Callable[[Point], None]] = []
"""What tests want to be told of; empty in service."""


# --- steps ---------------------------------------------------------------------------------


def step(
    body: Callable[Concatenate[S, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, R]]:
    """Mark a method as a step: its result is kept, and it is not run again once kept.

    The step's name is the method's; a first argument with a ``name`` adds it, so that a step
    called several times can be told apart. Outside a workflow the method just runs.
    """
    adapters: list[pydantic.TypeAdapter[Any]] = []

    def adapter() -> pydantic.TypeAdapter[Any]:
        # Annotations are resolved late: the modules may refer to one another.
        if not adapters:
            adapters.append(pydantic.TypeAdapter(typing.get_type_hints(body)["return"]))
        return adapters[0]

    @functools.wraps(body)
    async def kept(self: S, *args: P.args, **kwargs: P.kwargs) -> R:
        if dbos.DBOS.workflow_id is None:
            return await body(self, *args, **kwargs)
        name = _name(body.__name__, args)

        async def once() -> dict[str, Any]:
            _reach(name, "before")
            outcome = await _patiently(name, lambda: body(self, *args, **kwargs), adapter())
            _reach(name, "done")
            return outcome

        outcome = await dbos.DBOS.run_step_async({"name": name}, once)
        _reach(name, "recorded")
        if error := outcome.get("error"):
            raise kept_errors.revive(error, Interrupted)
        return typing.cast("R", adapter().validate_python(outcome["value"]))

    _steps.add((body.__module__, body.__qualname__))
    return typing.cast("Callable[Concatenate[S, P], Coroutine[Any, Any, R]]", kept)


_steps: set[tuple[str, str]] = set()


def steps_of(owner: type) -> frozenset[str]:
    """Return the names of the methods of a class that are steps."""
    return frozenset(
        name.rpartition(".")[2]
        for module, name in _steps
        if (module, name.rpartition(".")[0]) == (owner.__module__, owner.__qualname__)
    )


def _name(method: str, args: tuple[object, ...]) -> str:
    which = getattr(args[0], "name", "") if args else ""
    return f"{method} {which}".strip()


async def _patiently(
    name: str, body: Callable[[], Coroutine[Any, Any, Any]], adapter: pydantic.TypeAdapter[Any]
) -> dict[str, Any]:
    """Run a body, again while a part that it needs does not answer, and return what to keep."""
    for patience in PATIENCE:
        try:
            return await _outcome(name, body(), adapter)
        except errors.Unavailable as error:
            _log.warning("step.waits", step=name, why=str(error), seconds=patience)
            await asyncio.sleep(patience)
    try:
        return await _outcome(name, body(), adapter)
    except errors.Unavailable as error:
        return {"error": kept_errors.keep(error)}


async def _outcome(
    name: str, body: Coroutine[Any, Any, Any], adapter: pydantic.TypeAdapter[Any]
) -> dict[str, Any]:
    workflow = dbos.DBOS.workflow_id or ""
    task = asyncio.ensure_future(body)
    _running.setdefault(workflow, set()).add(task)
    try:
        await asyncio.sleep(0)  # lets the body begin, so that "inside" is inside
        _reach(name, "inside")
        return {"value": adapter.dump_python(await task, mode="json")}
    except errors.Unavailable:
        raise
    except errors.ShipwayError as error:
        return {"error": kept_errors.keep(error)}
    except asyncio.CancelledError:
        if not _interrupted(task):
            task.cancel()
            raise
        return {"error": kept_errors.keep(Interrupted("The run was cancelled."))}
    except Exception as error:  # noqa: BLE001 -- a bug must end the run with a sentence, not strand it
        _log.exception("step.broke", step=name, workflow=workflow)
        return {"error": kept_errors.keep(_broken(name, error))}
    finally:
        _running[workflow].discard(task)
        if not _running[workflow]:
            del _running[workflow]


def _broken(name: str, error: Exception) -> errors.Failed:
    if isinstance(error, OSError) and error.errno in disk.FULL:
        where = f" ({error.filename})" if error.filename else ""
        return errors.Failed(
            f"{name} could not write{where}: the disk is full.",
            fix="Make room: `shipway housekeeping`, then do it again.",
        )
    return errors.Failed(f"{name} broke: {error!r}.")


def _interrupted(task: asyncio.Future[Any]) -> bool:
    """Tell a cancelled step apart from a worker that is shutting down."""
    current = asyncio.current_task()
    return task.cancelled() and not (current and current.cancelling())


def _reach(step_name: str, moment: str) -> None:
    for hook in on_point:
        hook(Point(workflow=dbos.DBOS.workflow_id or "", step=step_name, moment=moment))


# --- workflows -----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Start:
    """What to start: a workflow by name, once for each ``id``, in a queue by urgency.

    ``lane`` is the queue's partition: one workflow of a lane runs at a time.
    """

    workflow: str
    id: str
    request: Mapping[str, Any]
    queue: str
    lane: str = ""
    priority: int = NORMAL


@dataclass(frozen=True, kw_only=True)
class Queue:
    """A queue. With ``one_per_lane`` each lane runs one at a time, lanes side by side.

    ``look_seconds`` is how often it is looked at, and so how long its workflows wait at most.
    """

    name: str
    look_seconds: float = 1.0
    one_per_lane: bool = False
    at_once: int | None = None


async def child(start: Start) -> dict[str, Any]:
    """Run another workflow from inside one, and return its result. Starting it again joins it."""
    handle = await _enqueue(start)
    try:
        found = await handle.get_result(polling_interval_sec=RESULT_SECONDS)
        return typing.cast("dict[str, Any]", found)
    except (dbos.error.DBOSException, dbos.PortableWorkflowError) as error:
        raise errors.Failed(
            f"{start.workflow} {start.id} ended without a result: {str(error).rstrip('.')}."
        ) from error


async def follow_up(start: Start) -> None:
    """Start another workflow from inside one, and do not wait for it."""
    await _enqueue(start)


async def _enqueue(start: Start) -> dbos.WorkflowHandleAsync[Any]:
    function = _functions[start.workflow]
    options = dbos.SetEnqueueOptions(
        priority=start.priority, queue_partition_key=start.lane or None
    )
    with dbos.SetWorkflowID(start.id), options:
        return await dbos.DBOS.enqueue_workflow_async(start.queue, function, dict(start.request))


async def result(workflow: str) -> dict[str, Any]:
    """Wait for the end of a workflow that this process runs, and return its result."""
    handle: dbos.WorkflowHandleAsync[Any] = await dbos.DBOS.retrieve_workflow_async(workflow)
    found = await handle.get_result(polling_interval_sec=RESULT_SECONDS)
    return typing.cast("dict[str, Any]", found)


async def receive(topic: str, *, timeout: float) -> dict[str, Any] | None:
    """Wait for a message to this workflow. None means that the time ran out: never a yes."""
    return typing.cast(
        "dict[str, Any] | None", await dbos.DBOS.recv_async(topic, timeout_seconds=timeout)
    )


_functions: dict[str, Callable[[dict[str, Any]], Coroutine[Any, Any, dict[str, Any]]]] = {}


class Engine:
    """Runs workflows in this process. One at a time may; a second waits for the first to go."""

    def __init__(self, url: str, *, queues: Sequence[Queue]) -> None:
        self._url = url
        self._queues = queues
        dbos.DBOS(
            config={
                "name": "shipway",
                "system_database_url": _dbos_url(url),
                "application_version": VERSION,
                "executor_id": "worker",
                "serializer": dbos.DBOSPortableJSONSerializer(),
                "notification_listener_polling_interval_sec": 0.1,
                "log_level": "WARNING",
            }
        )

    def register(
        self,
        name: str,
        body: Callable[[dict[str, Any]], Coroutine[Any, Any, dict[str, Any]]],
        *,
        recoveries: int = RECOVERIES,
    ) -> None:
        """Make a workflow known under a name. Its request and result are JSON objects.

        After so many ``recoveries`` it is given up: it may be what kills the worker.
        """

        async def workflow(request: dict[str, Any]) -> dict[str, Any]:
            return await body(request)

        workflow.__qualname__ = workflow.__name__ = name
        _functions[name] = dbos.DBOS.workflow(name=name, max_recovery_attempts=recoveries)(workflow)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Resume what was interrupted and take new work until the block ends."""
        async with single.alone(self._url):
            dbos.DBOS.launch()
            for queue in self._queues:
                await dbos.DBOS.register_queue_async(
                    queue.name,
                    worker_concurrency=queue.at_once,
                    partition_concurrency=1 if queue.one_per_lane else None,
                    polling_interval_sec=queue.look_seconds,
                )
            try:
                yield
            finally:
                await asyncio.to_thread(dbos.DBOS.destroy)

    @staticmethod
    async def stranded() -> list[str]:
        """Return the ids of unfinished workflows of another version: nobody will resume them."""
        unfinished = await dbos.DBOS.list_workflows_async(status=["PENDING", "ENQUEUED"])
        return [
            found.workflow_id for found in unfinished if found.app_version not in {VERSION, None}
        ]

    @staticmethod
    async def abandoned() -> list[Start]:
        """Return what was resumed too often and is given up. What it was at is not ended."""
        return [
            Start(workflow=one.name, id=one.workflow_id, request=one.input["args"][0], queue="")
            for one in await dbos.DBOS.list_workflows_async(status="MAX_RECOVERY_ATTEMPTS_EXCEEDED")
            if one.input
        ]


def under_way() -> tuple[str, ...]:
    """Return the ids of the workflows that this process runs a step of now."""
    return tuple(_running)


def interrupt(workflow: str) -> bool:
    """End the steps that a workflow runs now; each raises `Interrupted`. False when none runs."""
    tasks = list(_running.get(workflow, ()))
    for task in tasks:
        task.cancel()
    return bool(tasks)


class Remote:
    """Starts workflows and sends to them from another process, whether or not the worker runs."""

    def __init__(self, url: str) -> None:
        self._client = dbos.DBOSClient(
            system_database_url=_dbos_url(url),
            application_name="shipway",
            serializer=dbos.DBOSPortableJSONSerializer(),
        )

    async def start(self, start: Start) -> None:
        """Enqueue a workflow. The same id again changes nothing."""
        options: dbos.EnqueueOptions = {
            "workflow_name": start.workflow,
            "queue_name": start.queue,
            "workflow_id": start.id,
            "app_version": VERSION,
            "priority": start.priority,
        }
        if start.lane:
            options["queue_partition_key"] = start.lane
        await self._client.enqueue_async(options, dict(start.request))

    async def send(
        self, workflow: str, topic: str, message: Mapping[str, Any], *, key: str
    ) -> None:
        """Send a message. The same key again is dropped."""
        await self._client.send_async(workflow, dict(message), topic, idempotency_key=key)

    async def close(self) -> None:
        # In a thread of its own: the engine took the loop's pool of threads with it, when it ran here.
        with concurrent.futures.ThreadPoolExecutor(1) as own:
            await asyncio.get_running_loop().run_in_executor(own, self._client.destroy)


def _dbos_url(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1)
